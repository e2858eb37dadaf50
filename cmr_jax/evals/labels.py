"""Opens labels.csv: evaluation alone does."""

import csv
import math
import pathlib
from typing import NamedTuple

import numpy as np

from cmr_jax.schema import LABELS_FILE

ABSENT = float("nan")
MOSTLY = 0.5  # of a column's filled cells must be numbers, or it is one of words


class Labels(NamedTuple):
    """What is true of exams, in their order; NaN, or no word, where nobody said."""

    findings: dict[str, np.ndarray]  # 0 or 1
    measurements: dict[str, np.ndarray]  # other numbers
    classes: dict[str, np.ndarray]  # words, "" where there is none
    unlabelled: int = 0  # exams without a row
    unreadable: int = 0  # cells that are no number in a column of numbers

    @classmethod
    def none(cls) -> "Labels":
        """Of data that has no labels."""
        return cls({}, {}, {})


def read(data: str, exam_ids: list[str]) -> Labels:
    """Label columns in the order of `exam_ids`; none without a file.

    The whole file says of what kind a column is, so that it is the same for every split.  A
    ValueError where the file does not say which exam a row is of.
    """
    path = pathlib.Path(data, LABELS_FILE)
    if not path.is_file():
        return Labels.none()
    rows = _rows(path)
    columns = [c for c in next(iter(rows.values()), {}) if c != "exam_id"]
    found: tuple[dict, dict, dict] = {}, {}, {}
    unreadable = 0
    for column in columns:
        cells = [row[column] or "" for row in rows.values()]
        numbers = [n for cell in cells if not math.isnan(n := _number(cell))]
        own = [rows[i][column] or "" if i in rows else "" for i in exam_ids]
        if not any(cells):
            continue
        if len(numbers) <= MOSTLY * sum(map(bool, cells)):
            found[2][column] = np.array(own)
            continue
        values = np.array([_number(cell) for cell in own])
        unreadable += int(np.isnan(values).sum()) - own.count("")
        found[0 if set(numbers) <= {0, 1} else 1][column] = values
    return Labels(*found, sum(i not in rows for i in exam_ids), unreadable)


def labelled_ids(data: str) -> set[str]:
    """The exams that labels.csv has a row of."""
    path = pathlib.Path(data, LABELS_FILE)
    return set(_rows(path)) if path.is_file() else set()


def _rows(path: pathlib.Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restval="")
        if "exam_id" not in (reader.fieldnames or ()):
            raise ValueError(f"{path} has no column exam_id. Prepare the labels again.")
        listed = [{k: v for k, v in row.items() if k is not None} for row in reader]
    rows = {row["exam_id"]: row for row in listed}
    if len(rows) < len(listed):
        raise ValueError(f"{path} has {len(listed) - len(rows)} exams in several rows. Leave one.")
    return rows


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return ABSENT
    return value if math.isfinite(value) else ABSENT
