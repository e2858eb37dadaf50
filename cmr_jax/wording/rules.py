"""Rewriting rules in files: what a pattern finds is put as the second text has it, in order."""

import re
from collections.abc import Iterable, Sequence

Rule = tuple[re.Pattern[str], str]


def compiled(pairs: Iterable[Sequence[str]]) -> list[Rule]:
    """Rules of pairs of a regular expression and the text instead."""
    return [(re.compile(pattern), instead) for pattern, instead in pairs]


def applied(text: str, rules: Iterable[Rule]) -> str:
    """The text after all rules."""
    for pattern, instead in rules:
        text = pattern.sub(instead, text)
    return text


def rewritten(text: str, rules: Iterable[Rule]) -> str:
    """The text after all rules, with one space between words."""
    return " ".join(applied(text, rules).split())
