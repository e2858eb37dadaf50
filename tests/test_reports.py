"""The impression is found in the reports that people write, and its sentences are whole."""

import pytest

from data_prep.reports.impression import clean, extract, sentences
from data_prep.reports.table import read_reports

REPORTS = [
    (
        "FINDINGS: large heart.\nIMPRESSION:\n1. Normal.\n2. No LGE.\nElectronically signed by: X",
        "1. Normal.\n2. No LGE.",
    ),
    ("Impression: LVEF 55%. No scar.", "LVEF 55%. No scar."),
    ("TECHNIQUE: x\nCONCLUSION\nDilated LV.\nRECOMMENDATIONS: echo", "Dilated LV."),
    ("Befund: gut\nBeurteilung:\nNormale Funktion.", "Normale Funktion."),
    ("FINDINGS: all fine IMPRESSION: Small effusion.", "Small effusion."),
    ("4. IMPRESSION:\nNo scar here.", "No scar here."),
    ("IMPRESSION:\nOld text.\nADDENDUM: typo\nIMPRESSION:\nNew text.", "New text."),
    ("FINDINGS: nothing else", None),
    ("IMPRESSION: see above", None),
    ("", None),
]


@pytest.mark.parametrize(("report", "impression"), REPORTS, ids=range(len(REPORTS)))
def test_impression_is_found(report, impression):
    assert extract(report) == impression


def test_sentences_are_whole():
    text = "1. Dilated LV, LVEDVi 120.5 mL/m2. No LGE.\n2) Seen with Dr. Smith today.\n- Small effusion."
    assert sentences(text) == [
        "Dilated LV, LVEDVi 120.5 mL/m2.",
        "No LGE.",
        "Seen with Dr. Smith today.",
        "Small effusion.",
    ]


def test_terminal_codes_and_control_characters_go_and_markup_stays_text():
    assert clean("a\x1b[31mred\x1b[0m\x07\x00b") == "aredb"
    assert clean("<script>x</script>") == "<script>x</script>"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_tables_of_spreadsheets_are_read(tmp_path, encoding):
    path = tmp_path / "r.csv"
    path.write_bytes('patient_id,report_text\n7,"IMPRESSION:\nGrößer, normal"\n'.encode(encoding))
    assert read_reports(str(path))[0]["report_text"] == "IMPRESSION:\nGrößer, normal"


def test_a_table_without_its_columns_says_which():
    with pytest.raises(ValueError, match="no such file"):
        read_reports("nowhere.csv")


def test_a_table_without_report_text_says_so(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("patient_id,words\n7,x\n")
    with pytest.raises(ValueError, match="report_text"):
        read_reports(str(path))
