"""Numbers that an impression states: ejection fractions, volumes, masses, lengths, relaxation times.

`NUMBERS` says how each is read; it holds the usual mean and spread, so that a model can learn deviations.
"""

import functools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cmr_jax.wording import volumes
from cmr_jax.wording.languages import NOT_UNDERSTOOD
from cmr_jax.wording.normalization import normal

_NUMBER = r"(\d+(?:\.\d+)?)"
_SPAN = rf"{_NUMBER}(?:\s*(?:%\s*)?(?:-|to)\s*{_NUMBER})?"  # "45-50": its middle
_MM = rf"{_SPAN}(?:\s*x\s*\d+(?:\.\d+)?)*\s*(mm|cm)\b"  # of "41 x 39 mm" the first
_NEAR = r"[^.;,\d]{0,40}?"
_EF = r"(?:lv ?ef|ef|ejection fraction(?! of the right))"
_RIGHT = (
    r"(?:rv ?ef|ejection fraction of the right ventricle"
    r"|(?:rv|right ventric\w+) (?:ejection fraction|ef))"
)
_NOT_RIGHT = r"(?<!\b[lr]a )(?<!atrial )(?<!rv )(?<!right ventricular )(?<!right ventricle )"
_PERCENT = r"\s*(?:%|percent\b|per cent\b)(?! (?:scar|lge|of|smaller|larger|lower|higher|less|more|points)\b)"
# Without a sign the value stands beside the word: "EF 28."
_BARE = r"\s*(?:(?:of|is|was|at|ok|good|normal|preserved|\(%\)|:|=|\|)\s*){0,3}(?:about|approximately|around|ca|~)?\s*"
_END = r"(?!\s*%)(?=\s*(?:\.(?!\d)|[;)|]|,(?!\d)|and\b|$))"
# "dropped from 45 % to 29 %", "44 % -> 52 %": what counts is now.
_UNIT = r"(?:\s*(?:%|mm|cm|ml(?:/m2)?))?\s*"
_FROM = (
    rf"(?:{_NEAR}(?:, ?)?\bfrom {_NUMBER[1:-1]}{_UNIT}(?=to\b)|{_NEAR}{_NUMBER[1:-1]}{_UNIT}->\s*)?"
    rf"{_NEAR}(?:, ?)?"
)
_WALLS = (
    r"(?:max\w* thickness|hypertrophy|hypertrophied|lvh|wall thickness"
    r"|(?:wall|lv|left ventricular|myocardial) thickening|posterior wall|septum|septal|ivsd?|walls?)"
)
_LOOSE = r"(?:[^.;\d]|\.(?= ?\d)){0,40}?"


class Usual(NamedTuple):
    """Mean and spread in adults who are sent to a scanner; unit of the name."""

    mean: float
    spread: float


class Number(NamedTuple):
    """How one number is read."""

    usual: Usual
    least: float  # beyond these a number is of something else, or mistyped
    most: float
    needs: tuple[str, ...] = ()  # one of these letters stands in any text that the patterns match
    # The first that matches counts; `volumes` reads the numbers that have none.
    patterns: tuple[re.Pattern[str], ...] = ()
    other: re.Pattern[str] | None = None  # other structures whose size may stand beside the words


def _compiled(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, patterns))


NUMBERS = {
    "lv_ef_percent": Number(
        Usual(52, 14), 3, 95, ("ef", "ejection", "lv "),
        _compiled(
            rf"\b{_NOT_RIGHT}{_EF}\b{_FROM}(?<!by ){_SPAN}{_PERCENT}",
            rf"\b{_NOT_RIGHT}{_EF}\b{_BARE}{_SPAN}{_END}",
            rf"\b{_SPAN}\s*% (?:left ventricular |lv )?(?:ejection fraction|ef)\b",
            rf"\blv {_SPAN}{_PERCENT}",
        ),
    ),
    "rv_ef_percent": Number(
        Usual(50, 12), 3, 95, ("rv", "right"),
        _compiled(
            rf"\b{_RIGHT}\b{_FROM}(?<!by ){_SPAN}{_PERCENT}",
            rf"\b{_RIGHT}\b{_BARE}{_SPAN}{_END}",
            rf"\b(?:rv|right ventricular) (?:systolic )?function\b[^.;,\d]{{0,30}} at {_SPAN}{_PERCENT}",
            rf"\brv {_SPAN}{_PERCENT}",
        ),
    ),
    "lv_edv_ml": Number(Usual(165, 60), 20, 900),
    "lv_edvi_ml_m2": Number(Usual(90, 30), 15, 450),
    "lv_esv_ml": Number(Usual(85, 55), 3, 850),
    "lv_esvi_ml_m2": Number(Usual(46, 28), 2, 420),
    "rv_edv_ml": Number(Usual(170, 55), 20, 900),
    "rv_edvi_ml_m2": Number(Usual(92, 28), 15, 450),
    "rv_esv_ml": Number(Usual(88, 42), 3, 850),
    "rv_esvi_ml_m2": Number(Usual(47, 22), 2, 420),
    "lv_mass_g": Number(Usual(125, 45), 20, 800),
    "lv_massi_g_m2": Number(Usual(66, 22), 10, 400),
    "lv_wall_mm": Number(
        Usual(12, 4), 2, 60, ("wall", "sept", "hypertroph", "lvh", "ivs", "thick"),
        _compiled(
            rf"\b(?<!rv free )(?<!rv ){_WALLS}\b(?:{_NEAR}\bfrom \d+{_UNIT}(?=to\b))?{_LOOSE}{_MM}",
            rf"\b{_MM} (?:basal |mid |thick |interventricular )*septum\b",
        ),
        re.compile(
            r"effusion|thromb|mass\b|tumou?r|cyst|lipoma|fibroma|nodule|atri|aort|pericardi|defect|scar|lge|enhanc"
            r"|aneurysm|outpouch|neck|previous|chest|abdominal|leaflet|papillary|catheter|flattening|pfo|motion|edd\b|esd\b"
            r"|diameter|kine[ts]|\bover\b|long\b|length|extend|\b(?:rv|la|ra)\b|\bright\b"
        ),
    ),
    "aorta_mm": Number(
        Usual(38, 7), 10, 120, ("aort", "sinus", "root", "ascending"),
        _compiled(
            rf"\b(?:root|ascending(?: aorta)?|tubular|(?<!descending )(?<!abdominal )aorta|sinus\w*)\b{_NEAR}"
            rf"(?:, ?)?{_MM}",
            rf"\b(?:root|ascending(?: aorta)?|sinus\w*) \(mm\)[:| ]*{_NUMBER}()()"
        ),
        re.compile(
            r"annulus|arch|descend|isthm|stj|junction|thromb|abscess|coronary|abdominal|pulmonary|lvot|coarct|distance"
            r"|previous|\brv\b"
        ),
    ),
    "effusion_mm": Number(
        Usual(12, 6), 1, 80, ("effusion", "fluid"),
        _compiled(
            rf"\b(?:effusion|pericardial fluid)\b(?:[^.;\d]{{0,20}}\d+ ?[mc]m (?=is now|now|to\b))?"
            rf"[^.;\d]{{0,40}}?{_MM}(?:[^.;\d]{{0,25}} and {_MM})?"
        ),
        re.compile(r"pleura|thick|calcif|none|aort|root|diameter|dilat|size"),
    ),
    "t1_ms": Number(Usual(1040, 80), 500, 1900),
    "t2_ms": Number(Usual(50, 7), 20, 150),
    "t2star_ms": Number(Usual(30, 10), 1, 100),
    "ecv_percent": Number(Usual(29, 7), 10, 95),
}  # fmt: skip
_WITH_PATTERNS = {name: number for name, number in NUMBERS.items() if number.patterns}
_BARE_EF = re.compile(
    r"(?<!lv )(?<!rv )(?<!ventricular )(?<!ventricle )\b(?:ef|ejection fraction)\b"
)
# "EF was 25 % in 2019, now 55 %" is "EF now 55 %".
_EARLIER = re.compile(
    rf"\b({_EF}|{_RIGHT})\b[^;%]{{0,30}}?{_NUMBER[1:-1]}\s*%(?:(?!\b[lr]v|right|left|scar|lge)[^;]){{0,25}}?"
    r"(?= (?:now|current(?:ly)?|today)\b[^;\d]{0,12}\d+(?:\.\d+)?\s*%(?! (?:scar|lge)))"
)
_LAST = re.compile(
    r"\b(?:(lv\w*|left ventric\w+)|rv(?!sp|o)\w*(?! (?:insertion|pacing|lead|pressure|outflow))|right ventric\w+"
    r"|right heart)\b"
)
_NORMAL = re.compile(r"\b(?:normal|unremarkable|inconspicuous|preserved|fine|good|spared)\b")
LIMITS = re.compile(  # of what is normal
    r"\b(?:normal|reference) (?:range|limits?)(?: of| is|:)? ?[<>]?\d[\d.]*(?: ?(?:-|to) ?\d[\d.]*)?"
    r"(?: ?(?:ms|%|mm|ml(?:/m2)?))?"
    r"|[(\[](?:(?:local|institutional|site) )?(?:normal|reference|ref|nr|upper|lower)\b[^()\[\]]*\d[^()\[\]]*[)\]]"
)
_NOT_NOW = re.compile(  # thresholds, relatives, other methods, earlier values
    r"\((?:baseline|previous\w*|prior|formerly|was|before)\b[^)]*\)"
    r"|\b(?:threshold|cut ?off)(?: \w+)? (?:of )?\d+(?:\.\d+)? ?(?:%|mm|ms)?"
    r"|\b(?:mother|father|brother|sister|son|daughter|echo\w*|tte|ventriculogra\w+|spect) (?:had |has |with )?"
    r"(?:an? )?(?:lv ?)?ef\b[^,;]*"
    r"|(?:\b(?:lv ?|rv ?)?ef\b[^,;\d]{0,12})?\d+(?:\.\d+)? ?%? (?:on (?:the )?(?:prior|previous)|would|indicates?)\b"
    r"[^,;]*"
)
# Cheap signs that the two may be there.
_MAY_LIMIT = re.compile(r"[(\[]|range|limit")
_MAY_BE_OTHERS = re.compile(
    r"\(|threshold|cut|mother|father|brother|sister|son |echo|tte|ventriculo|spect|prior|previous|would|indic"
)
_DIGIT = re.compile(r"\d")
# "RV: not dilated. EDV 139 ml": the heading holds until a sentence names a ventricle.
_SIDE = re.compile(
    r"(?:^|[.;]\s)\s*(?:\d+[.)]\s*)?([lr]v|(?:left|right) ventricle)\s*(?::|\.?\s*$)", re.IGNORECASE
)
_VENTRICLE = re.compile(r"ventric|\b[lr][va]|atri|aort|pericard", re.IGNORECASE)


def stated(sentences: Iterable[str]) -> dict[str, float]:
    """Return the numbers that are stated, in the unit of the name.

    Of several the first counts, of lengths the largest.
    """
    found: dict[str, float] = {}
    heading = ""
    for sentence in sentences:
        if heading and _VENTRICLE.search(sentence):
            heading = ""
        for name, value in _stated(heading + sentence):
            before = found.get(name, value)
            found[name] = max(before, value) if name.endswith("_mm") else before
        if sides := _SIDE.findall(sentence):
            heading = f"{sides[-1]}: "
    return found


@functools.lru_cache(maxsize=1 << 16)
def _stated(sentence: str) -> tuple[tuple[str, float], ...]:
    return _in_normal(normal(sentence)) if _DIGIT.search(sentence) else ()


@functools.lru_cache(maxsize=1 << 12)  # findings and concepts ask one after the other
def _in_normal(text: str) -> tuple[tuple[str, float], ...]:
    if text.startswith(NOT_UNDERSTOOD):
        return ()
    return tuple((name, value) for name, value, _ in measured(labelled(_of_this_exam(text))))


def in_normal(text: str) -> dict[str, float]:
    """Return the numbers of one normalised sentence, in the unit of the name."""
    return dict(_in_normal(text)) if _DIGIT.search(text) else {}


def _of_this_exam(text: str) -> str:
    """The text without limits, thresholds and values of others, of other methods or of earlier exams."""
    text = LIMITS.sub(" ", text) if _MAY_LIMIT.search(text) else text
    return _NOT_NOW.sub(" ", text) if _MAY_BE_OTHERS.search(text) else text


def ejection_fractions(text: str) -> dict[str, float]:
    """Ejection fractions in normalised, labelled text."""
    if not _DIGIT.search(text):
        return {}
    text = _of_this_exam(text)
    names = ("lv_ef_percent", "rv_ef_percent")
    return {n: v for name in names for n, (v, _) in _first(name, NUMBERS[name], text).items()}


def measured(text: str) -> list[tuple[str, float, int]]:
    """Name, value and place of each number in normalised, labelled text; one of each name."""
    if not _DIGIT.search(text):
        return []
    found: dict[str, tuple[float, int]] = {}
    for name, value, at in volumes.measured(text):
        if NUMBERS[name].least <= value <= NUMBERS[name].most:
            found.setdefault(name, (value, at))
    for name, number in _WITH_PATTERNS.items():
        for letters in number.needs:  # not any(): this is asked of every sentence
            if letters in text:
                found |= _first(name, number, text)
                break
    return [(name, *found[name]) for name in NUMBERS if name in found] if found else []


def _first(name: str, number: Number, text: str) -> dict[str, tuple[float, int]]:
    """The first plausible value by the patterns, of lengths the largest, with its place; or none."""
    matches: list[re.Match[str]] = []
    for pattern in number.patterns:
        if matches := list(pattern.finditer(text)):
            break
    else:
        return {}
    if number.other:
        matches = [m for m in matches if not number.other.search(text, _start(text, m), m.end())]
    largest = name == "lv_wall_mm"
    values = [
        (_value(*groups, largest=largest), m.start()) for m in matches for groups in _spans(m)
    ]
    if name.endswith("ef_percent"):  # or a fraction
        values = [(100 * v if v < 1 else v, at) for v, at in values]
    values = [(v, at) for v, at in values if number.least <= v <= number.most]
    if not values:
        return {}
    return {name: max(values) if name.endswith("_mm") else values[0]}


def _spans(match: re.Match[str]) -> Iterator[tuple[str, str | None, str]]:
    """Low, high and unit of each span of a match; only lengths have a unit."""
    groups = match.groups()
    each = 2 if len(groups) == 2 else 3
    for at in range(0, len(groups), each):
        low, high, *unit = groups[at : at + each]
        if low:
            yield low, high, (unit or [""])[0] or ""


def _start(text: str, match: re.Match[str]) -> int:
    """Start of the words that may name the owner of a size: "thrombus at the apical wall, 15 mm"."""
    reach = 40 if re.match(r"walls?\b(?! thick)", match.group()) else 14
    return max(match.start() - reach, 0)


def labelled(text: str) -> str:
    """Name the ejection fractions of a right ventricle: "RV dilated, EF 35 %" -> "... rvef 35 %".

    One behind a right ventricle that is said to be normal is the left one's: "RV normal, EF 33 %".
    Earlier values are left out.
    """
    if "ef" not in text and "fraction" not in text:
        return text
    text = _EARLIER.sub(r"\1", text)
    made, start = [], 0
    for match in _BARE_EF.finditer(text):
        chambers = list(_LAST.finditer(text, 0, match.start()))
        right = chambers and not chambers[-1][1]
        if right and not _NORMAL.search(text[max(chambers[-1].start() - 24, 0) : match.start()]):
            made += [text[start : match.start()], "rvef"]
            start = match.end()
    return "".join([*made, text[start:]])


def _value(low: str, high: str | None, unit: str = "", largest: bool = False) -> float:
    """The middle of a span, or its upper end; in mm where the unit is a length."""
    value = float(high or low) if largest else (float(low) + float(high or low)) / 2
    return value * (10 if unit == "cm" else 1)


def away(name: str, value: float) -> float:
    """How many spreads from the mean."""
    usual = NUMBERS[name].usual
    return (value - usual.mean) / usual.spread
