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
# Moments are resampled as channels of one picture: so many at once take as long as one.
CHANNELS = 4
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
        still = np.stack([np.float32(picture[::THIN, ::THIN]) for picture in video])
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

    video: pictures (rows, columns), one per time.  Returns its moments as channels of a few
    pictures, (size, size, moments) float32 each, and the LPS position of their first pixel.
    """
    along_row, along_column = np.array(frame.orientation[:3]), np.array(frame.orientation[3:])
    offset = centre - np.array(frame.position)
    half = (size - 1) / 2 * spacing_mm
    x0, y0 = offset @ along_row - half, offset @ along_column - half  # mm from the first pixel
    step = spacing_mm / np.array([frame.spacing_mm[1], frame.spacing_mm[0]])
    matrix = np.array(
        [[step[0], 0, x0 / frame.spacing_mm[1]], [0, step[1], y0 / frame.spacing_mm[0]]], np.float64
    )
    video = _ready(video, float(step.max()))
    pictures = []
    for start in range(0, len(video), CHANNELS):
        moments = video[start : start + CHANNELS]
        few = [*moments, *moments[-1:] * (CHANNELS - len(moments))]
        cropped = cv2.warpAffine(
            cv2.merge(few).astype(np.float32, copy=False),
            matrix,
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=[float(picture.min()) for picture in few],
        )
        pictures.append(cropped[..., : len(moments)])
    origin = np.array(frame.position) + x0 * along_row + y0 * along_column
    return pictures, origin


def _ready(video: list[np.ndarray], step: float) -> list[np.ndarray]:
    """Pictures of one type, to be sampled at every `step` pixels."""
    if step <= 1.3 and len({picture.dtype for picture in video}) == 1:
        return video
    video = [picture.astype(np.float32, copy=False) for picture in video]
    if step > 1.3:  # smaller than it was: keep what is too fine from folding over
        video = [cv2.GaussianBlur(picture, (0, 0), 0.35 * step) for picture in video]
    return video
