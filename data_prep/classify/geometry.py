"""The view of a stack from its plane alone.

Mean normals of planned views in LPS come from a public script over about 20 real patients
(recorded with their spread in the project's preparation notes); a normal's sign means nothing.
"""

import numpy as np

from cmr_jax.schema import View
from data_prep.exam.planes import angle_deg
from data_prep.exam.stacks import RawStack

PROTOTYPES = {
    View.SAX: np.array([-0.618, 0.629, 0.415]),
    View.CH2: np.array([-0.505, -0.327, -0.010]),
    View.CH4: np.array([0.020, -0.339, 0.613]),
    View.CH3: np.array([0.337, 0.021, 0.491]),
}
PROTOTYPES = {view: normal / np.linalg.norm(normal) for view, normal in PROTOTYPES.items()}
# Hearts differ by about 13 degrees and planning adds 5 to 10: beyond this a plane is not that view.
FARTHEST_DEG = 35.0
# A patient axis this close is a plane of the body, not of the heart.
BODY_PLANE_DEG = 10.0
SAX_LEAST_SLICES = 3


def view_of(stack: RawStack) -> tuple[View, float, str]:
    """(view, confidence 0..1, evidence).  A stack of many slices is SAX or nothing."""
    angles = {view: angle_deg(stack.normal, normal) for view, normal in PROTOTYPES.items()}
    ranked = sorted(angles, key=lambda view: angles[view])
    best, second = ranked[:2]
    said = (
        f"normal {angles[best]:.0f} deg from {best.name}, {angles[second]:.0f} from {second.name}"
    )
    body = np.degrees(np.arccos(np.clip(np.abs(stack.normal), 0, 1)))
    if body.min() < BODY_PLANE_DEG:
        return (View.AXIAL if body.argmin() == 2 else View.OTHER), 0.7, "plane of the body"
    if len(stack.slices) >= SAX_LEAST_SLICES:
        if angles[View.SAX] <= FARTHEST_DEG:
            return View.SAX, 0.9, f"{len(stack.slices)} parallel slices, {said}"
        return View.OTHER, 0.5, f"{len(stack.slices)} parallel slices, {said}"
    if angles[best] > FARTHEST_DEG:
        return View.OTHER, 0.5, said
    margin = min((angles[second] - angles[best]) / 30, 1.0)
    return best, 0.5 + 0.4 * margin, said


def contradicts(stack: RawStack, view: View) -> bool:
    """Whether a named view cannot be this plane: short for long axis, or the reverse."""
    if view not in PROTOTYPES:
        return False
    to_short = angle_deg(stack.normal, PROTOTYPES[View.SAX])
    return to_short > 65 if view is View.SAX else to_short < 25
