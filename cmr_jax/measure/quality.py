"""Checks of the input, and reasons to doubt a measurement."""

import numpy as np

from cmr_jax.measure.volumes import Function
from cmr_jax.phantom.tissue import Mask
from cmr_jax.segmentation.grid import Grid

LEAST_SLICES = 3
# Largest standard deviations over an ensemble that are still called sure.
LARGEST_EF_SD, LARGEST_RV_EF_SD = 4.0, 6.0  # points
LEAST_RV_ML = 15.0
LARGEST_VOLUME_SD = 0.10  # share of the end-diastolic volume
# Stroke volumes of both ventricles are equal but for shunts and regurgitation.
LARGEST_STROKE_RATIO = 2.0
# A last slice whose cavity is this share of the largest is not the apex.
CUT_OFF = 0.5
LARGEST_STEP_MM = 20.0


def check(video: np.ndarray, slice_mm: np.ndarray) -> None:
    """Raise a ValueError if pictures `p s h w` cannot be measured at all."""
    phases, slices = video.shape[:2]
    if slices != len(slice_mm):
        raise ValueError(f"{slices} slices, but {len(slice_mm)} positions.")
    if slices < LEAST_SLICES:
        raise ValueError(
            f"volumes need at least {LEAST_SLICES} short-axis slices; this stack has {slices}."
        )
    if phases < 2:
        raise ValueError(
            "ejection fractions need at least two phases (end diastole and end systole); "
            "this stack has one."
        )
    flat = video.reshape(phases, -1)
    if not np.isfinite(flat).all():
        raise ValueError("the pictures hold values that are not finite.")
    if np.ptp(flat) == 0:
        raise ValueError("the pictures are empty: all pixels are equal.")
    if (flat == flat[:1]).all():
        raise ValueError("all phases show the same pictures: nothing moves.")


def doubts(
    labels: np.ndarray,
    found: Function,
    spread: dict[str, float],
    slice_mm: np.ndarray,
    grid: Grid,
) -> tuple[str, ...]:
    """Return reasons why the left ventricle's numbers may be wrong.

    `labels`: `2 s h w`, end diastole and end systole.
    """
    reasons = _disagreement("lv", "the", LARGEST_EF_SD, found, spread)
    area, area_es = (labels == Mask.LV).sum((-2, -1)) * grid.spacing_mm**2
    if min(area[0], area[-1]) > CUT_OFF * area.max():
        reasons.append(
            "both ends of the stack show a large left ventricle: the apex may be missing"
        )
    seen = np.flatnonzero(area > 0)
    if len(seen) < LEAST_SLICES:
        reasons.append(f"the left ventricle was seen in {len(seen)} slices only")
    elif _has_gap(area) or _has_gap(area_es):
        reasons.append("the left ventricle was not seen in a slice between others")
    if _at_the_edge(labels >= Mask.MYOCARDIUM):
        reasons.append("the left ventricle reaches beyond the field that was looked at")
    if found.lv_edv_ml <= found.lv_esv_ml:
        reasons.append("the left ventricle does not contract")
    elif LEAST_RV_ML <= found.rv_edv_ml <= found.rv_esv_ml:
        reasons.append("the right ventricle fills while the left one empties")
    if (area_es > 1.3 * area + 100).any():
        reasons.append("a slice shows more cavity at end systole than at end diastole")
    if np.diff(np.sort(slice_mm)).max() > LARGEST_STEP_MM:
        reasons.append("slices are missing within the stack")
    return tuple(reasons)


def right_doubts(
    labels: np.ndarray, found: Function, spread: dict[str, float], grid: Grid
) -> tuple[str, ...]:
    """Return reasons why the right ventricle's numbers alone may be wrong."""
    if found.rv_edv_ml < LEAST_RV_ML:
        return (f"hardly any of it was seen ({found.rv_edv_ml:.0f} ml)",)
    reasons = _disagreement("rv", "its", LARGEST_RV_EF_SD, found, spread)
    if _at_the_edge(labels == Mask.RV):
        reasons.append("it reaches beyond the field that was looked at")
    stroke = found.lv_edv_ml - found.lv_esv_ml, found.rv_edv_ml - found.rv_esv_ml
    if min(stroke) <= 0 or max(stroke) > LARGEST_STROKE_RATIO * min(stroke):
        reasons.append("stroke volumes of the ventricles differ")
    return tuple(reasons)


def _disagreement(
    side: str, word: str, largest_ef_sd: float, found: Function, spread: dict[str, float]
) -> list[str]:
    """Return numbers of one ventricle that the ensemble is not sure of; `word` goes before them."""
    reasons = []
    ef_sd, volume_sd = spread[f"{side}_ef_percent"], spread[f"{side}_edv_ml"]
    if not ef_sd <= largest_ef_sd:  # NaN is doubtful
        reasons.append(f"models disagree about {word} ejection fraction (SD {ef_sd:.0f} points)")
    if volume_sd > LARGEST_VOLUME_SD * getattr(found, f"{side}_edv_ml"):
        reasons.append(f"models disagree about {word} end-diastolic volume (SD {volume_sd:.0f} ml)")
    return reasons


def _has_gap(area: np.ndarray) -> bool:
    """Return whether a slice between others shows nothing."""
    seen = np.flatnonzero(area > 0)
    return bool(np.any(np.diff(seen) > 1))


def _at_the_edge(where: np.ndarray) -> bool:
    sides = where[..., 0, :], where[..., -1, :], where[..., 0], where[..., -1]
    return any(side.any() for side in sides)
