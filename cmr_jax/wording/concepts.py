"""Concepts of an impression beyond the thirteen findings: atria, valves, wall motion, edema, perfusion, diseases.

`lexicon.toml` has their words, for people to review; scopes of denial and doubt are those of `context`.
They serve people and comparison of reports; training learns the thirteen of `findings`.
"""

import functools
import pathlib
import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

from cmr_jax.wording import findings, numbers
from cmr_jax.wording.context import Clause, Span
from cmr_jax.wording.findings import Mention

FILE = pathlib.Path(__file__).parent / "lexicon.toml"

_REGURGITATION = "(?:regurgitation|insufficiency|incompetence|regurg|leak(?:age)?)"
_NORMAL_VALVES = (
    r"(?:normal|unremarkable|competent)(?: functioning)? (?:(?:cardiac|heart) )?valv(?:es|ular)(?: function)?"
    r"|valv(?:es|ular function) (?:(?:are|is|all|appear|show) )*(?:normal|unremarkable|competent)"
)
_MACROS = {"REGURGITATION": _REGURGITATION, "VALVULAR": "valv(?:e|ular)", "NORMAL_VALVES": _NORMAL_VALVES}
_VALVE = r"(?:mitral|aortic|tricuspid|pulmon(?:ary|ic))"
_LESION = rf"(?:stenosis|{_REGURGITATION})"
_GRADE = (
    r"(?:no|not|trace|trivial|minimal|mild(?:ly)?|moderate(?:ly)?|severe|significant|physiologic\w*|small|minor"
    r"|relevant|known|possible|residual|progressive|functional|secondary|primary|degenerative|ischemic|important|to)"
)
_ABBREVIATED = re.compile(
    rf"\b(?P<before>{_GRADE},? (?:(?:[amtp][rs]|{_VALVE} {_LESION})(?:, | and | or |/|, or ))*)"
    r"(?P<valve>[amtp])(?P<lesion>[rs])\b(?! (?:imag|angio|study|scan|perf|exam|venog|a|an|the|well|per|in|of|seen"
    r"|compared|described|noted|before|above|expected|shown|judged)\b)(?!I)"
)
_ALONE = re.compile(r"^\W*(?P<valve>[amtp])r\b(?= (?:is |was )?(?:mild|moder|severe|triv|trace|fract|jet|grade|volume|\d))")
_FULL = {"a": "aortic", "m": "mitral", "t": "tricuspid", "p": "pulmonary", "r": "regurgitation", "s": "stenosis"}
_SHARED_HEAD = re.compile(
    rf"\b(?P<list>{_VALVE}(?:(?:, (?:and |or )?| and | or | nor |/|, )(?:{_VALVE}))+) (?:valves? )?(?P<head>{_LESION})"
)
_SHARED_VALVE = re.compile(
    rf"\b(?P<valve>{_VALVE}|valv(?:e|ular)) (?:valve )?(?P<first>{_LESION})(?P<and> and | or | nor |/)"
    rf"(?:\w+ )?(?P<second>{_LESION})"
)
# Things that qualities may be said of, so that each quality goes to the nearest.
_THING = re.compile(
    r"\b(?:left and right atri\w+|(?:left|right|both|bilateral|the) atri\w+|atri\w+|biatrial|[lr]a|lv\w*|rv\w*"
    r"|(?:left |right )?ventric\w+|(?:all |four )+(?:cardiac )?chambers?|aort\w+|root|sept\w+|wall|walls|thickness"
    r"|(?:native )?t[12](?: ?\*| star)?|ecv|extra ?cellular volume|relaxation times|function|signal|right (?:heart|sided) chambers)\b"
)
_JOINED = re.compile(r"\s*(?:(?:,|/|&|\band\b|\bor\b|\bas well as\b)\s*)*(?:the\s+|of\s+)*(?:mapping|values?|times?)?\s*")
_OVER = re.compile(
    r"\b(?:history of|previous|prior|past|former|after|following|post|status post|s/p)(?: an?| acute)*\s*$"
)
_ANYWHERE = re.compile(r"\b(?:all|any|every|other) (?:segments?|territor\w+|walls?|regions?)\b")
LONGEST_ITEM = 5  # words of a thing whose quality may stand in the next item of a list: "T1, T2 and ECV normal"


class Concept(NamedTuple):
    """Words of a concept; see lexicon.toml."""

    says: re.Pattern[str] | None
    denies: re.Pattern[str] | None
    of: re.Pattern[str] | None
    quality: re.Pattern[str] | None
    fine: re.Pattern[str] | None
    placed: bool
    past: bool


@functools.cache
def lexicon() -> dict[str, Concept]:
    """Concepts by name, in the order of the file."""
    found = {}
    for name, entry in tomllib.loads(FILE.read_text()).items():
        words = [_words(entry.get(key)) for key in ("says", "denies", "of", "is", "fine")]
        found[name] = Concept(*words, entry.get("placed", False), entry.get("past", False))
    return found


def _words(patterns: list[str] | None) -> re.Pattern[str] | None:
    if not patterns:
        return None
    joined = "|".join(patterns)
    for macro, meaning in _MACROS.items():
        joined = joined.replace(macro, meaning)
    return re.compile(rf"(?<!\w)(?:{joined})(?!\w)")


def read_clauses(text: str) -> list[Clause]:
    """Clauses of a normalised sentence whose valves all have their lesion: "MR or TR", "mitral and tricuspid"."""
    return findings.read_clauses(_spelled_out(text))


def _spelled_out(text: str) -> str:
    for _ in range(4):  # of a list one each time
        changed = _ABBREVIATED.sub(_full, text)
        if changed == text:
            break
        text = changed
    text = _ALONE.sub(lambda m: f"{_FULL[m['valve']]} regurgitation", text)
    text = _SHARED_HEAD.sub(
        lambda m: re.sub(_VALVE, lambda v: f"{v.group()} {m['head']}", m["list"]), text
    )
    return _SHARED_VALVE.sub(r"\g<valve> \g<first>\g<and>\g<valve> \g<second>", text)


def _full(match: re.Match[str]) -> str:
    if match["valve"] + match["lesion"] == "ts":
        return match.group()
    return f"{match['before']}{_FULL[match['valve']]} {_FULL[match['lesion']]}"


def mentions(parts: list[Clause]) -> Iterator[Mention]:
    """Concepts that the clauses of a sentence name, in the order of the lexicon."""
    for number, clause in enumerate(parts):
        for name, concept in lexicon().items():
            for at, present in _of_clause(concept, clause, parts[number + 1 :]):
                yield Mention(name, clause, at, present)


def _of_clause(
    concept: Concept, clause: Clause, following: list[Clause]
) -> Iterator[tuple[int, bool]]:
    """Position and presence of each mention of a concept in a clause."""
    text = clause.text
    if concept.of:
        yield from _of_quality(concept, clause, following)
    if concept.denies and (match := concept.denies.search(text)):
        if not clause.denies(match.start()):
            yield match.start(), False
        return
    for match in concept.says.finditer(text) if concept.says else ():
        if concept.past and _OVER.search(text, 0, match.start()):
            continue
        present = not clause.denies(match.start())
        there_alone = concept.placed and findings.REGION.search(_ANYWHERE.sub("", text))
        if present or not there_alone:
            yield match.start(), present


def _of_quality(
    concept: Concept, clause: Clause, following: list[Clause]
) -> Iterator[tuple[int, bool]]:
    assert concept.of and concept.quality and concept.fine
    for thing in concept.of.finditer(clause.text):
        there = [m.start() for m in concept.quality.finditer(clause.text) if _owns(clause.text, m.span(), thing)]
        fine = [m.start() for m in concept.fine.finditer(clause.text) if _owns(clause.text, m.span(), thing)]
        if not (there or fine) and len(clause.text.split()) <= LONGEST_ITEM:
            state = _next_quality(concept, following)
            if state is not None:
                yield thing.start(), state
        for at in there:
            yield at, not clause.denies(at)
        if not there:
            yield from ((at, False) for at in fine if not clause.denies(at))


def _next_quality(concept: Concept, following: list[Clause]) -> bool | None:
    """The quality in the next items of a list: "LA, RA: dilated", "T1, T2 and ECV within normal limits"."""
    for clause in following[:2]:
        if quality := concept.quality.search(clause.text):
            return not clause.denies(quality.start())
        if concept.fine.search(clause.text):
            return False
        if len(clause.text.split()) > LONGEST_ITEM:
            return None
    return None


def _owns(text: str, quality: Span, thing: re.Match[str]) -> bool:
    """Return whether the quality is that of the thing, or of things named together with it."""
    groups: list[Span] = []
    for start, stop in (m.span() for m in _THING.finditer(text)):
        if groups and _JOINED.fullmatch(text, groups[-1][1], start):
            groups[-1] = groups[-1][0], stop
        elif not (start < quality[1] and quality[0] < stop):
            groups.append((start, stop))
    if not groups:
        return True
    nearest = min(groups, key=lambda g: max(g[0] - quality[1], quality[0] - g[1]))
    return nearest[0] < thing.end() and thing.start() < nearest[1]


def implied(stated: dict[str, float]) -> Iterator[tuple[str, bool]]:
    """Concepts that numbers imply: iron below a T2* of 20 ms (Anderson 2001, Eur Heart J 22:2171), an ECV
    beyond 32 % (mean and two SD of the healthy, Sado 2012, Heart 98:1436)."""
    if (t2star := stated.get("t2star_ms")) is not None:
        yield "iron_overload", t2star < 20
    if stated.get("ecv_percent", 0) > 32.3:
        yield "ecv_high", True


def said(sentence: str, parts: list[Clause]) -> dict[str, bool]:
    """Concepts that a sentence states, True where present; `parts` are its clauses by `read_clauses`."""
    found: dict[str, bool] = {}
    for name, clause, at, present in mentions(parts):
        if not clause.leaves_open(at):
            found[name] = found.get(name, False) or present
    if not any(part.doubted or part.skipped for part in parts):
        for name, present in implied(numbers.stated([sentence])):
            found.setdefault(name, present)
    return found
