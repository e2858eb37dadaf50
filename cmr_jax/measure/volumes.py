"""Volumes, ejection fractions and mass from masks, by the summation of discs (SCMR: Schulz-Menger
2020, JCMR 22:19).

Papillary muscles and trabeculae count as cavity.
"""

import dataclasses

import numpy as np

from cmr_jax.phantom.tissue import Mask

MYOCARDIUM_G_PER_ML = 1.05


@dataclasses.dataclass(frozen=True)
class Function:
    """Function of both ventricles.  Volumes in ml, ejection fractions in percent, mass in g."""

    lv_edv_ml: float
    lv_esv_ml: float
    lv_ef_percent: float
    lv_mass_g: float
    rv_edv_ml: float
    rv_esv_ml: float
    rv_ef_percent: float


NUMBERS = tuple(field.name for field in dataclasses.fields(Function))
TITLES = {
    "lv_edv_ml": "LV EDV", "lv_esv_ml": "LV ESV", "lv_ef_percent": "LV EF", "lv_mass_g": "LV mass",
    "rv_edv_ml": "RV EDV", "rv_esv_ml": "RV ESV", "rv_ef_percent": "RV EF",
}  # fmt: skip


def unit(number: str) -> str:
    """Return the unit of a number from its name."""
    word = number.rsplit("_", 1)[1]
    return "%" if word == "percent" else word


def disc_heights(slice_mm: np.ndarray) -> np.ndarray:
    """Height of the disc that each slice stands for: to the middle between its neighbours; a slice
    at an end reaches as far outwards as inwards.

    A stack of one slice has no height: a ValueError.
    """
    if len(slice_mm) < 2:
        raise ValueError("one slice has no volume: a short-axis stack of several slices is needed.")
    order = np.argsort(slice_mm)
    gaps = np.diff(np.asarray(slice_mm, float)[order])
    if gaps.min() <= 0:
        raise ValueError("two slices of the stack lie at the same place.")
    # A gap of a missing slice is filled by its neighbours; an end reaches one usual pitch.
    pitch = float(np.median(gaps))
    around = np.concatenate([[pitch], gaps, [pitch]])
    heights = np.empty(len(order))
    heights[order] = (around[:-1] + around[1:]) / 2
    return heights


def volumes(labels: np.ndarray, pixel_mm2: float, heights: np.ndarray) -> np.ndarray:
    """`p s h w` of `Mask` -> `p m`: ml of each mask in each phase."""
    pixels = np.stack([(labels == m).sum((-2, -1)) for m in Mask], -1)
    return _milliliters(pixels * pixel_mm2, heights)


def expected(probability: np.ndarray, pixel_mm2: float, heights: np.ndarray) -> np.ndarray:
    """`p s h w m`, the probability of each `Mask` -> `p m`: expected ml in each phase."""
    return _milliliters(probability.sum((2, 3)) * pixel_mm2, heights)


def _milliliters(areas_mm2: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Sum discs: areas `p s m`, heights `s` (mm) -> `p m`."""
    return (areas_mm2 * heights[None, :, None]).sum(1) / 1000


def function(curves: np.ndarray) -> Function:
    """From ml of each mask at end diastole and at end systole, `2 m`."""
    (lv_ed, lv_es), (rv_ed, rv_es) = curves[:, Mask.LV], curves[:, Mask.RV]
    return Function(
        lv_edv_ml=float(lv_ed),
        lv_esv_ml=float(lv_es),
        lv_ef_percent=_fraction(lv_ed, lv_es),
        lv_mass_g=float(curves[0, Mask.MYOCARDIUM]) * MYOCARDIUM_G_PER_ML,
        rv_edv_ml=float(rv_ed),
        rv_esv_ml=float(rv_es),
        rv_ef_percent=_fraction(rv_ed, rv_es),
    )


def _fraction(ed: float, es: float) -> float:
    return float(100 * (ed - es) / ed) if ed > 0 else float("nan")
