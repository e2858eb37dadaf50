"""Is a probability what it says?  Scores as probabilities, by two numbers fitted on another split.

A score of prompts is no probability: how far apart cosines lie is the model's habit.  A temperature
and an offset (Platt 1999) make it one.  Brier 1950; expected calibration error of Naeini 2015.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from cmr_jax.evals.answers import Answers
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate
from cmr_jax.evals.statistics.resamples import Resamples

# Nearly none, but scores that part the classes have no finite slope.
INVERSE_PENALTY = 100.0
LUCK = 200  # draws of labels from probabilities
BARS = 8  # of a reliability plot, with as many exams each


class Scaling(NamedTuple):
    """Probability = sigmoid(score / temperature + offset).  Negative temperature: it says no."""

    temperature: float
    offset: float

    def __call__(self, score: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Probabilities."""
        return expit(score / self.temperature + self.offset)


def fit(known: Answers) -> Scaling:
    """On exams that are not to be judged."""
    # Takes seconds, which who only reads a fit need not spend.
    from sklearn.linear_model import LogisticRegression

    centre, spread = known.score.mean(), known.score.std()
    if not np.ptp(known.score):  # all alike: the share that has the finding is all there is to say
        share = np.clip(known.positive.mean(), 1e-6, 1 - 1e-6)
        return Scaling(np.inf, float(np.log(share / (1 - share))))
    model = LogisticRegression(C=INVERSE_PENALTY).fit(
        ((known.score - centre) / spread)[:, None], known.positive
    )
    slope = float(model.coef_[0, 0]) / spread
    slope = slope if slope else 1e-12
    return Scaling(float(1 / slope), float(model.intercept_[0] - slope * centre))


def evaluate(
    scaling: Scaling, tested: Answers, prior: float, scale: float | None, resamples: Resamples
) -> dict[str, Any]:
    """Error and score of probabilities after scaling, and of the model's own (`scale` times a
    score) before it; `prior` is the share of the other split that has the finding."""
    likely = scaling(tested.score)
    constant = np.full(len(likely), prior)
    block: dict[str, Any] = {
        "temperature": scaling.temperature,
        "offset": scaling.offset,
        "ece": _error(tested, likely, resamples.seed),
        "brier": _brier(tested, likely, resamples)
        | {"chance": float(np.square(constant - tested.positive).mean())},
        "reliability": reliability(tested, likely),
    }
    if scale is not None:
        own = expit(scale * tested.score)
        block["before"] = {
            "ece": _error(tested, own, resamples.seed),
            "brier": _brier(tested, own, resamples),
        }
    return block


def reliability(tested: Answers, likely: np.ndarray) -> list[dict[str, float]]:
    """Exams in the order of their probability in equal parts: what was said, what was so."""
    parts = np.array_split(np.argsort(likely, kind="stable"), min(BARS, len(likely)))
    return [
        {
            "said": float(likely[part].mean()),
            "so": float(tested.positive[part].mean()),
            "n": len(part),
        }
        for part in parts
    ]


def _error(tested: Answers, likely: np.ndarray, seed: int) -> dict[str, float]:
    """Expected calibration error, which is never zero; and how large it is by luck alone, were every
    probability true: of labels drawn from them."""
    everyone = np.ones((1, len(likely)))

    def of(positive: np.ndarray) -> float:
        return float(measures.calibration_error(positive, likely)(everyone)[0])

    drawn = np.random.default_rng(seed).random((LUCK, len(likely))) < likely
    luck = np.array([of(positive) for positive in drawn])
    value = of(tested.positive)
    return {
        "value": value,
        "by_luck": float(luck.mean()),
        "p": float((1 + (luck >= value).sum()) / (1 + LUCK)),
    }


def _brier(tested: Answers, likely: np.ndarray, resamples: Resamples) -> dict[str, Any]:
    measure = measures.mean(np.square(likely - tested.positive))
    return estimate(measures.among(tested.rows, measure), resamples).to_json()
