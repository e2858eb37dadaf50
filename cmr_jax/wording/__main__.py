"""Shows how a report's sentences are read, and why.

    python -m cmr_jax.wording --explain="No effusion, LV dilated, EF 30 %."

Prints each sentence in clauses, with what is denied in [brackets], what is doubted in {braces} and what is
skipped in <angles> (techniques, relatives, local absences); then the findings and concepts that it states as present,
absent or uncertain, with grade, places and the words that say so, and its numbers.
"""

import re

from absl import app, flags

from cmr_jax import cli
from cmr_jax.wording import findings, numbers, statements
from cmr_jax.wording.context import Clause
from cmr_jax.wording.languages import NOT_UNDERSTOOD
from cmr_jax.wording.normalization import normal

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
    if normal(sentence).startswith(NOT_UNDERSTOOD):
        return f"{sentence}\n  not understood: denial or doubt in words of another language; nothing is read"
    lines = [
        sentence,
        "  clauses   " + " | ".join(map(_marked, findings.read_clauses(normal(sentence)))),
    ]
    found = [_stated(s, sentence) for s in statements.read(sentence)] or ["none"]
    lines += [f"  findings  {found[0]}", *(f"            {line}" for line in found[1:])]
    if stated := numbers.stated([sentence]):
        lines.append("  numbers   " + ", ".join(f"{n} {v:g}" for n, v in stated.items()))
    return "\n".join(lines)


def _stated(statement: statements.Statement, sentence: str) -> str:
    more = "".join(f", {detail}" for detail in (statement.grade, *statement.places) if detail)
    name, state = statement.finding, statement.state.value
    return f"{name} {state}{more} ({statement.words(sentence)!r})"


def _marked(clause: Clause) -> str:
    """The words of a clause with its scopes in brackets and braces."""
    text = clause.text
    kinds = ((clause.denied, "[]"), (clause.doubted, "{}"), (clause.skipped, "<>"))
    marks = [
        (s, m) for spans, marks in kinds for span in spans for s, m in zip(span, marks, strict=True)
    ]
    for at, mark in sorted(marks, reverse=True):
        text = text[:at] + mark + text[at:]
    return " ".join(text.split())


if __name__ == "__main__":
    app.run(main)
