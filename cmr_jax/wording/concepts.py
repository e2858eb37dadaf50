"""Concepts of an impression beyond the thirteen findings: atria, valves, wall motion, edema, perfusion, diseases.

`lexicon.toml` has their words, for people to review; scopes of denial and doubt are those of `context`.
They serve people and comparison of reports; training learns the thirteen of `findings`.
"""

import functools
import re
from collections.abc import Iterator, Sequence

from cmr_jax.wording import findings, lexicon, numbers
from cmr_jax.wording.context import Clause, Span
from cmr_jax.wording.findings import Mention
from cmr_jax.wording.lexicon import REGURGITATION, VALVE, Concept

_LESION = rf"(?:stenosis|{REGURGITATION})"
_GRADE = (
    r"(?:no|not|mod\.?|trace|trivial|minimal|torrential|massive|free|mild(?:ly)?|moderate(?:ly)?|severe|significant"
    r"|physiologic\w*|small|minor|relevant|known|possible|residual|progressive|functional|secondary|primary"
    r"|degenerative|ischemic|important|to)"
)
_KIND = r"(?:central|eccentric|calcific|low flow|paradoxical|rheumatic|holosystolic|free|jets? of|grade \w+)"
_NO_LESION = (  # "cardiac MR imaging", "no MR evidence of"
    r"(?:imag|angio|study|scan|perf|exam|venog|contraind|safe|condition|compat|evidence|finding|criter|feature|sign"
    r"|appear)"
)
_ABBREVIATED = re.compile(
    rf"\b(?P<before>{_GRADE},? (?:{_KIND} )*(?:(?:[amtp][rs]|{VALVE} {_LESION})(?:, | and | or |/|, or ))*)"
    rf"(?P<valve>[amtp])(?P<lesion>[rs])\b(?! {_NO_LESION})"
    r"(?:(?<!\bas)|(?=\s*(?:$|[.,;:()/]|(?:and|or|with|by|due|mean|peak|ava)\b)))"  # "severe as always" is none
)
# "TR moderate", "AR: none", "PS and AS absent"
_GRADED_AFTER = re.compile(
    r"(?:^|(?<=[,;.(|] )|(?<=valves )|(?<=and ))(?P<before>)(?P<valve>[amtp])(?P<lesion>[rs])\b"
    r"(?= (?:(?:is|was|fraction|and [amtp][rs]) )*"
    r"(?:mild|moder|severe|triv|trace|none|absent|minimal|fract|grade|jet|volume|\d))"
)
_INSUFFICIENCY = re.compile(rf"\b({_GRADE} )ai\b")
# "atrioventricular (mitral) valve regurgitation", "tricuspid (systemic AV valve) regurgitation"
_IN_BRACKETS = re.compile(rf"(?:\w+ \((?={VALVE}\)))?({VALVE})(?:\)| \([^()]*valve\))(?= )")
# An aortic valve with three cusps, not the tricuspid valve: "the valve is tricuspid with mild regurgitation".
_THREE_CUSPS = re.compile(
    r"(?<=valve is )tricuspid|(?<=aortic valve )tricuspid|(?<=\bav )tricuspid|tricuspid(?= aortic)"
)
_FULL = {
    "a": "aortic",
    "m": "mitral",
    "t": "tricuspid",
    "p": "pulmonary",
    "r": "regurgitation",
    "s": "stenosis",
}
_SHARED_HEAD = re.compile(
    rf"\b(?P<list>{VALVE}(?:(?:, (?:and |or )?| and | or | nor |/)(?:{VALVE}))+) (?:valves? )?(?P<head>{_LESION})"
)
_SHARED_VALVE = re.compile(
    rf"\b(?P<valve>{VALVE}|valv(?:e|ular)) (?:valve )?(?P<first>{_LESION})(?P<and> and | or | nor |/)"
    rf"(?:(?!{VALVE})\w+ )?(?P<second>{_LESION})"
)
_PROTOCOL = re.compile(r" (?:protocol|screening|study|clinic|work ?up|survey)\b")
_NAMED_VALVE = re.compile(
    rf"\b(?:{VALVE}(?! (?:root|arch|arter|vein|venous|hypertens|embol|edema|trunk|dissect|aneurysm|dilat|annulus \d))"
    r"|[matp]v|valves|valv(?:e|ular) function)\b"
)
_BARE_LESION = re.compile(
    rf"(?<!mitral )(?<!aortic )(?<!tricuspid )(?<!pulmonary )(?<!valve )(?<!valvular )(?<!artery )(?<!sub)"
    rf"\b(?:{_LESION}|prolapse)\b"
)
# Things that qualities may be said of, so that each quality goes to the nearest.
_THING = re.compile(
    r"\b(?:left and right atri\w+|(?:left|right|both|bilateral|the) atri\w+|atri\w+|biatrial|[lr]a|lv\w*|rv\w*"
    r"|(?:left |right )?ventric\w+|(?:all |four )+(?:cardiac )?chambers?|aort\w+|root|sept\w+|wall|walls|thickness"
    r"|(?:native )?t[12](?: ?\*| star)?|ecv|extra ?cellular volume|relaxation times|function|signal"
    r"|right (?:heart|sided) chambers)\b"
)
_JOINED = re.compile(
    r"\s*(?:(?:,|/|&|\+|\band\b|\bor\b|\bas well as\b)\s*)*(?:the\s+|of\s+)*(?:mapping|values?|times?)?\s*"
)
_OVER = re.compile(
    r"\b(?:history of|previous|prior|past|former|after|following|post|status post|s/p)(?: an?| acute)*\s*$"
)
_NOT = re.compile(r"\bnot\W*$")
_ANYWHERE = re.compile(r"\b(?:all|any|every|other) (?:segments?|territor\w+|walls?|regions?)\b")
_COMPARED = re.compile(
    r"\b(?:native )?(?P<what>t1|t2|ecv)\b(?! ?\*)[^;()\d]{0,60}(?P<value>\d+(?:\.\d+)?)\s*(?:ms\w*|%)?"
    r"\s*[(\[][^()\d]*(?:(?P<low>\d+(?:\.\d+)?)\s*(?:ms\w*|%)?\s*(?:-|to)\s*|(?:upper limit|<)\D{0,20})"
    r"(?P<high>\d+(?:\.\d+)?)[^()]*[)\]]"
)
_WORD = re.compile(r"\b(?!ms\b|mm\b|ml\b|cm2?\b)[a-z][a-z0-9]*")
LONGEST_ITEM = 5  # words of a thing whose quality may stand in the next item of a list: "T1, T2 and ECV normal"


def read_clauses(text: str) -> tuple[Clause, ...]:
    """Clauses of a normalised sentence whose valves all have their lesion: "MR or TR", "mitral and tricuspid".

    Limits of what is normal, in brackets behind a value, are left out.
    """
    return findings.read_clauses(_spelled_out(numbers.LIMITS.sub(" ", text)))


def _spelled_out(text: str) -> str:
    text = _IN_BRACKETS.sub(r"\1", _INSUFFICIENCY.sub(r"\1ar", text))
    for _ in range(4):  # of a list one each time
        changed = _ABBREVIATED.sub(_full, text)
        if changed == text:
            break
        text = changed
    text = _THREE_CUSPS.sub("trileaflet", _GRADED_AFTER.sub(_full, text))
    text = _SHARED_HEAD.sub(
        lambda m: re.sub(VALVE, lambda v: f"{v.group()} {m['head']}", m["list"]), text
    )
    text = _SHARED_VALVE.sub(r"\g<valve> \g<first>\g<and>\g<valve> \g<second>", text)
    return _BARE_LESION.sub(_of_last_valve, text)


def _of_last_valve(match: re.Match[str]) -> str:
    """A lesion with the valve that was named last: "aortic valve: bicuspid, moderate stenosis"."""
    named = list(_NAMED_VALVE.finditer(match.string, 0, match.start()))
    if not named:
        return match.group()
    name = named[-1].group()
    if name.endswith("v"):
        name = _FULL[name[0]]
    return f"{'valvular' if name.startswith('valv') else name} {match.group()}"


ABBREVIATIONS = {
    valve + lesion: f"{_FULL[valve]} {_FULL[lesion]}" for valve in "amtp" for lesion in "rs"
}


def _full(match: re.Match[str]) -> str:
    if match["valve"] + match["lesion"] == "ts":
        return match.group()
    return match["before"] + ABBREVIATIONS[match["valve"] + match["lesion"]]


def mentions(parts: Sequence[Clause]) -> Iterator[Mention]:
    """Concepts that the clauses of a sentence name, in the order of the clauses."""
    for number, clause in enumerate(parts):
        found = [Mention(name, clause, at, present) for name, at, present in _named_in(clause)]
        for name in _things_in(clause.text):
            found += _of_quality(name, lexicon.concepts()[name], parts, number)
        yield from found


@functools.lru_cache(maxsize=1 << 14)  # clauses recur more often than sentences
def _named_in(clause: Clause) -> list[tuple[str, int, bool]]:
    """Mentions by the words for concepts: name, place in the clause, whether present."""
    return [
        (name, at, present)
        for name, concept in lexicon.concepts().items()
        if concept.any.search(clause.text)
        for at, present in _named(concept, clause)
    ]


@functools.lru_cache(maxsize=1 << 14)
def _things_in(text: str) -> list[str]:
    """Concepts that are qualities of a thing which the text names."""
    return [n for n, c in lexicon.concepts().items() if c.of and c.of.search(text)]


def _named(concept: Concept, clause: Clause) -> Iterator[tuple[int, bool]]:
    """Mentions by the words for a concept: where in the clause, whether present."""
    text = clause.text
    if concept.denies and (match := concept.denies.search(text)):
        if not clause.denies(match.start()):
            yield match.start(), False
        return
    if concept.denied and (match := concept.denied.search(text)) and clause.denies(match.start()):
        yield match.start(), False
    if not concept.says or (concept.unless and concept.unless.search(text)):
        return
    for match in concept.says.finditer(text):
        if _PROTOCOL.match(text, match.end()):
            continue
        at = max(match.span()[0], match.span()[1] - 1, key=clause.scoped)
        present = not clause.denies(at)
        if present and concept.past and _OVER.search(text, 0, match.start()):
            continue
        around = _ANYWHERE.sub("", text[: match.start()] + text[match.end() :])
        if present or not (concept.placed and findings.REGION.search(around)):
            yield at, present


def _of_quality(
    name: str, concept: Concept, parts: Sequence[Clause], number: int
) -> Iterator[Mention]:
    """Mentions by a quality of a thing: of its own clause, else of the items of its list after or before."""
    clause = parts[number]
    for thing in concept.of.finditer(clause.text) if concept.of else ():
        made = list(_qualities(name, concept, clause, thing))
        words = _WORD.findall(clause.text)
        if not made and len(words) <= LONGEST_ITEM:
            after, before = parts[number + 1 : number + 4], parts[max(number - 2, 0) : number]
            has_value = any(c.isdigit() for c in clause.text[thing.end() :])
            made = _of_list(name, concept, [*after, *reversed(before)], has_value)
            if _NOT.search(clause.text):  # "LA enlarged, RA not"
                made = [m._replace(clause=clause, at=thing.start(), present=False) for m in made]
        yield from made


def _of_list(
    name: str, concept: Concept, others: Sequence[Clause], has_value: bool
) -> list[Mention]:
    """Qualities in the nearest other item of a list; of one that has another thing only for a bare thing."""
    for other in others:
        made = list(_qualities(name, concept, other, None))
        if has_value and _THING.search(other.text):
            if made:
                return []  # "ECV 41 %, T2 normal"
        elif made:
            return made  # "T1 1165 ms, ECV 52 %, both elevated"
    return []


def _qualities(
    name: str, concept: Concept, clause: Clause, thing: re.Match[str] | None
) -> Iterator[Mention]:
    """Qualities of the concept in a clause, of a thing in it or of any."""
    owned = [
        [m for m in rule.finditer(clause.text) if not thing or _owns(clause.text, m.span(), thing)]
        for rule in (concept.quality, concept.fine)
        if rule
    ]
    for match in owned[0]:
        yield Mention(name, clause, match.start(), not clause.denies(match.start()))
    if not owned[0]:
        for match in owned[1]:
            if not clause.denies(match.start()):
                yield Mention(name, clause, match.start(), False)


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


def implied(text: str) -> Iterator[tuple[str, bool]]:
    """Concepts that the numbers of a normalised sentence imply.

    A value is high or low by the limits in brackets behind it: "T1 1165 ms (normal 950-1030)".  Without any, T2*
    below 20 ms is iron (Anderson 2001, Eur Heart J 22:2171), an ECV beyond 32 % is high (mean and two SD
    of the healthy, Sado 2012, Heart 98:1436).
    """
    compared = set()
    for match in _COMPARED.finditer(text):
        what, value = match["what"], float(match["value"])
        low, high = float(match["low"] or 0), float(match["high"])
        compared.add(what)
        if value >= low:
            yield f"{what}_high", value > high
        if what == "t1" and value <= high:
            yield "t1_low", value < low
    stated = numbers.in_normal(text)
    if (t2star := stated.get("t2star_ms")) is not None:
        yield "iron_overload", t2star < 20
    if "ecv" not in compared and stated.get("ecv_percent", 0) > 32.3:
        yield "ecv_high", True


def said(text: str, parts: Sequence[Clause], named: list[Mention]) -> dict[str, bool]:
    """Concepts that a normalised sentence states, True where present, given its clauses and their mentions."""
    found: dict[str, bool] = {}
    for name, clause, at, present in named:
        if not clause.leaves_open(at):
            found[name] = found.get(name, False) or present
    if not findings.numbers_are_open(parts):
        for name, present in implied(text):
            found.setdefault(name, present)
    return found
