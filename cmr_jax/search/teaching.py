"""What the labels of some exams teach of scores by words."""

import logging

import numpy as np

from cmr_jax.evals import answering
from cmr_jax.evals.answers import LEAST_LEARNED, Answers
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.trust import calibration
from cmr_jax.search.calibrated import Calibrated, Learned

DRAWS = 200  # of the patients learned from: how sure a probability is

log = logging.getLogger(__name__)


def learn(known: Cohort, scores: dict[str, np.ndarray]) -> Learned:
    """Of the findings that at least five known patients have, and five have not."""
    found = {}
    for name, score in scores.items():
        if name not in known.labels.findings:
            continue
        given = Answers.of(known.labels.findings[name], score)
        if given.fewest(known.resamples) < LEAST_LEARNED:
            log.info("%s: too few exams have it, or have it not, to learn from", name)
            continue
        scaling = calibration.fit(given)
        drawn = tuple(_drawn(given, given.patients(known.resamples)))
        found[name] = Calibrated(scaling, drawn, answering.promised(known, given, scaling))
    return Learned(found, len(known), tuple(sorted({exam.site for exam in known.exams})))


def _drawn(given: Answers, patient: np.ndarray):
    rng = np.random.default_rng(0)
    names, place = np.unique(patient, return_inverse=True)
    exams = [np.flatnonzero(place == i) for i in range(len(names))]
    for _ in range(DRAWS):
        rows = np.concatenate([exams[i] for i in rng.integers(len(names), size=len(names))])
        positive = given.positive[rows]
        if positive.any() and not positive.all():
            yield calibration.fit(Answers(given.rows[rows], positive, given.score[rows]))
