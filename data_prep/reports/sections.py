"""Cuts a report into its sections: where a heading stands, which kind it is, and what is under it."""

import dataclasses
import re

from data_prep.folding import fold
from data_prep.reports.headings import Kind, kind_of, pattern, phrases

LONGEST_HEADING = 70
LONGEST_NAME = 80
MOST_WORDS = 6  # of a heading in the middle of a line
DECORATION = " \t>*#_=~-–—•·|/[【〔<《■◆"
NUMBER = re.compile(r"(\d{1,2}|[ivx]{1,4}|[a-h])[.):、][ \t]*(?!\d)")
SEPARATOR = re.compile(r":|[ \t]{1,9}[-–—](?=\s|$)|\t| {2,}|[ \t]?\||[】\]〕》]")
BRACKETS = re.compile(r"\([^)\n]{0,40}\)")
SIGNING = re.compile(rf"({pattern(Kind.END)})(?!\w)")
ADDING = re.compile(rf"(?:{pattern(Kind.ADDENDUM)})(?!\w)")
BARE = re.compile(rf"(?:{pattern(Kind.IMPRESSION)})(?=[ \t]+\S)")
SIGNED_INLINE = re.compile(
    rf"(?<=[.!?;。])[ \t]*(?:{'|'.join(re.escape(p) for p in phrases(Kind.END) if ' ' in p)})(?!\w)"
)
SIGNED_ELECTRONICALLY = re.compile(
    r".{0,40}\b(?:electronically|digitally|elektronisch|electroniquement|electronicamente"
    r"|eletronicamente|digitalmente|elettronicamente)\b.{0,20}\b(?:signed|authenticated|approved|verified"
    r"|signiert|unterschrieben|freigegeben|par|por|da|by)\b"
)
RULE = re.compile(r"[ \t]*[_=*–—-]{5,}[ \t]*")
TITLE = r"(?:Dr|Doctor|Docteur|Prof|Dra|Dott|Dott\.ssa|PD|Priv|OA|OÄ|Univ)\.?-?[ \t]*"
NAME = r"[A-ZÀ-Þ][\w.'’-]*+"
TITLED_NAME = rf"(?:{TITLE})+(?:(?:med|univ|habil)\.?[ \t]*)*(?:{NAME},?[ \t]*){{1,4}}"
# A line that is only names with titles or degrees signs the report.
NAME_LINE = re.compile(
    rf"(?:{TITLED_NAME}){{1,3}}(?:(?:CRM|RPPS|GMC|LANR)?[\W\d]*)"
    rf"|(?:{NAME}[ \t]+){{0,3}}{NAME},[ \t]*(?:MD|M\.D\.|DO|PhD|Ph\.D\.|MBBS|FRCR|FRCP|FACC|FSCMR)\b.*"
)


@dataclasses.dataclass(frozen=True)
class Mark:
    """A heading: what it opens, from where to where it stands, and how it is written."""

    kind: Kind
    start: int
    end: int
    number: str = ""
    is_alone: bool = False  # nothing but the heading is on its line
    is_capitals: bool = False


@dataclasses.dataclass(frozen=True)
class Section:
    """What stands under a heading.  `heading` is the heading as written."""

    kind: Kind
    heading: str
    body: str


def sections(text: str) -> list[Section]:
    """The sections of a cleaned report, in order; what stands before the first heading is none."""
    opened: Mark | None = None
    found: list[tuple[Mark, int]] = []
    for mark in _marks(text):
        if opened and _is_content(mark, opened, text[opened.end : mark.start]):
            continue
        if opened:
            found.append((opened, mark.start))
        opened = mark
    if opened:
        found.append((opened, len(text)))
    return [
        Section(m.kind, text[m.start : m.end], _body(text[m.end : stop], m)) for m, stop in found
    ]


def _is_content(mark: Mark, opened: Mark, so_far: str) -> bool:
    """Whether what looks like a heading is an item or a line of the open section."""
    if mark.kind is Kind.END and mark.start == mark.end:  # a drawn line
        return not so_far.strip(DECORATION + "\n")
    if opened.kind not in (Kind.IMPRESSION, Kind.SUMMARY):
        return False
    if mark.kind is Kind.SUMMARY and opened.kind is Kind.IMPRESSION:
        return not (mark.is_alone or mark.is_capitals)
    if mark.number and not mark.is_alone:
        return not _follows(mark.number, opened.number)
    return False


def _follows(number: str, opened: str) -> bool:
    if number.isdigit() and opened.isdigit():
        return int(number) == int(opened) + 1
    return bool(opened) and not opened.isdigit() and not number.isdigit()


def _body(text: str, mark: Mark) -> str:
    text = re.sub(r"^\s*:", "", text)
    if not mark.is_alone:
        text = text.lstrip(" \t:*_-–—>=")
    text = re.sub(r"\*\*|__(?=\S)|(?<=\S)__", "", text)
    lines = (line.strip(" \t|") for line in text.split("\n") if not RULE.fullmatch(line))
    return "\n".join(line for line in lines if line.strip(DECORATION + "]】"))


def _marks(text: str) -> list[Mark]:
    """Every place that could be a heading, in order."""
    folded, at, marks = fold(text), 0, []
    for line in text.split("\n"):
        inside = folded[at : at + len(line)]
        head = _heading(line, inside)
        if head:
            marks.append(dataclasses.replace(head, start=head.start + at, end=head.end + at))
        begin = head.end if head else 0
        marks += [
            dataclasses.replace(m, start=m.start + at, end=m.end + at)
            for m in _inline(line, inside, begin)
        ]
        at += len(line) + 1
    return marks


def _heading(line: str, folded: str) -> Mark | None:
    """The heading that a line begins with.  Positions are of the line."""
    if RULE.fullmatch(line):
        return Mark(Kind.END, 0, 0)
    if len(line) <= LONGEST_NAME and NAME_LINE.fullmatch(line.strip()):
        return Mark(Kind.END, 0, len(line))
    start = len(line) - len(line.lstrip(DECORATION))
    number = NUMBER.match(folded, start)
    first = number.end() if number else start
    first += len(line[first:]) - len(line[first:].lstrip(DECORATION))
    if first >= len(line):
        return None
    numbered = number.group(1) if number else ""
    if signed := _signing(line, folded, first):
        return Mark(Kind.END, start, signed, numbered, is_capitals=line[first].isupper())
    ends = list(SEPARATOR.finditer(folded, first, first + LONGEST_HEADING))
    for end in [*ends[:3], None]:
        stop = end.start() if end else len(line)
        if stop - first > LONGEST_HEADING:
            break
        phrase = BRACKETS.sub("", folded[first:stop]).strip(DECORATION + "].】》〕:?0123456789")
        kind = kind_of(phrase)
        rest = line[end.end() if end else len(line) :].strip(DECORATION + ":]】.")
        if kind and _stands(kind, line[first], end is not None, bool(rest)):
            capitals = line[first:stop].isupper()
            return Mark(kind, start, end.end() if end else stop, numbered, not rest, capitals)
    return _added(line, folded, first) or _bare(line, folded, first, numbered)


def _stands(kind: Kind, first: str, has_separator: bool, has_rest: bool) -> bool:
    if kind is Kind.TITLE:
        return not has_rest
    return has_separator or not first.islower()


def _signing(line: str, folded: str, first: int) -> int:
    """Where the words of a signature end, 0 where the line is none."""
    match = SIGNING.match(folded, first)
    if SIGNED_ELECTRONICALLY.match(folded, first):
        return len(line)
    if not match:
        return 0
    rest = line[match.end() :].lstrip(" \t*_")
    one_word = " " not in match.group(1)
    return (
        0
        if one_word and (rest[:1].islower() or rest[:1] == "-" or rest[:1] == "," != rest)
        else len(line)
    )


def _added(line: str, folded: str, first: int) -> Mark | None:
    """`ADDENDUM 1 of 04/05:` and the like: the word first, then whatever up to a colon or the end."""
    match = ADDING.match(folded, first)
    if not match:
        return None
    colon = folded.find(":", match.end(), match.end() + LONGEST_HEADING)
    if colon < 0 and not line[first : match.end()].isupper():
        return None
    end = colon + 1 if colon > 0 else match.end()
    return Mark(Kind.ADDENDUM, first, end, "", not line[end:].strip(), True)


def _bare(line: str, folded: str, first: int, numbered: str) -> Mark | None:
    """`IMPRESSION Normal heart.`: capitals alone tell the heading from the words that follow."""
    match = BARE.match(folded, first)
    if not match or not line[first : match.end()].isupper():
        return None
    following = line[match.end() :].split()[0]
    if following.isupper() and len(following) > 1 and following.isalpha():
        return None
    return Mark(Kind.IMPRESSION, first, match.end(), numbered, False, True)


def _inline(line: str, folded: str, begin: int) -> list[Mark]:
    """Headings in the middle of a line: words before a colon, after a sentence or in capitals."""
    found = [Mark(Kind.END, m.start(), len(line)) for m in SIGNED_INLINE.finditer(folded, begin)]
    colon = folded.find(":", begin)
    while colon >= 0:
        if mark := _before_colon(line, folded, begin, colon):
            found.append(mark)
        colon = folded.find(":", colon + 1)
    return sorted(found, key=lambda m: m.start)


def _before_colon(line: str, folded: str, begin: int, colon: int) -> Mark | None:
    back = max(begin, colon - LONGEST_HEADING)
    edges = [m.end() for m in re.finditer(r"[\s.;!?。]+|\*\*", folded[back:colon])][-MOST_WORDS:]
    for start in sorted({back + edge for edge in edges}):
        words = BRACKETS.sub("", folded[start:colon]).strip(" *_")
        kind = kind_of(words) if start < colon else None
        if kind is None:
            continue
        before = line[begin:start].rstrip("*_ \t")
        capitals = line[start:colon].isupper()
        # Capitals that go on from capitals are one longer heading, which is not known.
        shouted = capitals and not before.split()[-1:][0].isupper() if before else capitals
        after_sentence = before[-1:] in tuple(".;!?。)") or line[start - 2 : start] == "  "
        if not line[start].islower() and (shouted or after_sentence):
            return Mark(kind, start, colon + 1, "", False, capitals)
    return None
