"""What is lost when a view, or a kind of picture, is not there: exams in practice lack some."""

import dataclasses
from typing import Any

import numpy as np

from cmr_jax.data.source import Exam
from cmr_jax.evals import ordering
from cmr_jax.evals.answers import Answers
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate
from cmr_jax.evals.statistics.measures import Measure
from cmr_jax.schema import Sequence, View
from cmr_jax.types import Batch

AT_ONCE = 1000  # queries
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
    """By how much mean AUC, that of each finding, and recall at 10 fall, among the exams that lose
    something; `scores` has those of the whole exams under ""."""
    rows = whole.paired
    found = np.full(len(whole), np.nan)
    found[rows] = _found(whole, rows)
    kinds = {kind.name: kind for kind in KINDS}
    blocks = {}
    for name, cut in without.items():
        loses = np.array([kinds[name].has(exam) for exam in whole.exams])
        blocks[name] = {"n": int(loses.sum())}
        blocks[name] |= _aucs(whole, loses, scores[""], scores[name], findings)
        if (asked := loses & np.isfinite(found)).any():
            after = np.full(len(whole), np.nan)
            after[rows] = _found(cut, rows)
            fall = measures.mean((found - after)[asked])
            blocks[name]["recall_at_10"] = _estimate(
                measures.among(np.flatnonzero(asked), fall), whole
            )
    return blocks


def _aucs(whole: Cohort, loses: np.ndarray, before, after, findings: list[str]) -> dict[str, Any]:
    def auc(finding: str, score: dict[str, np.ndarray]) -> Measure:
        label = np.where(loses, whole.labels.findings[finding], np.nan)
        return Answers.of(label, score[finding]).auc()

    falls = {f: measures.difference(auc(f, before), auc(f, after)) for f in findings}
    if not falls:
        return {}
    return {
        "mean_auc": _estimate(measures.mean_of(falls.values()), whole),
        "findings": {f: whole.resamples.everyone(fall) for f, fall in falls.items()},
    }


def _found(cohort: Cohort, rows: np.ndarray) -> np.ndarray:
    """For each report of these exams, whether it finds its own among the first ten."""
    found = []
    for first in range(0, len(rows), AT_ONCE):
        queries = rows[first : first + AT_ONCE]
        similarity = cohort.text[queries] @ cohort.video[rows].T
        right = queries[:, None] == rows[None]
        found.append(ordering.first_hit(similarity, right).within(10))
    return np.concatenate([*found, np.zeros(0)])


def _estimate(fall: Measure, cohort: Cohort) -> dict[str, Any]:
    return estimate(fall, cohort.resamples).to_json(chance=0.0)
