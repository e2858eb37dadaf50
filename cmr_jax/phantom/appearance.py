"""Grey values of a map of tissues, as balanced SSFP shows them and as scanners spoil them.

Contrast is drawn anew for each exam, relative to myocardium.  Moderate ranges (those of people and
somewhat beyond) measured real hearts better than arbitrary ones.
"""

import enum

import cv2
import numpy as np

from cmr_jax.phantom.shapes import smooth_noise
from cmr_jax.phantom.tissue import Tissue

F32 = np.float32


class Greys(enum.Enum):
    """How far the contrast varies."""

    FIXED = "fixed"
    MODERATE = "moderate"
    BROAD = "broad"
    RANDOM = "random"  # any grey for any tissue (SynthSeg)


FIXED = {
    Tissue.LUNG: 0.12, Tissue.SOFT_A: 0.8, Tissue.SOFT_B: 1.4, Tissue.SOFT_C: 0.12, Tissue.FAT: 3.9,
    Tissue.MUSCLE: 0.8, Tissue.VESSEL: 3.3, Tissue.EPICARDIAL_FAT: 3.9, Tissue.THIN_WALL: 1.0,
    Tissue.LV_BLOOD: 3.3, Tissue.RV_BLOOD: 2.8, Tissue.MYOCARDIUM: 1.0, Tissue.LV_TRABECULA: 1.0,
    Tissue.ATRIUM: 3.3, Tissue.LIVER: 1.4, Tissue.RV_TRABECULA: 1.0, Tissue.PERICARDIUM: 0.5,
}  # fmt: skip
# Ranges over myocardium: moderate, broad.
RANGES = {
    Tissue.LUNG: ((0.06, 0.4), (0.04, 0.8)),
    Tissue.SOFT_A: ((0.3, 2.2), (0.1, 3.2)),
    Tissue.SOFT_B: ((0.5, 2.0), (0.1, 2.8)),
    Tissue.SOFT_C: ((0.05, 3.0), (0.05, 4.2)),
    Tissue.FAT: ((2.0, 4.8), (0.7, 5.5)),
    Tissue.MUSCLE: ((0.5, 1.2), (0.35, 1.5)),
    Tissue.EPICARDIAL_FAT: ((1.2, 4.3), (0.5, 5.0)),
    Tissue.THIN_WALL: ((0.4, 1.15), (0.3, 1.4)),
    Tissue.PERICARDIUM: ((0.1, 0.8), (0.1, 1.1)),
    Tissue.MYOCARDIUM: ((1.0, 1.0), (1.0, 1.0)),
    Tissue.LV_TRABECULA: ((0.9, 1.5), (0.8, 1.7)),
    Tissue.RV_TRABECULA: ((0.9, 1.6), (0.8, 1.8)),
    Tissue.LIVER: ((0.8, 1.8), (0.5, 2.4)),
}
BLOOD = {  # over the left ventricle's blood
    Tissue.RV_BLOOD: ((0.45, 1.1), (0.4, 1.15)),
    Tissue.ATRIUM: ((0.55, 1.08), (0.4, 1.15)),
    Tissue.VESSEL: ((0.6, 1.1), (0.4, 1.3)),
}
LEAST_BLOOD = 1.25  # over myocardium: below, nobody could tell the right ventricle from its wall


def greys(kind: Greys, rng: np.random.Generator) -> np.ndarray:
    """A grey value for each tissue."""
    table = _greys(kind, rng)
    table[[Tissue.WALL_EDGE, Tissue.LV_EDGE]] = table[Tissue.MYOCARDIUM]
    table[[Tissue.RV_EDGE, Tissue.LV_OPENING]] = table[Tissue.THIN_WALL]
    # Blood of the right atrium is that of the right ventricle, if anything a little fresher.
    table[Tissue.RIGHT_BLOOD] = table[Tissue.RV_BLOOD] * (
        1 if kind is Greys.FIXED else rng.uniform(0.85, 1.15)
    )
    return table


def _greys(kind: Greys, rng: np.random.Generator) -> np.ndarray:
    table = np.zeros(len(Tissue), F32)
    if kind is Greys.FIXED:
        for tissue, value in FIXED.items():
            table[tissue] = value
        return table
    if kind is Greys.RANDOM:
        table = rng.uniform(0, 3.5, len(Tissue)).astype(F32)
        table[Tissue.LV_TRABECULA] = table[Tissue.RV_TRABECULA] = table[Tissue.MYOCARDIUM]
        return table
    broad = int(kind is Greys.BROAD)
    blood = rng.uniform(*((1.85, 3.7), (1.6, 4.0))[broad])
    table[Tissue.LV_BLOOD] = blood
    for tissue, ranges in RANGES.items():
        table[tissue] = rng.uniform(*ranges[broad])
    for tissue, ranges in BLOOD.items():
        table[tissue] = blood * rng.uniform(*ranges[broad])
    table[Tissue.RV_BLOOD] = max(table[Tissue.RV_BLOOD], LEAST_BLOOD)
    return table


def render(tissue: np.ndarray, kind: Greys, texture: bool, rng: np.random.Generator) -> np.ndarray:
    """Pictures of a map `p s k h w`: float32 `p s h w`, myocardium around 1."""
    table = greys(kind, rng)
    p, s, _, n, _ = tissue.shape
    if not texture:
        picture = table[tissue].mean(2)
        return _noisy(_blurred(picture, 0.4), 0.03, rng)
    u = rng.uniform
    # Texture differs from tissue to tissue and stays with the anatomy from phase to phase.
    strength = u(0, 0.2, len(Tissue)).astype(F32)
    strength[[Tissue.LV_BLOOD, Tissue.MYOCARDIUM]] *= 0.6
    strength[[Tissue.WALL_EDGE, Tissue.LV_EDGE]] = strength[Tissue.MYOCARDIUM]
    strength[[Tissue.RV_EDGE, Tissue.LV_OPENING]] = strength[Tissue.THIN_WALL]
    grain = smooth_noise(rng, (1, s), n, int(u(n / 6, n / 3)))[:, :, None]
    slow = np.zeros(len(Tissue), F32)  # inflow and flow make the right heart's blood uneven
    slow[[Tissue.RV_BLOOD, Tissue.ATRIUM]] = u(0, (0.5, 0.35))
    slow[Tissue.RIGHT_BLOOD] = slow[Tissue.RV_BLOOD]
    cloud = smooth_noise(rng, (1, s), n, 6)[:, :, None]
    cloud = cloud + F32(u(0, 1)) * smooth_noise(rng, (1, 1), n, 3)[:, :, None]
    picture = (
        table[tissue] * np.maximum(1 + strength[tissue] * grain + slow[tissue] * cloud, 0)
    ).mean(2)
    if rng.random() < 0.3:  # turbulence darkens the blood of single slices and phases
        picture = picture - F32(u(0, 0.5)) * np.maximum(smooth_noise(rng, (p, s), n, 9) - 1, 0) * (
            picture > 1.5
        )
    picture = _blurred(np.maximum(picture, 0), u(0.3, 0.8))
    if rng.random() < 0.3:  # respiratory and flow ghosts along the phase-encoding direction
        picture = picture + F32(u(0, 0.12)) * np.roll(
            picture, int(u(n / 5, n / 2)), int(rng.integers(2, 4))
        )
    coil = np.exp(smooth_noise(rng, (1, 1), n, 3) * F32(u(0, 0.4)))
    picture = picture * coil * np.exp(rng.normal(0, 0.05, (1, s, 1, 1)).astype(F32))
    if rng.random() < 0.15:  # a band of bSSFP off-resonance
        away = smooth_noise(rng, (1, 1), n, 3)
        picture = picture * (1 - F32(u(0.2, 0.8)) * np.exp(-((away / F32(u(0.03, 0.12))) ** 2)))
    picture = picture ** F32(u(0.85, 1.2))
    picture = _noisy(picture, u(0, 0.06) * float(picture.std()), rng)
    if rng.random() < 0.15:  # circular field of view
        at = np.hypot(*np.meshgrid(*[np.arange(n) - n / 2 - u(-n / 8, n / 8) for _ in range(2)]))
        picture = np.where(at < u(0.45, 0.7) * n, picture, 0)
    if rng.random() < 0.2:  # 8 bits, highlights clipped
        top = float(np.quantile(picture, u(0.95, 1)))
        picture = np.round(np.minimum(picture / top, 1) * 255) / 255
    return picture.astype(F32)


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    flat = picture.reshape(-1, *picture.shape[-2:])
    return np.stack([cv2.GaussianBlur(x, (5, 5), sigma) for x in flat]).reshape(picture.shape)


def _noisy(picture: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Rician noise."""
    real, imaginary = rng.standard_normal((2, *picture.shape), dtype=F32) * F32(sd)
    return np.hypot(picture + real, imaginary)
