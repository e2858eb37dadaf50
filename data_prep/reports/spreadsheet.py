"""Tables of reports and labels: CSV, TSV and what spreadsheets make of them."""

import csv
import io
import re
from collections.abc import Collection

from data_prep.reports.rows import KEY_COLUMNS, linked, report, unreadable

csv.field_size_limit(10 * 1024 * 1024)

# Names of columns as systems export them, without case, spaces and underscores.
ALIASES = {
    "patient_id": "patientid patid pid mrn patientmrn medicalrecordnumber",
    "study_instance_uid": "studyinstanceuid studyuid",
    "accession_number": "accessionnumber accession accessionno accno accnum accessionnum",
    "report_text": "reporttext report text narrative fullreport reportbody",
    "report_status": "reportstatus status resultstatus",
    "report_date": "reportdate reportdatetime signeddate dictateddate finaldate",
    "study_date": "studydate examdate examinationdate performeddate studydatetime",
    "patient_name": "patientname",
    "birth_date": "birthdate patientbirthdate dateofbirth dob",
    "physician": "physician referringphysician readingphysician radiologist signedby",
}
COLUMN_OF = {alias: column for column, names in ALIASES.items() for alias in names.split()}
DELIMITERS = ",\t;|"
IDENTIFYING = ("patient_name", "birth_date", "physician")


def is_table(text: str) -> bool:
    """Whether a text begins with the header of a report table."""
    first = _first_line(text)
    return any(not _missing(_names(first, d, ALIASES)) for d in DELIMITERS)


def report_table(text: str, name: str) -> list[dict[str, str]]:
    """Rows of a table with a header.  `name`: how errors call the table.

    Raises ValueError where a column is missing or the quotes do not match; a row with more cells
    than there are columns is unreadable, since its text was cut at a comma.
    """
    names, *cells = _parsed(text, name, ALIASES)
    if missing := _missing(names):
        # The names of columns are safe to print, the rows are not.
        raise ValueError(f"{name} has no such columns: it needs {missing}.")
    rows = []
    for number, row in enumerate(cells, 1):
        where = f"report row {number}" if name.startswith("--") else f"report {name} row {number}"
        if len(row) > len(names):
            rows.append(unreadable(where, "more cells than columns: quote the text"))
        else:
            rows += from_record(dict(zip(names, row, strict=False)), where)
    return rows


def label_table(text: str, name: str) -> list[dict[str, str]]:
    """Rows of a table of labels; only the names of its key columns may vary."""
    names, *cells = _parsed(text, name, KEY_COLUMNS)
    if not any(column in names for column in KEY_COLUMNS):
        wanted = f"at least one of {', '.join(KEY_COLUMNS)}"
        raise ValueError(f"{name} has no such columns: it needs {wanted}.")
    return [dict(zip(names, [*row, *[""] * len(names)], strict=False)) for row in cells]


def from_record(record: dict[str, str], where: str) -> list[dict[str, str]]:
    """Rows of one record by its columns; several accessions in a cell are linked orders."""
    kept = {k: v for k, v in record.items() if k in ALIASES and v.strip()}
    text = kept.pop("report_text", "")
    identifiers = "\x1f".join(kept.pop(column, "") for column in IDENTIFYING).strip("\x1f")
    numbers = re.split(r"\s*[;,|\n]\s*", kept.pop("accession_number", ""))
    row = report(where, text, identifiers=identifiers, **kept)
    return linked(row, numbers)


def column_of(name: str) -> str:
    """The column that a name means, or the name itself."""
    return COLUMN_OF.get(re.sub(r"[^a-z]", "", name.lower()), name.strip())


def _first_line(text: str) -> str:
    return text.lstrip("\n")[:100_000].split("\n", 1)[0].rstrip("\r")


def _names(header: str, delimiter: str, wanted: Collection[str]) -> list[str]:
    """The columns of a header; the first that means a wanted one has its name."""
    try:
        found = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error:
        return []
    names: list[str] = []
    for name in found:
        column = column_of(name)
        is_new = column in wanted and column not in names and column not in found
        names.append(column if is_new else name)
    return names


def _missing(names: list[str]) -> str:
    if any(column in names for column in KEY_COLUMNS) and "report_text" in names:
        return ""
    return f"at least one of {', '.join(KEY_COLUMNS)} and report_text"


def _parsed(text: str, name: str, wanted: Collection[str]) -> list[list[str]]:
    """Cells of every line that is not empty, the names of the columns first."""
    first = _first_line(text)
    names = max((_names(first, d, wanted) for d in DELIMITERS), key=lambda n: len({*n} & {*wanted}))
    delimiter = next(d for d in DELIMITERS if _names(first, d, wanted) == names)
    lines = io.StringIO(text.lstrip("\n").replace("\0", ""), newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        cells = [[cell.strip() for cell in row] for row in reader if row]
    except csv.Error:
        raise ValueError(
            f"{name}: the quotes do not match near line {reader.line_num}. "
            "Put text with quotes in quotes, and double the quotes in it."
        ) from None
    return [names, *cells[1:]]
