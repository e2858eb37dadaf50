"""What the embeddings of a frozen model tell once some exams are known: a few, or all of a split."""

from typing import Any

import numpy as np

from cmr_jax.evals import classes, few_shot, probe, regression, supervised, zero_shot
from cmr_jax.evals.answers import LEAST_LEARNED, LEAST_TESTED, Answers
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate

LOGISTIC, NETWORK = "logistic", "network"


def evaluate(
    known: Cohort, tested: Cohort, seed: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Few-shot, supervised, measurements and classes; and scores of every exam.

    `known` has the exams to learn from: `learned_from` says which.
    """
    scores, rare = _scores(known, tested, seed)
    blocks: dict[str, Any] = {
        "learned_from": {"data": known.name, "split": known.split, "n_exams": len(known)},
        "supervised": {
            how: zero_shot.evaluate([found], tested.labels.findings, tested.resamples)
            for how, found in scores.items()
        },
        "too_rare_to_learn": rare,
        "few_shot": _few_shot(known, tested, list(scores[LOGISTIC]), seed),
        "classes": classes.evaluate(known, tested, seed),
    }
    blocks["measurements"], predicted = regression.evaluate(known, tested)
    columns = {f"supervised_{f}": s for f, s in scores[LOGISTIC].items()}
    return blocks, columns | {f"predicted_{m}": p for m, p in predicted.items()}


def _scores(known: Cohort, tested: Cohort, seed: int) -> tuple[dict[str, dict], list[str]]:
    """Of every finding that there is enough of on both sides, by either way to learn it."""
    scores: dict[str, dict[str, np.ndarray]] = {LOGISTIC: {}, NETWORK: {}}
    rare = []
    for name, label in tested.labels.findings.items():
        unseen = Answers.of(label, np.zeros(len(label)))
        if unseen.fewest(tested.resamples) < LEAST_TESTED:
            continue
        given = _given(known, name)
        if given.fewest(known.resamples) < LEAST_LEARNED:
            rare.append(name)
            continue
        rows = known.video[given.rows]
        patient = given.patients(known.resamples)
        scores[LOGISTIC][name] = supervised.logistic(rows, given.positive, patient, tested.video)
        scores[NETWORK][name] = probe.scores(
            rows, given.positive, tested.video, double_softmax=False, seed=seed
        )
    return scores, rare


def _given(known: Cohort, finding: str) -> Answers:
    label = known.labels.findings.get(finding, np.full(len(known), np.nan))
    return Answers.of(label, np.zeros(len(known)))


def _few_shot(known: Cohort, tested: Cohort, findings: list[str], seed: int) -> dict[str, Any]:
    """AUC by number of shots: of each finding, and the mean of those that have as many."""
    first = known.first_exams
    blocks: dict[str, Any] = {}
    each: dict[str, dict[str, Any]] = {}
    for name in findings:
        label = known.labels.findings[name][first]
        rows = first[~np.isnan(label)]
        answers = Answers.of(tested.labels.findings[name], np.zeros(len(tested)))
        blocks[name], each[name] = few_shot.by_shots(
            known.video[rows],
            known.labels.findings[name][rows] > 0.5,
            tested.video,
            answers,
            tested.resamples,
            seed,
        )
    shots = [str(s) for s in few_shot.SHOTS if any(str(s) in b for b in blocks.values())]
    return {
        "findings": blocks,
        "mean_auc": {
            s: estimate(
                measures.mean_of(m[s] for m in each.values() if s in m), tested.resamples
            ).to_json(chance=0.5, n_findings=sum(s in m for m in each.values()))
            for s in shots
        },
    }
