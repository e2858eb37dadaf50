"""Numbers that an impression states: ejection fractions, volumes by body surface, lengths.

Each with what is usual of it, so that a model may be asked for how far from that a heart is.
"""

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from cmr_jax.wording.clauses import normal

_NUMBER = r"(\d+(?:\.\d+)?)"
_SPAN = rf"{_NUMBER}(?:\s*(?:-|to)\s*{_NUMBER})?"  # "45-50": its middle
_MM = rf"{_SPAN}\s*(mm|cm)\b"
_NEAR = r"[^.;\d]{0,40}?"


class Usual(NamedTuple):
    """Mean and spread in adults who are sent to a scanner; unit of the name."""

    mean: float
    spread: float


USUAL = {
    "lv_ef_percent": Usual(52, 14),
    "rv_ef_percent": Usual(50, 12),
    "lv_edvi_ml_m2": Usual(90, 30),
    "rv_edvi_ml_m2": Usual(92, 28),
    "lv_wall_mm": Usual(12, 4),
    "aorta_mm": Usual(38, 7),
    "effusion_mm": Usual(12, 6),
}
_PATTERNS = {
    "lv_ef_percent": rf"\b(?<!rv )(?<!right ventricular )(?:lv ?ef|ef|ejection fraction)\b{_NEAR}{_SPAN}\s*%",
    "rv_ef_percent": rf"\b(?:rv ?ef|right ventricular ejection fraction)\b{_NEAR}{_SPAN}\s*%",
    "lv_edvi_ml_m2": rf"\blv ?edvi?\b{_NEAR}{_SPAN}\s*ml/m",
    "rv_edvi_ml_m2": rf"\brv ?edvi?\b{_NEAR}{_SPAN}\s*ml/m",
    "lv_wall_mm": rf"\b(?:hypertrophy|hypertrophied|wall thickness|septum|septal)\b{_NEAR}{_MM}",
    "aorta_mm": rf"\b(?:aortic root|ascending aorta|aorta|sinus\w*)\b{_NEAR}{_MM}",
    "effusion_mm": rf"\bpericardial effusion\b{_NEAR}{_MM}",
}


def stated(sentences: Iterable[str]) -> dict[str, float]:
    """By name, in the unit of the name; what is not stated is not there, and of several the first
    counts."""
    found: dict[str, float] = {}
    for sentence in sentences:
        for name, value in _stated(sentence):
            found.setdefault(name, value)
    return found


@functools.lru_cache(maxsize=1 << 16)
def _stated(sentence: str) -> tuple[tuple[str, float], ...]:
    text = normal(sentence).replace("²", "2")
    found = []
    for name, pattern in _PATTERNS.items():
        if match := re.search(pattern, text):
            low, high, *unit = match.groups()
            value = (float(low) + float(high or low)) / 2
            found.append((name, value * 10 if unit == ["cm"] else value))
    return tuple(found)


def away(name: str, value: float) -> float:
    """How many spreads from the mean."""
    usual = USUAL[name]
    return (value - usual.mean) / usual.spread
