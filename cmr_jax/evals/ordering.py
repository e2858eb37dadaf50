"""Where the first right candidate of each query stands, fairly where scores are equal.

Candidates with one score stand in random order, and every measure is its mean over these orders: a
model that gives everything the same score is worth what chance is, neither all nor nothing.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import gammaln


class FirstHit(NamedTuple):
    """Of each query: how many candidates stand before its best right one, and beside it."""

    before: Int[np.ndarray, " q"]
    wrong: Int[np.ndarray, " q"]  # with the same score
    right: Int[np.ndarray, " q"]  # with the same score, itself among them

    def rank(self) -> Float[np.ndarray, " q"]:
        """From 1."""
        return self.before + (self.wrong + self.right + 1) / (self.right + 1)

    def within(self, k: int) -> Float[np.ndarray, " q"]:
        """The chance that it is among the first k: 0 or 1 where nothing is equal."""
        places = np.clip(k - self.before, 0, self.wrong + self.right)
        none = _choices(self.wrong, places) - _choices(self.wrong + self.right, places)
        return 1 - np.where(places > self.wrong, 0.0, np.exp(none))

    def reciprocal(self) -> Float[np.ndarray, " q"]:
        """One by its rank."""
        value = 1.0 / (self.before + 1)
        for i in np.flatnonzero(self.wrong):
            before, wrong, right = (x[i : i + 1] for x in self)
            at = np.arange(1, wrong[0] + 2)
            chance = _choices(wrong + right - at, right - 1) - _choices(wrong + right, right)
            value[i] = (np.exp(chance) / (before + at)).sum()
        return value


def first_hit(similarity: Float[np.ndarray, "q n"], right: Bool[np.ndarray, "q n"]) -> FirstHit:
    """Every query must have a right candidate.  What is no number stands last."""
    known = np.where(np.isnan(similarity), -np.inf, similarity)
    best = np.where(right, known, -np.inf).max(1, keepdims=True)
    same = known == best
    counts = ((known > best).sum(1), (same & ~right).sum(1), (same & right).sum(1))
    return FirstHit(*counts)


def gain(
    similarity: Float[np.ndarray, "q n"], right: Bool[np.ndarray, "q n"]
) -> Float[np.ndarray, " q"]:
    """Normalised discounted cumulative gain over all candidates (Järvelin 2002): 1 where all the
    right ones stand first."""
    queries, n = similarity.shape
    discounted = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(n) + 2))])
    value = np.empty(queries)
    for i, (scores, good) in enumerate(zip(similarity, right, strict=True)):
        scores = np.where(np.isnan(scores), -np.inf, scores)
        _, level, count = np.unique(-scores, return_inverse=True, return_counts=True)
        end = np.cumsum(count)
        each = (discounted[end] - discounted[end - count]) / count
        value[i] = each[level[good]].sum() / discounted[good.sum()]
    return value


def _choices(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Logarithm of how many ways there are to choose k of n; meaningless where k is above n."""
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1)
