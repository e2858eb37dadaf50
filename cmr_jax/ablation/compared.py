"""Two arms on the same exams: what each is worth, and how sure the difference is.

A number of an arm is the mean over its seeds; intervals are over patients, who are drawn alike for
both arms (BCa), with the seeds as they are: how much seeds differ is told beside.
"""

import dataclasses
from typing import Any

import numpy as np
from scipy import stats

from cmr_jax.ablation.store import KINDS, LABEL, PLACE, ZERO_SHOT, Columns, Scored
from cmr_jax.evals import compare, retrieval
from cmr_jax.evals.answers import LEAST_TESTED, Answers
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import LEVEL, estimate
from cmr_jax.evals.statistics.measures import Measure
from cmr_jax.evals.statistics.resamples import Resamples

FIRST = 10  # of R@10


@dataclasses.dataclass(frozen=True)
class Exams:
    """Some of the exams of a study: of one data set, perhaps the complete ones alone."""

    columns: Columns
    rows: np.ndarray
    resamples: Resamples

    @classmethod
    def of(cls, columns: Columns, data: str, draws: int, complete: bool = False) -> "Exams":
        """`data` is val, test, or an external name."""
        chosen = columns["data"] == data
        if complete:
            chosen &= columns["complete"]
        rows = np.flatnonzero(chosen)
        _, patient = np.unique(columns["patient_id"][rows], return_inverse=True)
        return cls(columns, rows, Resamples(patient, draws, 0))

    def aucs(self, runs: list[Scored], kind: str) -> dict[str, Measure]:
        """Of each finding that enough patients have and have not: the mean over runs."""
        found = {}
        for column in (c for c in self.columns if c.startswith(LABEL)):
            name = column.removeprefix(LABEL)
            label = self.columns[column][self.rows]
            scores = [run.columns.get(f"{kind}_{name}") for run in runs]
            if any(s is None for s in scores):
                continue
            answers = [Answers.of(label, s[self.rows]) for s in scores if s is not None]
            if answers and answers[0].fewest(self.resamples) >= LEAST_TESTED:
                found[name] = measures.mean_of([a.auc() for a in answers])
        return found

    def recall(self, runs: list[Scored], way: str) -> Measure | None:
        """At ten, where whoever reads alike is right; None where no run was asked."""
        places = [run.columns.get(PLACE + way) for run in runs]
        if not places or any(p is None for p in places):
            return None
        hits = [np.asarray(p)[self.rows] < FIRST for p in places]
        return measures.mean_of([measures.mean(h) for h in hits])


def worth(exams: Exams, runs: list[Scored]) -> dict[str, Any]:
    """What an arm's runs are worth: mean AUC by kind of question, recall both ways, and how far
    apart its seeds are."""
    block: dict[str, Any] = {"n_patients": len(np.unique(exams.resamples.patient))}
    for kind in KINDS:
        if aucs := exams.aucs(runs, kind):
            mean = measures.mean_of(aucs.values())
            block[kind] = estimate(mean, exams.resamples).to_json(
                seeds=[_mean(exams, [run], kind) for run in runs],
                findings={n: exams.resamples.everyone(a) for n, a in aucs.items()},
            )
    for way in retrieval.WAYS:
        if (recall := exams.recall(runs, way)) is not None:
            block[f"recall_{way}"] = estimate(recall, exams.resamples).to_json()
    return block


def _mean(exams: Exams, runs: list[Scored], kind: str) -> float:
    return exams.resamples.everyone(measures.mean_of(exams.aucs(runs, kind).values()))


def compared(exams: Exams, first: list[Scored], second: list[Scored]) -> dict[str, Any]:
    """`second` less `first`, by kind of question and by finding; Holm's p over findings."""
    block: dict[str, Any] = {}
    for kind in KINDS:
        a, b = (exams.aucs(runs, kind) for runs in (first, second))
        if not (shared := [name for name in a if name in b]):
            continue
        means = [measures.mean_of(side[n] for n in shared) for side in (a, b)]
        block[kind] = compare.pair(exams.resamples, *means)
        if kind == ZERO_SHOT:
            block[kind]["findings"] = _findings(exams, a, b, shared)
    for way in retrieval.WAYS:
        a, b = (exams.recall(runs, way) for runs in (first, second))
        if a is not None and b is not None:
            block[f"recall_{way}"] = compare.pair(exams.resamples, a, b)
    return block


def _findings(exams: Exams, a: dict, b: dict, names: list[str]) -> dict[str, Any]:
    found = {name: compare.pair(exams.resamples, a[name], b[name]) for name in names}
    p = [_surprise(measures.difference(b[n], a[n]), exams.resamples) for n in names]
    for block, adjusted in zip(found.values(), compare.holm(p), strict=True):
        block["p_holm"] = adjusted
        if not adjusted < 1 - LEVEL:
            block["verdict"] = compare.NOT_SHOWN
    return found


def _surprise(apart: Measure, resamples: Resamples) -> float:
    """Two-sided, by how much draws vary: of a mean over seeds there is no formula."""
    drawn = resamples.drawn(apart)
    spread = float(np.nanstd(drawn))
    value = resamples.everyone(apart)
    return float(2 * stats.norm.sf(abs(value) / spread)) if spread else float("nan")
