"""Nothing that names a patient stays in the text, and nothing clinical goes."""

import os

import pytest

from data_prep.deid.pseudonym import Pseudonyms, load_key
from data_prep.deid.scrub import scrub, suspect

KNOWN = ("DELACROIX^MARIE", "4471829", "ACC0091827", "19680715", "O'NEIL^SARAH")
GONE = [
    (
        "Discussed with Dr. Sarah O'Neil at 3:45 PM on 03/04/2021.",
        ["Sarah", "O'Neil", "3:45", "03/04/2021"],
    ),
    (
        "Compared with prior MRI of January 5, 2020 from St. Mary's Hospital.",
        ["January", "2020", "Mary"],
    ),
    ("Mr. Delacroix informed. MRN 4471829. Call 555-213-8841.", ["Delacroix", "4471829", "8841"]),
    (
        "Electronically signed by: Jane Reader, MD 12 Feb 2022 14:33",
        ["Jane", "Reader", "2022", "14:33"],
    ),
    ("93-year-old woman with amyloid.", ["93"]),
    ("Results sent to j.smith@clinic.org.", ["smith"]),
    ("Accession ACC0091827: apical aneurysm.", ["ACC0091827"]),
    ("Seen by Dr Holmes in clinic, pager 71234.", ["Holmes", "71234"]),
    ("Vorbefund vom 03.05.2020, Universitätsklinikum Heidelberg.", ["03.05", "Heidelberg"]),
    ("Comparé à l'IRM du 12 mars 2019. Signé Jean Dupont.", ["2019", "Dupont"]),
    ("Informe validado por Carmen Ruiz el 14/07/2021.", ["Carmen", "Ruiz", "14/07"]),
    ("DOB 07/15/1968.", ["07/15"]),
    ("SSN 123-45-6789; lives at 12 Elm Street.", ["6789", "Elm"]),
    ("delacroix again, in lower case", ["delacroix"]),
]
KEPT = [
    "Status post Fontan and Ross procedure.",
    "Native T1 1025 ms, ECV 31%, T2 52 ms. No edema.",
    "LVEDVi 112 mL/m2, previously 98 mL/m2.",
    "Takotsubo pattern; Fabry disease cannot be excluded.",
    "Aortic root 4.6 x 4.4 cm. LAD territory, segments 7-8, 50-75% transmural.",
    "Recommend repeat MRI in 12 months.",
]


@pytest.mark.parametrize(("text", "secrets"), GONE, ids=range(len(GONE)))
def test_identifiers_go(text, secrets):
    clean = scrub(text, KNOWN).text
    for secret in secrets:
        assert secret.lower() not in clean.lower(), clean


@pytest.mark.parametrize("text", KEPT)
def test_medicine_stays(text):
    assert scrub(text, KNOWN).text == text


def test_what_still_looks_like_an_identifier_is_suspect():
    assert suspect("Reference 99887766 in the archive.", ())
    assert suspect("seen with Delacroix", KNOWN)
    assert not suspect("LVEF 58%, LVEDV 165 mL.", KNOWN)


def test_pseudonyms_depend_on_key_domain_and_value_alone():
    a, b = Pseudonyms(b"a" * 32), Pseudonyms(b"b" * 32)
    assert a.of("patient", " id7 ") == a.of("patient", "ID7")
    assert (
        len({a.of("patient", "7"), a.of("study", "7"), b.of("patient", "7"), a.of("patient", "8")})
        == 4
    )
    assert 0 <= a.uniform("split", "x") < 1
    assert "aaaa" not in repr(a)


def test_a_real_export_needs_a_strong_private_key(tmp_path):
    assert load_key(None, "phantom:tiny").key_id
    with pytest.raises(ValueError, match="--key-file is missing"):
        load_key(None, "exams")
    file = tmp_path / "key"
    file.write_bytes(os.urandom(32))
    file.chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        load_key(str(file), "exams")
    file.chmod(0o600)
    assert load_key(str(file), "exams").key_id
    for weak in (b"short", os.urandom(31), bytes(range(7)) * 8):
        file.write_bytes(weak)
        with pytest.raises(ValueError, match="too weak"):
            load_key(str(file), "exams")
    file.write_bytes(bytes(range(8)) * 4)  # just enough of each
    assert len(load_key(str(file), "exams").key_id) == 8
