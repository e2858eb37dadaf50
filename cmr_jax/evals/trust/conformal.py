"""When to say nothing: sets of answers that hold the truth as often as promised.

Split conformal prediction with a threshold for each class (Vovk 2012, arXiv:1209.2673): of those who
have a finding, and of those who have not, the share whose set holds the truth is at least the
level, whatever the model, so long as new exams are like those calibrated on.  A set of one answer, if
it is the likelier too, is an answer; all else is an abstention.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int

from cmr_jax.evals.answers import Answers
from cmr_jax.evals.statistics.estimate import share
from cmr_jax.evals.statistics.resamples import Resamples

LEVEL = 0.9
Sets = Bool[np.ndarray, "n 2"]  # whether "no" and "yes" are in the set


class Promise(NamedTuple):
    """How unlikely an answer of "no", and of "yes", may be to be in a set; and how many patients that
    was learned from, of either class."""

    most: Float[np.ndarray, " 2"]
    known: Int[np.ndarray, " 2"]
    level: float

    def shortfall(self, side: int, holds: Bool[np.ndarray, " m"]) -> float:
        """How surprising so few sets that hold the truth are, of patients like those known (one exam
        each): beta-binomial, since the threshold itself was drawn (Vovk 2012).  NaN without any."""
        n = int(self.known[side])
        place = int(np.ceil((n + 1) * self.level))
        if not len(holds) or place > n:
            return np.nan
        return float(scipy.stats.betabinom.cdf(holds.sum(), len(holds), place, n + 1 - place))


def fit(
    positive: Bool[np.ndarray, " m"], likely: Float[np.ndarray, " m"], level: float = LEVEL
) -> Promise:
    """From one exam of each patient.

    Infinite for a class of which too few are known to promise anything: every set holds it.
    """
    most, known = [], []
    for side, said in ((~positive, 1 - likely), (positive, likely)):
        strange = np.sort(1 - said[side])
        place = int(np.ceil((len(strange) + 1) * level))
        most.append(strange[place - 1] if place <= len(strange) else np.inf)
        known.append(len(strange))
    return Promise(np.array(most), np.array(known), level)


def sets(promise: Promise, likely: Float[np.ndarray, " n"]) -> Sets:
    """The answers that are not too unlikely."""
    return np.stack([likely, 1 - likely], 1) <= promise.most


def answers(promise: Promise, likely: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """1 for yes, 0 for no, NaN for none.

    The one answer of a set, if it is the likelier too: where a finding is rare, a set may rule out "no"
    of exams that more likely than not are without it.
    """
    found = sets(promise, likely)
    one = (found.sum(1) == 1) & (found[:, 1] == (likely > 0.5))
    return np.where(one, found[:, 1], np.nan)


def evaluate(
    promise: Promise, likely: np.ndarray, tested: Answers, resamples: Resamples
) -> dict[str, Any]:
    """Coverage, of all and of either class; how many are decided, and how often those are right
    where all were as likely as not."""
    found = sets(promise, likely)
    holds = found[np.arange(len(found)), tested.positive.astype(int)]
    right = (likely > 0.5) == tested.positive
    one = ~np.isnan(answers(promise, likely))
    of = resamples.of(tested.rows)

    def among(part: np.ndarray, value: np.ndarray) -> dict[str, Any]:
        rows = np.flatnonzero(part)
        if not len(rows):
            return {"value": np.nan, "low": np.nan, "high": np.nan}
        return share(value[rows], of.of(rows)).to_json()

    every = np.ones(len(found), bool)
    first = np.isin(np.arange(len(found)), np.unique(of.patient, return_index=True)[1])
    short = {
        f"p_short_{name}": promise.shortfall(at, holds[first & side])
        for at, (name, side) in enumerate(
            (("without", ~tested.positive), ("with", tested.positive))
        )
    }
    return short | {
        "level": promise.level,
        "coverage": among(every, holds),
        "coverage_with": among(tested.positive, holds),
        "coverage_without": among(~tested.positive, holds),
        "decided": among(every, one),
        "right_where_decided": among(one, right),
        "right_of_all": among(every, right),
        "curve": selective(likely, right),
    }


def selective(likely: np.ndarray, right: np.ndarray, points: int = 11) -> list[dict[str, float]]:
    """Share of exams that are answered, the surest first, and how often those answers are wrong."""
    order = np.argsort(-np.abs(likely - 0.5), kind="stable")
    wrong = np.cumsum(~right[order]) / np.arange(1, len(right) + 1)
    kept = np.unique(np.linspace(1, len(right), points).astype(int))
    return [{"answered": k / len(right), "wrong": float(wrong[k - 1])} for k in kept]
