"""Yes or no: a threshold from exams that are known, and what it does on those that are not."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics import roc_curve

from cmr_jax.evals.answers import Answers
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate, share
from cmr_jax.evals.statistics.resamples import Resamples

# Predictive values go with how common a finding is; at one prevalence, sites can be compared.
PREVALENCE = 0.1


def threshold(known: Answers) -> float:
    """Where sensitivity and specificity are nearest to equal: scores from there on say yes."""
    return cutoff(known.positive, known.score)


def cutoff(label: Bool[np.ndarray, " n"], score: Float[np.ndarray, " n"]) -> float:
    """The threshold at which sensitivity and specificity are nearest to equal, on the ROC curve
    without its redundant points; the highest on ties.  Infinite where scores are constant."""
    false, true, thresholds = roc_curve(label, score)
    return float(thresholds[np.argmin(np.abs(true + false - 1))])


def evaluate(at: float, tested: Answers, resamples: Resamples) -> dict[str, Any]:
    """Sensitivity, specificity, F1 and predictive values of exams that did not choose `at`."""
    positive, said = tested.positive, tested.score >= at
    of = resamples.of(tested.rows)
    ratios = {
        "f1": measures.f1(positive, said),
        "ppv": measures.ratio(positive & said, said),
        "npv": measures.ratio(~positive & ~said, ~said),
        "ppv_at_prevalence": measures.predictive(positive, said, PREVALENCE),
        "npv_at_prevalence": measures.predictive(positive, said, PREVALENCE, of_positive=False),
    }
    block: dict[str, Any] = {"threshold": float(at), "prevalence": PREVALENCE}
    for name, side, right in (
        ("sensitivity", positive, said),
        ("specificity", ~positive, ~said),
    ):
        rows = np.flatnonzero(side)
        block[name] = share(right[rows], of.of(rows)).to_json()
    return block | {name: estimate(m, of).to_json() for name, m in ratios.items()}
