"""Numbers that an impression states: ejection fractions, volumes, volumes by body surface, lengths.

`USUAL` holds mean and spread of each, so that a model can learn deviations from the mean.
"""

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from cmr_jax.wording.context import normal
from cmr_jax.wording.languages import NOT_UNDERSTOOD

_NUMBER = r"(\d+(?:\.\d+)?)"
_SPAN = rf"{_NUMBER}(?:\s*(?:%\s*)?(?:-|to)\s*{_NUMBER})?"  # "45-50": its middle
_MM = rf"{_SPAN}\s*(mm|cm)\b"
_NEAR = r"[^.;,\d]{0,40}?"
_EF = r"(?:lv ?ef|ef|ejection fraction(?! of the right))"
_RIGHT = (
    r"(?:rv ?ef|ejection fraction of the right ventricle"
    r"|(?:rv|right ventric\w+) (?:ejection fraction|ef))"
)
_NOT_RIGHT = r"(?<!rv )(?<!right ventricular )(?<!right ventricle )"
_PERCENT = r"\s*(?:%|percent\b|per cent\b)(?! (?:scar|lge|of|smaller|larger))"
# Without a sign the value stands beside the word: "EF 28."
_BARE = (
    r"\s*(?:of|is|was|at|ok|good|normal|preserved|:|=)?\s*(?:about|approximately|around|ca|~)?\s*"
)
_END = r"(?!\s*%)(?=\s*(?:\.(?!\d)|[;)]|,(?!\d)|and\b|$))"
# "dropped from 45 % to 29 %", "44 % -> 52 %": what counts is now.
_UNIT = r"(?:\s*(?:%|mm|cm|ml(?:/m2)?))?\s*"
_FROM = (
    rf"(?:{_NEAR}\bfrom {_NUMBER[1:-1]}{_UNIT}(?=to\b)|{_NEAR}{_NUMBER[1:-1]}{_UNIT}->\s*)?"
    rf"{_NEAR}(?:, ?)?"
)
_WALLS = r"(?:hypertrophy|hypertrophied|lvh|wall thickness|wall thickening|posterior wall|septum|septal|walls?)"
_LV_EDV = r"(?:lv ?edv|(?:lv|left ventricular) end diastolic volume)\b"
_LOOSE = r"(?:[^.;\d]|\.(?= ?\d)){0,40}?"


class Usual(NamedTuple):
    """Mean and spread in adults who are sent to a scanner; unit of the name."""

    mean: float
    spread: float


USUAL = {
    "lv_ef_percent": Usual(52, 14),
    "rv_ef_percent": Usual(50, 12),
    "lv_edv_ml": Usual(165, 60),
    "lv_edvi_ml_m2": Usual(90, 30),
    "rv_edvi_ml_m2": Usual(92, 28),
    "lv_wall_mm": Usual(12, 4),
    "aorta_mm": Usual(38, 7),
    "effusion_mm": Usual(12, 6),
}
PLAUSIBLE = {  # beyond these a number is of something else, or mistyped
    "lv_ef_percent": (3, 95), "rv_ef_percent": (3, 95), "lv_edv_ml": (20, 900),
    "lv_edvi_ml_m2": (15, 450), "rv_edvi_ml_m2": (15, 450), "lv_wall_mm": (2, 60),
    "aorta_mm": (10, 120), "effusion_mm": (1, 80),
}  # fmt: skip
# Tried in order; the first that matches counts, of wall thickness the largest.
_PATTERNS = {
    "lv_ef_percent": (
        rf"\b{_NOT_RIGHT}{_EF}\b{_FROM}(?<!by ){_SPAN}{_PERCENT}",
        rf"\b{_NOT_RIGHT}{_EF}\b{_BARE}{_SPAN}{_END}",
        rf"\b{_SPAN}\s*% (?:left ventricular |lv )?(?:ejection fraction|ef)\b",
        rf"\blv {_SPAN}{_PERCENT}",
    ),
    "rv_ef_percent": (
        rf"\b{_RIGHT}\b{_FROM}(?<!by ){_SPAN}{_PERCENT}",
        rf"\b{_RIGHT}\b{_BARE}{_SPAN}{_END}",
        rf"\brv {_SPAN}{_PERCENT}",
    ),
    "lv_edv_ml": (rf"\b{_LV_EDV}{_FROM}{_SPAN}\s*(?:ml|cc)\b(?!\s*/\s*m)",),
    "lv_edvi_ml_m2": (
        rf"\blv ?edvi\b{_FROM}{_SPAN}",
        rf"\b{_LV_EDV}(?: index)?{_FROM}{_SPAN}\s*ml/m",
        rf"\b{_LV_EDV}\b[^;]{{0,40}}?index\w* {_SPAN}",
        rf"\b{_LV_EDV}{_NEAR}\d+(?:\.\d+)?\s*(?:ml|cc)\s*[,;(/]\s*{_SPAN}\s*ml/m",
    ),
    "rv_edvi_ml_m2": (rf"\brv ?edvi\b{_NEAR}{_SPAN}", rf"\brv ?edv\b{_NEAR}{_SPAN}\s*ml/m"),
    "lv_wall_mm": (
        rf"\b(?<!rv free )(?<!rv ){_WALLS}\b(?:{_NEAR}\bfrom \d+{_UNIT}(?=to\b))?{_LOOSE}{_MM}",
        rf"\b{_MM} (?:basal |mid |thick |interventricular )*septum\b",
    ),
    "aorta_mm": (rf"\b(?:aortic root|ascending aorta|aorta|sinus\w*)\b{_NEAR}{_MM}",),
    "effusion_mm": (rf"\bpericardial effusion\b{_NEAR}{_MM}",),
}
# Other structures whose size may stand beside "wall", "septum" or "aorta".
_OTHER_SIZE = {
    "lv_wall_mm": re.compile(
        r"effusion|thromb|mass\b|tumou?r|cyst|lipoma|fibroma|nodule|atri|aort|pericardi|defect|scar|lge|enhanc"
        r"|aneurysm|previous|chest|abdominal|leaflet|papillary|catheter|flattening|pfo|motion|edd\b|esd\b|diameter"
        r"|\b(?:rv|la|ra)\b|\bright\b"
    ),
    "aorta_mm": re.compile(
        r"thromb|abscess|coronary|abdominal|pulmonary|lvot|coarct|distance|previous|\brv\b"
    ),
}
_BARE_EF = re.compile(
    r"(?<!lv )(?<!rv )(?<!ventricular )(?<!ventricle )\b(?:ef|ejection fraction)\b"
)
# "LV dilated (EDV 212 ml)": the volume is that of the ventricle before it, if that is the left one.
_LV_BEFORE = re.compile(
    r"(\b(?:lv(?:edv)?|left ventric\w+)\b(?:(?!\brv|\bright\b|edv)[^;]){0,60}?(?<!v)(?<!v ))"
    r"(edvi?\b|end diastolic volume\b)(?! of the r)"
)
_VOLUME_OF = re.compile(r"\b(edvi?|end diastolic volume) of (?:the )?(?:lv|left ventricle)\b")
# "EF was 25 % in 2019, now 55 %" is "EF now 55 %".
_EARLIER = re.compile(
    rf"\b({_EF}|{_RIGHT})\b[^;%]{{0,30}}?{_NUMBER[1:-1]}\s*%(?:(?!\b[lr]v|right|left|scar|lge)[^;]){{0,25}}?"
    r"(?= (?:now|current(?:ly)?|today)\b[^;\d]{0,12}\d+(?:\.\d+)?\s*%(?! (?:scar|lge)))"
)
_LAST = re.compile(r"\b(?:(lv\w*|left ventric\w+)|rv\w*|right ventric\w+|right heart)\b")
_NORMAL = re.compile(r"\b(?:normal|unremarkable|inconspicuous|preserved|fine|good|spared)\b")
_REFERENCE = re.compile(r"\((?:normal|reference|ref)\b[^)]*\)")
_COMPILED = {name: [re.compile(p) for p in some] for name, some in _PATTERNS.items()}
_DIGIT = re.compile(r"\d")
_SIDE = re.compile(r"\s*(?:\d+[.)]\s*)?(?:(lv|left ventricle)|rv|right ventricle)\s*:")


def stated(sentences: Iterable[str]) -> dict[str, float]:
    """Return the numbers that are stated, in the unit of the name; the first of several counts."""
    found: dict[str, float] = {}
    for sentence in sentences:
        for name, value in _stated(sentence):
            found.setdefault(name, value)
    return found


@functools.lru_cache(maxsize=1 << 16)
def _stated(sentence: str) -> tuple[tuple[str, float], ...]:
    if not _DIGIT.search(sentence):
        return ()
    text = normal(sentence).replace("²", "2")
    if text.startswith(NOT_UNDERSTOOD):
        return ()
    text = _VOLUME_OF.sub(r"lv \1", text)
    if own := side(sentence):
        text = re.sub(r"\b(edvi?)\b", own + r"\1", text)
    text = _LV_BEFORE.sub(r"\1lv \2", labelled(_REFERENCE.sub(" ", text)))
    return tuple((name, value) for name, value, _ in measured(text))


def measured(text: str) -> list[tuple[str, float, int]]:
    """Name, value and place of each number in normalised, labelled text; one of each name."""
    if not _DIGIT.search(text):
        return []
    found = []
    for name, patterns in _COMPILED.items():
        matches = next(filter(None, (list(p.finditer(text)) for p in patterns)), [])
        if other := _OTHER_SIZE.get(name):
            matches = [m for m in matches if not other.search(text, _start(text, m), m.end())]
        largest = name == "lv_wall_mm"
        values = [(_value(*m.groups(), largest=largest), m.start()) for m in matches]
        if name.endswith("ef_percent"):  # or a fraction
            values = [(100 * v if v < 1 else v, at) for v, at in values]
        least, most = PLAUSIBLE[name]
        values = [(v, at) for v, at in values if least <= v <= most]
        if values:
            found.append((name, *(max(values) if largest else values[0])))
    return found


def _start(text: str, match: re.Match[str]) -> int:
    """Start of the words that may name the owner of a size: "thrombus at the apical wall, 15 mm"."""
    reach = 40 if re.match(r"walls?\b(?! thick)", match.group()) else 14
    return max(match.start() - reach, 0)


def labelled(text: str) -> str:
    """Name the ejection fractions of a right ventricle: "RV dilated, EF 35 %" -> "... rvef 35 %".

    One behind a right ventricle that is said to be normal is the left one's: "RV normal, EF 33 %".
    Earlier values are left out.
    """
    text = _EARLIER.sub(r"\1", text)
    made, start = [], 0
    for match in _BARE_EF.finditer(text):
        chambers = list(_LAST.finditer(text, 0, match.start()))
        right = chambers and not chambers[-1][1]
        if right and not _NORMAL.search(text[max(chambers[-1].start() - 24, 0) : match.start()]):
            made += [text[start : match.start()], "rvef"]
            start = match.end()
    return "".join([*made, text[start:]])


def side(sentence: str) -> str:
    """The chamber that a sentence names before a colon ("RV: EDVi 95, EF 54 %"): lv, rv or none."""
    match = _SIDE.match(sentence.lower())
    return "" if match is None else "lv" if match[1] else "rv"


def _value(low: str, high: str | None, unit: str = "", largest: bool = False) -> float:
    """The middle of a span, or its upper end; in mm where the unit is a length."""
    value = float(high or low) if largest else (float(low) + float(high or low)) / 2
    return value * (10 if unit == "cm" else 1)


def away(name: str, value: float) -> float:
    """How many spreads from the mean."""
    usual = USUAL[name]
    return (value - usual.mean) / usual.spread
