"""Filters that people type, as conditions of the index: vendor=Siemens, has=LGE, age>=60, lge>0.1.

What is typed never becomes part of a condition as it stands: names come from a list, numbers are
numbers, and texts are quoted.
"""

import re
from collections.abc import Iterable

from cmr_jax.search.about import FINDING, About
from cmr_jax.search.asking import Wrong
from cmr_jax.search.index import Index, quoted

TEXTS = {
    "site": "site",
    "vendor": "vendor",
    "sex": "sex",
    "split": "split",
    "patient": "patient_id",
    "exam": "exam_id",
}
AGE, BAND = "age", 10  # years: an age is known as the first of its band
NUMBERS = {AGE: "age", "tesla": "field_strength_t"}
HAS, PICTURES = "has", "pictures"  # a view, a kind of picture, or both: SAX, LGE, "CH4 CINE"
MANY = ("patient", "exam")  # values that are as many as exams
_FILTER = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*")
LONGEST = 200


def condition(filters: Iterable[str], about: About) -> str:
    """The condition that all of them hold; "" without any.  Wrong says which is not one."""
    return " AND ".join(f"({_condition(text, about)})" for text in filters)


def _condition(text: str, about: About) -> str:
    name, operator, value = _parts(text)
    if name in TEXTS and operator in ("=", "!="):
        return f"{TEXTS[name]} {operator} {quoted(value)}"
    if name == HAS and operator in ("=", "!="):
        holds = f"array_contains({PICTURES}, {quoted(value.upper())})"
        return holds if operator == "=" else f"NOT {holds}"
    if name in NUMBERS:
        number = _number(text, value)
        if name == AGE and (number % BAND or operator in ("<=", ">", "=", "!=")):
            raise Wrong(
                f"filter {text!r}: ages are known by bands of ten years; write age>=60, or age<70."
            )
        return f"{NUMBERS[name]} {operator} {number}"
    if name in about.findings:
        return f"{FINDING}{name} {operator} {_number(text, value)}"
    known = ", ".join([*TEXTS, HAS, *NUMBERS, *about.findings])
    raise Wrong(f"filter {text!r}: there are {known}; texts know = and != alone.")


def nobody_has(filters: Iterable[str], index: Index) -> list[str]:
    """Of filters by name, those that no exam of the index passes, each with what exams have."""
    wanted = [(name, value) for name, operator, value in map(_parts, filters) if operator == "="]
    columns = {name: TEXTS.get(name, PICTURES) for name, _ in wanted if name in (*TEXTS, HAS)}
    there = index.values({name: c for name, c in columns.items() if name not in MANY})
    return [
        f"no exam has {name}={value}: there are {', '.join(there[name]) or 'none'}"
        for name, value in wanted
        if name in there and (value.upper() if name == HAS else value) not in there[name]
    ]


def _parts(text: str) -> tuple[str, str, str]:
    """Name, operator and value."""
    match = _FILTER.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        raise Wrong(f"filter {text[:LONGEST]!r}: write NAME=VALUE, as vendor=GE or age>=60.")
    name, operator, value = match.groups()
    return name, operator, value


def _number(text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if abs(number) < 1e12:  # no NaN, no infinity
        return number
    raise Wrong(f"filter {text!r}: {value!r} is no number.")
