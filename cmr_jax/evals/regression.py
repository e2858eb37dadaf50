"""Measurements from frozen embeddings: how far off, and whether on one side (Bland 1986)."""

from typing import Any

import numpy as np

from cmr_jax.evals import supervised
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate

LEAST = 20  # patients with a value to learn from, and to be tested on
LIMITS = 1.96  # standard deviations either side of the mean difference


def evaluate(known: Cohort, tested: Cohort) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Of every measurement: mean absolute error, R2, bias and limits of agreement, in its units;
    and predictions of every exam."""
    blocks, predictions = {}, {}
    for name, values in tested.labels.measurements.items():
        if name not in known.labels.measurements:
            continue
        rows, given = (
            np.flatnonzero(np.isfinite(v)) for v in (values, known.labels.measurements[name])
        )
        learned = known.labels.measurements[name][given]
        patients = [
            len(np.unique(c.resamples.patient[r])) for c, r in ((tested, rows), (known, given))
        ]
        if min(patients) < LEAST or not np.ptp(learned) or not np.ptp(values[rows]):
            continue
        predicted = supervised.linear(
            known.video[given], learned, known.resamples.patient[given], tested.video
        )
        predictions[name] = predicted
        truth, apart = values[rows], predicted[rows] - values[rows]
        constant = np.abs(np.median(learned) - truth)
        numbers = {
            "mae": measures.mean(np.abs(apart)),
            "r2": measures.r_squared(truth, predicted[rows]),
            "bias": measures.mean(apart),
            "limit_low": measures.limit(apart, -LIMITS),
            "limit_high": measures.limit(apart, LIMITS),
        }
        blocks[name] = {
            key: estimate(measures.among(rows, measure), tested.resamples).to_json()
            for key, measure in numbers.items()
        }
        blocks[name]["mae"]["chance"] = float(constant.mean())
        blocks[name]["r2"]["chance"] = 0.0
        blocks[name]["n"] = len(rows)
    return blocks, predictions
