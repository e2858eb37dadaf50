"""What labels add to frozen embeddings: against scikit-learn, by hand, and where nothing can be known."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
)

from cmr_jax.evals import classes, few_shot, learned, regression, supervised
from cmr_jax.evals.answers import Answers
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate
from tests import cohorts

pytestmark = pytest.mark.usefixtures("hasty")


def known_and_unseen(n=240, e=6, seed=0, noise=1.0):
    """Cohorts whose embeddings hold a finding, a measurement and a class, and noise beside."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(2):
        size = rng.normal(size=n)
        video = rng.normal(scale=noise, size=(n, e))
        video[:, 0] += 2 * size
        video += 4  # so that lengths are alike, and unit vectors tell as much
        made.append(
            cohorts.cohort(
                {"large": (size > 0.5).astype(float)},
                video,
                measurements={"edv": 150 + 30 * size},
                classes={
                    "disease": np.where(size > 0.8, "dcm", np.where(size < -0.8, "hcm", "no"))
                },
            )
        )
    return made


def test_the_penalty_is_chosen_by_patient_inside_the_known_rows(monkeypatch):
    """Exams of one patient are copies: split between folds, they would ask for no penalty."""
    rng = np.random.default_rng(0)
    patient = np.arange(60) % 20
    label = rng.random(20)[patient] < 0.5
    known = rng.normal(size=(20, 30))[patient] + 0.01 * rng.normal(size=(60, 30))
    asked = []

    def spy(model, *_):
        asked.append(model)
        raise StopIteration

    monkeypatch.setattr(supervised, "_fitted", spy)
    with pytest.raises(StopIteration):
        supervised.logistic(known, label, patient, known)
    folds = list(asked[0].cv.split(known, label, patient))
    assert len(folds) == supervised.FOLDS
    for inside, outside in folds:
        assert not set(patient[inside]) & set(patient[outside])


def test_scores_are_those_of_scikit_learn_at_the_chosen_penalty():
    known, unseen = known_and_unseen()
    label = known.labels.findings["large"] > 0.5
    score = supervised.logistic(known.video, label, known.resamples.patient, unseen.video)
    truth = unseen.labels.findings["large"] > 0.5
    mean, spread = known.video.mean(0), known.video.std(0)
    theirs = [
        LogisticRegression(C=c)
        .fit((known.video - mean) / spread, label)
        .decision_function((unseen.video - mean) / spread)
        for c in supervised.INVERSE_PENALTIES
    ]
    assert min(np.abs(score - t).max() for t in theirs) < 1e-3
    assert roc_auc_score(truth, score) > 0.9


def test_with_one_of_a_class_there_is_still_a_score():
    rng = np.random.default_rng(0)
    label = np.arange(12) == 3
    assert np.isfinite(
        supervised.logistic(rng.normal(size=(12, 3)), label, np.arange(12), rng.normal(size=(4, 3)))
    ).all()


def test_the_mean_of_aucs_is_that_of_each():
    rng = np.random.default_rng(1)
    positive, scores = rng.random(40) < 0.4, rng.integers(0, 6, (5, 40)).astype(float)
    weights = rng.integers(0, 3, (7, 40)).astype(float)
    ours = measures.auc_of_several(positive, scores)(weights)
    each = [measures.auc(positive, s)(weights) for s in scores]
    np.testing.assert_allclose(ours, np.mean(each, 0))


def test_more_shots_tell_more_and_there_are_no_more_than_there_are():
    known, unseen = known_and_unseen(60)
    label = known.labels.findings["large"] > 0.5
    tested = Answers.of(unseen.labels.findings["large"], np.zeros(60))
    found, _ = few_shot.by_shots(
        known.video, label, unseen.video, tested, unseen.resamples, seed=0, episodes=20
    )
    fewest = min(label.sum(), (~label).sum())
    assert list(found) == [str(k) for k in few_shot.SHOTS if k <= fewest]
    assert found["1"]["value"] < found["8"]["value"]
    assert found["1"]["std"] > found["8"]["std"] > 0
    for block in found.values():
        assert block["low"] <= block["value"] <= block["high"]


def test_measurements_are_judged_as_scikit_learn_and_bland_do():
    known, unseen = known_and_unseen()
    unseen.labels.measurements["edv"][:5] = np.nan
    blocks, predicted = regression.evaluate(known, unseen)
    rows = np.arange(5, 240)
    truth, said = unseen.labels.measurements["edv"][rows], predicted["edv"][rows]
    block = blocks["edv"]
    assert block["n"] == 235
    assert block["mae"]["value"] == pytest.approx(mean_absolute_error(truth, said))
    assert block["r2"]["value"] == pytest.approx(r2_score(truth, said))
    assert block["r2"]["value"] > 0.7
    assert block["bias"]["value"] == pytest.approx((said - truth).mean())
    spread = (said - truth).std(ddof=1)
    assert block["limit_high"]["value"] == pytest.approx((said - truth).mean() + 1.96 * spread)
    assert block["mae"]["value"] < block["mae"]["chance"] / 1.5


def test_a_measurement_that_never_varies_or_that_few_have_is_left_out():
    known, unseen = known_and_unseen(60)
    for side in (known, unseen):
        side.labels.measurements["same"] = np.full(60, 3.5)
        side.labels.measurements["rare"] = np.where(np.arange(60) < 10, np.arange(60) * 1.0, np.nan)
    del known.labels.measurements["edv"]  # nothing to learn it from
    assert regression.evaluate(known, unseen) == ({}, {})


def test_diseases_are_told_apart_as_scikit_learn_counts(monkeypatch):
    known, unseen = known_and_unseen()
    unseen.labels.classes["disease"][:4] = ""
    unseen.labels.classes["disease"][4] = "new"
    block = classes.evaluate(known, unseen, seed=0)["disease"]
    assert block["classes"] == ["dcm", "hcm", "no"]
    assert block["left_out"] == ["new"]
    assert block["n"] == 235
    table = np.array(block["confusion"])
    truth = np.repeat(np.arange(3), table.sum(1))
    said = np.concatenate([np.repeat(np.arange(3), row) for row in table])
    assert table.sum() == 235
    assert block["accuracy"]["value"] == pytest.approx(accuracy_score(truth, said))
    assert block["balanced_accuracy"]["value"] == pytest.approx(
        balanced_accuracy_score(truth, said)
    )
    assert block["macro_f1"]["value"] == pytest.approx(f1_score(truth, said, average="macro"))
    assert block["accuracy"]["chance"] == pytest.approx(table.sum(1).max() / 235)
    assert block["balanced_accuracy"]["value"] > 0.6
    assert min(b["value"] for b in block["one_versus_rest"].values()) > 0.7
    assert block["few_shot"]["16"]["mean"] > block["few_shot"]["1"]["mean"]


def test_two_classes_are_told_apart_too():
    known, unseen = known_and_unseen(80)
    for side in (known, unseen):
        words = side.labels.classes["disease"]
        words[words == "hcm"] = ""
    block = classes.evaluate(known, unseen, seed=0)["disease"]
    assert block["classes"] == ["dcm", "no"]
    assert block["balanced_accuracy"]["value"] > 0.6


def test_all_that_is_learned_of_a_cohort():
    known, unseen = known_and_unseen(120)
    rare = np.where(np.arange(120) < 3, 1.0, 0.0)
    known.labels.findings["rare"], unseen.labels.findings["rare"] = rare, (rare[::-1] > 2) * 1.0
    unseen.labels.findings["rare"][:20] = 1  # enough to test on, too few to learn from
    block, columns = learned.evaluate(known, unseen, seed=0)
    assert block["too_rare_to_learn"] == ["rare"]
    for how in ("logistic", "network"):
        assert block["supervised"][how]["findings"]["large"]["auc"]["value"] > 0.85
    mean = block["few_shot"]["mean_auc"]
    assert mean["4"]["value"] == block["few_shot"]["findings"]["large"]["4"]["value"]
    assert set(columns) == {"supervised_large", "predicted_edv"}
    assert block["learned_from"] == {"data": "internal", "split": "test", "n_exams": 120}


def test_of_embeddings_that_know_nothing_nothing_is_learned():
    rng = np.random.default_rng(3)
    known, unseen = (c.with_video(rng.normal(size=(200, 6))) for c in known_and_unseen(200))
    label = known.labels.findings["large"]
    score = supervised.logistic(known.video, label, known.resamples.patient, unseen.video)
    tested = Answers.of(unseen.labels.findings["large"], score)
    found = estimate(tested.auc(), unseen.resamples)
    assert found.low < 0.5 < found.high
    assert abs(regression.evaluate(known, unseen)[0]["edv"]["r2"]["value"]) < 0.1


def test_too_many_pairs_for_a_table_give_the_same_mean(monkeypatch):
    rng = np.random.default_rng(1)
    positive, scores = rng.random(40) < 0.4, rng.integers(0, 6, (5, 40)).astype(float)
    weights = rng.integers(0, 3, (7, 40)).astype(float)
    table = measures.auc_of_several(positive, scores)(weights)
    monkeypatch.setattr(measures, "MOST_PAIRS", 10)
    np.testing.assert_allclose(measures.auc_of_several(positive, scores)(weights), table)


def test_of_one_patient_no_measurement_is_learned():
    known, unseen = known_and_unseen(60)
    exams = [cohorts.exam(i, patient_id="one") for i in range(60)]
    one = cohorts.cohort(video=known.video, exams=exams, measurements=known.labels.measurements)
    assert regression.evaluate(one, unseen) == ({}, {})


def test_a_few_exams_are_different_exams(monkeypatch):
    known, unseen = known_and_unseen(60)
    seen, real = [], few_shot.distances
    monkeypatch.setattr(few_shot, "distances", lambda s, q: seen.append(s) or real(s, q))
    label = known.labels.findings["large"] > 0.5
    tested = Answers.of(unseen.labels.findings["large"], np.zeros(60))
    few_shot.by_shots(known.video, label, unseen.video, tested, unseen.resamples, 0, episodes=3)
    assert all(len(np.unique(side, axis=0)) == len(side) for support in seen for side in support)
