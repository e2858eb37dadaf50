"""Shows how a report's sentences are read, and why.

    python -m cmr_jax.wording --explain="No effusion, LV dilated, EF 30 %."

Prints each sentence in clauses, with what is denied in [brackets] and what is doubted in {braces}, then
the findings that it states as present or absent, and its numbers.
"""

import re

from absl import app, flags

from cmr_jax import cli
from cmr_jax.wording import findings, numbers
from cmr_jax.wording.context import Clause, normal

_EXPLAIN = flags.DEFINE_string("explain", None, "Text of a report, or of its impression.")


def main(argv: list[str]) -> None:
    """Command line."""
    with cli.command("cmr_jax.wording", argv):
        if not _EXPLAIN.value:
            raise app.UsageError("give a text with --explain.")
        for sentence in re.split(r"(?<=[.;!?])\s+(?=\S)|\n+", _EXPLAIN.value.strip()):
            print(explained(sentence))


def explained(sentence: str) -> str:
    """Lines for people: clauses, findings, numbers."""
    said = {True: "present", False: "absent"}
    lines = [
        sentence,
        "  clauses   " + " | ".join(map(_marked, findings.read_clauses(normal(sentence)))),
    ]
    found = ", ".join(f"{name} {said[there]}" for name, there in findings.said(sentence).items())
    lines.append(f"  findings  {found or 'none'}")
    if stated := numbers.stated([sentence]):
        lines.append("  numbers   " + ", ".join(f"{n} {v:g}" for n, v in stated.items()))
    return "\n".join(lines)


def _marked(clause: Clause) -> str:
    """The words of a clause with its scopes in brackets and braces."""
    text = clause.text
    kinds = ((clause.denied, "[]"), (clause.doubted, "{}"))
    marks = [
        (s, m) for spans, marks in kinds for span in spans for s, m in zip(span, marks, strict=True)
    ]
    for at, mark in sorted(marks, reverse=True):
        text = text[:at] + mark + text[at:]
    return " ".join(text.split())


if __name__ == "__main__":
    app.run(main)
