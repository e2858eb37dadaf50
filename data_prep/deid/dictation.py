"""Names in small letters, as dictation and haste leave them."""

import re
from collections.abc import Iterator

from data_prep.deid.lists import Kind, kind_of

Span = tuple[int, int, str]

TITLE = r"(?:dr |mr |prof )?"
# Whom one tells, and whose relatives: looked at in any text.
TOLD = re.compile(
    r"\b(?:dr|mrs|miss|prof|doctor|sister|nurse|dear|rung|rang|phoned|told|spoke (?:to|with)"
    r"|spoken (?:to|with)|d/w|thanks to|wife|husband|son|daughter|mother|father|brother|partner"
    rf"|mum|dad|aunt|uncle|niece|nephew)[. ,(]{{1,2}}{TITLE}(?P<v>[a-z]{{3,}})\b"
)
# Looked at in a text that has no capitalised word at all.
BESIDE = re.compile(
    r"\b(?:by|with|to|from|in|at|mr|ms|wishes|regards|thanks|sincerely|signed|and)[ ,.(]{1,2}"
    rf"{TITLE}(?P<v>[a-z]{{3,}})\b"
)
CAPITALISED = re.compile(r"\b[A-ZÀ-Þ][a-zà-ÿ]")
WORD = re.compile(r"[^\W\d_]{4,}")


def spans(text: str, folded: str, language: str) -> Iterator[Span]:
    """Names in small letters after a cue; without capitals, also what is nothing but a name."""
    small = not CAPITALISED.search(text)
    for cue in (TOLD, BESIDE) if small else (TOLD,):
        for found in cue.finditer(folded):
            start, end = found.span("v")
            kind = kind_of(found["v"], language, anywhere=True)
            certain = kind is Kind.NAME or (kind is Kind.UNKNOWN and small)
            if text[start:end].islower() and (certain or (kind is Kind.BOTH and cue is TOLD)):
                yield start, end, "NAME"
    for found in WORD.finditer(folded) if small else ():
        if kind_of(found.group(), language, anywhere=True) is Kind.NAME:
            yield *found.span(), "NAME"
