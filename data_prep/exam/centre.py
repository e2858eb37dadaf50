"""Where the heart is: from what moves, checked against where the planned planes meet."""

from collections.abc import Callable

import numpy as np

from cmr_jax.schema import Sequence, View
from data_prep.exam.crop import image_centre, motion_centre
from data_prep.exam.plan import PlannedStack
from data_prep.stacks.stack import RawStack

# The left ventricle's axis passes this near to the middle of what moves (mm): farther, it was
# an arm, a liver or noise that moved.
FARTHEST_FROM_AXIS_MM = 45.0
# Planes that meet at less than this have no line in common that can be told (degrees).
LEAST_ANGLE_DEG = 20.0
LONG_AXES = (View.CH2, View.CH3, View.CH4)

Videos = Callable[[PlannedStack], tuple[RawStack, list[list[np.ndarray]]] | None]


def heart_centre(stacks: list[PlannedStack], videos: Videos) -> tuple[np.ndarray, str]:
    """(LPS point in mm, how it was found, "" where by motion as usual).

    Motion of the short-axis cine first, of the other cines without one; where planes meet, if
    nothing moves or what moves is far from the heart's axis; the middle of the images at last.
    """
    moving = _motion(stacks, videos)
    met = planes_meet(stacks)
    if moving is not None and (met is None or _distance(moving, met) <= FARTHEST_FROM_AXIS_MM):
        return moving, ""
    if met is not None:
        return met[0], "centred where planes meet"
    middles = [image_centre(s.raw) for s in stacks]
    return np.mean(middles, 0), "centred on the image"


def _motion(stacks: list[PlannedStack], videos: Videos) -> np.ndarray | None:
    cines = [s for s in stacks if s.sequence is Sequence.CINE]
    short = [s for s in cines if s.view is View.SAX]
    found = []
    for planned in short or cines:
        decoded = videos(planned)
        if decoded and (centre := motion_centre(*decoded)) is not None:
            found.append(centre)
    return np.mean(found, 0) if found else None


def planes_meet(stacks: list[PlannedStack]) -> tuple[np.ndarray, np.ndarray] | None:
    """(point, direction) of the line that long-axis planes have in common, in LPS mm.

    The point is where the middle of the short-axis stack cuts the line, or the nearest to the
    middles of the long-axis images.  None where fewer than two planes meet at an angle.
    """
    planes = [s.raw for s in stacks if s.view in LONG_AXES and len(s.raw.slices) == 1]
    if len(planes) < 2:
        return None
    normals = np.stack([p.normal for p in planes])
    _, spread, turns = np.linalg.svd(normals)
    direction = turns[-1]  # most nearly in every plane
    if spread[1] < np.sin(np.radians(LEAST_ANGLE_DEG)):
        return None
    offsets = np.array(
        [n @ np.array(p.first.position) for n, p in zip(normals, planes, strict=True)]
    )
    middle = np.mean([image_centre(p) for p in planes], 0)
    across = middle + np.linalg.pinv(normals, rcond=0.1) @ (offsets - normals @ middle)
    short = [s.raw for s in stacks if s.view is View.SAX and len(s.raw.slices) > 1]
    if short:
        normal, at = short[0].normal, image_centre(short[0])
        lean = normal @ direction
        if abs(lean) > np.sin(np.radians(LEAST_ANGLE_DEG)):
            across = across + (normal @ (at - across)) / lean * direction
    return across, direction


def _distance(point: np.ndarray, line: tuple[np.ndarray, np.ndarray]) -> float:
    away = point - line[0]
    return float(np.linalg.norm(away - (away @ line[1]) * line[1]))
