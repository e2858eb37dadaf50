"""Wall thickness by segment (AHA: Cerqueira 2002, Circulation 105:539).

Thickness is the length of the wall along rays from the middle of the cavity.  Angles grow clockwise
on a standard display (seen from the apex), from the direction of the right ventricle.
"""

import numpy as np
import scipy.ndimage

from cmr_jax.phantom.tissue import Mask

RAYS = 72
STEP_MM = 0.25
REACH_MM = 80.0
LEAST_CAVITY_MM2 = 80.0
# Segments by level from base to apex, each from its first angle in degrees; the septum lies around 0.
BASAL = ((2, 0), (1, 60), (6, 120), (5, 180), (4, 240), (3, 300))
MIDDLE = ((8, 0), (7, 60), (12, 120), (11, 180), (10, 240), (9, 300))
APICAL = ((14, -45), (13, 45), (16, 135), (15, 225))


def segment_thickness(labels: np.ndarray, spacing_mm: float, base_first: bool = True) -> np.ndarray:
    """Mean thickness (mm) of segments 1 to 16 in one phase `s h w`; NaN where a segment is not seen."""
    angles = 2 * np.pi * np.arange(RAYS) / RAYS
    seen = [s for s, picture in enumerate(labels) if _ring(picture, spacing_mm)]
    found: dict[int, list[float]] = {}
    toward = _right(labels[seen]) if seen else 0.0
    for place, s in enumerate(seen if base_first else seen[::-1]):
        segments = (BASAL, MIDDLE, APICAL)[min(3 * place // len(seen), 2)]
        thickness = ray_thickness(labels[s], spacing_mm, angles + toward)
        degrees = np.degrees(angles)
        width = 360 / len(segments)
        for number, first in segments:
            inside = (degrees - first) % 360 < width
            found.setdefault(number, []).extend(thickness[inside & (thickness > 0)])
    return np.array([np.mean(found[n]) if found.get(n) else np.nan for n in range(1, 17)])


def largest_thickness(labels: np.ndarray, spacing_mm: float) -> float:
    """The thickest sixth of the wall (mm), mean of the three slices where it is thickest."""
    angles = 2 * np.pi * np.arange(RAYS) / RAYS
    slices = [
        float(np.sort(ray_thickness(p, spacing_mm, angles))[-RAYS // 6 :].mean())
        for p in labels
        if _ring(p, spacing_mm)
    ]
    return float(np.mean(np.sort(slices)[-3:])) if slices else float("nan")


def ray_thickness(picture: np.ndarray, spacing_mm: float, angles: np.ndarray) -> np.ndarray:
    """mm of wall along each ray from the cavity's middle."""
    rows, columns = np.nonzero(picture == Mask.LV)
    far = np.arange(0, REACH_MM, STEP_MM) / spacing_mm
    at = [
        rows.mean() + far[None] * np.sin(angles)[:, None],
        columns.mean() + far[None] * np.cos(angles)[:, None],
    ]
    wall = (picture == Mask.MYOCARDIUM).astype(np.float32)
    sampled = scipy.ndimage.map_coordinates(wall, at, order=1, mode="constant")
    return sampled.sum(1) * STEP_MM


def _ring(picture: np.ndarray, spacing_mm: float) -> bool:
    """Tell if a slice shows a cavity with enough wall around it to be measured."""
    cavity, wall = ((picture == m).sum() * spacing_mm**2 for m in (Mask.LV, Mask.MYOCARDIUM))
    return bool(min(cavity, wall) > LEAST_CAVITY_MM2)


def _right(labels: np.ndarray) -> float:
    """Direction from the left ventricle's middle to the right one's."""
    middles = []
    for mask in (Mask.LV, Mask.RV):
        _, rows, columns = np.nonzero(labels == mask)
        if not len(rows):
            return np.pi
        middles.append((rows.mean(), columns.mean()))
    (row, column), (right_row, right_column) = middles
    return float(np.arctan2(right_row - row, right_column - column))
