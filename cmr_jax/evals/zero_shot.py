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

    Scores of several runs are averaged as AUCs, and the interval is over runs as well.  Every
    finding with enough positives counts in the mean; rarer ones are listed as left out.
    """
    picks = np.random.default_rng(0).integers(len(runs), size=(len(draws), len(runs)))
    findings: dict[str, Any] = {}
    left_out, sampled = {}, []
    for name in runs[0]:
        if name not in labels:
            continue
        known = ~np.isnan(labels[name])
        positive = labels[name] > 0.5
        if min(positive[known].sum(), (~positive)[known].sum()) < LEAST_POSITIVES:
            left_out[name] = int(positive[known].sum())
            continue
        everyone = np.flatnonzero(known)
        by_run = [
            _aucs(run[name], positive, [everyone, *(d[known[d]] for d in draws)]) for run in runs
        ]
        value = float(np.mean([values[0] for values in by_run]))
        drawn = np.array([values[1:] for values in by_run])  # runs, draws
        values = np.take_along_axis(drawn, picks.T, axis=0).mean(0)
        sampled.append(values)
        low, high = metrics.interval(values)
        findings[name] = {
            "auc": {"value": value, "low": low, "high": high, "chance": 0.5},
            "n_positive": int(positive[known].sum()),
        }
    if not findings:
        return {"findings": {}, "left_out": left_out}
    low, high = metrics.interval(np.nanmean(sampled, axis=0))
    mean = float(np.mean([f["auc"]["value"] for f in findings.values()]))
    return {
        "mean_auc": {"value": mean, "low": low, "high": high, "chance": 0.5},
        "findings": findings,
        "left_out": left_out,
    }


def _aucs(score: np.ndarray, positive: np.ndarray, rows: list[np.ndarray]) -> list[float]:
    return [metrics.auc(positive[r], score[r]) for r in rows]
