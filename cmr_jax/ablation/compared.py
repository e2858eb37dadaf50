"""Two arms on the same exams: what each is worth, and how sure the difference is.

A number of an arm is the mean over its seeds; intervals are over patients, who are drawn alike for
both arms (BCa), with the seeds as they are: how much seeds differ is told beside.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from cmr_jax.ablation.store import HELD_OUT, KINDS, LABEL, PLACE, ZERO_SHOT, Columns, Scored
from cmr_jax.evals import compare, retrieval
from cmr_jax.evals.answers import LEAST_TESTED, Answers
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import LEVEL, estimate
from cmr_jax.evals.statistics.measures import Measure
from cmr_jax.evals.statistics.resamples import Kept

FIRST = 10  # of R@10


@dataclasses.dataclass(frozen=True)
class Exams:
    """Some of the exams of a study: of one data set, perhaps the complete ones alone."""

    columns: Columns
    rows: np.ndarray
    resamples: Kept

    @classmethod
    def of(cls, columns: Columns, data: str, draws: int, complete: bool = False) -> "Exams":
        """`data` is val, test, or an external name."""
        chosen = columns["data"] == data
        if complete:
            chosen &= columns["complete"]
        rows = np.flatnonzero(chosen)
        _, patient = np.unique(columns["patient_id"][rows], return_inverse=True)
        return cls(columns, rows, Kept(patient, draws, 0))


@dataclasses.dataclass(frozen=True)
class Measured:
    """What runs of one arm measure on some exams, each as the mean over them."""

    exams: Exams
    runs: list[Scored]
    aucs: dict[str, dict[str, Measure]]  # by kind of question, then by finding
    recalls: dict[str, Measure]  # at ten, by way, where whoever reads alike is right

    @classmethod
    def of(cls, exams: Exams, runs: list[Scored]) -> "Measured":
        """Of what every one of the runs was asked, and enough patients have and have not."""
        aucs = {kind: found for kind in KINDS if (found := _aucs(exams, runs, kind))}
        recalls = {}
        for way in retrieval.WAYS:
            if places := _of_all(runs, PLACE + way):
                hits = [place[exams.rows] < FIRST for place in places]
                recalls[way] = exams.resamples.once(measures.mean_of(map(measures.mean, hits)))
        return cls(exams, runs, aucs, recalls)

    def worth(self) -> dict[str, Any]:
        """Mean AUC by kind of question, recall both ways, how far apart the seeds are, and what is
        lost where questions are put in other words."""
        everyone = self.exams.resamples.everyone
        block: dict[str, Any] = {"n_patients": len(np.unique(self.exams.resamples.patient))}
        for kind, aucs in self.aucs.items():
            found = estimate(measures.mean_of(aucs.values()), self.exams.resamples)
            block[kind] = found.to_json(
                seeds=[_seed(self.exams, run, kind) for run in self.runs],
                findings={n: everyone(a) for n, a in aucs.items()},
            )
        for way, recall in self.recalls.items():
            block[f"recall_{way}"] = estimate(recall, self.exams.resamples).to_json()
        if HELD_OUT in self.aucs:
            block["rewording"] = self._pair(self.aucs[ZERO_SHOT], self.aucs[HELD_OUT])
        return block

    def beside(self, other: "Measured") -> dict[str, Any]:
        """This less the other, by kind of question and by finding; Holm's p over findings."""
        block: dict[str, Any] = {}
        for kind in KINDS:
            a, b = other.aucs.get(kind, {}), self.aucs.get(kind, {})
            if a.keys() & b.keys():
                block[kind] = self._pair(a, b)
        if ZERO_SHOT in block:
            block[ZERO_SHOT]["findings"] = self._findings(
                other.aucs[ZERO_SHOT], self.aucs[ZERO_SHOT]
            )
        for way, recall in self.recalls.items():
            if way in other.recalls:
                pair = compare.pair(self.exams.resamples, other.recalls[way], recall)
                block[f"recall_{way}"] = pair
        return block

    def _pair(self, a: dict[str, Measure], b: dict[str, Measure]) -> dict[str, Any]:
        """Means over the findings that both have."""
        shared = [name for name in a if name in b]
        means = [measures.mean_of(side[n] for n in shared) for side in (a, b)]
        return compare.pair(self.exams.resamples, *means)

    def _findings(self, a: dict[str, Measure], b: dict[str, Measure]) -> dict[str, Any]:
        resamples = self.exams.resamples
        found = {name: compare.pair(resamples, a[name], b[name]) for name in a if name in b}
        p = [_surprise(measures.difference(b[n], a[n]), resamples) for n in found]
        for block, adjusted in zip(found.values(), compare.holm(p), strict=True):
            block["p_holm"] = adjusted
            if not adjusted < 1 - LEVEL:
                block["verdict"] = compare.NOT_SHOWN
        return found


def _aucs(exams: Exams, runs: list[Scored], kind: str) -> dict[str, Measure]:
    """Of each finding, computed once."""
    found = {}
    for name, answers, scores in _asked(exams, runs, kind):
        auc = measures.auc_of_several(answers.positive, scores)
        found[name] = exams.resamples.once(measures.among(answers.rows, auc))
    return found


def _seed(exams: Exams, run: Scored, kind: str) -> float:
    """The mean over findings of one run alone."""
    several = [answers.auc() for _, answers, _ in _asked(exams, [run], kind)]
    return exams.resamples.everyone(measures.mean_of(several))


def _asked(
    exams: Exams, runs: list[Scored], kind: str
) -> Iterator[tuple[str, Answers, Float[np.ndarray, "k m"]]]:
    """Each finding that enough patients have and have not, what is so with the answers of the first
    run, and the answers of all."""
    for column in (c for c in exams.columns if c.startswith(LABEL)):
        name = column.removeprefix(LABEL)
        if scores := _of_all(runs, f"{kind}_{name}"):
            known = np.stack([score[exams.rows] for score in scores]).astype(np.float64)
            answers = Answers.of(exams.columns[column][exams.rows], known[0])
            if answers.fewest(exams.resamples) >= LEAST_TESTED:
                yield name, answers, known[:, answers.rows]


def _of_all(runs: list[Scored], column: str) -> list[np.ndarray]:
    """A column of every run; nothing where one has none."""
    found = [run.columns[column] for run in runs if column in run.columns]
    return found if len(found) == len(runs) else []


def _surprise(apart: Measure, resamples: Kept) -> float:
    """Two-sided, by how much draws vary: of a mean over seeds there is no formula."""
    drawn = resamples.drawn(apart)
    spread = float(np.nanstd(drawn))
    value = resamples.everyone(apart)
    return float(2 * stats.norm.sf(abs(value) / spread)) if spread else float("nan")
