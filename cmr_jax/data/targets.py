"""What heads learn to tell: labels, opened where training is told to, by the name of their file, and
never else; or what an exam's own report states."""

import csv
import dataclasses
import pathlib
from collections.abc import Iterable
from typing import Any

import grain
import numpy as np

from cmr_jax.wording import findings, numbers


@dataclasses.dataclass(frozen=True)
class AddTargets(grain.transforms.Map):
    """Adds an exam's labels, NaN where nobody said."""

    names: tuple[str, ...]
    of_exam: dict[str, tuple[float, ...]]

    def check(self, exam_ids: Iterable[str]) -> None:
        """A ValueError unless there is something to learn of each of them from these exams."""
        rows = [self.of_exam[i] for i in exam_ids if i in self.of_exam]
        for at, name in enumerate(self.names):
            told = [row[at] for row in rows]
            if not {0.0, 1.0} <= set(told):
                raise ValueError(
                    f"data.labels: of the exams to train on, {told.count(1)} have {name} and "
                    f"{told.count(0)} have not. There must be some of either: are the labels of this "
                    "build?"
                )

    def map(self, element: dict[str, Any]) -> dict[str, Any]:
        """The record with `targets`."""
        unknown = (float("nan"),) * len(self.names)
        values = self.of_exam.get(element["exam"].exam_id, unknown)
        pairs = zip(self.names, values, strict=True)
        return element | {"targets": {name: np.float32(value) for name, value in pairs}}


@dataclasses.dataclass(frozen=True)
class AddSaid(grain.transforms.Map):
    """Adds what an exam's own report states, as rules read it (cmr_jax/wording), NaN where it does
    not: findings as 0 or 1, numbers by how far they are from usual."""

    findings: tuple[str, ...]
    numbers: tuple[str, ...]

    def __post_init__(self):
        """A ValueError for what no rule reads: such a head would learn nothing, and not say so."""
        for option, names, known in (
            ("outputs", self.findings, findings.FINDINGS),
            ("numbers", self.numbers, tuple(numbers.NUMBERS)),
        ):
            if unknown := sorted(set(names) - set(known)):
                raise ValueError(
                    f"model.{option} has {', '.join(unknown)}, which is not read off reports. There "
                    f"are: {', '.join(known)}."
                )

    def map(self, element: dict[str, Any]) -> dict[str, Any]:
        """The record with `targets`."""
        sentences = element.get("report", element["exam"]).sentences
        found = findings.said_by_all(sentences) if self.findings else {}
        stated = numbers.stated(sentences) if self.numbers else {}
        values = {name: float(found.get(name, "nan")) for name in self.findings}
        values |= {
            name: numbers.away(name, stated[name]) if name in stated else float("nan")
            for name in self.numbers
        }
        return element | {"targets": {name: np.float32(v) for name, v in values.items()}}


def read(path: str, names: tuple[str, ...]) -> AddTargets:
    """The columns by these names of a CSV with `exam_id`: 0, 1, or nothing.

    A ValueError for a file that is not there, lacks a column, or holds anything else.
    """
    try:
        with pathlib.Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := {"exam_id", *names} - set(rows.fieldnames or ()):
                raise ValueError(f"data.labels {path} has no column {', '.join(sorted(missing))}.")
            listed = [(row["exam_id"], tuple(_label(row[n], n) for n in names)) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"data.labels {path} cannot be read as CSV: {error}.") from error
    found = dict(listed)
    if len(found) < len(listed):
        raise ValueError(
            f"data.labels {path} has {len(listed) - len(found)} exams in several rows. Leave one."
        )
    return AddTargets(names, found)


def _label(text: str | None, name: str) -> float:
    if not text:
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if value not in (0, 1) and value == value:
        raise ValueError(f"data.labels: {name} must be 0, 1 or empty: only findings are learned.")
    return value
