"""Labels by pseudonym: numbers, and words that several patients share; nothing else may stay."""

import csv
import pathlib
import re
from collections import defaultdict

from cmr_jax.schema import LABELS_FILE
from data_prep.deid.lists import Kind, kind_of
from data_prep.folding import fold

WORD = re.compile(r"^[A-Za-z][A-Za-z _/+-]{0,23}$")  # a label value that is a word
LEAST_PATIENTS_PER_WORD = 3
NAMES = (Kind.NAME, Kind.UNKNOWN)


def write(out: pathlib.Path, rows: dict[str, dict[str, str]], patients: dict[str, str]) -> None:
    """Writes OUT/labels.csv from {exam_id: {column: value}}; nothing where there is no row.

    `patients` says whose each exam is: a word that few of them share may name one.
    """
    if not rows:
        return
    columns = [
        c
        for c in next(iter(rows.values()))
        if _may_stay([(row.get(c, ""), patients.get(exam, exam)) for exam, row in rows.items()])
    ]
    with (out / LABELS_FILE).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["exam_id", *columns])
        writer.writerows(
            [exam_id, *(row.get(c, "") for c in columns)] for exam_id, row in sorted(rows.items())
        )


def _may_stay(values: list[tuple[str, str]]) -> bool:
    """Whether a column, as (value, patient), holds numbers and words that name nobody."""
    owners: dict[str, set[str]] = defaultdict(set)
    for value, patient in values:
        if value and not _is_small_number(value):
            owners[value].add(patient)
    return all(
        WORD.match(word) and len(who) >= LEAST_PATIENTS_PER_WORD and not _may_name(word)
        for word, who in owners.items()
    )


def _may_name(value: str) -> bool:
    """Whether a capitalised word of it is a name, or on no list of daily life and medicine."""
    words = [w for w in re.findall(r"[A-Za-z]+", value) if w[0].isupper() and not w.isupper()]
    return any(kind_of(fold(word), "en", anywhere=True) in NAMES for word in words)


def _is_small_number(text: str) -> bool:
    try:
        return abs(float(text)) < 1e5  # longer ones may be dates or record numbers
    except ValueError:
        return False
