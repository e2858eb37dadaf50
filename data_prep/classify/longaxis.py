"""Which long-axis plane is which: all of an exam are told apart at once, around the long axis.

Seen along the long axis every long-axis plane is a line; its direction names it, up to how far
this heart is turned, and the lines of one ventricle cross at one place.
"""

import dataclasses
import itertools

import numpy as np

from cmr_jax.schema import View
from data_prep.stacks.planes import angle_deg

VIEWS = (View.CH2, View.CH3, View.CH4)
# Normal of the two-chamber plane, mean of real patients (see geometry).  Directions around the axis
# count from it: halfway between the means of those patients (0, -59, -103) and planes laid through
# the segments that they should cut (22, -25, -99; AHA 2002, heart turned as in a measured exam).
TWO_CHAMBER = np.array([-0.505, -0.327, -0.010])
TURN_DEG = {View.CH2: 11.0, View.CH3: -42.0, View.CH4: -101.0}
# Spread of hearts around their axis, of planning by eye, and of a heart known by two names.
HEART_DEG, PLANNING_DEG, ANCHORED_DEG = 18.0, 9.0, 8.0
# Planes of one ventricle cross within this of one line; pictures are centred this well (mm).
CROSSING_MM, CENTRING_MM = 9.0, 40.0
# Costs in squared deviations: of a plane that is no view, and of a second plane of one view.
NO_VIEW_COST, TWICE_COST = 9.0, 5.0
# Stacks this near to one another show one plane.
SAME_PLANE_DEG, SAME_PLANE_MM = 5.0, 10.0
# A name this far from its direction is not believed: alone, and beside other names.
CLASH_ALONE_DEG, CLASH_DEG = 50.0, 35.0
# Names that only a heart turned further than this would explain are not believed either.
FARTHEST_TURN_DEG = 55.0
LEAST_TRUST = 0.7
MOST_AT_ONCE = 5


@dataclasses.dataclass(frozen=True)
class Plane:
    """A plane that contains the long axis: unit normal, middle of the picture, name in words."""

    normal: np.ndarray
    centre: np.ndarray
    named: View | None


@dataclasses.dataclass(frozen=True)
class Placed:
    """What planes say of one picture or stack; `clash`: they rule out the view that words name."""

    view: View
    trust: float
    why: str
    clash: bool


@dataclasses.dataclass
class _Group:
    """Planes that coincide, as a cine and the stills that copy it do."""

    members: list[int]
    azimuth_deg: float
    across: np.ndarray  # (2,) unit normal as seen along the axis
    middle: np.ndarray  # (2,) middle of the picture as seen along the axis, mm
    name: View | None  # what every named member agrees on


def assign(planes: list[Plane], axis: np.ndarray) -> list[Placed]:
    """One finding per plane, from the names of some and the directions of all."""
    groups = _groups(planes, axis)
    roll, anchors = _roll(groups)
    fixed = [
        (g, g.name)
        for g in groups
        if g.name is not None and g.name in VIEWS and not _clash(g, roll, anchors)
    ]
    unknown = [g for g in groups if g.name is None]
    results: dict[int, Placed] = {}
    for start in range(0, len(unknown), MOST_AT_ONCE):
        batch = unknown[start : start + MOST_AT_ONCE]
        likely = _most_likely(batch, fixed, roll, anchors)
        for group, found in zip(batch, likely, strict=True):
            results |= {i: _beside_names(found, planes[i].named) for i in group.members}
        sure = zip(batch, likely, strict=True)
        fixed += [(group, found.view) for group, found in sure if found.view in VIEWS]
    for group in groups:
        if group.name is not None:
            results |= _by_name(group, planes, roll, anchors)
    return [results[i] for i in range(len(planes))]


def _by_name(group: _Group, planes: list[Plane], roll: float, anchors: int) -> dict[int, Placed]:
    """Findings of a group that words name, for its unnamed members too."""
    assert group.name is not None
    clash = _clash(group, roll, anchors)
    if clash:
        why = f"{_off(group, group.name, roll):.0f} deg around the axis from {group.name.name}"
        return dict.fromkeys(group.members, Placed(View.OTHER, 0.3, why, True))
    found = Placed(group.name, 0.9, f"the plane of a stack named {group.name.name}", False)
    return dict.fromkeys(group.members, found)


def _beside_names(found: Placed, named: View | None) -> Placed:
    """One plane under two names: directions say which of them is right."""
    if named is None or named not in VIEWS:
        return found
    if named is found.view:
        return dataclasses.replace(found, trust=0.9)
    return Placed(View.OTHER, 0.3, f"one plane under two names, {found.why}", True)


def _off(group: _Group, view: View, roll: float) -> float:
    return abs(_wrap(group.azimuth_deg - TURN_DEG[view] - roll))


def _clash(group: _Group, roll: float, anchors: int) -> bool:
    if group.name is None or group.name not in VIEWS:
        return False
    return _off(group, group.name, roll) > (CLASH_DEG if anchors > 1 else CLASH_ALONE_DEG)


def _roll(groups: list[_Group]) -> tuple[float, int]:
    """How far this heart is turned, from planes with names: (degrees, distinct names)."""
    offs = {
        g.name: g.azimuth_deg - TURN_DEG[g.name]
        for g in groups
        if g.name is not None and g.name in VIEWS
    }
    if len(offs) < 2:
        return 0.0, len(offs)
    # Directions repeat after half a turn: average the doubled angles.
    mean = np.exp(2j * np.radians(list(offs.values()))).mean()
    roll = float(np.degrees(np.angle(mean)) / 2)
    return (roll if abs(roll) <= FARTHEST_TURN_DEG else 0.0), len(offs)


def _wrap(degrees):
    """To -90..90: a line has no sense of direction."""
    return (np.asarray(degrees) + 90) % 180 - 90


def _groups(planes: list[Plane], axis: np.ndarray) -> list[_Group]:
    first = TWO_CHAMBER - (TWO_CHAMBER @ axis) * axis
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    gathered: list[list[int]] = []
    for i, plane in enumerate(planes):
        home = next((g for g in gathered if _same(planes[g[0]], plane)), None)
        gathered.append([i]) if home is None else home.append(i)
    groups = []
    for members in gathered:
        plane = planes[members[0]]
        across = np.array([plane.normal @ first, plane.normal @ second])
        names = {planes[i].named for i in members} - {None}
        groups.append(
            _Group(
                members,
                float(np.degrees(np.arctan2(across[1], across[0]))),
                across / np.linalg.norm(across),
                np.array([plane.centre @ first, plane.centre @ second]),
                names.pop() if len(names) == 1 else None,
            )
        )
    return groups


def _same(a: Plane, b: Plane) -> bool:
    apart = abs((a.centre - b.centre) @ a.normal)
    return angle_deg(a.normal, b.normal) < SAME_PLANE_DEG and bool(apart < SAME_PLANE_MM)


def _most_likely(
    batch: list[_Group], fixed: list[tuple[_Group, View]], roll: float, anchors: int
) -> list[Placed]:
    """The likeliest view of each group, over every way to name the batch."""
    options = (View.OTHER, *VIEWS)
    ways = np.array(list(itertools.product(range(len(options)), repeat=len(batch))))
    settled = np.array([options.index(view) for _, view in fixed], int)
    ways = np.hstack([ways, np.tile(settled, (len(ways), 1))])
    groups = [*batch, *(group for group, _ in fixed)]
    heart = ANCHORED_DEG if anchors > 1 else HEART_DEG
    cost = _turning(groups, ways, roll, heart) + _crossing(groups, ways)
    for view in range(1, len(options)):
        cost += TWICE_COST * np.maximum((ways == view).sum(1) - 1, 0)
    weight = np.exp(-(cost - cost.min()) / 2)
    found = []
    for i in range(len(batch)):
        share = np.array([weight[ways[:, i] == o].sum() for o in range(len(options))])
        share /= share.sum()
        best = int(share.argmax())
        sure = best > 0 and share[best] >= LEAST_TRUST
        view = options[best] if sure else View.OTHER
        trust = round(min(float(share[best]), 0.95), 2) if sure else 0.5
        why = f"long axis, {options[best].name} in {100 * share[best]:.0f} of 100 ways"
        found.append(Placed(view, trust, why, False))
    return found


def _turning(groups: list[_Group], ways: np.ndarray, roll: float, heart: float) -> np.ndarray:
    """Squared deviations of the directions, with the likeliest turn of the heart."""
    azimuth = np.array([g.azimuth_deg for g in groups])[:, None] - roll
    off = _wrap(azimuth - np.array([0.0, *TURN_DEG.values()]))
    is_view = ways > 0
    off = np.where(is_view, np.take_along_axis(off.T, ways, axis=0), 0.0)
    count = is_view.sum(1)
    turn = off.sum(1) / (count + (PLANNING_DEG / heart) ** 2)
    left = np.where(is_view, off - turn[:, None], 0.0)
    squares = (left**2).sum(1) / PLANNING_DEG**2 + (turn / heart) ** 2
    return squares + NO_VIEW_COST * (~is_view).sum(1)


def _crossing(groups: list[_Group], ways: np.ndarray) -> np.ndarray:
    """Squared distances of the lines from the place where they cross best."""
    normals = np.array([g.across for g in groups])
    middles = np.array([g.middle for g in groups])
    offsets = ((middles - middles.mean(0)) * normals).sum(1)
    share = (ways > 0) / CROSSING_MM**2
    matrix = np.einsum("wg,gi,gj->wij", share, normals, normals) + np.eye(2) / CENTRING_MM**2
    place = np.linalg.solve(matrix, np.einsum("wg,gi,g->wi", share, normals, offsets)[..., None])
    miss = np.einsum("gi,wi->wg", normals, place[..., 0]) - offsets
    return (share * miss**2).sum(1) + (place[..., 0] ** 2).sum(1) / CENTRING_MM**2
