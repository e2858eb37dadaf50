"""Numbers and foreign texts as HTML: whatever comes from data is text, never markup."""

import html
import math
from collections.abc import Iterable
from typing import Any


def text(value: object) -> str:
    """Markup escaped, control characters gone."""
    return html.escape("".join(c for c in str(value) if c.isprintable() or c == "\n"))


def name(word: str) -> str:
    """A key of results as words."""
    return word.replace("_", " ")


def number(value: float, shape: str = ".3g") -> str:
    """A dash where there is none."""
    return f"{value:{shape}}" if math.isfinite(value) else "–"


def value(block: dict[str, Any] | None, shape: str = ".3g") -> str:
    """A number with its interval."""
    if block is None:
        return ""
    return f"{number(block['value'], shape)} ({span(block, shape)})"


def span(block: dict[str, Any], shape: str = ".3g") -> str:
    """An interval in words: there is none where resamples cannot tell."""
    if not math.isfinite(block["low"]):
        return "no interval"
    return f"{block['low']:{shape}} to {block['high']:{shape}}"


def table(head: list[str], rows: Iterable[list[str]], caption: str = "") -> str:
    """Nothing where there are no rows."""

    def line(tag: str, cells: list[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{text(c)}</{tag}>" for c in cells) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    if not body:
        return ""
    said = f"<caption>{text(caption)}</caption>" if caption else ""
    return f"<div class='wide'><table>{said}<thead>{line('th', head)}</thead>{body}</table></div>"


def picture(url: str, alt: str) -> str:
    """A data URL."""
    return f'<img class="plot" alt="{text(alt)}" src="{url}">'


def part(title: str, *parts: str, opened: bool = False) -> str:
    """A part that folds; nothing where there is nothing in it."""
    inside = "\n".join(filter(None, parts))
    if not inside:
        return ""
    state = " open" if opened else ""
    return f"<details{state}><summary>{text(title)}</summary>\n{inside}\n</details>"


def note(words: str) -> str:
    """A remark."""
    return f'<p class="note">{text(words)}</p>'
