"""Planes of images: normals, the angles between them, positions along them."""

import math

import numpy as np

from data_prep.read.instance import Instance

# Normals closer than this belong to one stack (degrees): rounding of DS strings is far below,
# the smallest angle between two planned views far above.
SAME_NORMAL_DEG = 1.0
SAME_NORMAL_COSINE = math.cos(math.radians(SAME_NORMAL_DEG))
# Positions closer than this are one slice (mm): scanners repeat a position to well within it.
SAME_POSITION_MM = 0.5
# Towards the base along a short axis: mean of real patients, LPS (see classify.geometry).
TOWARDS_BASE = np.array([-0.618, 0.629, 0.415])


def normal_of(instance: Instance) -> np.ndarray:
    """Unit normal of an image: row direction x column direction."""
    (a, b, c, d, e, f) = instance.orientation
    return np.array([b * f - c * e, c * d - a * f, a * e - b * d])


def to_lps(frame: Instance, column: float, row: float) -> np.ndarray:
    """Patient position of a pixel (PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1)."""
    along_row, along_column = np.array(frame.orientation[:3]), np.array(frame.orientation[3:])
    # PixelSpacing is (between rows, between columns).
    return (
        np.array(frame.position)
        + column * frame.spacing_mm[1] * along_row
        + row * frame.spacing_mm[0] * along_column
    )


def middle_of(frame: Instance) -> np.ndarray:
    """LPS centre of an image (mm)."""
    return to_lps(frame, (frame.columns - 1) / 2, (frame.rows - 1) / 2)


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    """Angle between two planes' normals, 0..90 degrees; a normal's sign means nothing."""
    return float(np.degrees(np.arccos(np.clip(abs(a @ b), 0, 1))))


def parallel(a: Instance, b: Instance) -> bool:
    """Whether two images lie in parallel planes and are turned alike in them."""
    if a.orientation == b.orientation:
        return True
    along_rows = sum(x * y for x, y in zip(a.orientation[:3], b.orientation[:3], strict=True))
    return (
        along_rows > SAME_NORMAL_COSINE and angle_deg(normal_of(a), normal_of(b)) < SAME_NORMAL_DEG
    )


def towards_base(instance: Instance) -> np.ndarray:
    """The normal, turned to point from apex to base."""
    normal = normal_of(instance)
    return normal if normal @ TOWARDS_BASE >= 0 else -normal


def positions(group: list[Instance]) -> np.ndarray:
    """Positions along the stack's normal (mm), base positive."""
    return np.array([i.position for i in group]) @ towards_base(group[0])


def clusters(at: np.ndarray) -> list[np.ndarray]:
    """Indices of frames at one position each, from low to high, given positions along a stack."""
    order = np.argsort(at, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(at[order]) > SAME_POSITION_MM) + 1)
