"""`--reports PATH` and `--labels PATH`: the formats are told apart by what is in the files."""

import json
import os
import pathlib
import re
import stat

from data_prep import public
from data_prep.reports import fhir, oru, spreadsheet
from data_prep.reports.attachment import text_of
from data_prep.reports.markup import decode
from data_prep.reports.message import is_hl7
from data_prep.reports.rows import KEY_COLUMNS, report, unreadable

LARGEST_FILE = 2 * 1024**3
NO_REPORTS = frozenset(("thumbs.db", "desktop.ini"))
TABLES = (".csv", ".tsv")
UID = re.compile(r"\d+(?:\.\d+){4,}")


def read_reports(spec: str) -> list[dict[str, str]]:
    """Rows with the key columns and `report_text` (see rows.py); `phantom:NAME` gives the phantom's.

    A file: CSV or TSV with a header, lines of JSON, FHIR DiagnosticReport (JSON, Bundle, NDJSON),
    HL7 v2 ORU.  A folder: any of these, and texts (also HTML and RTF), each one report named by its
    accession number, StudyInstanceUID or patient.  Raises ValueError where the path or its table
    cannot be used at all; what is wrong with one report is a row that is counted as rejected.
    """
    if spec.startswith("phantom:"):
        # Here alone: real exams need none of the phantom.
        from data_prep.phantom.__main__ import report_rows
        from data_prep.phantom.protocol import profile

        return report_rows(profile(spec.removeprefix("phantom:")))
    path = pathlib.Path(spec)
    if path.is_dir():
        rows = [row for file in _files(path) for row in _read_within(path, file)]
        if not rows:
            raise ValueError(f"--reports {spec} holds no files.")
        return rows
    if not path.is_file():
        raise ValueError(f"--reports {spec}: no such file.")
    rows = _read(path, f"--reports {spec}")
    if rows is None:
        raise ValueError(
            f"--reports {spec}: one text alone does not say whose it is. Give a table, HL7, FHIR, "
            "or the folder of texts named by accession."
        )
    return rows


def read_labels(spec: str) -> list[dict[str, str]]:
    """Rows with the key columns and any label columns, of CSV or TSV; of the phantom or a public set,
    its own."""
    if spec.startswith("phantom:"):
        # Here alone: real exams need none of the phantom.
        from data_prep.phantom.__main__ import label_rows
        from data_prep.phantom.protocol import profile

        return label_rows(profile(spec.removeprefix("phantom:")))
    if public.is_public(spec):
        return public.label_rows(spec)
    path = pathlib.Path(spec)
    if not path.is_file():
        raise ValueError(f"--labels {spec}: no such file.")
    return spreadsheet.label_table(decode(path.read_bytes()), f"--labels {spec}")


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Files below a folder, by name; links out of it and what systems leave behind are passed over."""
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            pathlib.Path(root) / name
            for name in names
            if not name.startswith((".", "~$")) and name.lower() not in NO_REPORTS
        ]
    return sorted(found, key=lambda file: os.fsencode(file.relative_to(folder)))


def _read_within(folder: pathlib.Path, file: pathlib.Path) -> list[dict[str, str]]:
    """Rows of one file of a folder; it never raises."""
    name = os.fsencode(file.relative_to(folder)).decode("utf-8", "replace")
    try:
        status = os.lstat(file)
        if not stat.S_ISREG(status.st_mode):
            return [unreadable(f"report {name}", "no regular file")]
        rows = _read(file, name)
    except OSError:
        return [unreadable(f"report {name}", "the file cannot be read")]
    except ValueError:
        return [unreadable(f"report {name}", "the table has wrong columns or quotes")]
    return [_named(file, name)] if rows is None else rows


def _read(file: pathlib.Path, name: str) -> list[dict[str, str]] | None:
    """Rows of a file, None where it is the text of one report."""
    if file.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{name}: more than {LARGEST_FILE >> 30} GiB. Split it.")
    raw = file.read_bytes()
    if is_hl7(raw):
        return oru.read_messages(raw, _short(name))
    text, problem = text_of(raw)
    if problem:
        return [unreadable(f"report {_short(name)}", problem)]
    if text.lstrip()[:1] in ("{", "["):
        return _json(text, _short(name))
    if file.suffix.lower() in TABLES or spreadsheet.is_table(text):
        return spreadsheet.report_table(text, name)
    return None


def _short(name: str) -> str:
    return name.removeprefix("--reports ")


def _json(text: str, name: str) -> list[dict[str, str]]:
    """One value, a list of them, or one on each line: FHIR resources, or records of a spreadsheet."""
    try:
        values = json.loads(text)
        values = values if isinstance(values, list) else [values]
    except (ValueError, RecursionError):
        values = [_line(line) for line in text.splitlines() if line.strip()]
    resources = [v for v in values if isinstance(v, dict) and "resourceType" in v]
    rows = fhir.read_resources(resources, name) if resources else []
    for number, value in enumerate(values, 1):
        where = f"report {name} line {number}"
        if not isinstance(value, dict):
            rows.append(unreadable(where, "broken JSON"))
        elif "resourceType" not in value:
            rows += _record(value, where)
    return rows


def _line(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _record(value: dict, where: str) -> list[dict[str, str]]:
    """Rows of one JSON record; numbers are keys as good as strings."""
    plain = {
        spreadsheet.column_of(k): str(v)
        for k, v in value.items()
        if isinstance(v, str | int) and not isinstance(v, bool)
    }
    if "report_text" not in plain:
        return [unreadable(where, "no report_text")]
    return spreadsheet.from_record(plain, where)


def _named(file: pathlib.Path, name: str) -> dict[str, str]:
    """The row of a text: below a folder called as a key column its name is that key, else any."""
    text, _ = text_of(file.read_bytes())
    folder = next((part for part in file.parts[::-1][1:] if part in KEY_COLUMNS), None)
    if folder:
        return report(f"report {name}", text, **{folder: file.stem})
    if UID.fullmatch(file.stem) or UID.fullmatch(file.name):
        uid = file.name if UID.fullmatch(file.name) else file.stem
        return report(f"report {name}", text, study_instance_uid=uid)
    return report(f"report {name}", text, accession_number=file.stem, any_key="file name")
