"""Which of several diseases: one word of each exam, from frozen embeddings and known exams."""

from typing import Any

import numpy as np

from cmr_jax.evals import few_shot, supervised
from cmr_jax.evals.answers import LEAST_LEARNED
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate
from cmr_jax.evals.statistics.measures import Measure

EPISODES = 20


def evaluate(known: Cohort, tested: Cohort, seed: int) -> dict[str, Any]:
    """Of every column of words: accuracy, balanced accuracy, macro F1, each class against the rest;
    by logistic regression on all known exams, and by prototypes of a few of each class."""
    blocks = {}
    for name, words in tested.labels.classes.items():
        given = known.labels.classes.get(name)
        if given is None:
            continue
        classes = [
            c
            for c in np.unique(given[given != ""])
            if min((side == c).sum() for side in (given, words)) >= LEAST_LEARNED
        ]
        if len(classes) < 2:
            continue
        rows, learned = (np.flatnonzero(np.isin(side, classes)) for side in (words, given))
        blocks[name] = _block(known, tested, given, words, learned, rows, seed)
        blocks[name]["left_out"] = sorted(set(words.tolist()) - {"", *classes})
    return blocks


def _block(known, tested, given, words, learned, rows, seed) -> dict[str, Any]:
    classes, label = np.unique(given[learned], return_inverse=True)
    truth = np.searchsorted(classes, words[rows])
    likely = supervised.logistic(
        known.video[learned], label, known.resamples.patient[learned], tested.video[rows]
    )
    if likely.ndim == 1:
        likely = np.stack([-likely, likely], 1)
    resamples = tested.resamples.of(rows)
    numbers = _numbers(truth, likely.argmax(1), len(classes))
    block: dict[str, Any] = {"n": len(rows), "classes": classes.tolist()}
    block |= {key: estimate(measure, resamples).to_json() for key, measure in numbers.items()}
    block["accuracy"]["chance"] = float(np.bincount(truth).max() / len(truth))
    block["balanced_accuracy"]["chance"] = 1 / len(classes)
    block["one_versus_rest"] = {
        str(c): estimate(measures.auc(truth == i, likely[:, i]), resamples).to_json(chance=0.5)
        for i, c in enumerate(classes)
    }
    block["few_shot"] = _by_shots(known.video[learned], label, tested.video[rows], truth, seed)
    table = np.zeros((len(classes), len(classes)), int)
    np.add.at(table, (truth, likely.argmax(1)), 1)
    return block | {"confusion": table.tolist()}


def _numbers(truth: np.ndarray, said: np.ndarray, classes: int) -> dict[str, Measure]:
    each = [(truth == c, said == c) for c in range(classes)]
    return {
        "accuracy": measures.mean(truth == said),
        "balanced_accuracy": measures.mean_of(measures.ratio(t & s, t) for t, s in each),
        "macro_f1": measures.mean_of(measures.f1(t, s) for t, s in each),
    }


def _by_shots(known, label, unseen, truth, seed) -> dict[str, Any]:
    """Balanced accuracy of prototypes, mean and spread over episodes."""
    members = [np.flatnonzero(label == c) for c in range(label.max() + 1)]
    blocks = {}
    for shots in (s for s in few_shot.SHOTS if s <= min(map(len, members))):
        found = []
        for episode in range(EPISODES):
            support = few_shot.drawn(members, shots, seed, episode)
            said = few_shot.distances(known[support], unseen).argmin(1)
            found.append(np.mean([(said == c)[truth == c].mean() for c in np.unique(truth)]))
        blocks[str(shots)] = {"mean": float(np.mean(found)), "std": float(np.std(found, ddof=1))}
    return blocks
