"""Impressions are found in the reports that people write, and every format gives the same rows."""

import base64
import json
import pathlib
import random
import unicodedata

import pytest

from data_prep.folding import fold
from data_prep.read.reject import Why
from data_prep.reports.attachment import from_base64, text_of
from data_prep.reports.headings import Kind, kind_of, phrases
from data_prep.reports.impression import extract, sentences
from data_prep.reports.markup import clean, decode, from_html, from_rtf
from data_prep.reports.rows import KEY_COLUMNS, canonical, day, moment
from data_prep.reports.table import read_labels, read_reports

INVENTED = pathlib.Path(__file__).parent / "golden" / "impressions.txt"
TEXT = "FINDINGS: Größe normal.\nIMPRESSION:\nNormal, no LGE."
FOUND = "Normal, no LGE."


def invented():
    """Reports of many layouts and tongues: name, report, its impression or !REASON."""
    for block in INVENTED.read_text("utf-8").split("#### ")[1:]:
        name, _, rest = block.partition("\n")
        text, _, expected = rest.partition(">>>>\n")
        for mark, char in (("<CR>", "\r"), ("<LF>", "\n"), ("<FF>", "\f")):
            text = text.replace(mark, char)
        yield pytest.param(text.rstrip("\n"), expected.strip(), id=name)


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(("report", "expected"), list(invented()))
def test_the_impression_of_an_invented_report_is_found(report, expected):
    found = extract(report)
    if expected.startswith("!"):
        assert found is Why[expected[1:]]
    else:
        assert isinstance(found, str)
        assert words(found) == words(expected)


REPORTS = [
    (
        "FINDINGS: large heart.\nIMPRESSION:\n1. Normal.\n2. No LGE.\nElectronically signed by: X",
        "1. Normal.\n2. No LGE.",
    ),
    ("TECHNIQUE: x\nCONCLUSION\nDilated LV.\nRECOMMENDATIONS: echo", "Dilated LV."),
    ("FINDINGS: all fine IMPRESSION: Small effusion.", "Small effusion."),
    ("IMPRESSION:\nOld text.\nADDENDUM: typo\nIMPRESSION:\nNew text.", "New text."),
    ("IMPRESSION:\n1. A scar.\n2. Comparison: none.", "1. A scar.\n2. Comparison: none."),
    ("3. IMPRESSION:\nA scar.\n4. Comparison: none.", "A scar."),
    ("IMPRESSION:\n- A scar.\n- LVEF 40%.", "- A scar.\n- LVEF 40%."),
    ("FINDINGS: nothing else", Why.NO_IMPRESSION),
    ("IMPRESSION: see above", Why.REFERS_ELSEWHERE),
    ("IMPRESSION: " + "word " * 2000, Why.ENDLESS_IMPRESSION),
    ("", Why.NO_IMPRESSION),
]


@pytest.mark.parametrize(("report", "impression"), REPORTS, ids=range(len(REPORTS)))
def test_lines_and_numbers_of_an_impression_stay(report, impression):
    assert extract(report) == impression


def test_a_heading_is_of_one_kind_and_folding_keeps_positions():
    every = [phrase for kind in Kind for phrase in phrases(kind)]
    assert len(every) == len(set(every))
    for text in ("Größe İstanbul SONUÇ:結論\u0301", "ガ결론ﬁ½", "ΣΥΜΠΈΡΑΣΜΑ"):
        assert len(fold(text)) == len(text)
    assert fold("Ødegård’s ＭＲＩ 김ガé") == "odegard's mri 김カe"
    assert kind_of(fold("Final Impression and Recommendations")) is Kind.IMPRESSION
    assert kind_of("impression of a mass") is None


@pytest.mark.parametrize(
    "text",
    [
        "IMPRESSION:" * 5000,
        "1. " * 30000,
        "Dr A" + "A" * 70 + "!\n" * 2000,
        " " * 100_000 + "-",
        "a: " * 30000,
        "<" + " " * 50_000,
        "(" * 50_000,
        "ADDENDUM\n" * 5000,
        "the " * 9999,
    ],
    ids=range(9),
)
def test_hostile_text_gives_an_answer(text):
    assert isinstance(extract(text), str | Why)
    sentences(text[:6000])


def test_random_pieces_of_reports_never_raise():
    rng = random.Random(0)
    pieces = [
        "IMPRESSION",
        ":",
        "\n",
        "2.",
        "ADDENDUM",
        "See above",
        "Dr. X",
        "\\n",
        "<br>",
        "。",
        "结论",
    ]
    for _ in range(300):
        text = " ".join(rng.choice(pieces) for _ in range(rng.randrange(30)))
        found = extract(text)
        assert isinstance(found, Why) or found.strip() == found != ""


def test_sentences_are_whole():
    text = "1. Dilated LV, LVEDVi 120.5 mL/m2. No LGE.\n2) Seen with Dr. Smith today.\n- Small effusion."
    assert sentences(text) == [
        "Dilated LV, LVEDVi 120.5 mL/m2.",
        "No LGE.",
        "Seen with Dr. Smith today.",
        "Small effusion.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.未见异常。2.射血分数30.5%。", ["未见异常。", "射血分数30.5%。"]),
        ("拡張型心筋症。遅延造影なし。", ["拡張型心筋症。", "遅延造影なし。"]),
        ("ФВ 30 %. Признаков, т.е. отека, нет.", ["ФВ 30 %.", "Признаков, т.е. отека, нет."]),
        ("Kein LGE, z.B. Narbe. Äußere Wand.", ["Kein LGE, z.B. Narbe.", "Äußere Wand."]),
        ("Old infarct,\nLVEF 44 %.\nNo LGE.", ["Old infarct, LVEF 44 %.", "No LGE."]),
        ("Wide\nbody. No scar.", ["Wide body.", "No scar."]),
        ("Severe MR. LVEF 30%.", ["Severe MR.", "LVEF 30%."]),
        ("Normal. 2. No LGE. (See note.)", ["Normal.", "No LGE.", "(See note.)"]),
        ("1.5 T exam. EF 5.5.", ["1.5 T exam.", "EF 5.5."]),
    ],
)
def test_sentences_of_other_tongues_and_layouts(text, expected):
    assert sentences(text) == expected


def test_terminal_codes_and_control_characters_go_and_markup_stays_text():
    assert clean("a\x1b[31mred\x1b[0m\x07\x00b") == "aredb"
    assert clean("<script>x</script>") == "<script>x</script>"
    assert clean("a<br/>b\\nc\r\nd&amp;") == "a\nb\nc\nd&"


def test_wrappings_give_their_text():
    head = "<!DOCTYPE html><html><head><title>no</title><style>p {}</style></head>"
    page = (
        head
        + "<body><!-- <p>no --><p class='x'>A &amp;\n b 3 < 4</p><ul><li>c</ul><script>x</script>"
    )
    assert from_html(page) == "A & b 3 < 4\nc"
    rtf = (
        r"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0 Arial;}}\f0 IMPRESSION:\par "
        r"Caf\u233?e \'c7\'e0 {\*\x y}5\{\}}"
    )
    assert from_rtf(rtf) == "IMPRESSION:\nCafée За 5{}"
    assert from_rtf("}}}{\\rtf1 a\\'zz\\u99999999? b").startswith("a")


@pytest.mark.parametrize(
    "piece", ["<a ", "<!--", "<p x='", "</", "<![", "<?", "&#", "<script>", "-->"]
)
def test_broken_pages_are_read_in_one_pass(piece):
    assert isinstance(from_html(piece * 20_000), str)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_tables_of_spreadsheets_are_read(tmp_path, encoding):
    path = tmp_path / "r.csv"
    path.write_bytes('patient_id,report_text\n7,"IMPRESSION:\nGrößer, normal"\n'.encode(encoding))
    assert read_reports(str(path))[0]["report_text"] == "IMPRESSION:\nGrößer, normal"


def test_bytes_that_no_code_page_knows_are_latin_1():
    assert decode(b"Gr\xf6\x81") == "Grö\x81"


def test_a_missing_table_says_so():
    with pytest.raises(ValueError, match="no such file"):
        read_reports("nowhere.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patient_id,words\n7,x\n", "report_text"),
        ('patient_id,report_text\n7,"never closed\n8,x\n', "quotes do not match"),
        ("", "report_text|nothing"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path, text, message):
    path = tmp_path / "r.csv"
    path.write_text(text)
    if text:
        with pytest.raises(ValueError, match=message):
            read_reports(str(path))
    else:
        assert read_reports(str(path))[0]["reject"] == "REPORT_UNREADABLE"


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_columns_are_known_by_the_names_that_systems_give_them(tmp_path, delimiter):
    path = tmp_path / "r.txt"
    header = delimiter.join(["MRN", "Accession Number", "Report Text", "Status", "Patient Name"])
    path.write_text(header + "\n" + delimiter.join(["7", "A1|A2", '"a ""b"""', "Final", "X^Y"]))
    first, second = read_reports(str(path))
    assert (first["patient_id"], first["report_text"], first["report_status"]) == (
        "7",
        'a "b"',
        "Final",
    )
    assert (first["accession_number"], second["accession_number"]) == ("A1", "A2")
    assert first["linked"] == second["linked"] != ""
    assert first["identifiers"] == "X^Y"


def test_a_text_cut_at_a_comma_is_counted(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("patient_id,report_text\n7,IMPRESSION: no scar, no oedema\n8,IMPRESSION: x y\n")
    assert [row.get("reject") for row in read_reports(str(path))] == ["REPORT_UNREADABLE", None]


def test_labels_keep_their_columns(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("PatientID;status;lv_ef\n7;well;55\n8\n")
    assert read_labels(str(path)) == [
        {"patient_id": "7", "status": "well", "lv_ef": "55"},
        {"patient_id": "8", "status": "", "lv_ef": ""},
    ]


def hl7(*lines: str, kind: str = "ORU^R01", charset: str = "", end: str = "\r") -> bytes:
    head = f"MSH|^~\\&|RIS|H|A|B|20310405||{kind}|1|P|2.5.1||||||{charset}"
    codec = {"8859/5": "iso8859-5"}.get(charset, "utf-8")
    return (end.join((head, *lines)) + end).encode(codec)


PID = "PID|1||4711^^^H^MR~99^^^H^PI||Nobody^Alma||19500102|F"
OBR = "OBR|1|P1|F7|X^MR heart|||20310404101500|||||||||3^Doctor^Dora||A1||S20||20310405||MR|F"


def read_bytes(tmp_path, raw: bytes, name: str = "r.hl7"):
    (tmp_path / name).write_bytes(raw)
    return read_reports(str(tmp_path / name))


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_result_message_gives_its_keys_and_text(tmp_path, end):
    lines = [
        "OBX|1|TX|X||FINDINGS: a||||||F",
        "OBX|2|TX|X||IMPRESSION:||||||F",
        "OBX|3|TX|X||" + FOUND,
    ]
    (row,) = read_bytes(tmp_path, hl7(PID, OBR, *lines, end=end))
    assert extract(row["report_text"]) == FOUND
    assert (row["patient_id"], row["accession_number"]) == ("4711", "A1")
    assert row["other_numbers"].split("\x1f") == ["F7", "S20"]
    assert (row["study_date"], row["report_date"]) == ("20310404101500", "20310405")
    assert row["report_status"] == "F"
    assert {"Nobody", "Alma", "Dora", "19500102"} <= set(row["identifiers"].split("\x1f"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (r"IMPRESSION:\.br\LVEF 55 \T\ no LGE\.br\5\S\3 a\F\b \X41\ \E\ \Zunknown\ c:\d",
         "LVEF 55 & no LGE\n5^3 a|b A \\ \\Zunknown\\ c:\\d"),
        ("IMPRESSION:~Normal.~No scar.", "Normal.\nNo scar."),
        ("IMPRESSION: LVEF ~55% (~5 mm)", "LVEF ~55% (~5 mm)"),
        ("IMPRESSION: first\nsecond raw line", "first\nsecond raw line"),
    ],
)  # fmt: skip
def test_escapes_and_repetitions_of_a_message(tmp_path, value, expected):
    (row,) = read_bytes(tmp_path, hl7(PID, OBR, f"OBX|1|FT|X||{value}||||||F"))
    assert extract(row["report_text"]) == expected


def test_codes_of_results_name_the_impression_and_the_addendum(tmp_path):
    parts = [
        ("X&IMP", "Small scar."),
        ("X&GDT", "LVEF 50%."),
        ("X&ADT", "IMPRESSION: No thrombus."),
    ]
    lines = [f"OBX|{n}|TX|{code}||{text}||||||F" for n, (code, text) in enumerate(parts)]
    (row,) = read_bytes(tmp_path, hl7(PID, OBR, *lines))
    assert extract(row["report_text"]) == "Small scar.\nNo thrombus."


@pytest.mark.parametrize(
    ("order", "states", "expected"),
    [("F", "F", "F"), ("", "P", "P"), ("F", "C", "C"), ("F", "XX", "X"), ("F", "W", "W"), ("A", "", "A")],
)  # fmt: skip
def test_status_of_a_message(tmp_path, order, states, expected):
    obr = OBR[: -len("F")] + order
    lines = [f"OBX|{n}|TX|X||{TEXT.splitlines()[0]}||||||{s}" for n, s in enumerate(states)]
    assert read_bytes(tmp_path, hl7(PID, obr, *lines))[0].get("report_status", "") == expected


def test_a_line_that_was_withdrawn_is_no_text(tmp_path):
    lines = ["OBX|1|TX|X||IMPRESSION: Normal.||||||F", "OBX|2|TX|X||Large scar.||||||W"]
    assert extract(read_bytes(tmp_path, hl7(PID, OBR, *lines))[0]["report_text"]) == "Normal."


def test_batches_mllp_and_other_messages(tmp_path):
    one = hl7(PID, OBR, f"OBX|1|TX|X||IMPRESSION: {FOUND}")
    other = hl7(PID, kind="ADT^A08")
    raw = b"FHS|^~\\&|x\rBHS|^~\\&|x\r\x0b" + one + b"\x1c\r\x0b" + other + b"\x1c\rBTS|2\rFTS|1\r"
    first, second = read_bytes(tmp_path, raw)
    assert extract(first["report_text"]) == FOUND
    assert second["reject"] == "NOT_A_REPORT"


def test_a_message_in_its_own_characters(tmp_path):
    raw = hl7(PID, OBR, "OBX|1|TX|X||Заключение: Норма.", charset="8859/5")
    assert extract(read_bytes(tmp_path, raw)[0]["report_text"]) == "Норма."


def test_one_text_for_several_orders(tmp_path):
    raw = hl7(PID, OBR, f"OBX|1|TX|X||IMPRESSION: {FOUND}", OBR.replace("A1", "A2"))
    rows = read_bytes(tmp_path, raw)
    assert [row["accession_number"] for row in rows] == ["A1", "A2"]
    assert len({row["linked"] for row in rows}) == 1
    assert len({row["report_text"] for row in rows}) == 1
    assert len({row["where"] for row in rows}) == 2


def test_a_study_named_by_a_message(tmp_path):
    lines = ["OBX|1|HD|113014^DICOM Study^DCM||1.2.3.4.5^H", f"OBX|2|TX|X||IMPRESSION: {FOUND}"]
    assert read_bytes(tmp_path, hl7(PID, OBR, *lines))[0]["study_instance_uid"] == "1.2.3.4.5"
    assert (
        read_bytes(tmp_path, hl7(PID, OBR, lines[1], "ZDS|1.2.9^X"))[0]["study_instance_uid"]
        == "1.2.9"
    )


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(TEXT.encode()), FOUND),
        (encoded(b"<html><p>IMPRESSION:</p><p>Normal, no LGE.</p></html>"), FOUND),
        (encoded(rb"{\rtf1 IMPRESSION:\par Normal, no LGE.\par}"), FOUND),
        (encoded(b"%PDF-1.7 x"), "a PDF document"),
        (encoded(b"PK\x03\x04 x"), "an office document or archive"),
        (encoded(bytes(range(256)) * 9), "no text"),
        ("not base64!", "broken base64"),
    ],
)
def test_attachments_of_messages_and_resources(tmp_path, data, expected):
    raw = hl7(PID, OBR, f"OBX|1|ED|X||H^application^x^Base64^{data}")
    resource = report_resource(conclusion="", presentedForm=[{"data": data}])
    rows = [*read_bytes(tmp_path, raw), *read_bytes(tmp_path, dumped(resource), "r.json")]
    for row in rows:
        found = extract(row["report_text"])
        assert row.get("detail", found) == expected
        assert (row.get("reject") == "REPORT_UNREADABLE") == (expected != FOUND)


def report_resource(**changes) -> dict:
    made = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "status": "final",
        "identifier": [{"type": {"coding": [{"code": "ACSN"}]}, "value": "A1"}, {"value": "R9"}],
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2031-04-04T10:15:00+02:00",
        "issued": "2031-04-05T08:00:00Z",
        "performer": [{"reference": "Practitioner/1", "display": "Dora Doctor"}, {"display": "MRI Unit"}],
        "conclusion": FOUND,
    }  # fmt: skip
    return made | changes


PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"value": "x"}, {"type": {"coding": [{"code": "MR"}]}, "value": "4711"}],
    "name": [{"family": "Nobody", "given": ["Alma"]}],
    "birthDate": "1950-01-02",
}


def dumped(*resources: object, lines: bool = False) -> bytes:
    if lines:
        return "\n".join(json.dumps(r) for r in resources).encode()
    return json.dumps(resources[0]).encode()


def test_resources_alone_bundled_and_in_lines_are_one_row(tmp_path):
    bundle = {
        "resourceType": "Bundle",
        "entry": [{"resource": r} for r in (report_resource(), PATIENT)],
    }
    (bundled,) = read_bytes(tmp_path, dumped(bundle), "r.json")
    (lined,) = read_bytes(tmp_path, dumped(PATIENT, report_resource(), lines=True), "r.json")
    (alone,) = read_bytes(tmp_path, dumped(report_resource()), "r.json")
    assert bundled == lined
    assert extract(bundled["report_text"]) == FOUND
    assert (bundled["patient_id"], bundled["accession_number"]) == ("4711", "A1")
    assert (bundled["report_status"], bundled["other_numbers"]) == ("final", "R9")
    assert {"Nobody", "Alma", "Dora Doctor"} <= set(bundled["identifiers"].split("\x1f"))
    assert "MRI Unit" not in bundled["identifiers"]
    assert alone["patient_id"] == "p1"


def test_a_resource_finds_its_study_and_its_orders(tmp_path):
    study = {
        "resourceType": "ImagingStudy",
        "id": "s",
        "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}],
    }
    acsn = {"type": {"coding": [{"code": "ACSN"}]}}
    resource = report_resource(
        identifier=[],
        contained=[study],
        imagingStudy=[{"reference": "#s"}],
        basedOn=[{"identifier": acsn | {"value": "A2"}}, {"identifier": acsn | {"value": "A3"}}],
    )
    rows = read_bytes(tmp_path, dumped(resource), "r.json")
    assert [row["accession_number"] for row in rows] == ["A2", "A3"]
    assert {row["study_instance_uid"] for row in rows} == {"1.2.3"}


def test_a_conclusion_that_says_nothing_gives_way_to_the_document(tmp_path):
    form = [{"contentType": "text/plain", "data": encoded(TEXT.encode())}]
    resource = report_resource(conclusion="See attached report.", presentedForm=form)
    assert extract(read_bytes(tmp_path, dumped(resource), "r.json")[0]["report_text"]) == FOUND
    narrative = report_resource(conclusion="", text={"div": f"<div>IMPRESSION: {FOUND}</div>"})
    assert extract(read_bytes(tmp_path, dumped(narrative), "r.json")[0]["report_text"]) == FOUND


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[1, null, {}]", b'{"resourceType": 5}', b'{"resourceType": "Bundle", "entry": {"resource": 3}}',
    dumped(report_resource(identifier="A", subject=[], conclusion={"a": 1}, presentedForm=3)), b"[" * 9999,
    b"MSH", b"MSH|", b"MSH|^~\\&|\rPID\rOBR\rOBX", hl7("OBX|1"), hl7("OBR"), hl7(PID, OBR, "OBX|1|ED|X||"),
    b"\x00\xff" * 99, b"%PDF-1.4", b"{\\rtf1", b"\xff\xfe", b"MSH\xff\xff\xff", b'{"report_text": "\\ud800"}'],
    ids=range(18),
)  # fmt: skip
@pytest.mark.parametrize("name", ["r.json", "r.hl7", "r.txt"])
def test_hostile_files_of_a_folder_are_counted(tmp_path, raw, name):
    (tmp_path / name).write_bytes(raw)
    rows = read_reports(str(tmp_path))
    assert rows
    for row in rows:
        assert row["where"].startswith("report ")
        assert row.get("reject") or any(row[c] for c in KEY_COLUMNS) or extract(row["report_text"])


def test_a_folder_mixes_formats_and_its_order_is_its_names(tmp_path):
    for folder in ("patient_id", "sub"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a.csv").write_text("accession_number,report_text\nA7,IMPRESSION: x y\n")
    (tmp_path / "A8.txt").write_text(TEXT)
    (tmp_path / "sub" / "1.2.840.1.5.txt").write_text(TEXT)
    (tmp_path / "patient_id" / "4711.html").write_text("<p>IMPRESSION: x y</p>")
    (tmp_path / "sub" / "m.dat").write_bytes(hl7(PID, OBR, f"OBX|1|TX|X||IMPRESSION: {FOUND}"))
    (tmp_path / "sub" / "f").write_bytes(dumped(report_resource()))
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "link.txt").symlink_to(tmp_path / "A8.txt")
    rows = read_reports(str(tmp_path))
    keys = [tuple(row.get(c, "") for c in KEY_COLUMNS) for row in rows if not row.get("reject")]
    assert sorted(keys) == [
        ("", "", "A7"), ("", "", "A8"), ("", "1.2.840.1.5", ""), ("4711", "", ""),
        ("4711", "", "A1"), ("p1", "", "A1"),
    ]  # fmt: skip
    assert sorted(row["detail"] for row in rows if row.get("reject")) == [
        "a PDF document",
        "no regular file",
        "the table has wrong columns or quotes",
    ]
    assert rows == read_reports(str(tmp_path))


def test_a_text_alone_does_not_say_whose_it_is(tmp_path):
    (tmp_path / "x.txt").write_text(TEXT)
    with pytest.raises(ValueError, match="whose it is"):
        read_reports(str(tmp_path / "x.txt"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no files"):
        read_reports(str(tmp_path / "empty"))


def test_lines_of_json_are_rows(tmp_path):
    lines = [{"MRN": 7, "report": TEXT, "status": "final"}, {"patient_id": "8"}, "x"]
    rows = read_bytes(tmp_path, dumped(*lines, lines=True) + b"\n{broken", "r.jsonl")
    assert (rows[0]["patient_id"], extract(rows[0]["report_text"])) == ("7", FOUND)
    assert [row.get("detail") for row in rows[1:]] == [
        "no report_text",
        "broken JSON",
        "broken JSON",
    ]


def test_a_report_far_too_long_is_counted(tmp_path):
    rows = read_bytes(
        tmp_path, dumped({"patient_id": "1", "report_text": "x" * 300_000}), "r.jsonl"
    )
    assert rows[0]["detail"] == "far too long"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" a1 ", "A1"),
        ("ａ１", "A1"),
        ("123.0", "123"),
        ("1.2.0", "1.2.0"),
        ("urn:oid:1.2", "1.2"),
        ("N/A", ""),
        ("0", ""),
        ("\ud800", ""),
        ("007", "007"),
    ],
)
def test_keys_are_compared_as_people_mean_them(value, expected):
    assert canonical(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("20310405", "20310405000000"), ("20310405102233.12+0100", "20310405102233"),
    ("2031-04-05T10:22:33Z", "20310405102233"), ("2031-04-05 10:22", "20310405102200"),
    ("05.04.2031", "20310405000000"), ("5.4.2031 10:22", "20310405102200"), ("4/5/2031", ""), ("", "")],
)  # fmt: skip
def test_moments_sort(value, expected):
    assert moment(value) == expected
    assert day(value) == expected[:8]


def test_text_of_a_document_is_normal_text():
    assert text_of(unicodedata.normalize("NFD", "é").encode())[1] == ""
    assert text_of(b"  ")[1] == "nothing in it"
    assert from_base64("")[1] == "nothing in it"
