"""Reads report and label tables (CSV); the key columns join them to exams."""

import csv
import pathlib

from data_prep.phantom.__main__ import label_rows, report_rows
from data_prep.phantom.protocol import profile

KEY_COLUMNS = ("patient_id", "study_instance_uid", "accession_number")

csv.field_size_limit(10 * 1024 * 1024)


def read_reports(spec: str) -> list[dict[str, str]]:
    """Rows with the key columns and `report_text`; `phantom:NAME` gives the phantom's."""
    if spec.startswith("phantom:"):
        return report_rows(profile(spec.removeprefix("phantom:")))
    return _read(spec, "--reports", "report_text")


def read_labels(spec: str) -> list[dict[str, str]]:
    """Rows with the key columns and any label columns."""
    if spec.startswith("phantom:"):
        return label_rows(profile(spec.removeprefix("phantom:")))
    return _read(spec, "--labels", None)


def _read(spec: str, flag: str, needed: str | None) -> list[dict[str, str]]:
    path = pathlib.Path(spec)
    if not path.is_file():
        raise ValueError(f"{flag} {spec}: no such file.")
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:  # what spreadsheets of this field write
        text = raw.decode("cp1252", "replace")
    rows = csv.DictReader(text.splitlines(keepends=True))
    columns = rows.fieldnames or []
    has_key = any(column in columns for column in KEY_COLUMNS)
    if not has_key or (needed and needed not in columns):
        wanted = f"at least one of {', '.join(KEY_COLUMNS)}" + (f" and {needed}" if needed else "")
        # The names of columns are safe to print, the rows are not.
        raise ValueError(f"{flag} {spec} has no such columns: it needs {wanted}.")
    return [{k: (v or "").strip() for k, v in row.items() if isinstance(k, str)} for row in rows]
