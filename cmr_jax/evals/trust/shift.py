"""Is this an exam like those that were learned from?  Mahalanobis distance of its embedding
(Lee 2018, arXiv:1807.03888) from training exams, their covariance shrunk (Ledoit 2004)."""

from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.covariance import LedoitWolf

from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate, share
from cmr_jax.evals.statistics.resamples import Resamples

UNUSUAL = 0.05  # of exams like the known ones are at least so far away
LEAST = round(1 / UNUSUAL) - 1  # such exams: with fewer, none could be called unusual


class Nearness:
    """How far from exams that were learned from, beside exams like them that were not."""

    def __init__(self, learned: Float[np.ndarray, "m e"], like: Float[np.ndarray, "k e"]):
        self._model = LedoitWolf().fit(learned)
        self._usual = np.sort(self.distance(like))

    def distance(self, video: Float[np.ndarray, "n e"]) -> Float[np.ndarray, " n"]:
        """In standard deviations."""
        return np.sqrt(np.maximum(self._model.mahalanobis(video), 0))

    def share_farther(self, video: Float[np.ndarray, "n e"]) -> Float[np.ndarray, " n"]:
        """Of exams like the known ones, how many are at least as far: a conformal p value."""
        below = np.searchsorted(self._usual, self.distance(video), side="left")
        return (len(self._usual) - below + 1) / (len(self._usual) + 1)


def evaluate(
    nearness: Nearness, tested: Cohort, home: Cohort | None
) -> tuple[dict[str, Any], np.ndarray]:
    """How many exams are unusual; beside `home`, the data that the model knows, how well distance
    alone tells the two apart.  And the p value of every exam."""
    p = nearness.share_farther(tested.video)
    block: dict[str, Any] = {
        "unusual": share(p <= UNUSUAL, tested.resamples).to_json(chance=UNUSUAL)
    }
    if home is not None:
        away = nearness.distance(np.concatenate([tested.video, home.video]))
        patient = np.concatenate(
            [tested.resamples.patient, home.resamples.patient + tested.resamples.patient.max() + 1]
        )
        resamples = Resamples(patient, tested.resamples.draws, tested.resamples.seed)
        foreign = np.arange(len(away)) < len(tested)
        block["auc_from_home"] = estimate(measures.auc(foreign, away), resamples).to_json(
            chance=0.5
        )
    return block, p
