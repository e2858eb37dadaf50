"""How well the scrub does on marked texts: what it found by class, and what it destroyed.

A line of a fixture is {"language", "header", "text"}.  In the text `[[class|...]]` marks an
identifier, `[[class+|...]]` one that stands in the exam's header too, and `{{...}}` words that
must survive.
"""

import dataclasses
import json
import pathlib
import re
from collections import Counter

from data_prep.deid.scrub import scrub, suspect
from data_prep.deid.words import words_of

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
MARK = re.compile(r"\[\[(\w+)(\+?)\|(.*?)\]\]|\{\{(.*?)\}\}")
PIECE = re.compile(r"[^\W\d_]+|\d+")
# Before a name these may stay.
TITLES = words_of("dr dra prof mr mrs ms miss sister mw dhr sr sra sig dott hr frau herr")
YEAR = re.compile(r"(?:19|20)\d\d")


@dataclasses.dataclass
class Score:
    """Counts over a fixture; `shipped` leaves out what sits in texts that were withheld."""

    marked: Counter = dataclasses.field(default_factory=Counter)
    found: Counter = dataclasses.field(default_factory=Counter)
    leaked: list[tuple[int, str, str]] = dataclasses.field(default_factory=list)
    shipped: list[tuple[int, str, str]] = dataclasses.field(default_factory=list)
    clinical: int = 0
    destroyed: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    withheld: list[int] = dataclasses.field(default_factory=list)
    texts: int = 0

    @property
    def recall(self) -> float:
        """Share of the identifiers of which no piece is left."""
        return self.found.total() / self.marked.total()

    def table(self) -> str:
        """One line a class, then the sums."""
        lines = [f"{c:10} {self.found[c]:3}/{n:3}" for c, n in sorted(self.marked.items())]
        lines += [
            f"{'all':10} {self.found.total():3}/{self.marked.total():3} = {self.recall:.1%}",
            f"destroyed  {len(self.destroyed)}/{self.clinical} clinical words",
            f"withheld   {len(self.withheld)}/{self.texts} texts",
            f"shipped    {len(self.shipped)} identifiers in texts that were not withheld",
        ]
        return "\n".join(lines)


def score(name: str) -> Score:
    """Scrubs every text of a fixture and counts."""
    total = Score()
    lines = (FIXTURES / name).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        _add(total, number, json.loads(line))
    return total


def _add(total: Score, number: int, record: dict) -> None:
    marked = record["text"]
    known = tuple(record["header"].values())
    clean = scrub(MARK.sub(lambda m: m[3] or m[4], marked), known).text
    withheld = suspect(clean, known)
    total.texts += 1
    total.withheld += [number] * withheld
    # A piece of an identifier may stand elsewhere with leave: "Ross" the man, Ross the procedure.
    allowed = _pieces(MARK.sub(lambda m: m[4] or " ", marked))
    left = _pieces(clean)
    for kind, _, value, word in MARK.findall(marked):
        if kind:
            total.marked[kind] += 1
            if _leaked(kind, value, left, allowed):
                total.leaked.append((number, kind, value))
                if not withheld:
                    total.shipped.append((number, kind, value))
            else:
                total.found[kind] += 1
        else:
            total.clinical += 1
            if clean.count(word) < marked.count("{{" + word + "}}"):
                total.destroyed.append((number, word))


def _pieces(text: str) -> Counter:
    return Counter(PIECE.findall(text.casefold()))


def _leaked(kind: str, value: str, left: Counter, allowed: Counter) -> bool:
    """Whether a word or number of the value is left; no year (45 CFR 164.514), no title."""
    pieces = [
        p
        for p in _pieces(value)
        if len(p) > 1 and p not in TITLES and not (kind == "date" and YEAR.fullmatch(p))
    ]
    return any(left[p] > allowed[p] for p in pieces)


if __name__ == "__main__":
    for fixture in sorted(p.name for p in FIXTURES.glob("*.jsonl")):
        print(fixture)
        print(score(fixture).table())
