"""Curves of one run or of several, one panel for each question that a person has."""

import itertools
import math
import re
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator

from cmr_jax.drawing import COLOURS, INK, MUTED, PALE
from cmr_jax.drawing.history import History, Series, smooth

DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))


class Panel(NamedTuple):
    """What a panel shows: series whose whole name matches, and what their axis is."""

    title: str
    pattern: str
    unit: str = ""
    log: bool = False
    share: bool = False  # told in per cent
    from_zero: bool = False
    smooth: bool = True

    def formatted(self, value: float) -> str:
        """A value of this panel as people read it."""
        return (
            f"{100 * value:.3g} %"
            if self.share
            else f"{value:.4g}"
            if abs(value) < 1000
            else f"{value:,.0f}"
        )


RANK = "(?i:rank|medr|meanr)"
PANELS = (
    Panel("Loss (less is better)", r"(?:train|val)/loss"),
    Panel(
        "Right report found (more is better)",
        rf"train/accuracy|val/(?!loss$)(?!.*{RANK}).*",
        "share of exams",
        share=True,
        from_zero=True,
    ),
    Panel("Rank of the right report (1 is best)", rf"val/.*{RANK}.*", "rank", log=True),
    Panel("Size of the gradient", r"(?:opt|train)/grad_norm(?:/.*)?", "norm", log=True),
    Panel("Size of the update", r"opt/update_norm(?:/.*)?", "norm", log=True),
    Panel("Logit scale: how sharply pairs are told apart", r"train/scale", "1 / temperature"),
    Panel(
        "Spread of embeddings (0: collapsed)",
        r"train/spread_(?:video|text)",
        "spread",
        from_zero=True,
    ),
    Panel("Learning rate", r"train/lr", "rate", from_zero=True, smooth=False),
    Panel("Speed", r"time/exams_per_s", "exams a second", from_zero=True),
    Panel("Time spent waiting for data", r"time/wait_share", "share", share=True, from_zero=True),
    Panel("Use of the chip (MFU)", r"time/mfu", "share of its peak", share=True, from_zero=True),
    Panel("Memory", r"memory/(?:host|device)_mb", "MB", from_zero=True),
)
NAMES = {  # of series, in plain words, where their own last word does not do
    "train/accuracy": "training, in its batch",
    "train/loss": "training",
    "val/loss": "validation",
    "opt/grad_norm": "all",
    "train/grad_norm": "all",
    "opt/update_norm": "all",
    "memory/host_mb": "host",
    "memory/device_mb": "device",
    "train/spread_video": "exams",
    "train/spread_text": "reports",
    "train/scale": "now",
    "train/lr": "now",
    "time/exams_per_s": "now",
    "time/wait_share": "now",
    "time/mfu": "now",
}


def draw(histories: list[History]) -> Figure:
    """All panels that have something to show.  Runs differ by colour, series of a run by dashes;
    of a single run by colour."""
    shown = [panel for panel in PANELS if any(_series(panel, h) for h in histories)]
    if not shown:
        raise ValueError("there is nothing to draw: none of the numbers is one that a run tells.")
    columns = min(len(shown), 2 if len(shown) <= 4 else 4)
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(4.4 * columns, 3.1 * rows + 0.6), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).flat
    for axes, panel in itertools.zip_longest(places, shown):
        if panel is None:
            axes.remove()
        else:
            _panel(axes, panel, histories)
    _title(figure, histories)
    return figure


def _title(figure: Figure, histories: list[History]) -> None:
    again = "   (dotted: taken up again)" if any(h.restarts for h in histories) else ""
    if len(histories) == 1:
        figure.suptitle(f"{histories[0].name}{again}", color=INK, fontweight="bold")
        return
    runs = [
        Line2D([], [], color=_colour(number), linewidth=3, label=history.name)
        for number, history in enumerate(histories)
    ]
    place = "outside upper center"
    figure.legend(handles=runs, loc=place, ncols=4, frameon=False, title=again.strip() or None)


def _series(panel: Panel, history: History) -> dict[str, Series]:
    """By their names for people; of two of one name the first."""
    found: dict[str, Series] = {}
    for key in sorted(history.series):
        if re.fullmatch(panel.pattern, key):
            own = re.sub("^[^/]*/((grad|update)_norm/)?", "", key).replace("_", " ")
            found.setdefault(NAMES.get(key, own), history.series[key])
    return found


def _panel(axes: Axes, panel: Panel, histories: list[History]) -> None:
    alone, names = len(histories) == 1, []
    for number, history in enumerate(histories):
        for name, series in _series(panel, history).items():
            label = None if name in names else name
            names += [label] if label else []
            place = names.index(name)
            even = smooth(series.values) if panel.smooth else series.values
            if alone:
                label = f"{name}: {panel.formatted(even[-1])}"
            colour = _colour(place if alone else number)
            dash = DASHES[0 if alone else place % len(DASHES)]
            marker = "o" if len(even) < 10 else ""
            axes.plot(series.steps, series.values, color=colour, alpha=0.25, linewidth=0.8)
            axes.plot(series.steps, even, color=colour, linestyle=dash, marker=marker, label=label)
        for step in history.restarts:
            axes.axvline(step, color=MUTED, linewidth=0.8, linestyle=":", zorder=0)
    _dress(axes, panel)
    if alone or len(names) > 1:
        legend = axes.legend(fontsize=8, edgecolor="none", framealpha=0.8, labelcolor=INK)
        for line in () if alone else legend.get_lines():
            line.set_color(INK)  # runs differ by colour, these by dashes


def _dress(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title, loc="left", fontsize=10, color=INK)
    axes.set_xlabel("step", fontsize=8, color=MUTED)
    axes.set_ylabel(panel.unit, fontsize=8, color=MUTED)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    if panel.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: panel.formatted(value))
    axes.tick_params(labelsize=8, colors=MUTED)
    if panel.from_zero:
        axes.set_ylim(bottom=0)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
