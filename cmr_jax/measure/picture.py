"""Contours drawn over the slices at end diastole and end systole."""

import cv2
import numpy as np

from cmr_jax.phantom.tissue import Mask
from cmr_jax.segmentation.grid import Grid

SIDE = 192  # pixels of one slice
# Blue, green, red, as OpenCV has it.
COLOURS = {Mask.LV: (80, 80, 255), Mask.MYOCARDIUM: (80, 220, 120), Mask.RV: (255, 190, 60)}


def overlay(
    video: np.ndarray, pixel_mm: tuple[float, float], labels: np.ndarray, grid: Grid
) -> np.ndarray:
    """One row a phase of `p s h w`, one column a slice: uint8 (rows, columns, 3), BGR."""
    seen = grid.sample(video, pixel_mm)
    top = np.quantile(seen, 0.995, axis=(-2, -1), keepdims=True)
    grey = (255 * np.clip(seen / np.maximum(top, 1e-6), 0, 1)).astype(np.uint8)
    rows = [
        np.concatenate([_slice(g, m) for g, m in zip(*phase, strict=True)], 1)
        for phase in zip(grey, labels, strict=True)
    ]
    return np.concatenate(rows)


def _slice(grey: np.ndarray, labels: np.ndarray) -> np.ndarray:
    size = (SIDE, SIDE)
    picture = cv2.cvtColor(
        cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2BGR
    )
    for mask, colour in COLOURS.items():
        # The cavity's contour is the inner one of the wall, so the wall is drawn with it.
        part = labels >= mask if mask is Mask.MYOCARDIUM else labels == mask
        fine = cv2.resize(part.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, colour, 1, cv2.LINE_AA)
    return picture
