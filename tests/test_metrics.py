"""Metrics against hand counts, scikit-learn, and chance."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cmr_jax import metrics
from cmr_jax.evals import zero_shot
from cmr_jax.evals.statistics.estimate import interval_of_runs
from cmr_jax.evals.statistics.resamples import Resamples


def test_ranks_by_hand():
    similarity = np.array([[0.9, 0.1, 0.2], [0.8, 0.5, 0.1], [0.3, 0.3, 0.3]])
    np.testing.assert_array_equal(metrics.ranks(similarity), [0, 1, 1])


def test_all_of_a_group_are_right_and_what_is_no_number_is_last():
    similarity = np.array([[0.1, 0.9, 0.5], [0.2, 0.3, 0.3], [0.6, 0.6, 0.1]])
    group = np.array([4, 4, 7])
    assert metrics.group_ranks(similarity, group).tolist() == [0, 0.5, 2]
    assert metrics.group_ranks(similarity, np.arange(3)).tolist() == [2, 0.5, 2]
    lost = metrics.group_ranks(np.full((3, 3), np.nan), group)
    assert lost.tolist() == [1, 1, 2]


def test_a_constant_model_scores_as_chance_does():
    n = 200
    rank = metrics.ranks(np.ones((n, n)))
    assert np.all(rank == (n - 1) / 2)
    assert metrics.recall_at(rank, 10).mean() == 0
    assert metrics.auc(np.arange(n) % 2 == 0, np.ones(n)) == 0.5


def test_auc_equals_scikit_learn_with_ties():
    rng = np.random.default_rng(0)
    for _ in range(20):
        label = rng.random(50) < 0.3
        score = rng.integers(0, 8, 50).astype(float)
        assert metrics.auc(label, score) == pytest.approx(roc_auc_score(label, score))
    assert np.isnan(metrics.auc(np.zeros(5, bool), np.arange(5.0)))


def test_zero_shot_counts_every_finding_with_enough_positives():
    rng = np.random.default_rng(2)
    labels = {"lge": (np.arange(60) < 20) * 1.0, "hcm": (np.arange(60) < 4) * 1.0}
    score = {"lge": labels["lge"] + rng.normal(0, 0.1, 60), "hcm": rng.normal(size=60)}
    block = zero_shot.evaluate([score], labels, Resamples(np.arange(60), 50))
    assert block["findings"]["lge"]["n_positive"] == 20
    assert block["mean_auc"]["value"] == pytest.approx(1.0)
    assert block["left_out"] == {"hcm": 4}


def test_the_interval_of_runs_is_students():
    low, high = interval_of_runs(np.array([0.4, 0.5, 0.6]))
    # t(0.975, 2) = 4.3027; the standard error is 0.1 / sqrt(3)
    np.testing.assert_allclose([low, high], [0.5 - 0.24842, 0.5 + 0.24842], atol=1e-4)


def test_several_runs_are_averaged_and_widen_the_interval():
    label = {"f": (np.arange(80) < 40) * 1.0}
    good, bad = {"f": label["f"]}, {"f": -label["f"]}
    draws = Resamples(np.arange(80), 100)
    block = zero_shot.evaluate([good, bad], label, draws)["findings"]["f"]["auc"]
    assert block["value"] == 0.5
    assert (block["low"], block["high"]) == (0.0, 1.0)
