"""Filters that people type, as conditions of the index: vendor=Siemens, has=LGE, age>=60, lge>0.1.

What is typed never becomes part of a condition as it stands: names come from a list, numbers are
numbers, and texts are quoted.
"""

import re
from collections.abc import Iterable

from cmr_jax.search.about import About
from cmr_jax.search.asking import Wrong
from cmr_jax.search.index import quoted
from cmr_jax.search.rows import FINDING

TEXTS = {
    "site": "site",
    "vendor": "vendor",
    "sex": "sex",
    "split": "split",
    "patient": "patient_id",
    "exam": "exam_id",
}
NUMBERS = {"age": "age", "tesla": "field_strength_t"}
HAS = "has"  # a view, a kind of picture, or both: SAX, LGE, "CH4 CINE"
_FILTER = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*")
LONGEST = 200


def condition(filters: Iterable[str], about: About) -> str:
    """The condition that all of them hold; "" without any.  Wrong says which is not one."""
    return " AND ".join(f"({_condition(text, about)})" for text in filters)


def _condition(text: str, about: About) -> str:
    match = _FILTER.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        raise Wrong(f"filter {text[:LONGEST]!r}: write NAME=VALUE, as vendor=GE or age>=60.")
    name, operator, value = match.groups()
    if name in TEXTS and operator in ("=", "!="):
        return f"{TEXTS[name]} {operator} {quoted(value)}"
    if name == HAS and operator in ("=", "!="):
        holds = f"array_contains(pictures, {quoted(value.upper())})"
        return holds if operator == "=" else f"NOT {holds}"
    if name in NUMBERS:
        return f"{NUMBERS[name]} {operator} {_number(text, value)}"
    if name in about.findings:
        return f"{FINDING}{name} {operator} {_number(text, value)}"
    known = ", ".join([*TEXTS, HAS, *NUMBERS, *about.findings])
    raise Wrong(f"filter {text!r}: there are {known}; texts know = and != alone.")


def _number(text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if abs(number) < 1e12:  # no NaN, no infinity
        return number
    raise Wrong(f"filter {text!r}: {value!r} is no number.")
