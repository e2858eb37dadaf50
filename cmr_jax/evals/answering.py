"""A finding's score as an answer: yes or no, a probability, or none, from exams of another split."""

from typing import Any

import numpy as np

from cmr_jax.evals import operating
from cmr_jax.evals.answers import LEAST_LEARNED, LEAST_TESTED, Answers
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.trust import calibration, conformal


def evaluate(
    known: Cohort,
    known_scores: dict[str, np.ndarray],
    tested: Cohort,
    scores: dict[str, np.ndarray],
    scale: float | None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Blocks by finding, and probabilities and answers of every exam.

    An answer is 1 for yes, 0 for no, NaN for none.  Findings of which the known exams have fewer than
    five with, or five without, are not there.
    """
    blocks, columns = {}, {}
    for name, score in scores.items():
        if name not in tested.labels.findings or name not in known.labels.findings:
            continue
        given = Answers.of(known.labels.findings[name], known_scores[name])
        answers = Answers.of(tested.labels.findings[name], score)
        if given.fewest(known.resamples) < LEAST_LEARNED:
            continue
        if answers.fewest(tested.resamples) < LEAST_TESTED:
            continue
        scaling = calibration.fit(given)
        promise = promised(known, given, scaling)
        likely = scaling(score)
        columns[f"probability_{name}"] = likely
        columns[f"answer_{name}"] = conformal.answers(promise, likely)
        blocks[name] = {
            "operating": operating.evaluate(operating.threshold(given), answers, tested.resamples),
            "probability": calibration.evaluate(
                scaling, answers, float(given.positive.mean()), scale, tested.resamples
            ),
            "abstention": conformal.evaluate(
                promise, likely[answers.rows], answers, tested.resamples
            ),
        }
    return blocks, columns


def promised(known: Cohort, given: Answers, scaling: calibration.Scaling) -> conformal.Promise:
    """When to say nothing, from one exam of each patient: exams of one are too alike to count twice."""
    one = np.isin(given.rows, known.first_exams)
    return conformal.fit(given.positive[one], scaling(given.score[one]))
