"""Numbers over exams, each a function of how often every exam counts.

Everyone once is a row of ones, a resample of patients a row of counts, and a jackknife a row with
zeros: one definition serves the value, its interval and the acceleration of it, and a thousand
resamples are a few products of matrices.

Measures take weights (d, n), none negative, and give (d,) numbers: NaN where there is none, as the
AUC of one class alone.
"""

from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Bool, Float, Shaped

# Of positives and negatives, that a table is made of: beyond, ranks take longer and no memory.
MOST_PAIRS = 1 << 20

Weights = Float[np.ndarray, "d n"]
Measure = Callable[[Weights], Float[np.ndarray, " d"]]


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Without a word where there is nothing to divide by."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below != 0)


def ratio(above: Shaped[np.ndarray, " n"], below: Shaped[np.ndarray, " n"]) -> Measure:
    """Sum by sum: sensitivity is that of found positives by that of positives."""
    return lambda w: _divided(w @ above.astype(float), w @ below.astype(float))


def mean(x: Shaped[np.ndarray, " n"]) -> Measure:
    """Of a value or a 0 or 1 for each exam."""
    return ratio(x, np.ones(len(x)))


def median(x: Shaped[np.ndarray, " n"]) -> Measure:
    """Of whole weights: that of the resample written out."""
    order = np.argsort(x, kind="stable")

    def of(w: Weights) -> np.ndarray:
        reached = np.cumsum(w[:, order], axis=1)
        count = reached[:, -1:]
        middle = [(reached > (count - 1 + up) // 2).argmax(1) for up in (0, 1)]
        value = (x[order][middle[0]] + x[order][middle[1]]) / 2
        return np.where(count[:, 0] > 0, value, np.nan)

    return of


def auc(positive: Bool[np.ndarray, " n"], score: Shaped[np.ndarray, " n"]) -> Measure:
    """Area under the ROC curve (Mann-Whitney); ties count half, NaN without both classes."""
    split = _by_score(positive, score)

    def of(w: Weights) -> np.ndarray:
        found, wrong = split(w)
        below = np.cumsum(wrong, axis=1) - wrong / 2
        return _divided((found * below).sum(1), found.sum(1) * wrong.sum(1))

    return of


def auc_of_several(positive: Bool[np.ndarray, " n"], scores: Float[np.ndarray, "k n"]) -> Measure:
    """Mean of the AUCs of k scores of the same exams."""
    if positive.sum() * (~positive).sum() > MOST_PAIRS:
        return mean_of(auc(positive, score) for score in scores)
    above = np.zeros((positive.sum(), (~positive).sum()))
    for score in scores:
        found, wrong = score[positive][:, None], score[~positive][None]
        above += (found > wrong) + (found == wrong) / 2
    above /= len(scores)

    def of(w: Weights) -> np.ndarray:
        found, wrong = w[:, positive], w[:, ~positive]
        return _divided((found @ above * wrong).sum(1), found.sum(1) * wrong.sum(1))

    return of


def average_precision(positive: Bool[np.ndarray, " n"], score: Shaped[np.ndarray, " n"]) -> Measure:
    """Area under steps of precision over recall, as scikit-learn has it; equal scores are one step."""
    split = _by_score(positive, score)

    def of(w: Weights) -> np.ndarray:
        found, wrong = (side[:, ::-1] for side in split(w))
        hits, said = np.cumsum(found, axis=1), np.cumsum(found + wrong, axis=1)
        precision = np.where(said > 0, hits / np.maximum(said, 1e-300), 0)
        return _divided((found * precision).sum(1), found.sum(1))

    return of


def _by_score(positive: np.ndarray, score: np.ndarray) -> Callable:
    """Weights of positives and of negatives at each score, from the lowest."""
    order = np.argsort(score, kind="stable")
    first = np.flatnonzero(np.diff(score[order], prepend=np.nan) != 0)

    def split(w: Weights) -> tuple[np.ndarray, np.ndarray]:
        w, side = w[:, order], positive[order]
        found, wrong = (np.add.reduceat(w * part, first, axis=1) for part in (side, ~side))
        return found, wrong

    return split


def f1(positive: Bool[np.ndarray, " n"], said: Bool[np.ndarray, " n"]) -> Measure:
    """Harmonic mean of sensitivity and precision."""
    return ratio(2.0 * (positive & said), positive * 1.0 + said)


def predictive(
    positive: Bool[np.ndarray, " n"],
    said: Bool[np.ndarray, " n"],
    prevalence: float,
    of_positive: bool = True,
) -> Measure:
    """Positive (or negative) predictive value where that share of patients has the finding (Bayes)."""
    sensitivity = ratio(positive & said, positive)
    specificity = ratio(~positive & ~said, ~positive)

    def of(w: Weights) -> np.ndarray:
        right, wrong = sensitivity(w) * prevalence, (1 - specificity(w)) * (1 - prevalence)
        if not of_positive:
            right, wrong = (
                specificity(w) * (1 - prevalence),
                (1 - sensitivity(w)) * prevalence,
            )
        return _divided(right, right + wrong)

    return of


def r_squared(truth: Shaped[np.ndarray, " n"], predicted: Shaped[np.ndarray, " n"]) -> Measure:
    """One less the squares left, by the squares about the mean of the same exams."""

    def of(w: Weights) -> np.ndarray:
        total, left = w.sum(1), w @ np.square(truth - predicted)
        about = w @ np.square(truth) - _divided(np.square(w @ truth), total)
        return 1 - _divided(left, np.where(about > 1e-12 * total, about, 0))

    return of


def limit(difference: Shaped[np.ndarray, " n"], deviations: float) -> Measure:
    """Mean and so many standard deviations (of a sample): limits of agreement (Bland 1986)."""

    def of(w: Weights) -> np.ndarray:
        total = w.sum(1)
        middle = _divided(w @ difference, total)
        squares = w @ np.square(difference) - total * np.square(middle)
        spread = np.sqrt(np.maximum(_divided(squares, total - 1), 0))
        return middle + deviations * spread

    return of


def calibration_error(
    positive: Bool[np.ndarray, " n"], probability: Float[np.ndarray, " n"], bins: int = 10
) -> Measure:
    """Expected calibration error: of equal bins of probability, how far they are from what is so."""
    at = np.minimum((probability * bins).astype(int), bins - 1)
    apart = (np.arange(bins) == at[:, None]) * (probability - positive)[:, None]
    return lambda w: _divided(np.abs(w @ apart).sum(1), w.sum(1))


def among(rows: np.ndarray, measure: Measure) -> Measure:
    """A measure of some exams, as one of all."""
    return lambda w: measure(w[:, rows])


def mean_of(several: Iterable[Measure]) -> Measure:
    """Of findings, say; a resample in which one has no value has the mean of the others."""
    several = tuple(several)

    def of(w: Weights) -> np.ndarray:
        values = np.stack([measure(w) for measure in several])
        known = ~np.isnan(values)
        total = np.where(known, values, 0).sum(0)
        return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)

    return of


def difference(first: Measure, second: Measure) -> Measure:
    """First less second, of the same exams in every resample."""
    return lambda w: first(w) - second(w)
