"""Who finds whom: by hand, by every order of equals, by scikit-learn, and against chance."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from cmr_jax.evals import ordering, retrieval
from cmr_jax.evals.statistics.resamples import Resamples

N = 200


@pytest.fixture
def few():
    """Queries over six candidates, many with one score, and who is right."""
    rng = np.random.default_rng(0)
    similarity = rng.integers(0, 3, (40, 6)) / 2
    right = rng.random((40, 6)) < 0.35
    right[np.arange(40), rng.integers(0, 6, 40)] = True
    return similarity, right


def of_every_order(scores, right):
    """Measures of one query, averaged over all orders in which equals may stand."""
    firsts = []
    for order in itertools.permutations(range(len(scores))):
        placed = sorted(order, key=lambda i: -scores[i])  # stable: equals as in `order`
        firsts.append(next(at for at, i in enumerate(placed) if right[i]))
    return np.array(firsts)


def test_where_scores_are_equal_every_order_counts(few):
    similarity, right = few
    hit = ordering.first_hit(similarity, right)
    rank, reciprocal = hit.rank(), hit.reciprocal()
    within = {k: hit.within(k) for k in (1, 2, 5, 50)}
    for i, (scores, good) in enumerate(zip(similarity[:12], right, strict=False)):
        first = of_every_order(scores, good)
        assert rank[i] == pytest.approx(first.mean() + 1)
        assert reciprocal[i] == pytest.approx((1 / (first + 1)).mean())
        for k, value in within.items():
            assert value[i] == pytest.approx((first < k).mean(), abs=1e-12)


def test_gain_is_scikit_learns(few):
    similarity, right = few
    ours = ordering.gain(similarity, right)
    theirs = [
        ndcg_score(g[None].astype(int), s[None]) for s, g in zip(similarity, right, strict=True)
    ]
    np.testing.assert_allclose(ours, theirs)


def test_what_is_no_number_stands_last():
    similarity = np.array([[np.nan, 0.1, 0.2], [0.3, np.nan, 0.1]])
    right = np.array([[True, False, False], [True, False, False]])
    np.testing.assert_array_equal(ordering.first_hit(similarity, right).rank(), [3, 1])
    np.testing.assert_allclose(ordering.gain(similarity, right), [0.5, 1])


def embedded(seed=1, n=N):
    return np.random.default_rng(seed).normal(size=(n, 16))


def test_an_oracle_finds_everything_and_a_random_model_what_chance_does():
    resamples = Resamples(np.arange(N), 400)
    perfect, ranks = retrieval.evaluate(embedded(), embedded(), resamples)
    for way in perfect.values():
        for measure in ("R@1", "MRR", "nDCG", "MedR", "MeanR"):
            assert way[measure]["value"] == 1
        assert way["R@1"]["low"] == pytest.approx(0.025 ** (1 / N))  # not seen to fail, not proven
    assert ranks["rank_exam_to_report"].max() == 1
    random, _ = retrieval.evaluate(embedded(), embedded(2), resamples)
    for way in random.values():
        for measure in ("R@10", "R@50", "MedR", "MeanR", "MRR", "nDCG"):
            assert way[measure]["low"] <= way[measure]["chance"] <= way[measure]["high"], measure


def test_a_collapsed_model_is_worth_what_chance_is():
    same = np.ones((N, 16))
    block, ranks = retrieval.evaluate(same, same, Resamples(np.arange(N), 50))
    for way in block.values():
        for measure, number in way.items():
            assert number["value"] == pytest.approx(number["chance"]), measure
        assert way["R@10"]["chance"] == pytest.approx(10 / N)
        assert way["MeanR"]["chance"] == pytest.approx((N + 1) / 2)
    assert ranks["rank_report_to_exam"] == pytest.approx((N + 1) / 2)


def test_who_reads_alike_is_right_too():
    """Pairs of exams with one report each: the twin's exam is as good as one's own."""
    group = np.arange(N) // 2
    video = embedded()
    text = video[np.arange(N) ^ 1]  # everybody finds the twin
    resamples = Resamples(np.arange(N), 50)
    own, _ = retrieval.evaluate(video, text, resamples)
    alike, ranks = retrieval.evaluate(video, text, resamples, group)
    assert own["report_to_exam"]["R@1"]["value"] == 0
    assert alike["report_to_exam"]["R@1"]["value"] == 1
    assert alike["report_to_exam"]["R@1"]["chance"] == pytest.approx(2 / N)
    assert ranks["rank_report_to_exam"].max() == 1
    # Where all are alike anything is right, and nothing is better than chance.
    every, _ = retrieval.evaluate(video, text, resamples, np.zeros(N, int))
    assert every["exam_to_report"]["R@1"]["value"] == every["exam_to_report"]["R@1"]["chance"] == 1


def test_median_rank_by_hand():
    """Texts 0..4 find their exams at ranks 1, 1, 3, 5, 5."""
    place = {0: 0, 1: 0, 2: 2, 3: 4, 4: 4}
    similarity = np.zeros((5, 5))
    for text, better in place.items():
        others = [i for i in range(5) if i != text]
        similarity[text, text] = 0.5
        similarity[text, others] = 0.1
        similarity[text, others[:better]] = 0.9
    values = retrieval.measured(similarity, np.eye(5, dtype=bool))
    np.testing.assert_array_equal(values["MedR"], [1, 1, 3, 5, 5])
    assert values["R@1"].mean() == 0.4
    assert values["R@5"].mean() == 1
    block = retrieval._summary("MedR", values["MedR"], Resamples(np.arange(5), 100), 3.0)
    assert (block["value"], block["chance"]) == (3, 3)


def test_one_exam_alone_is_found_and_nothing_is_said_of_it():
    block, _ = retrieval.evaluate(np.ones((1, 4)), np.ones((1, 4)), Resamples(np.zeros(1, int), 20))
    for measure, number in block["report_to_exam"].items():
        assert number["value"] == number["chance"] == 1, measure
