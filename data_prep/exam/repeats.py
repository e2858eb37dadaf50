"""Stacks that were scanned more than once: the best stays, the others are counted.

Best is the most complete, then the one that is not a test, then the latest: an operator repeats
what was not good enough.
"""

import re

import numpy as np

from cmr_jax.schema import Sequence, View
from data_prep.classify.decision import Decision
from data_prep.read.reject import Reject, Why
from data_prep.stacks.grouping import SAME_BEAT
from data_prep.stacks.ordering import latest_last
from data_prep.stacks.planes import angle_deg
from data_prep.stacks.stack import RawStack

# Sequences of which a second one in the same plane replaces the first.  Perfusion (rest, stress),
# maps (before and after contrast) and flow (other velocities) are scanned twice on purpose.
ONCE = frozenset((Sequence.CINE, Sequence.LGE_MAG, Sequence.LGE_PSIR, Sequence.T2W))
SAME_PLANE_DEG = 3.0
SAME_PLANE_MM = 4.0
SAME_RESOLUTION = 0.1
TEST = re.compile(r"(?i)(?:^|[^a-z])(?:test|scout|trial|bad)(?:[^a-z]|$)")


def best_of_each(
    stacks: list[RawStack], decisions: list[Decision]
) -> tuple[list[tuple[RawStack, Decision]], list[Reject]]:
    """Stacks with their decisions, one of each scan, in the order given."""
    kept: list[int] = []
    rejects: list[Reject] = []
    for i in sorted(range(len(stacks)), key=lambda i: _merit(stacks[i]), reverse=True):
        if any(_again(stacks[i], decisions[i], stacks[k], decisions[k]) for k in kept):
            rejects += [Reject(Why.REPEAT, f.where) for one in stacks[i].slices for f in one.frames]
        else:
            kept.append(i)
    return [(stacks[i], decisions[i]) for i in sorted(kept)], rejects


def _merit(stack: RawStack) -> tuple:
    text = stack.first.text
    return (
        not TEST.search(text.get("SeriesDescription", "")),
        "gap between slices" not in stack.flags and "unequal phases" not in stack.flags,
        len(stack.slices),
        stack.phase_count,
        max(latest_last(f)[:3] for one in stack.slices for f in one.frames),
        text["SeriesInstanceUID"],
        stack.first.where,
    )


def _again(a: RawStack, of_a: Decision, b: RawStack, of_b: Decision) -> bool:
    """Whether two stacks are the same scan of the same place."""
    if of_a.sequence is not of_b.sequence or of_a.sequence not in ONCE:
        return False
    if of_a.view is not of_b.view or (a.phase_count > 1) != (b.phase_count > 1):
        return False
    if angle_deg(a.normal, b.normal) > SAME_PLANE_DEG or not _alike(a, b):
        return False
    if max(a.rr_ms, b.rr_ms) > SAME_BEAT * min(a.rr_ms, b.rr_ms) and a.phase_count > 1:
        return False  # rest and stress
    there = np.array([one.position_mm for one in b.slices])
    sign = 1.0 if a.normal @ b.normal > 0 else -1.0
    near = [np.abs(there - sign * one.position_mm).min() <= SAME_PLANE_MM for one in a.slices]
    # A stack and single slices of it are two scans in the eyes of whoever planned them.
    share = min(len(a.slices), len(b.slices)) / max(len(a.slices), len(b.slices))
    return bool(np.mean(near) > 0.5) and share > 0.5 and of_a.view is not View.OTHER


def _alike(a: RawStack, b: RawStack) -> bool:
    """Alike in resolution and in what kind of image they hold."""
    apart = abs(a.first.spacing_mm[0] / b.first.spacing_mm[0] - 1)
    return apart <= SAME_RESOLUTION and _component(a) == _component(b)


def _component(stack: RawStack) -> tuple[str, ...]:
    return tuple(stack.first.text.get("ImageType", "").upper().split("\\")[2:3])
