"""Nothing that names a patient stays in the text, and nothing clinical goes.

How well that is met, on invented impressions (no word of them is real; see scrub_score.py):

    set                       rules    identifiers     the header   strangers  words of      texts
                                       found           knows them              medicine lost withheld
    first, 100 texts          cues     356/360  99 %   169/169      187/191    2/763         0
    second, 40 texts          cues      84/147  57 %    39/41        45/106   15/324         2
    third, 60 texts           cues     110/172  64 %    44/49        66/123    0/493         0
    first                     now      357/360  99 %   169/169      188/191    2/763         0
    second                    now      136/147  93 %    40/41        96/106    2/324         1
    third, measured once      now      147/172  85 %    44/49       103/123    7/493         0

"Cues" looks for what stands beside a name; "now" also takes capitalised words that no list of
daily language or medicine has.  The first two sets were in view when those rules were written;
the third was written before their author had read the rules, and none was changed for it: 85 % is
what to expect of text nobody has looked at, or less, since one author wrote both the third set and
the list of medicine.  By class, cues and now, on the third set:

    clinician  30 43/48    place    7 19/22    date  17 18/25    name     29 34/37    id  10 12/14
    phone       6  7/8     address  2  4/5     age    5  5/6     time      3  4/5     url  1  1/1
    email       0  0/1

Of its 20 texts without an identifier 3 lost a word, of the 493 words of medicine 7; cues alone
harmed none.  What gets through is mostly small letters, a name that is a word at the start of a
sentence (June), odd dates, and initials.  Withholding does not make up for it.
"""

import base64
import os

import pytest

from data_prep.deid.pseudonym import DEMO_KEY, KEY_VARIABLE, Pseudonyms, load_key
from data_prep.deid.scrub import scrub, suspect
from tests.scrub_score import score

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


@pytest.mark.parametrize(
    ("name", "found", "destroyed"),
    [
        ("held_out_impressions.jsonl", 357, 2),
        ("held_out_second.jsonl", 136, 2),
        ("held_out_third.jsonl", 147, 7),
    ],
)
def test_the_score_of_every_set_is_kept(name, found, destroyed):
    """Bounds are what was measured; a change of the rules may better them, not worsen."""
    measured = score(name)
    assert measured.found.total() >= found, measured.table()
    assert len(measured.destroyed) <= destroyed, measured.destroyed


@pytest.mark.parametrize(
    ("text", "gone", "stays"),
    [
        ("No scar, agreed Thibodeaux at the console.", "Thibodeaux", "console"),
        ("Images came from Parirenyatwa last week.", "Parirenyatwa", "last week"),
        ("Der Enkel Korbinian holt die Vorhofbefunde.", "Korbinian", "Vorhofbefunde"),
        ("no thrombus. spoke to dr venkat today", "venkat", "today"),
        ("Programming by Rob Weber after Ross repair.", "Rob Weber", "Ross repair"),
        (
            "The Medtronic Azure and Sildenafil were tolerated.",
            None,
            "Medtronic Azure and Sildenafil",
        ),
        ("Es gibt Hoffnung: die Wandbewegung der Klappenebene ist gut.", None, "Klappenebene"),
        ("Mild Mitral Regurgitation, Normal Wall Thickness", None, "Normal Wall Thickness"),
    ],
)
def test_a_stranger_is_a_capitalised_word_of_no_list(text, gone, stays):
    clean = scrub(text, ()).text
    assert gone is None or gone not in clean, clean
    assert stays in clean, clean
    assert (clean == text) == (gone is None)


def test_a_name_that_is_a_word_stays_where_it_is_said():
    clean = scrub(
        "There is hope of recovery. Destiny Hope is keen; Hope walks.", ("HOPE^DESTINY",)
    ).text
    assert "There is hope of" in clean
    assert "Hope" not in clean


def test_a_text_that_is_mostly_names_is_suspect():
    """So comes out a text in a language of which there is no list."""
    assert suspect("[NAME] mies [NAME], [NAME] on [NAME]; [NAME], [NAME] ja [NAME].", ())
    assert not suspect(
        "Seen by [NAME], [NAME], [NAME], [NAME], [NAME] and [NAME]. " + "Ok " * 40, ()
    )


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("MÜLLER^JÜRGEN", "known: mueller, Jurgen MULLER"),
        ("MUELLER^KARL", "Müller"),
        ("O'NEIL^SARAH", "ONeil and O Neil and o'neil"),
        ("GARCIA-LOPEZ^ANA", "Garcia Lopez, garcia"),
        ("KOWALCZYK^JAN", "K o w a l c z y k, Kowal-\nczyk, KowalczykJan, jkowalczyk"),
        ("WEISS^EVA", "Dr. Weiß"),
        ("LONG^ANNA", "Anna Long; Long, Anna; Mrs Long"),
        ("00-447.182", "00447182 447182 00-447-182 447.182"),
    ],
)
def test_a_header_is_found_however_it_is_spelled(header, text):
    clean = scrub(text, (header,)).text.lower()
    left = clean.replace("[name]", "").replace("[id]", "")
    assert not [w for w in ("mu", "neil", "gar", "kow", "czyk", "wei", "long", "447") if w in left]


@pytest.mark.parametrize("word", ["long axis", "Ross procedure", "Fabry disease", "white matter"])
def test_a_header_name_that_is_a_word_of_medicine_stays_where_it_is_one(word):
    known = (f"{word.split()[0].upper()}^ANNA",)
    clean = scrub(f"Normal {word}. A {word} view.", known).text
    assert clean.count(word) == 2
    assert not suspect(clean, known)


def test_what_was_removed_is_counted_by_class_and_lines_stay():
    text = "1. Seen by Dr Holmes\n2. MRN 4471829.\n\n3. On 03/04/2021, 04/04/2021\n"
    scrubbed = scrub(text, KNOWN)
    assert scrubbed.removed == {"NAME": 1, "ID": 1, "DATE": 2}
    assert scrubbed.text == "1. Seen by Dr [NAME]\n2. MRN [ID].\n\n3. On [DATE], [DATE]\n"


def test_what_still_looks_like_an_identifier_is_suspect():
    assert suspect("Reference 99887766 in the archive.", ())
    assert suspect("seen with Delacroix", KNOWN)
    assert not suspect("LVEF 58%, LVEDV 165 mL.", KNOWN)


def test_texts_that_are_no_prose_come_to_an_end():
    """Each would take minutes or years of a pattern that tries every way to split a word."""
    for text in ("Ab-" * 33 + " x", "a" * 6000, "1." * 3000, "a." * 3000, "Ab, " * 1500):
        scrub(text, KNOWN)
    assert scrub(f"EF 58%. {'Ab-' * 999} No scar.", KNOWN).text == "EF 58%. [ID] No scar."


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
    random = bytes(range(0, 256, 5))[::-1] + b"\x07\x99"
    for weak in (
        b"short",
        os.urandom(31),
        bytes(range(8)) * 4,
        os.urandom(16) * 2,
        bytes(range(64)),
        b"my-Password-" + os.urandom(32),
        random,
    ):
        file.write_bytes(weak)
        with pytest.raises(ValueError, match="too weak"):
            load_key(str(file), "exams")
    file.write_bytes(DEMO_KEY)
    with pytest.raises(ValueError, match="demo key"):
        load_key(str(file), "exams")
    assert load_key(str(file), "phantom:tiny").key == DEMO_KEY


@pytest.mark.parametrize("written", [bytes.hex, lambda key: base64.b64encode(key).decode()])
def test_a_key_may_stand_in_the_environment(written, monkeypatch, tmp_path):
    key = os.urandom(32)
    monkeypatch.setenv(KEY_VARIABLE, written(key))
    assert load_key(None, "exams").key == key
    with pytest.raises(ValueError, match="both set"):
        load_key(str(tmp_path / "key"), "exams")
    for wrong in ("not a key!", written(b"\x01" * 32)):
        monkeypatch.setenv(KEY_VARIABLE, wrong)
        with pytest.raises(ValueError, match=KEY_VARIABLE) as error:
            load_key(None, "exams")
        assert wrong not in str(error.value)
