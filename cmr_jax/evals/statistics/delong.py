"""Are two AUCs of the same exams different?  DeLong's test, for exams that share patients too.

DeLong 1988 (doi:10.2307/2531595), by placements; where patients have several exams, sums over each
patient take the place of exams (Obuchowski 1997, doi:10.2307/2533958).
"""

from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int

from cmr_jax.metrics import average_ranks


class Difference(NamedTuple):
    """First less second, its standard error, and how surprising it is were there none."""

    value: float
    error: float
    p: float


def covariance(
    positive: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, "k n"],
    patient: Int[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k k"]]:
    """AUCs of k scores of the same exams, and how they vary together."""
    m, n = int(positive.sum()), int((~positive).sum())
    placed = _placements(positive, scores)
    aucs = placed[:, positive].mean(1)
    _, place = np.unique(patient, return_inverse=True)
    away = placed - aucs[:, None]
    sums = [
        np.stack([np.bincount(place, row * side, place.max() + 1) for row in away])
        for side in (positive, ~positive)
    ]
    patients = [len(np.unique(place[side])) for side in (positive, ~positive)]
    (found, wrong), (i, j), every = sums, patients, place.max() + 1
    total = i / ((i - 1) * m**2) * found @ found.T + j / ((j - 1) * n**2) * wrong @ wrong.T
    across = every / (every - 1) * found @ wrong.T / (m * n)
    return aucs, total + across + across.T


def _placements(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Of each exam the share of the other class that it is on the right side of; ties count half."""
    m, n = positive.sum(), (~positive).sum()
    placed = np.empty(scores.shape)
    for row, score in zip(placed, scores, strict=True):
        among = average_ranks(score)
        row[positive] = (among[positive] - average_ranks(score[positive])) / n
        row[~positive] = 1 - (among[~positive] - average_ranks(score[~positive])) / m
    return placed


def difference(
    positive: Bool[np.ndarray, " n"],
    first: Float[np.ndarray, " n"],
    second: Float[np.ndarray, " n"],
    patient: Int[np.ndarray, " n"],
) -> Difference:
    """Two-sided; p is 1 where the scores rank alike, and NaN where nothing tells how they vary: too
    few patients, or classes that both scores keep apart."""
    if min(len(np.unique(patient[side])) for side in (positive, ~positive)) < 2:
        return Difference(np.nan, np.nan, np.nan)
    aucs, varies = covariance(positive, np.stack([first, second]), patient)
    value = float(aucs[0] - aucs[1])
    variance = varies[0, 0] + varies[1, 1] - 2 * varies[0, 1]
    error = float(np.sqrt(max(variance, 0)))
    if error < 1e-12:
        return Difference(value, error, 1.0 if abs(value) < 1e-12 else np.nan)
    return Difference(value, error, float(2 * scipy.stats.norm.sf(abs(value) / error)))
