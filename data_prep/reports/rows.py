"""The one form that every reader gives a report: a row of strings.

A row has `report_text` and at least one of KEY_COLUMNS; it may have the columns of LOCAL_COLUMNS.
All of it is local: only the scrubbed impression of a row ever leaves.
"""

import re
import unicodedata

from data_prep.read.reject import Why

KEY_COLUMNS = ("patient_id", "study_instance_uid", "accession_number")
LOCAL_COLUMNS = (
    "report_status",  # of HL7, FHIR or in words: see versions.py
    "report_date",  # when it was written; the latest of several reports wins
    "study_date",  # when the exam was
    "identifiers",  # strings that must not stay in the text, apart by SEPARATOR
    "other_numbers",  # numbers that may be the accession where the first is none, apart by SEPARATOR
    "linked",  # rows of one report for several orders share it
    "any_key",  # not empty: accession_number holds a file's name, which may be any key
    "where",  # for the local list of rejects
    "reject",  # the name of a Why: the input could not be read as a report
    "detail",  # more on it, in words of this program
)
SEPARATOR = "\x1f"
LONGEST_REPORT = 200_000  # characters; a CMR report has some thousand
# What systems write where they have no number.
NO_NUMBER = frozenset(
    "0 00 000 - -- . ? X XX XXX NA N/A N.A. NAN NONE NULL NIL UNKNOWN UNK UNBEKANNT ANONYMOUS "
    "ANONYMIZED ANONYMISED REMOVED TBD <NA> <NULL> (NULL)".upper().split()
)


def canonical(value: str) -> str:
    """A key as it is compared: no case, width or space; a spreadsheet's `.0` is no part of a number.

    Empty where the value stands for no number.
    """
    text = value.encode("utf-8", "ignore").decode()  # JSON may hold half a character
    text = unicodedata.normalize("NFKC", text).strip(" \t\r\n\0'").upper()
    text = re.sub(r"^URN:OID:", "", text)
    text = re.sub(r"^(\d+)\.0+$", r"\1", text)
    return "" if text in NO_NUMBER else text


def day(value: str) -> str:
    """YYYYMMDD of a DICOM, HL7, ISO 8601 or dotted date; empty where it is none of these."""
    text = value.strip()
    if match := re.match(r"((?:19|20)\d\d)[-/.]?(0[1-9]|1[0-2])[-/.]?(0[1-9]|[12]\d|3[01])", text):
        return "".join(match.groups())
    if match := re.match(r"(\d{1,2})\.(\d{1,2})\.((?:19|20)\d\d)\b", text):
        date, month, year = match.groups()
        return f"{year}{int(month):02d}{int(date):02d}" if 1 <= int(month) <= 12 else ""
    return ""


def moment(value: str) -> str:
    """Digits that sort by time, to the second; empty where the value holds no date."""
    if not day(value):
        return ""
    clock = re.sub(r"^\s*\S{8,10}?(?=[T ]|\d{4,6}|$)[T ]?", "", value, count=1)
    digits = re.match(r"(\d\d):?(\d\d)(?::?(\d\d))?", clock)
    return day(value) + ("".join(part or "00" for part in digits.groups()) if digits else "000000")


def unreadable(where: str, detail: str, why: Why = Why.REPORT_UNREADABLE) -> dict[str, str]:
    """The row of an input that is no report or could not be read.  `detail`: no word of the input."""
    return {"report_text": "", "reject": why.name, "detail": detail, "where": where}


def report(where: str, text: str, **columns: str) -> dict[str, str]:
    """A row; a text no report can have makes it an unreadable one."""
    keys = dict.fromkeys(KEY_COLUMNS, "") | {k: v.strip() for k, v in columns.items() if v}
    row = keys | {"report_text": text.strip(), "where": where}
    if len(text) > LONGEST_REPORT:
        row |= {"report_text": "", "reject": Why.REPORT_UNREADABLE.name, "detail": "far too long"}
    return row


def linked(row: dict[str, str], accessions: list[str]) -> list[dict[str, str]]:
    """One report for several orders: a row for each, with the same text."""
    numbers = list(dict.fromkeys(a for a in accessions if canonical(a)))
    if len(numbers) < 2:
        return [row | {"accession_number": "".join(numbers)}]
    where = row["where"]
    return [
        row | {"accession_number": accession, "linked": where, "where": f"{where} order {number}"}
        for number, accession in enumerate(numbers, 1)
    ]
