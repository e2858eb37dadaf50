"""Findings from words alone: how much nearer an exam is to "is there" than to "is not"."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cmr_jax import metrics
from cmr_jax.evals.prompts import PROMPTS
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import Estimate, estimate
from cmr_jax.evals.statistics.measures import Measure
from cmr_jax.evals.statistics.resamples import Resamples

LEAST_POSITIVES = 10
EmbedTexts = Callable[[list[str]], np.ndarray]


def scores(video: np.ndarray, embed_texts: EmbedTexts) -> dict[str, np.ndarray]:
    """Score of every exam for every finding that has prompts, in [-2, 2]."""
    exams = metrics.normalise(video)
    found = {}
    for finding, prompts in PROMPTS.items():
        present, absent = (
            metrics.normalise(metrics.normalise(embed_texts(list(side))).mean(0))
            for side in prompts
        )
        found[finding] = exams @ present - exams @ absent
    return found


def evaluate(
    runs: list[dict[str, np.ndarray]], labels: dict[str, np.ndarray], resamples: Resamples
) -> dict[str, Any]:
    """AUC and average precision of each labelled finding, and the mean AUC, with 95 % intervals.

    Of one run they are over patients.  Of several, numbers are averaged and the interval is
    Student's t over the runs, whose number is small and whose differences are larger than those of
    patients.  Every finding with enough of both classes counts in the mean; rarer ones are listed as
    left out.
    """
    findings: dict[str, Any] = {}
    left_out, every = {}, []
    for name in runs[0]:
        if name not in labels:
            continue
        known = np.flatnonzero(~np.isnan(labels[name]))
        positive = labels[name][known] > 0.5
        if min(positive.sum(), (~positive).sum()) < LEAST_POSITIVES:
            left_out[name] = int(positive.sum())
            continue
        aucs = [measures.among(known, measures.auc(positive, run[name][known])) for run in runs]
        precisions = [
            measures.among(known, measures.average_precision(positive, run[name][known]))
            for run in runs
        ]
        every.append(aucs)
        findings[name] = {
            "auc": _summary(aucs, resamples, chance=0.5),
            "auprc": _summary(precisions, resamples, chance=float(positive.mean())),
            "n_positive": int(positive.sum()),
        }
    if not findings:
        return {"findings": {}, "left_out": left_out}
    mean = _summary(
        [measures.mean_of(aucs) for aucs in zip(*every, strict=True)], resamples, chance=0.5
    )
    return {"mean_auc": mean, "findings": findings, "left_out": left_out}


def _summary(runs: list[Measure], resamples: Resamples, chance: float) -> dict[str, float]:
    if len(runs) == 1:
        return estimate(runs[0], resamples).to_json(chance=chance)
    whole = np.array([resamples.everyone(measure) for measure in runs])
    low, high = np.clip(metrics.interval_of_runs(whole), 0.0, 1.0).tolist()
    return Estimate(float(whole.mean()), low, high).to_json(chance=chance)
