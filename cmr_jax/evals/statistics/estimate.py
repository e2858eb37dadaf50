"""A number with its interval: BCa bootstrap over patients (Efron 1987)."""

import dataclasses
import math
from typing import Any

import numpy as np
import scipy
from jaxtyping import Float

from cmr_jax.evals.statistics.measures import Measure, mean
from cmr_jax.evals.statistics.resamples import Resamples

LEVEL = 0.95
LEAST_SHARE = 0.9  # of draws that must have a value


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A value and the ends of its 95 % interval; NaN where there is none."""

    value: float
    low: float
    high: float

    def to_json(self, **beside: Any) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self) | beside


def estimate(measure: Measure, resamples: Resamples) -> Estimate:
    """The bias-corrected and accelerated interval.

    Where draws do not differ, or too many have no value (a class that a draw may miss), they tell
    nothing of how sure the value is, and there is no interval.
    """
    value, drawn = resamples.everyone(measure), resamples.drawn(measure)
    kept = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(kept) < LEAST_SHARE * len(drawn) or not np.ptp(kept):
        return Estimate(value, np.nan, np.nan)
    low, high = np.quantile(kept, _levels(value, kept, resamples.jackknifed(measure)))
    return Estimate(value, float(low), float(high))


def _levels(value: float, drawn: np.ndarray, jackknifed: np.ndarray) -> np.ndarray:
    """Which quantiles of the draws are the ends of the interval."""
    ends = scipy.stats.norm.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    share = ((drawn < value).sum() + (drawn == value).sum() / 2) / len(drawn)
    bias = scipy.stats.norm.ppf(np.clip(share, 0.5 / len(drawn), 1 - 0.5 / len(drawn)))
    jackknifed = jackknifed[np.isfinite(jackknifed)]
    away = jackknifed.mean() - jackknifed
    squares = np.square(away).sum()
    speed = (away**3).sum() / (6 * squares**1.5) if squares else 0.0
    return scipy.stats.norm.cdf(bias + (bias + ends) / np.maximum(1 - speed * (bias + ends), 1e-9))


def share(hit: np.ndarray, resamples: Resamples) -> Estimate:
    """Of a yes or no for each exam: where all say the same, the exact interval over patients
    (Clopper 1934) stands in for draws that cannot differ."""
    hit = np.asarray(hit, np.float64)
    found = estimate(mean(hit), resamples)
    if np.isfinite(found.value) and not np.isfinite(found.low) and not np.ptp(hit):
        patients = len(np.unique(resamples.patient))
        exact = scipy.stats.binomtest(patients * int(found.value), patients)
        low, high = exact.proportion_ci(LEVEL, method="exact")
        return Estimate(found.value, float(low), float(high))
    return found


def interval_of_runs(values: Float[np.ndarray, " runs"]) -> tuple[float, float]:
    """95 % interval of the mean over independent runs (Student's t); at least two runs."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    low, high = values.mean() + error * scipy.stats.t.ppf([0.025, 0.975], len(values) - 1)
    return float(low), float(high)


def plain(value: Any) -> Any:
    """JSON has no NaN: what could not be computed is null."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
