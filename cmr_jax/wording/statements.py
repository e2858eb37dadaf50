"""Typed statements of a sentence: finding, state, grade, places, and the words that say so.

`findings.said` is the short form that training and search use; this one serves people and whoever
compares reports.
"""

import difflib
import enum
import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cmr_jax.wording import concepts, findings, lexicon
from cmr_jax.wording.context import Clause, Span
from cmr_jax.wording.findings import Mention
from cmr_jax.wording.languages import NOT_UNDERSTOOD
from cmr_jax.wording.normalization import normal


class State(enum.Enum):
    """State of a finding in a text."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"


_WINS = list(State)  # over those after it, in another sentence


class Statement(NamedTuple):
    """A sentence about one finding."""

    finding: str  # of `NAMES`: the thirteen findings, then the concepts of lexicon.toml
    state: State
    grade: str  # "mild", "moderate to severe", ...; "" where none is given
    places: tuple[str, ...]  # walls, levels and territories, in the order of the text
    span: Span  # characters of the sentence

    def words(self, sentence: str) -> str:
        """The words that say so."""
        return sentence[slice(*self.span)]


_GRADE = re.compile(
    r"\b(?:(?P<borderline>borderline)|(?P<trivial>trivial|trace|minimal(?:ly)?|tiny|physiologic\w*)"
    r"|(?P<mild>mild(?:ly)?|slight(?:ly)?|small|discrete)|(?P<moderate>moderate(?:ly)?)"
    r"|(?P<severe>severe(?:ly)?|marked(?:ly)?|gross(?:ly)?|massive(?:ly)?|large|extensive))\b"
)
_UP_TO = re.compile(r"\s*(?:-|to|/)?\s*")  # `normal` takes the hyphen out of "mild-moderate"
_FROM = re.compile(r"\bfrom \W*$")
_SPARED_BEFORE = re.compile(r"\b(?:spar(?:ing|es)|except(?: for| the)?|excluding)\b[^,]*$")
_SPARED_AFTER = re.compile(r"\W+(?:walls? )?(?:is |are )?(?:spared|free|normal)\b")
# A clause that is about something else than the extent of the finding before it.
_ELSE = re.compile(
    r"viab|kine[ts]|aneurysm|stent|thromb|pericard|normal|patent|stenos|occlu|spared|free|leaflet"
)
_AND = re.compile(r"\band\b|\bnext to\b")
_WALL = r"(?:septal|septum|lateral|anterior|inferior)"
_PLACE = re.compile(
    r"\b(?:(?P<anteroseptal>antero ?sept\w+)|(?P<inferoseptal>infero ?sept\w+)"
    r"|(?P<anterolateral>antero ?lateral)|(?P<inferolateral>(?:infero|postero) ?lateral)"
    r"|(?P<septal>sept(?:al|um))|(?P<lateral>lateral(?! papillary))"
    r"|(?P<anterior>anterior(?! descending| mitral| leaflet| pericard))|(?P<posterior>posterior(?! leaflet))"
    r"|(?P<inferior>inferior(?! vena)|diaphragmatic)|(?P<insertion_points>insertion points?)"
    r"|(?P<basal>basal|basis)|(?P<mid>mid ?(?:ventric\w+|cavity)|mid(?= " + _WALL + r"))"
    r"|(?P<apical>apex|apical)|(?P<LAD>lad|left anterior descending)|(?P<RCA>rca|right coronary)"
    r"|(?P<LCx>l?cx|(?:left )?circumflex))\b"
)
NAMES = (*findings.FINDINGS, *lexicon.concepts())
PLACED = (
    *("lv_hypertrophy", "lge", "infarct", "nonischemic_lge"),
    *(name for name, concept in lexicon.concepts().items() if concept.placed),
)
_TOKEN = re.compile(r"[^\W_]+|%")
_CHAMBER = re.compile(r"^[lr]v(?=ef$)")  # which `findings.read_clauses` may have put before


def read(sentence: str) -> list[Statement]:
    """Statements of one sentence: the thirteen findings in their order, then the concepts in theirs."""
    return [
        _statement(sentence, finding, state, reading)
        for reading in _readings(sentence)
        for finding, state in reading.states.items()
    ]


def states(sentences: Iterable[str]) -> dict[str, State]:
    """State of each finding that an impression names: present in any sentence wins, then absent."""
    found: dict[str, State] = {}
    for sentence in sentences:
        for finding, state in _states(sentence):
            found[finding] = min(found.get(finding, state), state, key=_WINS.index)
    return found


@functools.lru_cache(maxsize=1 << 14)
def _states(sentence: str) -> tuple[tuple[str, State], ...]:
    return tuple(pair for reading in _readings(sentence) for pair in reading.states.items())


class _Reading(NamedTuple):
    """States of findings or of concepts, and the mentions and clauses that they were read from."""

    states: dict[str, State]  # in the order of `NAMES`
    named: list[Mention]
    parts: Sequence[Clause]


def _readings(sentence: str) -> Iterator[_Reading]:
    """The thirteen findings, then the concepts."""
    text = normal(sentence)
    if text.startswith(NOT_UNDERSTOOD):
        return
    parts = findings.read_clauses(text)
    yield _reading(findings.said(sentence), list(findings.mentions(parts)), parts)
    parts = concepts.read_clauses(text)
    named = list(concepts.mentions(parts))
    yield _reading(concepts.said(text, parts, named), named, parts)


def _reading(said: findings.Said, named: list[Mention], parts: Sequence[Clause]) -> _Reading:
    found = {m.finding: State.UNCERTAIN for m in named if m.clause.doubts(m.at)}
    found |= {f: State.PRESENT if present else State.ABSENT for f, present in said.items()}
    return _Reading({name: found[name] for name in NAMES if name in found}, named, parts)


def _statement(sentence: str, finding: str, state: State, reading: _Reading) -> Statement:
    _, named, parts = reading
    mention = next((m for m in named if m.finding == finding and _is(m, state)), None)
    if mention is None:  # "normal study": the sentence as a whole says so
        return Statement(finding, state, "", (), (0, len(sentence)))
    grade, places = "", ()
    if state is not State.ABSENT:
        grade = _grade(mention, named)
        places = _places(mention, named, parts) if finding in PLACED else ()
    return Statement(finding, state, grade, places, _span(sentence, mention.clause))


def _is(mention: Mention, state: State) -> bool:
    if mention.clause.doubts(mention.at):
        return state is State.UNCERTAIN
    if mention.clause.skips(mention.at):
        return False
    return state is (State.PRESENT if mention.present else State.ABSENT)


def _grade(mention: Mention, named: list[Mention]) -> str:
    """The last grade before the mention, else the first behind it; other findings keep theirs."""
    text, at = mention.clause.text, mention.at
    others = [m.at for m in named if m.clause is mention.clause and m.at != at]
    start = max((o for o in others if o < at), default=0)
    stop = min((o for o in others if o > at), default=len(text))
    grades = [m for m in _GRADE.finditer(text) if start <= m.start() < stop]
    # Over an "and" a grade is of something else: "LGE and severe MR".
    grades = [m for m in grades if not _AND.search(text, *sorted((m.end(), at)))]
    before = [m for m in grades if m.start() <= at]
    if not grades:
        return ""
    chosen = grades.index(before[-1]) if before else 0
    if _FROM.search(text, 0, grades[0].start()):  # "improved from severely to mildly reduced"
        return str(grades[chosen].lastgroup)
    if chosen and _UP_TO.fullmatch(text[grades[chosen - 1].end() : grades[chosen].start()]):
        return f"{grades[chosen - 1].lastgroup} to {grades[chosen].lastgroup}"
    return str(grades[chosen].lastgroup)


def _places(mention: Mention, named: list[Mention], parts: Sequence[Clause]) -> tuple[str, ...]:
    """Places in the mention's clause, in those of places alone before it ("anterolateral, septal and
    apical LGE"), and in those behind it that go on with the extent."""
    speak = [m.clause for m in named if m.clause is not mention.clause]
    first = next(i for i, part in enumerate(parts) if part is mention.clause)
    stop = first + 1
    while stop < len(parts) and not _ends_extent(parts[stop], speak):
        stop += 1
    start = first
    while start and not _PLACE.sub("", parts[start - 1].text).strip():
        start -= 1
    found: list[str] = []
    for part in parts[start:stop]:
        for match in _PLACE.finditer(part.text):
            name = str(match.lastgroup).replace("_", " ")
            spared = _SPARED_BEFORE.search(part.text, 0, match.start()) or _SPARED_AFTER.match(
                part.text, match.end()
            )
            if name not in found and not (spared or part.denies(match.start())):
                found.append(name)
    return tuple(found)


def _ends_extent(part: Clause, speak: list[Clause]) -> bool:
    return any(part is other for other in speak) or bool(_ELSE.search(part.text))


def _span(sentence: str, clause: Clause) -> Span:
    """Where the words of a clause lie in the sentence, which was normalised since."""
    tokens = list(_TOKEN.finditer(sentence))
    here = [_CHAMBER.sub("", normal(t.group())) for t in tokens]
    text = clause.text
    for short, full in concepts.ABBREVIATIONS.items():
        if short in here:
            text = text.replace(full, short)
    wanted = [_CHAMBER.sub("", word) for word in _TOKEN.findall(text)]
    matcher = difflib.SequenceMatcher(None, here, wanted, autojunk=False)
    blocks = [b for b in matcher.get_matching_blocks() if b.size]
    if 2 * sum(b.size for b in blocks) < len(wanted):  # translated
        return 0, len(sentence)
    return tokens[blocks[0].a].start(), tokens[blocks[-1].a + blocks[-1].size - 1].end()
