"""Scores of one finding beside what is so, of the exams of which that is known."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cmr_jax.evals.statistics.measures import Measure, among, auc, average_precision
from cmr_jax.evals.statistics.resamples import Resamples

# Patients with and without a finding, so that a number says something of it: to be tested on, and
# to learn from.
LEAST_TESTED, LEAST_LEARNED = 10, 5


class Answers(NamedTuple):
    """Of exams `rows`: higher scores say yes."""

    rows: Int[np.ndarray, " m"]
    positive: Bool[np.ndarray, " m"]
    score: Float[np.ndarray, " m"]

    @classmethod
    def of(cls, label: np.ndarray, score: np.ndarray) -> "Answers":
        """From a label of each exam, NaN where it is not known, and a score of each."""
        rows = np.flatnonzero(~np.isnan(label))
        return cls(rows, label[rows] > 0.5, np.asarray(score[rows], np.float64))

    def fewest(self, resamples: Resamples) -> int:
        """How many patients there are of the rarer class: exams of one are no news of others."""
        patient = self.patients(resamples)
        return min(len(np.unique(patient[side])) for side in (self.positive, ~self.positive))

    def auc(self) -> Measure:
        """Of all exams, as a measure."""
        return among(self.rows, auc(self.positive, self.score))

    def average_precision(self) -> Measure:
        """The same of average precision."""
        return among(self.rows, average_precision(self.positive, self.score))

    def patients(self, resamples: Resamples) -> Int[np.ndarray, " m"]:
        """Whose the exams are."""
        return resamples.patient[self.rows]
