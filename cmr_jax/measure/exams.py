"""The short-axis cine of a prepared exam as one array."""

from typing import NamedTuple

import numpy as np

from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.schema import Stack, View


class Cine(NamedTuple):
    """`p s h w` stored grey values, and where they lie."""

    video: np.ndarray
    phases: np.ndarray  # p, position in the cardiac cycle
    slice_mm: np.ndarray  # s, base positive
    spacing_mm: float
    flags: tuple[str, ...]  # of the stack, as the preparation gave them


def short_axis_cine(source: ExamSource, exam: Exam) -> Cine:
    """The short-axis cine of most slices; a ValueError says why there is none."""
    found = [s for s in exam.stacks if s.view is View.SAX and s.is_cine]
    if not found:
        there = sorted({f"{s.view.name} {s.sequence.name}" for s in exam.stacks})
        raise ValueError(
            f"no short-axis cine in this exam; it has {', '.join(there) or 'no stacks'}."
        )
    stack = max(found, key=lambda s: (len(s.slice_mm), max(map(len, s.phases)), s.confidence))
    slices = [source.frames(stack, i, exam.exam_id) for i in range(len(stack.slice_mm))]
    phases = _common(stack)
    video = np.stack(
        [v[_nearest(np.array(at), phases)] for v, at in zip(slices, stack.phases, strict=True)], 1
    )
    return Cine(video, phases, np.array(stack.slice_mm), stack.spacing_mm, stack.flags)


def _common(stack: Stack) -> np.ndarray:
    """The phases of a slice of the most usual number of them."""
    counts = [len(p) for p in stack.phases]
    usual = max(set(counts), key=lambda n: (counts.count(n), n))
    return np.array(stack.phases[counts.index(usual)])


def _nearest(have: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """For each wanted phase the nearest there is; the cycle is closed."""
    away = np.abs(have[None] - wanted[:, None])
    return np.minimum(away, 1 - away).argmin(1)
