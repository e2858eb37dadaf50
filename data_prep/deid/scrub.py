"""Takes identifiers out of free text and leaves placeholders; says how many of each class.

What the header knows of the patient comes first, then what has the shape of an identifier, then
names and places by what stands beside them.  What still looks like an identifier afterwards
makes the text suspect: the caller withholds it.
"""

import dataclasses
import functools
import re
from collections import Counter

from data_prep.deid import people, strangers
from data_prep.deid.known import Known, Span
from data_prep.deid.patterns import CASED, SHAPES, is_measurement
from data_prep.deid.words import is_ordinary
from data_prep.folding import fold

PLACEHOLDER = re.compile(r"\[(?:NAME|DATE|TIME|ID|PHONE|EMAIL|URL|AGE|PLACE|ADDRESS)\]")
LEFT_OVER = re.compile(
    r"(?<!\brs)(?<!\bnct)(?<!\d)\d{6,}|@|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b|(?:\b\d ){5,}\d\b"
    r"|\b(?:mrn|ssn|dob|nhs no|geb|nee? le|passport)\b[\s.:#]{1,3}[a-z]{0,4}-?\d"
)
TITLED = re.compile(
    r"\b(?:Dr|Drs|Dra|Mr|Mrs|Prof|Mme|Herr|Frau|Sra|Dott)\b\.?\s+([A-ZÀ-Þ][\w'’-]+)"
)


# No word is so long: it is removed whole, and no pattern has to read it.
RUN = re.compile(r"[\w.+'’@/-]{100,}")
TOWN = re.compile(
    r",?\s*,\s(?:\d{4,5}(?:-\d{3})?\s)?[A-ZÀ-Þ][a-zà-ÿ]{2,}(?:[ -][A-ZÀ-Þ][a-zà-ÿ]+)?(?:,\s[A-Z][a-z]+)?"
    r"(?:,?\s[A-Z]{2}\s\d{5}|,?\s[A-Z]{1,2}\d[\dA-Z]?\s?\d[A-Z]{2})?"
)
# More of a text than this is names where the lists do not know its language.
MOST_NAMES, SHARE_OF_NAMES = 5, 0.25


@dataclasses.dataclass(frozen=True)
class Scrubbed:
    """Text without what was found, and how much of each class that was; never the values."""

    text: str
    removed: Counter


def scrub(text: str, known: tuple[str, ...]) -> Scrubbed:
    """Replaces identifiers by `[CLASS]`.  `known`: strings of this exam's header."""
    found = [(*m.span(), "ID") for m in RUN.finditer(text)]
    bare = RUN.sub(lambda m: "\0" * len(m.group()), text)
    folded = fold(bare)
    found += _known(known).spans(bare, folded)
    found += _shapes(bare, folded)
    found += people.spans(bare, folded)
    found += strangers.spans(bare, folded)
    pieces, at, removed = [], 0, Counter()
    for start, end, kind in _merged(text, found):
        lines = text.count("\n", start, end)  # a text keeps its lines
        pieces += [text[at:start], f"[{kind}]", "\n" * lines]
        at = end
        removed[kind] += 1
    return Scrubbed("".join(pieces) + text[at:], removed)


def suspect(text: str, known: tuple[str, ...]) -> bool:
    """Whether something that looks like an identifier is still there."""
    bare = PLACEHOLDER.sub("_", text)
    folded = fold(bare)
    names = text.count("[NAME]")
    if LEFT_OVER.search(folded) or any(_known(known).spans(bare, folded)):
        return True
    if names > MOST_NAMES and names > SHARE_OF_NAMES * len(bare.split()):
        return True
    return any(not is_ordinary(fold(m[1])) for m in TITLED.finditer(bare))


@functools.lru_cache(maxsize=256)
def _known(values: tuple[str, ...]) -> Known:
    return Known(values)


def _shapes(text: str, folded: str) -> list[Span]:
    found = []
    for kind, pattern in SHAPES:
        for m in pattern.finditer(folded):
            start, end = m.span("v") if "v" in pattern.groupindex and m["v"] else m.span()
            if not is_measurement(kind, folded, start, end):
                found.append((start, _with_town(text, end) if kind == "ADDRESS" else end, kind))
    cased = [(kind, *m.span()) for kind, pattern in CASED for m in pattern.finditer(text)]
    return found + [(start, _with_town(text, end), kind) for kind, start, end in cased]


def _with_town(text: str, end: int) -> int:
    """Where an address ends that a town follows."""
    town = TOWN.match(text, end)
    return town.end() if town else end


def _merged(text: str, found: list[Span]) -> list[Span]:
    """Spans in order; those that overlap are one, of the first one's class; so are two names."""
    merged: list[Span] = []
    for start, end, kind in sorted(found, key=lambda s: (s[0], -s[1])):
        first, last, name = merged[-1] if merged else (0, -1, "")
        names = name == kind == "NAME" and text[last:start] in (" ", "-")
        if start < last or (names and merged):
            merged[-1] = (first, max(last, end), name)
        else:
            merged.append((start, end, kind))
    return merged
