"""Finds the impression in a report, and its sentences."""

import html
import re
import unicodedata

HEADER = (
    r"(?:final\s+|overall\s+|preliminary\s+|cardiac\s+mri?\s+|cmr\s+|mri\s+)?"
    r"(?:impressions?|conclusions?|summary(?:\s+and\s+conclusions?)?|interpretation|opinion|assessment"
    r"|findings\s*(?:/|and|&)\s*impressions?|impressions?\s*(?:/|and|&)\s*recommendations?"
    r"|beurteilung|zusammenfassung|conclusi[oó]n(?:es)?|impresi[oó]n(?:\s+diagn[oó]stica)?|conclusioni"
    r"|conclus[aã]o|impress[aã]o|conclusie|sammanfattning|wnioski)"
)
OTHER = (
    r"(?:findings?|technique|procedure|protocol|comparisons?|indications?|(?:clinical\s+)?(?:history|information)"
    r"|exam(?:ination)?|contrast|recommendations?|addend(?:um|a)|signed|electronically\s+signed(?:\s+by)?"
    r"|dictated(?:\s+by)?|attestation|measurements?|date|patient|end\s+of\s+report|befund|technik|hallazgos|limitations?)"
)


def _line(pattern: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?im)^[ \t>*#\-–•]*(?:\d+[.)]\s*)?(?:{pattern})[ \t]*(?:\([^)\n]{{0,40}}\))?[ \t]*(?::|(?=\s*$))[ \t]*"
    )


STARTS, ENDS = _line(HEADER), _line(OTHER)
INLINE = re.compile(r"\b(?:IMPRESSIONS?|CONCLUSIONS?|Impression|Conclusion|Beurteilung)\s*:\s*")
STOP = re.compile(
    r"(?im)^\s*(?:electronically\s+signed|i\s+(?:have\s+)?personally\s+reviewed|dictated\s+(?:by|on)|transcribed"
    r"|signed\s+by|end\s+of\s+report|this\s+report\s+was|report\s+(?:verified|approved)|_{5,}|={5,}|\*{5,})"
)
ELSEWHERE = re.compile(r"(?i)(?:see\s+(?:above|findings|body).*|as\s+above\.?|n/?a|none\.?|\W*)")
LONGEST = 6000


def clean(text: str) -> str:
    """One newline convention, no control characters or terminal codes, markup as text."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\\n", "\n")
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", html.unescape(text))
    text = unicodedata.normalize("NFC", text)
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")


def extract(report: str) -> str | None:
    """The impression, the last such section of the report; None where there is none."""
    text = clean(report)
    starts = list(STARTS.finditer(text)) or list(INLINE.finditer(text))
    for start in reversed(starts):
        later = [m.start() for p in (ENDS, STOP) for m in p.finditer(text, start.end())]
        later += [m.start() for m in starts if m.start() > start.start()]
        body = text[start.end() : min(later, default=len(text))].strip(" \n\t:-*_")
        if not ELSEWHERE.fullmatch(body):
            return body[:LONGEST]
    return None


TITLE = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Prof|vs|approx)\.$")


def sentences(impression: str) -> list[str]:
    """Sentences without their numbers or bullets; a decimal point or a title's does not end one."""
    found: list[str] = []
    for line in impression.split("\n"):
        line = re.sub(r"^\s*(?:\d{1,2}[.)]|[-–•*])\s+", "", line)
        line = re.sub(r"(?<=[.;!?])\s+\d{1,2}[.)]\s+(?=[A-Z])", " ", line)
        pieces: list[str] = []
        for part in re.split(r"(?<=[.;!?])\s+(?=[A-Z\[<])", line):
            if pieces and TITLE.search(pieces[-1]):
                pieces[-1] += " " + part
            else:
                pieces.append(part)
        found += [piece.strip() for piece in pieces if re.search(r"\w{2}", piece)]
    return found
