"""Labels by pseudonym: numbers, and words that several patients share; nothing else may stay."""

import csv
import pathlib
import re
from collections import Counter

from cmr_jax.schema import LABELS_FILE

WORD = re.compile(r"^[A-Za-z][A-Za-z _/+-]{0,23}$")  # a label value that is a word
LEAST_PATIENTS_PER_WORD = 3


def write(out: pathlib.Path, rows: dict[str, dict[str, str]]) -> None:
    """Writes OUT/labels.csv from {exam_id: {column: value}}; nothing where there is no row."""
    if not rows:
        return
    columns = [
        c for c in next(iter(rows.values())) if _may_stay([row.get(c, "") for row in rows.values()])
    ]
    with (out / LABELS_FILE).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["exam_id", *columns])
        writer.writerows(
            [exam_id, *(row.get(c, "") for c in columns)] for exam_id, row in sorted(rows.items())
        )


def _may_stay(values: list[str]) -> bool:
    counts = Counter(v for v in values if v)
    words = [v for v in counts if not _is_small_number(v)]
    return all(WORD.match(v) and counts[v] >= LEAST_PATIENTS_PER_WORD for v in words)


def _is_small_number(text: str) -> bool:
    try:
        return abs(float(text)) < 1e5  # longer ones may be dates or record numbers
    except ValueError:
        return False
