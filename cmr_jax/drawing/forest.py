"""Differences with their intervals, one under the other: which of many things pay."""

import pathlib
from typing import NamedTuple

from matplotlib.figure import Figure

from cmr_jax.drawing import COLOURS, INK, MUTED, save

ROW_INCH = 0.32


class Line(NamedTuple):
    """A difference of AUC of an arm on one data set, and its interval."""

    arm: str
    data: str
    value: float
    low: float
    high: float


def draw(path: pathlib.Path, title: str, lines: list[Line]) -> None:
    """A PNG; nothing where there is no line."""
    if not lines:
        return
    arms = list(dict.fromkeys(line.arm for line in lines))
    sets = list(dict.fromkeys(line.data for line in lines))
    figure = Figure(figsize=(8, 1.2 + ROW_INCH * len(arms)), layout="constrained")
    axes = figure.subplots()
    for at, name in enumerate(sets):
        own = [line for line in lines if line.data == name]
        y = [arms.index(line.arm) + (at - (len(sets) - 1) / 2) * 0.22 for line in own]
        x = [line.value for line in own]
        ends = [[v.value - v.low for v in own], [v.high - v.value for v in own]]
        axes.errorbar(x, y, xerr=ends, fmt="o", ms=3, lw=1, color=COLOURS[at], label=name)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_yticks(range(len(arms)), arms)
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.set_xlabel("difference of mean zero-shot AUC, 95 % interval over patients", color=MUTED)
    axes.set_title(title, loc="left", color=INK)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="best", fontsize=8)
    save(figure, path)
