"""Where the heart is, and the same square around it in every plane, at one spacing.

The picture is resampled in plane only, never stretched and never filled with anything but the
lowest value where it ends.
"""

import cv2
import numpy as np

from data_prep.stacks.planes import middle_of, to_lps
from data_prep.stacks.stack import RawStack

cv2.setNumThreads(1)  # workers are processes
# Smoothing before the search for motion, so that noise does not beat (mm).
MOTION_BLUR_MM = 6.0
THIN = 2  # motion is looked for in every second pixel of every second line


def motion_centre(stack: RawStack, videos: list[list[np.ndarray]]) -> np.ndarray | None:
    """LPS point (mm) that moves most in a cine: the centroid of variation over time.

    videos: pictures (rows, columns) by slice and time.  None where nothing varies.
    """
    total, weighted = 0.0, np.zeros(3)
    for one, video in zip(stack.slices, videos, strict=True):
        if len(video) < 3:
            continue
        frame = one.frames[0]
        still = np.stack([picture[::THIN, ::THIN] for picture in video])
        blur = MOTION_BLUR_MM / frame.spacing_mm[0] / THIN
        spread = cv2.GaussianBlur(still.std(0), (0, 0), blur)
        # Half of the strongest motion belongs to the heart; most of the rest is flow and noise.
        weight = np.where(spread > 0.5 * spread.max(), spread, 0)
        rows, columns = np.indices(weight.shape)
        if weight.sum() <= 0:
            continue
        middle = (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()
        weighted += weight.sum() * to_lps(frame, *(THIN * np.array(middle)))
        total += weight.sum()
    return weighted / total if total > 0 else None


def image_centre(stack: RawStack) -> np.ndarray:
    """LPS centre of the middle slice."""
    return middle_of(stack.slices[len(stack.slices) // 2].frames[0])


def crop(frame, video: list[np.ndarray], centre: np.ndarray, spacing_mm: float, size: int):
    """The square of `size` pixels at `spacing_mm` around the projection of `centre`.

    video: pictures (rows, columns) float32, one per time.  Returns (time, size, size) float32 and
    the LPS position of its first pixel.
    """
    along_row, along_column = np.array(frame.orientation[:3]), np.array(frame.orientation[3:])
    offset = centre - np.array(frame.position)
    half = (size - 1) / 2 * spacing_mm
    x0, y0 = offset @ along_row - half, offset @ along_column - half  # mm from the first pixel
    step = spacing_mm / np.array([frame.spacing_mm[1], frame.spacing_mm[0]])
    matrix = np.array(
        [[step[0], 0, x0 / frame.spacing_mm[1]], [0, step[1], y0 / frame.spacing_mm[0]]], np.float64
    )
    out = np.empty((len(video), size, size), np.float32)
    for index, picture in enumerate(video):
        if step.max() > 1.3:  # smaller than it was: keep what is too fine from folding over
            picture = cv2.GaussianBlur(picture, (0, 0), 0.35 * float(step.max()))
        out[index] = cv2.warpAffine(
            picture,
            matrix,
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=float(picture.min()),
        )
    origin = np.array(frame.position) + x0 * along_row + y0 * along_column
    return out, origin
