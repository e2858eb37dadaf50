"""Metrics against hand counts, scikit-learn, and chance."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cmr_jax import metrics
from cmr_jax.evals import retrieval, zero_shot


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


def test_bootstrap_draws_whole_patients():
    patient = np.array([0, 0, 1, 2, 2, 2])
    for draw in metrics.bootstrap_patients(patient, 50, 0):
        counts = np.bincount(draw, minlength=6)
        assert counts[0] == counts[1]
        assert counts[3] == counts[4] == counts[5]


def test_perfect_pairs_are_found_and_random_ones_are_not():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(100, 16))
    draws = metrics.bootstrap_patients(np.arange(100), 200, 0)
    perfect, ranks = retrieval.evaluate(z, z, draws)
    assert perfect["report_to_exam"]["R@1"]["value"] == 1
    assert ranks["rank_exam_to_report"].max() == 1
    chance, _ = retrieval.evaluate(z, rng.normal(size=(100, 16)), draws)
    r10 = chance["report_to_exam"]["R@10"]
    assert r10["low"] <= r10["chance"] <= r10["high"]


def test_median_rank_and_its_interval_by_hand():
    """Texts 0..4 find their exams at ranks 1, 1, 3, 5, 5."""
    n = 5
    place = {0: 0, 1: 0, 2: 2, 3: 4, 4: 4}
    similarity = np.zeros((n, n))
    for text, better in place.items():
        others = [i for i in range(n) if i != text]
        similarity[text, text] = 0.5
        similarity[text, others] = 0.1
        similarity[text, others[:better]] = 0.9
    rank = metrics.ranks(similarity)
    draws = [np.array([0, 0, 1, 1, 1]), np.array([3, 3, 4, 4, 4])]
    block = retrieval._summary(rank, n, draws)
    assert block["MedR"] == {
        "value": 3,
        "low": pytest.approx(1.1),  # 2.5 % of the way from 1 to 5
        "high": pytest.approx(4.9),
        "chance": 3,
    }
    assert block["R@1"]["value"] == 0.4
    assert block["R@1"]["chance"] == 0.2
    assert block["R@5"] == {"value": 1, "low": 1, "high": 1, "chance": 1}
    assert block["R@50"]["chance"] == 1


def test_the_interval_of_one_run_is_of_the_draws_alone():
    summary = zero_shot._summary(np.array([[0.9, 0.5, 0.6, 0.7]]))
    assert summary["value"] == 0.9
    assert (summary["low"], summary["high"]) == pytest.approx((0.505, 0.695))


def test_zero_shot_counts_every_finding_with_enough_positives():
    rng = np.random.default_rng(2)
    labels = {"lge": (np.arange(60) < 20) * 1.0, "hcm": (np.arange(60) < 4) * 1.0}
    score = {"lge": labels["lge"] + rng.normal(0, 0.1, 60), "hcm": rng.normal(size=60)}
    block = zero_shot.evaluate([score], labels, metrics.bootstrap_patients(np.arange(60), 50, 0))
    assert block["findings"]["lge"]["n_positive"] == 20
    assert block["mean_auc"]["value"] == pytest.approx(1.0)
    assert block["left_out"] == {"hcm": 4}


def test_the_interval_of_runs_is_students():
    low, high = metrics.interval_of_runs(np.array([0.4, 0.5, 0.6]))
    # t(0.975, 2) = 4.3027; the standard error is 0.1 / sqrt(3)
    np.testing.assert_allclose([low, high], [0.5 - 0.24842, 0.5 + 0.24842], atol=1e-4)


def test_several_runs_are_averaged_and_widen_the_interval():
    label = {"f": (np.arange(80) < 40) * 1.0}
    good, bad = {"f": label["f"]}, {"f": -label["f"]}
    draws = metrics.bootstrap_patients(np.arange(80), 100, 0)
    block = zero_shot.evaluate([good, bad], label, draws)["findings"]["f"]["auc"]
    assert block["value"] == 0.5
    assert (block["low"], block["high"]) == (0.0, 1.0)
