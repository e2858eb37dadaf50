"""End systole in the light of end diastole.

Blood looks alike in both ventricles and in the atria, and the networks look at slices one by one; the place
in the cycle tells the cavities apart.  Ventricles contract: what is cavity at end systole was cavity at end
diastole, but for some millimeters by which hearts move as a whole and through the slice.  These are weights, not
bounds: a network that is certain overrules them, so that a wall may bulge.  The tricuspid valve moves further
towards the apex than the mitral valve does (23 and 16 mm; Carlsson 2007, AJP Heart 293:H636), so that at end
systole the most basal slice of the left ventricle has the right atrium beside it more often than the right ventricle.
"""

from typing import Any

import numpy as np
import scipy.ndimage

from cmr_jax.measure import cleaning
from cmr_jax.phantom.tissue import Mask

F32 = np.float32
SLACK_MM, SOFTNESS_MM = 4.0, 2.0
# At end systole the right ventricle gets these odds in the most basal slice of the left one, and in slices above, if
# the left one empties by at least this share; valves of a ventricle that contracts less move less.
ODDS_BESIDE_THE_BASE, FULL_MOTION = 0.2, 0.5
LEAST_PIXELS = 20  # a slice with fewer pixels of a cavity or a wall does not count as showing it
# An end of the stack counts as basal only if it shows this many times as much of the heart as the other end.
PLAINLY_MORE = 1.25
LEAST_LEFT = 1e-6  # probability; where all that was probable is ruled out, background is left


def contracted(probability: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Weigh probabilities `m 2 s h w k` of both moments by the ensemble's end-diastolic labels.

    End diastole is weighed too, so that a heart which does not move does not eject.
    """
    made = probability.copy()
    diastole = cleaning.labels(probability.mean(0))[0]
    was_right = diastole == Mask.RV
    ventricle = _within_reach(diastole >= Mask.MYOCARDIUM, spacing_mm)
    cavity = ventricle * _within_reach(diastole == Mask.LV, spacing_mm)
    # Blood where the right ventricle was is the right ventricle's.
    made[..., Mask.RV] += made[..., Mask.LV] * (1 - cavity) * was_right
    made[..., Mask.RV] *= _within_reach(was_right, spacing_mm)
    made[..., Mask.LV] *= cavity
    made[..., Mask.MYOCARDIUM] *= ventricle
    _normalise(made)
    systole = made[:, 1].mean(0).argmax(-1)
    odds = ODDS_BESIDE_THE_BASE ** min(1.0, _emptied(diastole, systole) / FULL_MOTION)
    made[:, 1, _beside_the_base(diastole, systole), ..., Mask.RV] *= odds
    _normalise(made)
    return made


def _within_reach(where: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Weights `s h w`: 1 inside `where` and up to the slack around it, less beyond.

    A slice that hardly shows any of it says nothing: 1 everywhere.
    """
    made = np.ones(where.shape, F32)
    for weight, inside in zip(made, where, strict=True):
        if inside.sum() >= LEAST_PIXELS:
            away: Any = scipy.ndimage.distance_transform_edt(~inside)
            weight[:] = np.exp(-np.maximum(0, away * spacing_mm - SLACK_MM) / SOFTNESS_MM)
    return made


def _emptied(diastole: np.ndarray, systole: np.ndarray) -> float:
    """Share by which the left cavity becomes smaller in the stack, from 0."""
    before, after = ((labels == Mask.LV).sum() for labels in (diastole, systole))
    return max(0.0, 1 - float(after / before)) if before else 0.0


def _beside_the_base(diastole: np.ndarray, systole: np.ndarray) -> np.ndarray:
    """Choose (`s`, bool) the most basal slice of the left ventricle at end systole, and the slices above it.

    The basal end is taken to be the one where plainly more of the heart is seen; no slice if there is none.
    """
    found = np.zeros(len(systole), bool)
    left = np.flatnonzero((systole >= Mask.MYOCARDIUM).sum((-2, -1)) >= LEAST_PIXELS)
    if not len(left):
        return found
    heart = (diastole != Mask.BACKGROUND).sum((-2, -1))
    first, last = heart[left[0]], heart[left[-1]]
    if first > PLAINLY_MORE * last:
        found[: left[0] + 1] = True
    elif last > PLAINLY_MORE * first:
        found[left[-1] :] = True
    return found


def _normalise(probability: np.ndarray) -> None:
    probability[..., Mask.BACKGROUND] += LEAST_LEFT
    probability /= probability.sum(-1, keepdims=True)
