"""Probabilities, abstention, groups, missing views, strangeness, attribution: against others' code, by
hand, and by simulation of what is promised."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, f1_score, precision_score, recall_score

from cmr_jax.evals import answering, operating
from cmr_jax.evals.answers import Answers
from cmr_jax.evals.statistics.resamples import Resamples
from cmr_jax.evals.trust import attribution, calibration, conformal, missing, shift, subgroups
from cmr_jax.schema import Sequence, View
from cmr_jax.types import Batch, Coordinates
from tests import cohorts


def answers(n=300, seed=0, gap=1.5):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    return Answers(np.arange(n), positive, rng.normal(size=n) + gap * positive)


# --- thresholds


def test_what_a_threshold_does_is_scikit_learns():
    known, tested = answers(seed=1), answers(seed=2)
    at = operating.threshold(known)
    found = operating.evaluate(at, tested, Resamples(tested.rows, 100))
    said = tested.score >= at
    theirs = {
        "sensitivity": recall_score(tested.positive, said),
        "specificity": recall_score(~tested.positive, ~said),
        "ppv": precision_score(tested.positive, said),
        "npv": precision_score(~tested.positive, ~said),
        "f1": f1_score(tested.positive, said),
    }
    for name, value in theirs.items():
        assert found[name]["value"] == pytest.approx(value)
        assert found[name]["low"] < value < found[name]["high"]
    # Bayes at one in ten, by hand.
    sensitivity, specificity = theirs["sensitivity"], theirs["specificity"]
    right, wrong = 0.1 * sensitivity, 0.9 * (1 - specificity)
    assert found["ppv_at_prevalence"]["value"] == pytest.approx(right / (right + wrong))
    assert abs(sensitivity - specificity) < 0.12  # chosen to be near to equal, on other exams


def test_a_threshold_comes_from_the_known_exams_alone():
    known, tested = answers(seed=1), answers(seed=2)
    moved = tested._replace(score=tested.score + 100)
    found = operating.evaluate(operating.threshold(known), moved, Resamples(tested.rows, 10))
    assert (found["sensitivity"]["value"], found["specificity"]["value"]) == (1, 0)


# --- probabilities


def test_scaling_is_logistic_regression_on_the_score():
    known = answers()
    scaling = calibration.fit(known)
    theirs = LogisticRegression(C=np.inf).fit(known.score[:, None], known.positive)
    grid = np.linspace(-3, 4, 9)
    np.testing.assert_allclose(scaling(grid), theirs.predict_proba(grid[:, None])[:, 1], atol=2e-3)
    assert scaling.temperature == pytest.approx(1 / theirs.coef_[0, 0], rel=0.01)


def test_scores_that_are_all_alike_become_the_share_that_has_it():
    known = answers()._replace(score=np.full(300, 0.2))
    likely = calibration.fit(known)(np.array([0.2, -7.0]))
    np.testing.assert_allclose(likely, known.positive.mean())


def test_the_brier_score_is_scikit_learns_and_the_error_is_by_hand():
    tested = answers(seed=3)
    scaling = calibration.Scaling(0.5, -1.0)
    found = calibration.evaluate(scaling, tested, 0.25, None, Resamples(tested.rows, 50))
    likely = scaling(tested.score)
    assert found["brier"]["value"] == pytest.approx(brier_score_loss(tested.positive, likely))
    constant = np.full(300, 0.25)
    assert found["brier"]["chance"] == pytest.approx(brier_score_loss(tested.positive, constant))
    error = 0.0
    for low in np.arange(10) / 10:
        part = (likely >= low) & (likely < low + 0.1)
        if part.any():
            error += part.mean() * abs(likely[part].mean() - tested.positive[part].mean())
    assert found["ece"]["value"] == pytest.approx(error)
    assert "before" not in found


def test_scaling_mends_what_a_model_says_too_surely():
    known, tested = answers(2000, seed=4, gap=1.0), answers(2000, seed=5, gap=1.0)
    found = calibration.evaluate(
        calibration.fit(known), tested, 0.4, 30.0, Resamples(tested.rows, 50)
    )
    assert found["ece"]["value"] < 0.04 < 0.2 < found["before"]["ece"]["value"]
    assert found["ece"]["p"] > 0.05 > found["before"]["ece"]["p"]
    bars = found["reliability"]
    assert sum(b["n"] for b in bars) == 2000
    assert max(abs(b["said"] - b["so"]) for b in bars) < 0.12


def test_what_of_the_calibration_error_is_luck_is_said():
    """Labels drawn from the probabilities: the error is not zero, and is that of luck."""
    rng = np.random.default_rng(0)
    found = []
    for seed in range(40):
        score = rng.normal(size=80)
        scaling = calibration.Scaling(1.0, 0.0)
        tested = Answers(np.arange(80), rng.random(80) < scaling(score), score)
        block = calibration.evaluate(scaling, tested, 0.5, None, Resamples(tested.rows, 2, seed))
        found.append([block["ece"][k] for k in ("value", "by_luck", "p")])
    value, luck, p = np.mean(found, 0)
    assert value == pytest.approx(luck, abs=0.01)
    assert luck > 0.07
    assert 0.35 < p < 0.65
    assert np.mean(np.array(found)[:, 2] <= 0.05) <= 0.15


# --- abstention


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_sets_hold_the_truth_as_often_as_promised(level):
    """Of either class alone, whatever the model: here one that is bad and badly calibrated."""
    rng = np.random.default_rng(0)
    held = {True: [], False: []}
    for _ in range(400):
        known, tested = (rng.random(n) < 0.3 for n in (150, 60))
        likely = [
            np.clip(0.3 + 0.4 * s + rng.normal(0, 0.3, s.size), 0, 1) for s in (known, tested)
        ]
        found = conformal.sets(conformal.fit(known, likely[0], level), likely[1])
        holds = found[np.arange(60), tested.astype(int)]
        for side, values in held.items():
            values.append(holds[tested == side].mean())
    for side, values in held.items():
        assert level - 0.015 < np.nanmean(values) < level + 0.035, side


def test_a_shortfall_is_as_surprising_as_it_is_rare():
    """Thresholds and exams are drawn again and again; p is below 0.05 at most one time in twenty."""
    rng = np.random.default_rng(0)
    p, q = [], []
    for _ in range(600):
        known, tested = rng.random(60), rng.random(40)
        promise = conformal.fit(np.ones(60, bool), known, 0.9)
        holds = conformal.sets(promise, tested)[:, 1]
        p.append(promise.shortfall(1, holds))
        q.append(promise.shortfall(1, conformal.sets(promise, 0.5 * tested)[:, 1]))
    assert np.mean(np.array(p) <= 0.05) <= 0.06
    assert 0.4 < np.mean(p) < 0.7  # of whole numbers, so not quite uniform
    assert np.mean(np.array(q) <= 0.05) > 0.3
    assert np.isnan(promise.shortfall(0, holds))


def test_with_too_few_to_promise_anything_nothing_is_answered():
    positive = np.array([True] * 3 + [False] * 50)
    promise = conformal.fit(positive, np.linspace(0, 1, 53), 0.9)
    most = promise.most
    assert np.isinf(most[1])
    assert np.isfinite(most[0])
    found = conformal.sets(promise, np.linspace(0, 1, 9))
    assert found[:, 1].all()  # nobody is told that it is not there


def test_an_answer_is_the_likelier_or_there_is_none():
    promise = conformal.Promise(np.array([0.3, 0.8]), np.array([20, 20]), 0.9)
    likely = np.array([0.1, 0.35, 0.6, 0.9])
    assert conformal.sets(promise, likely)[1].tolist() == [False, True]  # "no" is ruled out
    np.testing.assert_array_equal(conformal.answers(promise, likely), [0, np.nan, 1, 1])


def test_who_is_answered_and_how_often_that_is_right():
    likely = np.array([0.05, 0.1, 0.45, 0.55, 0.9, 0.95, 0.02, 0.97])
    tested = Answers(np.arange(8), np.array([0, 0, 1, 0, 1, 1, 1, 1]) > 0, likely)
    promise = conformal.Promise(np.array([0.3, 0.3]), np.array([20, 20]), 0.9)
    found = conformal.evaluate(promise, likely, tested, Resamples(np.arange(8), 50))
    assert found["decided"]["value"] == pytest.approx(6 / 8)
    assert found["right_where_decided"]["value"] == pytest.approx(5 / 6)
    assert found["right_of_all"]["value"] == pytest.approx(5 / 8)
    assert found["coverage"]["value"] == pytest.approx(5 / 8)  # the two undecided hold nothing
    assert found["coverage_with"]["value"] == pytest.approx(3 / 5)
    assert found["curve"][0] == {"answered": 1 / 8, "wrong": 1.0}  # 0.02, and wrong
    assert found["curve"][-1]["wrong"] == pytest.approx(3 / 8)


def test_many_exams_of_one_patient_do_not_break_a_promise_many_times():
    promise = conformal.Promise(np.array([0.3, 0.3]), np.array([50, 50]), 0.9)
    likely = np.concatenate([np.full(20, 0.1), np.full(40, 0.9)])
    tested = Answers(np.arange(60), np.ones(60, bool), likely)
    p = [
        conformal.evaluate(promise, likely, tested, Resamples(patient, 20))["p_short_with"]
        for patient in (np.arange(60), np.concatenate([np.zeros(20, int), np.arange(40) + 1]))
    ]
    assert p[0] < 0.01  # twenty patients of sixty
    assert p[1] > 0.5  # one of forty-one


def test_answers_are_calibrated_on_one_exam_of_a_patient_and_rare_findings_have_none():
    rng = np.random.default_rng(0)
    label = (np.arange(80) % 2).astype(float)
    rare = (np.arange(80) < 4).astype(float)
    score = {"f": label + rng.normal(0, 0.3, 80), "rare": rare}
    exams = [cohorts.exam(i, patient_id=f"p{i // 2}") for i in range(80)]
    known = cohorts.cohort({"f": label, "rare": rare}, exams=exams)
    tested = cohorts.cohort({"f": label, "rare": label})
    blocks, columns = answering.evaluate(known, score, tested, score, None)
    assert set(blocks) == {"f"}
    # Of the pairs only first exams, none of which has the finding, were there to calibrate on: "yes"
    # can be said, and nobody can be told that it is not there.
    answer = columns["answer_f"]
    assert set(answer[~np.isnan(answer)]) == {1.0}
    assert np.isnan(answer[label < 0.5]).mean() > 0.85
    alone = cohorts.cohort({"f": label, "rare": rare})
    answer = answering.evaluate(alone, score, tested, score, None)[1]["answer_f"]
    assert set(answer[~np.isnan(answer)]) == {0.0, 1.0}


# --- groups


def grouped(n=400, seed=0, worse=0.0):
    """Exams of two vendors, for one of which the score is worse."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.5).astype(float)
    vendor = np.where(rng.random(n) < 0.5, "A", "B")
    score = label * np.where(vendor == "B", 1.5 - worse, 1.5) + rng.normal(size=n)
    exams = [cohorts.exam(i, vendor=v) for i, v in enumerate(vendor)]
    return cohorts.cohort({"f": label}, exams=exams), {"f": score}, vendor


def test_a_group_that_fares_worse_is_named(monkeypatch):
    monkeypatch.setattr(subgroups, "DEALS", 60)
    cohort, score, vendor = grouped(worse=1.2)
    found = subgroups.evaluate(cohort, score, seed=0)
    assert set(found) == {"vendor"}  # all else is the same for all
    block = found["vendor"]
    assert block["worst"] == "B"
    assert block["groups"]["A"]["n"] == (vendor == "A").sum()
    values = [block["groups"][g]["value"] for g in "AB"]
    assert block["gap"] == pytest.approx(values[0] - values[1])
    assert block["p"] < 0.05
    assert block["gap_by_luck"] < block["gap"] / 2


def test_without_a_difference_a_gap_is_luck(monkeypatch):
    monkeypatch.setattr(subgroups, "DEALS", 19)
    monkeypatch.setattr(cohorts, "DRAWS", 10)
    p = [
        subgroups.evaluate(*grouped(120, seed)[:2], seed=seed)["vendor"]["p"] for seed in range(40)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.15  # one in twenty
    assert 0.3 < np.mean(p) < 0.7


def test_groups_are_compared_over_findings_that_all_of_them_have():
    cohort, score, vendor = grouped(200)
    lone = np.where(vendor == "A", cohort.labels.findings["f"], 0.0)  # nobody of B has it
    cohort.labels.findings["g"] = lone
    found = subgroups.evaluate(cohort, score | {"g": lone}, seed=0)["vendor"]
    assert found["findings"] == ["f"]


def test_groups_that_differ_in_how_common_a_finding_is_are_dealt_within_it(monkeypatch):
    """Dealt regardless, a small group would seldom hold as many who have it, and luck seem larger."""
    monkeypatch.setattr(subgroups, "DEALS", 60)
    rng = np.random.default_rng(0)
    vendor = np.where(np.arange(400) < 40, "A", "B")
    label = (rng.random(400) < np.where(vendor == "A", 0.5, 0.05)).astype(float)
    exams = [cohorts.exam(i, vendor=v) for i, v in enumerate(vendor)]
    cohort = cohorts.cohort({"f": label}, exams=exams)
    answers = {"f": Answers.of(label, rng.normal(size=400))}
    dealt = subgroups._deal(answers["f"], vendor, cohort.resamples, rng)
    for group in "AB":
        assert label[dealt == group].sum() == label[vendor == group].sum()
    assert not np.array_equal(dealt, vendor)


def test_exams_of_one_patient_are_dealt_together_and_count_once():
    exams = [
        cohorts.exam(i, patient_id=f"p{i // 10}", vendor="AB"[i % 20 // 10]) for i in range(80)
    ]
    label = (np.arange(80) % 3 == 0).astype(float)
    cohort = cohorts.cohort({"f": label}, exams=exams)
    tested = Answers.of(label, label)
    vendor = subgroups.of_exams(exams)["vendor"]
    dealt = subgroups._deal(tested, vendor, cohort.resamples, np.random.default_rng(0))
    assert all(len(set(dealt[i : i + 10])) == 1 for i in range(0, 80, 10))
    assert tested.fewest(cohort.resamples) == 8


def test_a_header_that_says_nothing_is_no_group():
    exams = [cohorts.exam(0, sex="", field_strength_t=0.0), cohorts.exam(1, field_strength_t=1.5)]
    found = subgroups.of_exams(exams)
    assert found["sex"].tolist() == ["", "F"]
    assert found["field_strength"].tolist() == ["", "1.5 T"]


# --- unusual exams


def test_exams_like_the_known_ones_are_unusual_one_time_in_twenty():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(6, 6))
    learned, like, new, far = (rng.normal(size=(n, 6)) @ mix for n in (400, 300, 2000, 200))
    near = shift.Nearness(learned, like)
    p = near.share_farther(new)
    assert 0.03 < (p <= 0.05).mean() < 0.075
    assert 0.42 < p.mean() < 0.58
    assert (near.share_farther(far + 6 * mix[0]) <= 0.05).mean() > 0.9
    # Of the known ones themselves the farthest has one as far, and 300 are known.
    assert near.share_farther(like).min() == pytest.approx(2 / 301)


def test_another_place_is_told_from_home():
    rng = np.random.default_rng(0)
    home = cohorts.cohort(video=rng.normal(size=(60, 4)) + np.array([[3, 0, 0, 0]]))
    away = cohorts.cohort(video=rng.normal(size=(50, 4)) + np.array([[0, 3, 0, 0]]))
    near = shift.Nearness(home.video[:40], home.video[40:])
    block, p = shift.evaluate(near, away, home)
    assert block["auc_from_home"]["value"] > 0.9
    assert block["unusual"]["value"] == (p <= 0.05).mean() > 0.5
    assert "auc_from_home" not in shift.evaluate(near, home, None)[0]


# --- what goes missing, and what carries


def a_batch(views, sequences, mask=None) -> Batch:
    """One row for each exam; every frame is a picture of its own slice."""
    view, sequence = np.array(views), np.array(sequences)
    b, t = view.shape
    place = np.tile(np.arange(t), (b, 1))
    where = Coordinates(
        view, sequence, place, place * 1.0, place * 0.0, sequence == Sequence.CINE, place * 1.0
    )
    video = np.zeros((b, t, 2, 2, 1), np.uint8)
    video[..., 0, 0, 0] = 1 + place
    tokens = np.zeros((b, 1, 1), np.int32)
    return Batch(
        video,
        where,
        np.ones((b, t), bool) if mask is None else np.array(mask),
        tokens,
        tokens > -1,
        tokens[..., 0],
        np.arange(b, dtype=np.int32),
        np.arange(b, dtype=np.int32),
    )


def test_a_view_is_taken_away_where_something_is_left():
    cine, late = Sequence.CINE, Sequence.LGE_PSIR
    batch = a_batch(
        [[View.SAX, View.CH4, View.SAX], [View.SAX, View.SAX, View.CH4]],
        [[cine, cine, late], [cine, late, cine]],
        [[True, True, True], [True, True, False]],
    )
    short, *_ = missing.KINDS
    assert short.name == "short axis"
    left = short(batch).frame_mask
    assert left.tolist() == [[False, True, False], [True, True, False]]  # the second has no other
    enhanced = next(k for k in missing.KINDS if k.name == "late enhancement")
    assert enhanced(batch).frame_mask.tolist() == [[True, True, False], [True, False, False]]


def test_which_kinds_exams_have():
    both = cohorts.exam(0, stacks=(cohorts.stack(), cohorts.stack(View.CH4, Sequence.LGE_MAG)))
    cine_only = cohorts.exam(1)
    share = missing.present([both, cine_only])
    assert (share["short axis"], share["late enhancement"], share["2 chamber"]) == (1.0, 0.5, 0.0)
    enhanced = next(k for k in missing.KINDS if k.name == "late enhancement")
    assert enhanced.has(both)
    assert not enhanced.has(cine_only)


def test_the_fall_is_that_of_the_same_exams():
    label = np.array([1.0, 1, 0, 0] * 10)
    # The last four have no short axis to lose: what becomes of them is not asked.
    others = (cohorts.stack(View.CH4), cohorts.stack(View.CH2))
    both = (cohorts.stack(), cohorts.stack(View.CH4))
    exams = [cohorts.exam(i, stacks=both if i < 36 else others) for i in range(40)]
    whole = cohorts.cohort({"f": label}, video=np.eye(40), text=np.eye(40), exams=exams)
    cut = whole.with_video(np.roll(np.eye(40), 1, 0))
    before, after = label.copy(), -label
    before[36:] = after[36:] = 5 - label[36:]
    scores = {"": {"f": before}, "short axis": {"f": after}}
    found = missing.evaluate(whole, {"short axis": cut}, scores, ["f"])["short axis"]
    assert found["n"] == 36
    assert found["mean_auc"]["value"] == 1.0
    assert found["findings"] == {"f": 1.0}
    assert found["recall_at_10"]["value"] == pytest.approx(1 - 9 / 39)  # all others are equal


def seen(batch: Batch) -> np.ndarray:
    """A model that sums what it sees of the third frame, and less of the fifth."""
    shown = np.asarray(batch.video)[..., 0, 0, 0] * np.asarray(batch.frame_mask)
    return np.stack([((shown == 3) + 0.25 * (shown == 5)).sum(1), np.ones(len(shown))], 1)


def scored(embedded):
    return {"f": embedded[:, 0], "never": embedded[:, 1] * 0}


def test_what_carried_a_finding_is_found_and_deleting_it_costs_most():
    cine, late = Sequence.CINE, Sequence.LGE_MAG
    views, kinds = [[View.SAX] * 3 + [View.CH4] * 3], [[cine, cine, late, cine, late, cine]]
    batch = a_batch(views, kinds)
    (one,) = attribution.carried([0], iter([batch]), seen, scored)
    assert one.whole["f"] == 1.25
    np.testing.assert_allclose(one.of_piece["f"], [0, 0, 1, 0, 0.25, 0])
    top, chance = attribution.falls(one, batch, "f", seen, scored, seed=0)
    assert top == 1.25  # two frames of six go: those two
    assert chance < top
    cohort = cohorts.cohort({"f": np.ones(1), "never": np.ones(1)})
    lost = {("f", 0): (top, chance), ("never", 0): (0.0, 0.0)}
    found = attribution.evaluate(cohort, {"f": [0], "never": [0]}, {0: one}, lost)
    assert found["f"]["by_kind"]["SAX late enhancement"] == pytest.approx(0.8)
    assert found["f"]["by_kind"]["CH4 late enhancement"] == pytest.approx(0.2)
    assert found["f"]["more"]["value"] == pytest.approx(1.25 - chance)
    assert found["never"]["more"]["value"] == 0


def test_frames_of_one_slice_are_one_piece_and_padding_is_none():
    batch = a_batch([[View.SAX] * 4], [[Sequence.CINE] * 4], [[True, True, True, False]])
    same = np.array([[0, 0, 1, 1]])
    c = batch.coordinates._replace(stack=same * 0, slice_mm=same * 8.0)
    pieces = attribution.Pieces.of(batch._replace(coordinates=c))
    assert pieces.of_frame.tolist() == [0, 0, 1, -1]
    assert pieces.names == [(View.SAX, Sequence.CINE)] * 2


def test_exams_to_explain_have_the_finding_and_score_highest():
    label = np.array([1.0, 0, 1, np.nan, 1])
    cohort = cohorts.cohort({"f": label})
    score = {"f": np.array([0.1, 9, 0.3, 9, 0.2])}
    assert attribution.choose(cohort, score, ["f"]) == {"f": [2, 4, 0]}
