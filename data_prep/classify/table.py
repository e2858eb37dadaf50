"""How well the words do on a table of descriptions with counts and, where known, the true view.

A label names the plane of a cine, as in public tables of series descriptions.
"""

import csv
import dataclasses
import pathlib
from collections import Counter

from cmr_jax.schema import Sequence, View
from data_prep.classify.lexicon import Lexicon, Words

LABELS = {"SAX": View.SAX, "2CH": View.CH2, "3CH": View.CH3, "4CH": View.CH4, "LVOT": View.LVOT}


@dataclasses.dataclass(frozen=True)
class Row:
    """One description, how many series bear it, and the view of the cine that it names."""

    description: str
    count: int
    label: View | None


@dataclasses.dataclass(frozen=True)
class Score:
    """Strings and series that were right, wrong or left open, and what was said of each label."""

    strings: Counter[str]
    series: Counter[str]
    confusion: Counter[tuple[str, str, str]]  # label, view said, sequence said -> series
    wrong: tuple[Row, ...]


def read(path: pathlib.Path) -> list[Row]:
    """Rows of a CSV file with a header: description, count, label (may be empty)."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"the table {path} cannot be read ({type(error).__name__}). Give a UTF-8 CSV file "
            "with a header and the columns description, count, label."
        ) from error
    return [_row(cells, f"{path}, row {n}") for n, cells in enumerate(lines[1:], start=2) if cells]


def _row(cells: list[str], where: str) -> Row:
    description, count, label, *_ = (*cells, "", "")
    label = label.strip().upper()
    if not count.strip().isdecimal():
        raise ValueError(f"{where}: the second column is no count. Write a whole number.")
    if label and label not in LABELS:
        raise ValueError(f"{where}: no such label. There are: {', '.join(LABELS)}, or nothing.")
    return Row(description, int(count), LABELS.get(label))


def evaluate(rows: list[Row], words: Lexicon) -> Score:
    """Compares words with labels.  What names nothing is left open, not wrong."""
    strings, series, confusion, wrong = Counter(), Counter(), Counter(), []
    for row in rows:
        said = words.read(row.description)
        outcomes = _outcomes(row, said)
        strings.update(outcomes)
        series.update(dict.fromkeys(outcomes, row.count))
        if row.label is not None:
            view, sequence = _name(said.view), _name(said.sequence)
            confusion[row.label.name, view, sequence] += row.count
            if "view wrong" in outcomes or "sequence wrong" in outcomes:
                wrong.append(row)
    return Score(strings, series, confusion, tuple(wrong))


def _outcomes(row: Row, said: Words) -> list[str]:
    if row.label is None:
        return ["unlabelled", f"unlabelled {_name(said.sequence)}"]
    return [
        "labelled",
        f"view {_outcome(said.view, row.label)}",
        f"sequence {_outcome(said.sequence, Sequence.CINE)}",
    ]


def _outcome(said: View | Sequence | None, true: View | Sequence) -> str:
    return "open" if said is None else "right" if said is true else "wrong"


def _name(label: View | Sequence | None) -> str:
    return "-" if label is None else label.name


def report(score: Score) -> str:
    """The score in words."""
    lines = []
    for what in ("view", "sequence"):
        for unit, counts in (("strings", score.strings), ("series", score.series)):
            total = max(counts["labelled"], 1)
            shares = ", ".join(
                f"{counts[f'{what} {outcome}']} {outcome} "
                f"({100 * counts[f'{what} {outcome}'] / total:.1f} %)"
                for outcome in ("right", "wrong", "open")
            )
            lines.append(f"{what:8} of {counts['labelled']} labelled {unit}: {shares}")
    lines += ["", f"{'label':7}{'view':7}{'sequence':11}series"]
    lines += [f"{a:7}{b:7}{c:11}{n}" for (a, b, c), n in sorted(score.confusion.items())]
    lines += ["", "unlabelled strings and series by the sequence that they name"]
    for key, n in sorted(score.strings.items()):
        if key.startswith("unlabelled "):
            lines.append(f"{key.split()[1]:11}{n:6}{score.series[key]:9}")
    lines += ["", *(f"wrong: {row.description!r} ({row.count})" for row in score.wrong)]
    return "\n".join(lines).rstrip()
