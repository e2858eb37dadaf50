"""Which moments of the cardiac cycle a clip has."""

import math

import numpy as np

from cmr_jax.config import Clip, Moments
from cmr_jax.schema import Stack

# From the R wave to the end of systole, in ms: electromechanical systole (Boudoulas 1981) less what
# passes until the R wave, and by how much each beat a minute shortens it.
SYSTOLE_MS, SHORTER_MS = 495.0, 2.2
USUAL, LEAST, MOST = 0.38, 0.25, 0.55  # share of the cycle, where nobody said how long it is
SYSTOLIC = 0.4  # of the moments of a clip: the heart moves faster then


def end_systole(rr_ms: float) -> float:
    """Where systole ends, as a share of a cycle of that length."""
    if not (math.isfinite(rr_ms) and rr_ms > 0):
        return USUAL
    return float(np.clip((SYSTOLE_MS - SHORTER_MS * 60_000 / rr_ms) / rr_ms, LEAST, MOST))


def chosen(
    clip: Clip, stack: Stack, slice_index: int, available: int, rng: np.random.Generator | None
) -> np.ndarray:
    """Indices of `clip.phases` frames of a cine slice, or of all where there are fewer.

    Without `rng` they are the same each time; with it even moments begin anywhere in their step, and
    those between the ends of diastole and systole move by up to half of theirs.
    """
    count = min(clip.phases, available)
    if clip.moments is Moments.EVEN or count < 3:
        start = 0.0 if rng is None else rng.random() * available / count
        return (start + np.arange(count) * available / count).astype(int) % available
    end = end_systole(stack.rr_ms)
    systolic = max(1, round(count * SYSTOLIC))
    before = np.arange(systolic) * end / systolic
    step = (1 - end) / (count - systolic)
    at = np.concatenate([before, end + np.arange(count - systolic) * step])
    if rng is not None:
        free = np.ones(count, bool)
        free[[0, systolic]] = False
        at = at + free * (rng.random(count) - 0.5) * np.where(at < end, end / systolic, step)
    phases = np.asarray(stack.phases[slice_index])
    apart = np.abs(phases[None] - at[:, None])
    return np.minimum(apart, 1 - apart).argmin(1)  # the cycle is a loop
