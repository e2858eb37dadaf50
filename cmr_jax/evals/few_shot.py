"""Classes from a few examples each: the nearest prototype (Snell 2017, arXiv:1703.05175).

As published: features are centred on the mean of the support and brought to unit length, a
prototype is the mean of its class, and the distance to it an L3 norm.
"""

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from cmr_jax.evals.answers import Answers
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate
from cmr_jax.evals.statistics.measures import Measure
from cmr_jax.evals.statistics.resamples import Resamples

SHOTS = (1, 2, 4, 8, 16, 32)
EPISODES = 100
NORM = 3
LARGE = 5000  # exams to test on: then a tenth of the episodes says as much


def drawn(
    members: list[np.ndarray], shots: int, seed: int, episode: int, replacement: bool = False
) -> np.ndarray:
    """(classes, shots) of the rows of each class; the same for a seed, a number and an episode."""
    rng = np.random.default_rng([seed, shots, episode])
    return np.stack([rng.choice(m, shots, replacement) for m in members])


def distances(support: np.ndarray, query: np.ndarray) -> np.ndarray:
    """(n, classes) from each query (n, e) to the prototype of each class of `support`
    (classes, shots, e)."""
    mean = support.mean((0, 1))

    def unit(x: np.ndarray) -> np.ndarray:
        x = x - mean
        return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)

    prototypes = unit(support).mean(1)
    return np.linalg.norm(unit(query)[:, None] - prototypes[None], ord=NORM, axis=-1)


def nearness(support: np.ndarray, query: np.ndarray) -> np.ndarray:
    """(n,) how near each query is to the second of two classes: the share of the distance that lies
    to the first."""
    away = distances(support, query)
    return away[:, 0] / np.maximum(away.sum(1), 1e-12)


def scored(found: np.ndarray, classes: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Accuracy, F1 and AUC of distances to classes (labels in the order of prototypes).

    Of two classes, the share of the distance that lies to the negative one is the score; of more,
    a softmax over negative shares, F1 and AUC over classes (macro and micro).
    """
    predicted = classes[found.argmin(1)]
    share = found / found.sum(1, keepdims=True)
    if len(classes) == 2:
        f1, auc = f1_score(label, predicted), roc_auc_score(label, share[:, list(classes).index(0)])
    else:
        order = np.argsort(classes)
        likely = np.exp(-share[:, order])
        likely /= likely.sum(1, keepdims=True)
        f1 = f1_score(label, predicted, average="macro")
        auc = roc_auc_score(label, likely, multi_class="ovr", average="micro")
    return {"accuracy": float(accuracy_score(label, predicted)), "f1": float(f1), "auc": float(auc)}


def evaluate(
    train: np.ndarray,
    train_label: np.ndarray,
    test: np.ndarray,
    test_label: np.ndarray,
    replacement: bool,
    seed: int,
    episodes: int = EPISODES,
) -> dict[str, Any]:
    """Mean and standard deviation over episodes for each number of shots that the training rows
    allow; features (n, e), labels 0 or 1.  Episodes are drawn from `seed` and their number."""
    classes = np.unique(train_label)
    members = [np.flatnonzero(train_label == c) for c in classes]
    results: dict[str, Any] = {}
    for shots in SHOTS:
        if not replacement and shots > min(map(len, members)):
            break
        made = []
        for episode in range(episodes):
            support = drawn(members, shots, seed, episode, replacement)
            made.append(scored(distances(train[support], test), classes, test_label))
        results[str(shots)] = {
            name: {
                "mean": float(np.mean([m[name] for m in made])),
                "std": float(np.std([m[name] for m in made], ddof=1)),
            }
            for name in made[0]
        }
    return results


def by_shots(
    known: np.ndarray,
    label: np.ndarray,
    unseen: np.ndarray,
    tested: Answers,
    resamples: Resamples,
    seed: int,
    episodes: int = EPISODES,
) -> tuple[dict[str, Any], dict[str, Measure]]:
    """Mean AUC over episodes, and that as a measure, for each number of exams of either class that there are.

    known (m, e) and their labels: one exam of a patient each; unseen (n, e), of which those of
    `tested` count.  Intervals are over the patients tested; `std` is that over episodes: which few
    exams one happens to have.
    """
    members = [np.flatnonzero(label == c) for c in (False, True)]
    episodes = episodes if len(tested.rows) < LARGE else min(episodes, EPISODES // 10)
    blocks: dict[str, Any] = {}
    aucs: dict[str, Measure] = {}
    for shots in (s for s in SHOTS if s <= min(map(len, members))):
        scores = np.empty((episodes, len(tested.rows)))
        for episode in range(episodes):
            support = drawn(members, shots, seed, episode)
            scores[episode] = nearness(known[support], unseen[tested.rows])
        each = [measures.auc(tested.positive, s)(np.ones((1, s.size)))[0] for s in scores]
        measure = measures.among(tested.rows, measures.auc_of_several(tested.positive, scores))
        found = estimate(measure, resamples)
        blocks[str(shots)] = found.to_json(chance=0.5, std=float(np.std(each, ddof=1)))
        aucs[str(shots)] = measure
    return blocks, aucs
