"""Which slices of an exam carried its score, by leaving out each in turn."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from cmr_jax import metrics
from cmr_jax.data.sites import Some
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.embedding import Model
from cmr_jax.evals.trust import attribution
from cmr_jax.evals.trust.attribution import Pieces

NAMED = 3  # slices of an exam


class Evidence(NamedTuple):
    """One slice of a stack, and what of the score goes with it."""

    stack: int  # of the exam's, in their order
    slice: int
    lost: float


def of(
    model: Model, source: ExamSource, row: int, direction: Float[np.ndarray, " e"]
) -> list[Evidence]:
    """Of the slices that the model looks at, the one that carries most first."""
    batch, _ = next(iter(model.batches(Some(source, [row]))))
    exam = jax.tree.map(lambda x: np.asarray(x)[:1], batch)
    (found,) = attribution.carried(
        [row], iter([exam]), model.clips, lambda v: {"": metrics.normalise(v) @ direction}
    )
    places = _places(source[row], found.pieces, np.asarray(exam.coordinates.slice_mm)[0])
    pairs = zip(places, found.of_piece[""], strict=True)
    listed = [Evidence(*place, float(lost)) for place, lost in pairs]
    return sorted(listed, key=lambda one: -one.lost)


def strongest(exam: Exam, found: list[Evidence]) -> list[dict[str, Any]]:
    """The first few that carry something, as people name slices."""
    told = []
    for one in found[:NAMED]:
        stack = exam.stacks[one.stack]
        told.append(
            {
                "view": stack.view.name,
                "sequence": stack.sequence.name,
                "slice": one.slice + 1,
                "slices": len(stack.slice_mm),
                "slice_mm": stack.slice_mm[one.slice],
                "lost": one.lost,
            }
        )
    return [one for one in told if one["lost"] > 0]


def _places(exam: Exam, pieces: Pieces, slice_mm: np.ndarray) -> list[tuple[int, int]]:
    """Stack and slice of each piece: of stacks alike, the surest has such a slice."""
    found = []
    for piece, kind in enumerate(pieces.names):
        mm = slice_mm[np.argmax(pieces.of_frame == piece)]
        stacks = [i for i, s in enumerate(exam.stacks) if (s.view, s.sequence) == kind]
        off = {i: np.abs(np.asarray(exam.stacks[i].slice_mm) - mm) for i in stacks}
        best = min(stacks, key=lambda i: (off[i].min() > 1e-3, -exam.stacks[i].confidence))
        found.append((best, int(off[best].argmin())))
    return found
