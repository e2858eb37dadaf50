"""The view of every stack of an exam from the planes of all of them.

Mean normals of planned views in LPS come from a public script over about 20 real patients
(recorded with their spread in the project's preparation notes); a normal's sign means nothing.
"""

import dataclasses

import numpy as np

from cmr_jax.schema import View
from data_prep.classify import longaxis
from data_prep.classify.longaxis import Placed
from data_prep.stacks.planes import TOWARDS_BASE, angle_deg, middle_of
from data_prep.stacks.stack import RawStack

SHORT_AXIS = TOWARDS_BASE / np.linalg.norm(TOWARDS_BASE)
# Hearts differ by about 13 degrees and planning adds 5 to 10: beyond this a plane is no short axis
# of an average heart, and with words beyond the second.
FARTHEST_DEG, FARTHEST_NAMED_DEG = 40.0, 55.0
# Planes prescribed along the body lie on it to the last digit; planned views rarely come near.
BODY_PLANE_DEG = 3.0
SAX_LEAST_SLICES = 3
# Around the long axis found in the exam: a short axis, or a plane that contains the axis.
SHORT_DEG, LONG_DEG = 30.0, 60.0
# Slices this far beyond the ends of the short-axis stack show vessels or atria (mm).
BEYOND_MM = 15.0


@dataclasses.dataclass(frozen=True)
class Axis:
    """The long axis of the left ventricle and how far the short-axis stack reaches along it."""

    direction: np.ndarray  # unit vector towards the base
    source: str
    reach_mm: tuple[float, float] = (-np.inf, np.inf)


def see(stacks: list[RawStack], named: list[View | None]) -> list[Placed]:
    """One finding per stack; `named` is what words say (None: nothing)."""
    known = [i for i, stack in enumerate(stacks) if stack.first.oriented]
    placed = dict(
        zip(known, _see([stacks[i] for i in known], [named[i] for i in known]), strict=True)
    )
    nothing = Placed(View.OTHER, 0.5, "no orientation on record", False)
    return [placed.get(i, nothing) for i in range(len(stacks))]


def _see(stacks: list[RawStack], named: list[View | None]) -> list[Placed]:
    """Of stacks whose axes are the patient's."""
    axis = long_axis(stacks, named)
    around = [angle_deg(stack.normal, axis.direction) for stack in stacks]
    long = [
        i
        for i, stack in enumerate(stacks)
        if around[i] >= LONG_DEG and (named[i] in longaxis.VIEWS or body_plane(stack) is None)
    ]
    planes = [
        longaxis.Plane(
            stacks[i].normal,
            centre(stacks[i]),
            None if named[i] in (View.SAX, View.AXIAL) else named[i],
        )
        for i in long
    ]
    found = dict(zip(long, longaxis.assign(planes, axis.direction), strict=True))
    return [
        _placed(stack, named[i], around[i], axis, found.get(i)) for i, stack in enumerate(stacks)
    ]


def _placed(
    stack: RawStack, named: View | None, around: float, axis: Axis, long: Placed | None
) -> Placed:
    said = f"{around:.0f} deg from the long axis of {axis.source}"
    body = body_plane(stack)
    clash = _clashes(stack, named, around, long)
    if long is not None:
        return Placed(long.view, long.trust, f"{long.why}, {said}", clash)
    if body is not None and named is not View.SAX:
        return Placed(body, 0.8, "plane of the body", clash)
    if around > SHORT_DEG:
        return Placed(View.OTHER, 0.5, said, clash)
    along = float(centre(stack) @ axis.direction)
    low, high = axis.reach_mm
    if not low - BEYOND_MM <= along <= high + BEYOND_MM:
        return Placed(View.OTHER, 0.5, f"beyond the short-axis stack, {said}", clash)
    trust = round(0.95 - around / 100, 2)
    return Placed(View.SAX, trust, f"{len(stack.slices)} parallel slices, {said}", clash)


def _clashes(stack: RawStack, named: View | None, around: float, long: Placed | None) -> bool:
    if named is View.SAX:
        return around > 45
    if named in longaxis.VIEWS:
        return around < 45 or (long is not None and long.clash)
    if named is View.AXIAL:
        return _from_body_deg(stack)[2] > 20
    return False


def body_plane(stack: RawStack) -> View | None:
    """AXIAL, or OTHER for a coronal or sagittal plane; None for an oblique one."""
    away = _from_body_deg(stack)
    if away.min() > BODY_PLANE_DEG:
        return None
    return View.AXIAL if away.argmin() == 2 else View.OTHER


def _from_body_deg(stack: RawStack) -> np.ndarray:
    """Angles between the plane's normal and the patient's three axes."""
    return np.degrees(np.arccos(np.clip(np.abs(stack.normal), 0, 1)))


def centre(stack: RawStack) -> np.ndarray:
    """Middle of a stack's pictures, LPS mm."""
    return np.mean([middle_of(one.frames[0]) for one in stack.slices], axis=0)


def long_axis(stacks: list[RawStack], named: list[View | None]) -> Axis:
    """From a short-axis stack, named ones first; else of an average heart."""
    away = [angle_deg(stack.normal, SHORT_AXIS) for stack in stacks]
    candidates = [
        (named[i] is View.SAX, len(stack.slices), -away[i], -i)
        for i, stack in enumerate(stacks)
        if len(stack.slices) >= SAX_LEAST_SLICES
        and named[i] in (None, View.SAX)
        and away[i] <= (FARTHEST_NAMED_DEG if named[i] is View.SAX else FARTHEST_DEG)
    ]
    if not candidates:
        return Axis(SHORT_AXIS, "an average heart")
    best = stacks[-max(candidates)[3]]
    normal = best.normal if best.normal @ SHORT_AXIS >= 0 else -best.normal
    ends = [float(middle_of(one.frames[0]) @ normal) for one in best.slices]
    return Axis(normal, f"{len(best.slices)} short-axis slices", (min(ends), max(ends)))
