"""Does a report find its exam, and an exam its report, among all of the split?"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from cmr_jax import metrics
from cmr_jax.evals import ordering
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate, share
from cmr_jax.evals.statistics.resamples import Resamples

KS = (1, 5, 10, 50)
WAYS = ("report_to_exam", "exam_to_report")


def evaluate(
    video: Float[np.ndarray, "n e"],
    text: Float[np.ndarray, "n e"],
    resamples: Resamples,
    groups: Int[np.ndarray, " n"] | None = None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Measures both ways with intervals and the level of chance; and the rank of every exam.

    video, text: raw, row i of each belong together.  With `groups`, whatever is of the query's group
    is right.  Resamples are of queries; the candidates stay the whole split.
    """
    similarity = metrics.normalise(text) @ metrics.normalise(video).T
    own = np.arange(len(video)) if groups is None else groups
    right = own[:, None] == own[None]
    chance = measured(np.zeros_like(similarity), right)
    blocks, per_exam = {}, {}
    for name, scores in zip(WAYS, (similarity, similarity.T), strict=True):
        of_query = measured(scores, right)
        blocks[name] = {
            measure: _summary(measure, values, resamples, float(_middle(measure)(chance[measure])))
            for measure, values in of_query.items()
        }
        per_exam[f"rank_{name}"] = of_query["MeanR"]
    return blocks, per_exam


def measured(
    similarity: Float[np.ndarray, "q n"], right: Bool[np.ndarray, "q n"]
) -> dict[str, Float[np.ndarray, " q"]]:
    """Of each query what the measure by that name is the mean, or the median, of."""
    hit = ordering.first_hit(similarity, right)
    values = {f"R@{k}": hit.within(k) for k in KS}
    values |= {"MedR": hit.rank(), "MeanR": hit.rank(), "MRR": hit.reciprocal()}
    return values | {"nDCG": ordering.gain(similarity, right)}


def _middle(measure: str):
    return np.median if measure == "MedR" else np.mean


def _summary(
    measure: str, values: np.ndarray, resamples: Resamples, chance: float
) -> dict[str, Any]:
    if measure.startswith("R@") and np.isin(values, (0, 1)).all():
        return share(values, resamples).to_json(chance=chance)
    middle = measures.median if measure == "MedR" else measures.mean
    return estimate(middle(values), resamples).to_json(chance=chance)


def by_group_alone(groups: Int[np.ndarray, " n"]) -> dict[str, float]:
    """Recall of who knows the group of each query and of each candidate, and nothing else."""
    _, at, count = np.unique(groups, return_inverse=True, return_counts=True)
    return {f"R@{k}": float(np.minimum(1, k / count[at]).mean()) for k in KS}
