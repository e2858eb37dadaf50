"""Pieces of a page without a script: tables, charts drawn as SVG, every foreign text escaped."""

import html
import math
from collections import Counter
from collections.abc import Iterable, Sequence

DISTINCT = 12  # up to so many different values, each has its own bar
BARS = 16  # otherwise about so many
WIDTH, HEIGHT, TOP, FOOT = 320, 150, 16, 20  # of a chart, in its own units


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
    return f"{share:.0f} %" if share >= 10 or share == 0 else f"{share:.1f} %"


def number(value: float) -> str:
    """A number with thin thousands and no needless zeros."""
    return f"{value:,.2f}".rstrip("0").rstrip(".").replace(",", "\u202f")


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


def words_chart(name: str, counts: Counter, what: str) -> Safe:
    """How often each word, as lying bars."""
    most = max(counts.values(), default=1)
    rows = "".join(
        f'<tr><th scope="row">{e(word)}</th><td class="grow">'
        f'<span class="bar"><i class="used" style="width:{100 * count / most:.1f}%"></i></span>'
        f"</td><td>{number(count)}</td></tr>"
        for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    inside = f"<table>{rows}</table>" if rows else "<p>none</p>"
    return Safe(
        f'<figure class="chart"><figcaption><b>{e(name)}</b> {e(what)}</figcaption>{inside}</figure>'
    )


def histogram(name: str, counts: Counter, what: str, unit: str = "") -> Safe:
    """How often each number, as standing bars; says the median and the range in words too."""
    if not counts:
        return Safe(
            f'<figure class="chart"><figcaption><b>{e(name)}</b> unknown</figcaption></figure>'
        )
    values = sorted(counts)
    bars, edges = _bars(counts)
    low, high = number(values[0]), f"{number(values[-1])} {unit}".strip()
    spread = high if len(values) == 1 else f"median {number(_median(counts))}, {low} to {high}"
    caption = f"{what}: {spread}" if len(values) > 1 else f"{what}: all {spread}"
    most, step = max(bars), WIDTH / len(bars)
    room = HEIGHT - TOP - FOOT
    drawn = []
    for i, count in enumerate(bars):
        tall = room * count / most
        title = f"{edges[i]}: {number(count)}"
        x, y, wide = step * i + 0.06 * step, TOP + room - tall, min(0.88 * step, 60)
        x += (0.88 * step - wide) / 2
        drawn.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" rx="1.5">'
            f"<title>{e(title)}</title></rect>"
        )
        if len(bars) <= DISTINCT or i % 3 == 0:
            middle = step * (i + 0.5) if len(bars) <= DISTINCT else step * i + 0.06 * step
            anchor = "middle" if len(bars) <= DISTINCT else "start"
            label = edges[i].split(" to ")[0]
            drawn.append(
                f'<text x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{e(label)}</text>'
            )
        if count == most:
            drawn.append(
                f'<text x="{x + wide / 2:.1f}" y="{y - 4:.1f}" text-anchor="middle">'
                f"{number(count)}</text>"
            )
    base = f'<line x1="0" x2="{WIDTH}" y1="{TOP + room}" y2="{TOP + room}"/>'
    return Safe(
        f'<figure class="chart"><figcaption><b>{e(name)}</b> {e(caption)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{e(f"{name}, {caption}")}">'
        f"{''.join(drawn)}{base}</svg></figure>"
    )


def _bars(counts: Counter) -> tuple[list[int], list[str]]:
    """Heights of the bars and what each stands for."""
    values = sorted(counts)
    if len(values) <= DISTINCT:
        return [counts[v] for v in values], [number(v) for v in values]
    step = _round_step((values[-1] - values[0]) / BARS)
    first, last = math.floor(values[0] / step), math.floor(values[-1] / step)
    heights = [0] * (last - first + 1)
    for value, count in counts.items():
        heights[math.floor(value / step) - first] += count
    edges = [f"{number(i * step)} to {number((i + 1) * step)}" for i in range(first, last + 1)]
    return heights, edges


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, ... times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= least * (1 - 1e-9))


def _median(counts: Counter) -> float:
    half, seen = counts.total() / 2, 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= half:
            return value
    raise ValueError("the median of nothing")
