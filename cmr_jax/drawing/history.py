"""What a run wrote down, read again: metrics.jsonl as series by name, and what they come to."""

import json
import math
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from cmr_jax.journal import METRICS_FILE as FILE
from cmr_jax.journal import RESUMED
from cmr_jax.types import Float

HOST_MEMORY = "memory/host_mb"
SETTLED = 0.1  # the share of a run after which its memory should no longer grow
MOST_POINTS = 400  # of a slope by all pairs


class Series(NamedTuple):
    """One number as it went."""

    steps: Float[np.ndarray, " n"]
    values: Float[np.ndarray, " n"]


class History(NamedTuple):
    """One run: its series by name, and the steps from which it went on after it had stopped."""

    name: str
    series: dict[str, Series]
    restarts: tuple[int, ...]


def read(workdir: pathlib.Path, name: str) -> History:
    """The history in a workdir; broken lines are left out.

    A ValueError where there is no file, or no number in it.
    """
    told: dict[str, dict[int, float]] = {}
    restarts = []
    for line in _lines(workdir):
        step = line.pop("step")
        if RESUMED in line:
            restarts.append(line.pop(RESUMED))
        for key, value in line.items():
            if isinstance(value, int | float) and math.isfinite(value):
                told.setdefault(key, {})[step] = float(value)
    if not any(told.values()):
        raise ValueError(f"{workdir / FILE} holds no numbers yet. Wait for the run's first line.")
    series = {
        key: Series(np.array(list(values), float), np.array(list(values.values())))
        for key, values in told.items()
        if values
    }
    return History(name, series, tuple(restarts))


def _lines(workdir: pathlib.Path) -> Iterator[dict[str, Any]]:
    path = workdir / FILE
    if not path.is_file():
        inside = sorted(found.parent.name for found in workdir.glob(f"*/{FILE}"))
        way_out = f"Name a run in it: {', '.join(inside)}" if inside else "Name a run's --workdir"
        raise ValueError(f"{workdir} holds no {FILE}. {way_out}.")
    for text in path.read_text(errors="replace").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:  # half a line, left by a kill
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            yield line


def smooth(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """A mean over a thirtieth of the run; short runs stay as they are."""
    width = len(values) // 30
    if width < 2:
        return values
    window = np.ones(2 * (width // 2) + 1)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


def slope_per_1000(series: Series) -> float | None:
    """Growth in 1000 steps, after the run has settled: the median over all pairs of points (Theil
    1950, Sen 1968), which no single jump moves.  None where fewer than three points are left."""
    steps, values = series
    settled = steps >= steps[0] + SETTLED * (steps[-1] - steps[0])
    steps, values = steps[settled], values[settled]
    if len(steps) < 3:
        return None
    some = np.unique(np.linspace(0, len(steps) - 1, MOST_POINTS).astype(int))
    slope: Any = stats.theilslopes(values[some], steps[some])[0]
    return float(1000 * slope)


def summary(history: History) -> str:
    """The last step, what validation came to and at best was, and whether memory grows."""
    last = max(int(series.steps[-1]) for series in history.series.values())
    first, validated = [f"{history.name}: step {last}"], []
    if HOST_MEMORY in history.series:
        slope = slope_per_1000(history.series[HOST_MEMORY])
        grows = "too few lines to tell" if slope is None else f"{slope:+.1f} MB per 1000 steps"
        first.append(f"host memory {grows}")
    for key, (steps, values) in sorted(history.series.items()):
        if key.startswith("val/"):
            at = values.argmin() if falls(key) else values.argmax()
            validated.append(
                f"{key} {values[-1]:.4g}, best {values[at]:.4g} at step {steps[at]:.0f}"
            )
    return "\n  ".join("; ".join(line) for line in (first, validated) if line)


def falls(key: str) -> bool:
    """Whether less is better: of losses and ranks."""
    return any(word in key.lower() for word in ("loss", "rank", "medr", "meanr"))
