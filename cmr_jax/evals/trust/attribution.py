"""Which pictures carried a finding, and whether that is so.

A piece of an exam is what one slice of one stack shows, all its moments: neighbouring moments look
alike, and one alone is not missed.  What a piece carries is the score that goes with it (occlusion,
Zeiler 2014).  The check is deletion (Petsiuk 2018, arXiv:1806.07421): taking the leading pieces away
must cost more than taking as many frames at random.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate
from cmr_jax.schema import Sequence, View
from cmr_jax.types import Batch

EXAMS = 8  # of each finding: those that have it and score highest
DELETED = 1 / 3  # of the frames
RANDOM = 4  # random deletions of each exam
Scores = Callable[[np.ndarray], dict[str, np.ndarray]]
EmbedBatch = Callable[[Batch], np.ndarray]


class Pieces(NamedTuple):
    """The pieces of one exam of a batch."""

    of_frame: np.ndarray  # t: which piece, -1 where there is no frame
    names: list[tuple[View, Sequence]]

    @classmethod
    def of(cls, exam: Batch) -> "Pieces":
        """Of a batch of one exam."""
        c, mask = exam.coordinates, np.asarray(exam.frame_mask)[0]
        key = np.stack([np.asarray(x, np.float64)[0] for x in (c.stack, c.slice_mm)], 1)
        real = np.flatnonzero(mask)
        _, first, piece = np.unique(key[real], axis=0, return_index=True, return_inverse=True)
        of_frame = np.full(len(mask), -1)
        of_frame[real] = piece.ravel()
        at = real[first]
        views, sequences = (np.asarray(x)[0, at] for x in (c.view, c.sequence))
        names = [(View(v), Sequence(s)) for v, s in zip(views, sequences, strict=True)]
        return cls(of_frame, names)


class Carried(NamedTuple):
    """What the pieces of one exam carry of every question, and what deleting some of them does."""

    row: int
    pieces: Pieces
    whole: dict[str, float]
    of_piece: dict[str, np.ndarray]  # score lost without each


def carried(
    rows: list[int], exams: Iterator[Batch], embed: EmbedBatch, scores: Scores
) -> list[Carried]:
    """By leaving out each piece in turn; `exams` are batches of one exam each, in that order."""
    found = []
    for row, exam in zip(rows, exams, strict=True):
        pieces = Pieces.of(exam)
        masks = [pieces.of_frame >= 0]
        masks += [masks[0] & (pieces.of_frame != p) for p in range(len(pieces.names))]
        score = scores(_masked(exam, masks, embed))
        whole = {f: float(s[0]) for f, s in score.items()}
        found.append(Carried(row, pieces, whole, {f: s[0] - s[1:] for f, s in score.items()}))
    return found


def falls(
    one: Carried, exam: Batch, finding: str, embed: EmbedBatch, scores: Scores, seed: int
) -> tuple[float, float]:
    """Score lost without the leading pieces, and mean score lost without random ones."""
    rng = np.random.default_rng([seed, one.row])
    lead = np.argsort(-one.of_piece[finding], kind="stable")
    orders = [lead, *(rng.permutation(len(lead)) for _ in range(RANDOM))]
    score = scores(_masked(exam, [_deleted(one.pieces, order) for order in orders], embed))
    lost = one.whole[finding] - score[finding]
    return float(lost[0]), float(lost[1:].mean())


def evaluate(
    cohort: Cohort, chosen: dict[str, list[int]], carried: dict[int, Carried], lost: dict
) -> dict[str, Any]:
    """Of every finding: what share of the score each kind of picture carries in the exams `chosen`,
    and by how much deleting leading pieces costs more than deleting at random."""
    blocks = {}
    for finding, rows in chosen.items():
        by_kind: dict[str, float] = {}
        for row in rows:
            one = carried[row]
            gain = np.maximum(one.of_piece[finding], 0)
            for (view, sequence), value in zip(one.pieces.names, gain, strict=True):
                kind = f"{view.name} {'cine' if sequence is Sequence.CINE else 'late enhancement'}"
                by_kind[kind] = by_kind.get(kind, 0.0) + float(value / max(gain.sum(), 1e-12))
        top, chance = (np.array([lost[finding, row][i] for row in rows]) for i in (0, 1))
        resamples = cohort.resamples.of(np.array(rows))
        blocks[finding] = {
            "n": len(rows),
            "by_kind": {k: v / len(rows) for k, v in sorted(by_kind.items())},
            "lost_without_leading": float(top.mean()),
            "lost_at_random": float(chance.mean()),
            "more": estimate(measures.mean(top - chance), resamples).to_json(chance=0.0),
        }
    return blocks


def choose(cohort: Cohort, scores: dict[str, np.ndarray], findings: list[str]) -> dict:
    """Rows of the exams to look at, for each finding."""
    chosen = {}
    for finding in findings:
        have = np.flatnonzero(cohort.labels.findings[finding] == 1)
        best = have[np.argsort(-scores[finding][have], kind="stable")[:EXAMS]]
        chosen[finding] = best.tolist()
    return chosen


def _deleted(pieces: Pieces, order: np.ndarray) -> np.ndarray:
    """The frames that are left when pieces go in that order, until a third of the frames is gone."""
    real = pieces.of_frame >= 0
    left, goal = real.copy(), np.ceil(real.sum() * (1 - DELETED))
    for piece in order[:-1]:  # one stays, whatever its size
        if left.sum() <= goal:
            break
        left &= pieces.of_frame != piece
    return left


def _masked(exam: Batch, masks: list[np.ndarray], embed: EmbedBatch) -> np.ndarray:
    """Embeddings of one exam behind each mask."""
    copies = jax.tree.map(lambda x: np.repeat(np.asarray(x), len(masks), 0), exam)
    return embed(copies._replace(frame_mask=np.stack(masks)))
