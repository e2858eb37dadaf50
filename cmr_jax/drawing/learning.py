"""How much is learned from how many exams, one line for each way to train."""

import pathlib
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from cmr_jax.drawing import COLOURS, INK, MUTED, save


class Point(NamedTuple):
    """What one way is worth from so many exams, and its interval."""

    recipe: str
    data: str
    exams: int
    value: float
    low: float
    high: float


def draw(path: pathlib.Path, title: str, points: list[Point]) -> None:
    """A PNG, one panel for each data set; nothing where there is no point."""
    if not points:
        return
    recipes, sets, sizes = (
        sorted({p[at] for p in points}, key=[p[at] for p in points].index) for at in range(3)
    )
    figure = Figure(figsize=(4.2 * len(sets), 3.4), layout="constrained")
    panels = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
    for axes, data in zip(panels, sets, strict=True):
        for colour, recipe in zip(COLOURS, recipes, strict=False):
            own = [p for p in points if (p.recipe, p.data) == (recipe, data)]
            x, y = [p.exams for p in own], [p.value for p in own]
            ends = [[p.value - p.low for p in own], [p.high - p.value for p in own]]
            axes.errorbar(x, y, yerr=ends, fmt="o-", ms=4, lw=1.5, color=colour, label=recipe)
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(sizes)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlabel("exams to learn from", color=MUTED)
        axes.set_title(f"{title}: {data}", loc="left", color=INK)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("mean zero-shot AUC", color=MUTED)
    panels[0].legend(loc="best", fontsize=8)
    save(figure, path)
