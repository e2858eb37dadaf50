"""Which patients count how often: everyone once, drawn with replacement, or all but some.

Exams of one patient go together.  Intervals over exams alone would be too narrow.
"""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from cmr_jax.evals.statistics.measures import Measure, Weights

DRAWS = 2000
AT_ONCE = 1 << 24  # weights in memory
FOLDS = 500  # of a jackknife: with more patients, several are left out together


@dataclasses.dataclass(frozen=True)
class Resamples:
    """Resamples of the patients that these exams are of; the same ones for every measure."""

    patient: Int[np.ndarray, " n"]  # a number for each exam
    draws: int = DRAWS
    seed: int = 0

    def everyone(self, measure: Measure) -> float:
        """The value itself."""
        return float(measure(np.ones((1, len(self.patient))))[0])

    def drawn(self, measure: Measure) -> np.ndarray:
        """(draws,) of patients drawn with replacement, as many as there are."""
        return np.concatenate([measure(w) for w in self._drawn()])

    def jackknifed(self, measure: Measure) -> np.ndarray:
        """(patients,) without each patient; of many patients, without each of 500 groups."""
        return np.concatenate([measure(w) for w in self._left_out()])

    def of(self, rows: Int[np.ndarray, " m"]) -> "Resamples":
        """Of some of the exams alone: the patients that they are of."""
        return dataclasses.replace(self, patient=self.patient[rows])

    def _drawn(self) -> Iterator[Weights]:
        rng = np.random.default_rng(self.seed)
        names, place = np.unique(self.patient, return_inverse=True)
        step = max(1, AT_ONCE // len(place))
        for first in range(0, self.draws, step):
            size = min(step, self.draws - first)
            picks = rng.integers(len(names), size=(size, len(names)))
            picks += len(names) * np.arange(size)[:, None]
            counts = np.bincount(picks.ravel(), minlength=size * len(names))
            yield counts.reshape(size, -1)[:, place].astype(float)

    def _left_out(self) -> Iterator[Weights]:
        names, place = np.unique(self.patient, return_inverse=True)
        folds = min(len(names), FOLDS)
        fold = np.random.default_rng(self.seed).permutation(len(names))[place] % folds
        step = max(1, AT_ONCE // len(place))
        for first in range(0, folds, step):
            yield (fold != np.arange(first, min(first + step, folds))[:, None]).astype(float)


@dataclasses.dataclass(frozen=True)
class Kept(Resamples):
    """The same resamples, drawn once, for measures that are asked for again and again."""

    def once(self, measure: Measure) -> Measure:
        """The measure, computed here and now: it knows its values over these resamples alone."""
        weights = (self._everyone, *self._draws, *self._folds)
        known = {id(w): measure(w) for w in weights}
        return lambda w: known[id(w)]

    def everyone(self, measure: Measure) -> float:
        """The value itself."""
        return float(measure(self._everyone)[0])

    @functools.cached_property
    def _everyone(self) -> Weights:
        return np.ones((1, len(self.patient)))

    @functools.cached_property
    def _draws(self) -> list[Weights]:
        return list(super()._drawn())

    @functools.cached_property
    def _folds(self) -> list[Weights]:
        return list(super()._left_out())

    def _drawn(self) -> Iterator[Weights]:
        return iter(self._draws)

    def _left_out(self) -> Iterator[Weights]:
        return iter(self._folds)
