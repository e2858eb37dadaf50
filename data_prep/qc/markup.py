"""Pieces of a page without a script: numbers, tables, bars; every foreign text is escaped."""

import html
from collections.abc import Iterable, Sequence


class Safe(str):
    """Markup made here; any other text is escaped."""


def e(value: object) -> Safe:
    """Text as text: markup escaped, control characters gone."""
    if isinstance(value, Safe):
        return value
    return Safe(html.escape("".join(c for c in str(value) if c.isprintable() or c == "\n")))


def percent(part: float, whole: float) -> str:
    """A share for people: whole percents, one digit below ten."""
    share = 100 * part / whole if whole else 0.0
    if 99.5 <= share < 100:  # nearly all is not all
        return f"{min(share, 99.9):.1f} %"
    if 0 < share < 10:
        return f"{max(share, 0.1):.1f} %"
    return f"{share:.0f} %"


def number(value: float) -> str:
    """A number with commas and no needless zeros."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def table(name: str, head: Sequence[object], rows: Iterable[Sequence[object]]) -> Safe:
    """A table that scrolls sideways on a narrow screen; the first cell of a row names it."""
    first = "".join(f'<th scope="col">{e(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{e(row[0])}</th>'
        + "".join(f"<td>{e(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return Safe(
        f'<div class="scroll" role="region" tabindex="0" aria-label="{e(name)}">'
        f"<table><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def shares(parts: Sequence[tuple[str, int]]) -> Safe:
    """One bar of several colours, a class of the style sheet each; the numbers stand beside it."""
    whole = sum(count for _, count in parts) or 1
    pieces = "".join(
        f'<i class="{name}" style="width:{100 * count / whole:.2f}%"></i>' for name, count in parts
    )
    return Safe(f'<span class="bar" aria-hidden="true">{pieces}</span>')
