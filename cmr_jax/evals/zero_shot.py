"""Findings from words alone: how much nearer an exam is to "is there" than to "is not"."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cmr_jax import metrics
from cmr_jax.evals.prompts import PROMPTS

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
    runs: list[dict[str, np.ndarray]], labels: dict[str, np.ndarray], draws: list[np.ndarray]
) -> dict[str, Any]:
    """AUC of each labelled finding and their mean, with 95 % intervals over patients.

    Of several runs, AUCs are averaged and the interval is Student's t over the runs, whose number is
    small and whose differences are larger than those of patients.  Every finding with enough
    positives counts in the mean; rarer ones are listed as left out.
    """
    findings: dict[str, Any] = {}
    left_out, by_finding = {}, []
    for name in runs[0]:
        if name not in labels:
            continue
        known = ~np.isnan(labels[name])
        positive = labels[name] > 0.5
        if min(positive[known].sum(), (~positive)[known].sum()) < LEAST_POSITIVES:
            left_out[name] = int(positive[known].sum())
            continue
        everyone = np.flatnonzero(known)
        rows = [everyone, *(d[known[d]] for d in draws if len(runs) == 1)]
        by_finding.append([[metrics.auc(positive[r], run[name][r]) for r in rows] for run in runs])
        findings[name] = {
            "auc": _summary(np.array(by_finding[-1])),
            "n_positive": int(positive[known].sum()),
        }
    if not findings:
        return {"findings": {}, "left_out": left_out}
    mean = _summary(np.nanmean(by_finding, axis=0))
    return {"mean_auc": mean, "findings": findings, "left_out": left_out}


def _summary(aucs: np.ndarray) -> dict[str, float]:
    """Of AUCs (runs, 1 + draws): the first column is of everyone, the others of resamples."""
    whole = aucs[:, 0]
    if len(whole) == 1:
        low, high = metrics.interval(aucs[0, 1:])
    else:
        low, high = np.clip(metrics.interval_of_runs(whole), 0.0, 1.0).tolist()
    return {"value": float(whole.mean()), "low": low, "high": high, "chance": 0.5}
