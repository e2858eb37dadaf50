"""Charts drawn as markup: standing bars for numbers, lying bars for words."""

import math
from collections import Counter
from typing import NamedTuple

from data_prep.qc.markup import Safe, e, number

DISTINCT = 12  # up to so many different values, each has its own bar
BARS = 16  # otherwise about so many
WIDTH, HEIGHT, TOP, FOOT = 320, 150, 16, 20  # of a chart, in its own units
WIDEST, GLYPH = 60, 7  # of a bar; of a character under it


class Bar(NamedTuple):
    """How many, of what, and the short name under the bar."""

    count: int
    of: str
    tick: str


def lying(name: str, counts: Counter, what: str) -> Safe:
    """How often each word, the most frequent first."""
    most = max(counts.values(), default=1)
    rows = "".join(
        f'<tr><th scope="row">{e(word)}</th><td class="grow">'
        f'<span class="bar"><i class="used" style="width:{100 * count / most:.1f}%"></i></span>'
        f"</td><td>{number(count)}</td></tr>"
        for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    return _figure(name, what, f"<table>{rows}</table>" if rows else "<p>none</p>")


def standing(name: str, counts: Counter, what: str, unit: str = "") -> Safe:
    """How often each number; the median and the range are said in words too."""
    if not counts:
        return _figure(name, f"{what}: none known", "")
    said = f"{what}: {_spread(counts)} {unit}".strip()
    bars = _bars(counts)
    most, step, floor = max(bar.count for bar in bars), WIDTH / len(bars), HEIGHT - FOOT
    every = math.ceil((max(len(bar.tick) for bar in bars) + 1) * GLYPH / step)
    drawn = [f'<line x1="0" x2="{WIDTH}" y1="{floor}" y2="{floor}"/>']
    for i, bar in enumerate(bars):
        middle, tall = step * (i + 0.5), (floor - TOP) * bar.count / most
        wide = min(0.88 * step, WIDEST)
        drawn.append(
            f'<rect x="{middle - wide / 2:.1f}" y="{floor - tall:.1f}" width="{wide:.1f}" '
            f'height="{tall:.1f}"><title>{e(bar.of)}: {number(bar.count)}</title></rect>'
        )
        if i % every == 0:
            drawn.append(_text(middle, HEIGHT - 6, bar.tick))
        if bar.count == most:
            drawn.append(_text(middle, floor - tall - 4, number(most)))
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{e(name)}, {e(said)}">'
        f"{''.join(drawn)}</svg>"
    )
    return _figure(name, said, svg)


def _figure(name: str, what: str, inside: str) -> Safe:
    caption = f"<figcaption><b>{e(name)}</b> {e(what)}</figcaption>"
    return Safe(f'<figure class="chart">{caption}{inside}</figure>')


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{e(text)}</text>'


def _spread(counts: Counter) -> str:
    values = sorted(counts)
    if len(values) == 1:
        return f"all {number(values[0])}"
    return f"median {number(_median(counts))}, {number(values[0])} to {number(values[-1])}"


def _bars(counts: Counter) -> list[Bar]:
    values = sorted(counts)
    if len(values) <= DISTINCT:
        return [Bar(counts[v], number(v), number(v)) for v in values]
    step = _round_step((values[-1] - values[0]) / BARS)
    # A value on an edge belongs to the bar it opens, whatever its last binary digit.
    place = {value: math.floor(value / step + 1e-9) for value in values}
    heights: Counter = Counter()
    for value, count in counts.items():
        heights[place[value]] += count
    edges = {
        i: (number(i * step), number((i + 1) * step))
        for i in range(place[values[0]], place[values[-1]] + 1)
    }
    return [
        Bar(heights[i], f"{low} to below {high}", f"{low}–") for i, (low, high) in edges.items()
    ]


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= least * (1 - 1e-9))


def _median(counts: Counter) -> float:
    """The lower median."""
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if 2 * seen >= counts.total():
            return value
    raise ValueError("nothing has no median")
