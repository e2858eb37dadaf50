"""What is lost when a view, or a kind of picture, is not there: exams in practice lack some."""

import dataclasses
from typing import Any

import numpy as np

from cmr_jax.data.source import Exam
from cmr_jax.evals import retrieval
from cmr_jax.evals.answers import Answers
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate
from cmr_jax.evals.statistics.measures import Measure
from cmr_jax.schema import Sequence, View
from cmr_jax.types import Batch

LATE = (Sequence.LGE_MAG, Sequence.LGE_PSIR)


@dataclasses.dataclass(frozen=True)
class Without:
    """Takes frames of some views or sequences out of batches; an exam of nothing else stays whole,
    for there would be nothing to embed."""

    name: str
    views: tuple[View, ...] = ()
    sequences: tuple[Sequence, ...] = ()

    def taken(self, batch: Batch) -> np.ndarray:
        """Which frames go, (b, t)."""
        view, sequence = (
            np.asarray(x) for x in (batch.coordinates.view, batch.coordinates.sequence)
        )
        return np.isin(view, self.views) | np.isin(sequence, self.sequences)

    def __call__(self, batch: Batch) -> Batch:
        """The batch without them."""
        mask = np.asarray(batch.frame_mask)
        left = mask & ~self.taken(batch)
        return batch._replace(frame_mask=np.where(left.any(1, keepdims=True), left, mask))

    def has(self, exam: Exam) -> bool:
        """Whether an exam loses something, and keeps something."""
        goes = [s.view in self.views or s.sequence in self.sequences for s in exam.stacks]
        return any(goes) and not all(goes)


KINDS = (
    Without("short axis", views=(View.SAX,)),
    Without("4 chamber", views=(View.CH4,)),
    Without("2 chamber", views=(View.CH2,)),
    Without("3 chamber", views=(View.CH3,)),
    Without("late enhancement", sequences=LATE),
    Without("cines", sequences=(Sequence.CINE,)),
)


def present(exams: list[Exam]) -> dict[str, float]:
    """Share of exams that have each."""
    return {
        kind.name: float(
            np.mean(
                [
                    any(s.view in kind.views or s.sequence in kind.sequences for s in e.stacks)
                    for e in exams
                ]
            )
        )
        for kind in KINDS
    }


def evaluate(
    whole: Cohort,
    without: dict[str, Cohort],
    scores: dict[str, dict[str, np.ndarray]],
    findings: list[str],
) -> dict[str, Any]:
    """By how much mean AUC, that of each finding, and recall at 10 fall; `scores` has those of the
    whole exams under ""."""
    return {
        name: _fall(whole, cut, scores[""], scores[name], findings) for name, cut in without.items()
    }


def _fall(whole: Cohort, cut: Cohort, before, after, findings: list[str]) -> dict[str, Any]:
    def aucs(score: dict[str, np.ndarray]) -> dict[str, Measure]:
        return {f: Answers.of(whole.labels.findings[f], score[f]).auc() for f in findings}

    block: dict[str, Any] = {}
    if findings:
        first, second = aucs(before), aucs(after)
        falls = {f: measures.difference(first[f], second[f]) for f in findings}
        block["mean_auc"] = _estimate(measures.mean_of(falls.values()), whole)
        block["findings"] = {f: whole.resamples.everyone(fall) for f, fall in falls.items()}
    if len(rows := whole.paired):
        hits = [_found(cohort, rows) for cohort in (whole, cut)]
        fall = measures.among(rows, measures.mean(hits[0] - hits[1]))
        block["recall_at_10"] = _estimate(fall, whole)
    return block


def _found(cohort: Cohort, rows: np.ndarray) -> np.ndarray:
    similarity = cohort.text[rows] @ cohort.video[rows].T
    return retrieval.measured(similarity, np.eye(len(rows), dtype=bool))["R@10"]


def _estimate(fall: Measure, cohort: Cohort) -> dict[str, Any]:
    return estimate(fall, cohort.resamples).to_json(chance=0.0)
