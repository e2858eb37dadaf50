"""Opens labels.csv: evaluation alone does."""

import csv
import pathlib

import numpy as np

from cmr_jax.schema import LABELS_FILE

ABSENT = float("nan")


def read(data: str, exam_ids: list[str]) -> dict[str, np.ndarray]:
    """Numeric label columns in the order of `exam_ids`, NaN where there is none; {} without a file."""
    path = pathlib.Path(data, LABELS_FILE)
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        rows = {row["exam_id"]: row for row in csv.DictReader(file)}
    columns = [c for c in next(iter(rows.values()), {}) if c != "exam_id"]
    return {c: np.array([_number(rows.get(i, {}).get(c, "")) for i in exam_ids]) for c in columns}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return ABSENT
