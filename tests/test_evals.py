"""Controls do what they say; labels come in the order of the exams."""

import copy
import csv
import dataclasses

import jax
import numpy as np
import pytest

from cmr_jax import metrics
from cmr_jax.data.pipeline import EvalBatches, example_batch
from cmr_jax.data.source import ExamSource
from cmr_jax.embedding import Embedder, ExamEmbeddings
from cmr_jax.evals import baselines, cohort, controls, labels, questions
from cmr_jax.evals.statistics.resamples import Resamples
from cmr_jax.models import dual_encoder
from cmr_jax.schema import LABELS_FILE, View
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.weights import Weights
from tests import cohorts


def first_batch(tiny, smoke):
    source = ExamSource(str(tiny), "test")
    return next(iter(EvalBatches(source, smoke, Tokenizer.load(tiny / "tokenizer.model"))))


def test_shuffled_phases_keep_every_picture_and_move_some(tiny, smoke):
    batch, _ = first_batch(tiny, smoke)
    shuffled = controls.shuffle_phases(batch)
    still = ~batch.coordinates.is_cine
    np.testing.assert_array_equal(shuffled.video[still], batch.video[still])
    assert not np.array_equal(shuffled.video, batch.video)
    for exam in range(3):  # the same pictures, of the same slices
        a, b = (sorted(frame.tobytes() for frame in v[exam]) for v in (shuffled.video, batch.video))
        assert a == b
    for a, b in zip(shuffled.coordinates, batch.coordinates, strict=True):
        np.testing.assert_array_equal(a, b)


def test_labels_come_by_exam_and_absent_ones_are_nan(tiny):
    source = ExamSource(str(tiny), "test")
    ids = [source[i].exam_id for i in range(len(source))]
    found = labels.read(str(tiny), [*ids, "nobody"])
    with (tiny / LABELS_FILE).open(newline="") as file:
        rows = {row["exam_id"]: row for row in csv.DictReader(file)}
    lge = found.findings["lge"]
    assert lge[:-1].tolist() == [float(rows[i]["lge"]) for i in ids]
    assert np.isnan(lge[-1])
    assert found.unlabelled == 1
    assert {"lv_ef_percent", "lv_edv_ml", "lv_mass_g"} <= set(found.measurements)
    assert labels.read("/nowhere", ids) == labels.Labels.none()


def test_every_label_of_the_phantom_has_prompts(tiny):
    from data_prep.phantom.protocol import profile
    from data_prep.phantom.study import Study

    assert set(Study(profile("tiny"), 0).truth.findings) == set(questions.read("reports"))


def test_header_features_hold_no_pixels(tiny):
    source = ExamSource(str(tiny), "test")
    exams = [source[i] for i in range(len(source))]
    features = baselines.header_features(exams)
    assert features.shape[0] == len(exams)
    assert np.isfinite(features).all()


def test_header_features_say_who_was_scanned_on_what(tiny):
    source = ExamSource(str(tiny), "test")
    exam = dataclasses.replace(
        source[0], vendor="GE", sex="M", age_band="40-49", field_strength_t=3.0
    )
    row = baselines.header_features([exam])[0]
    views = [s.view for s in exam.stacks]
    counted = [views.count(v) for v in (View.SAX, View.CH2, View.CH3, View.CH4)]
    assert row[:6].tolist() == [0, 1, 3.0, 1, 40, len(exam.stacks)]
    assert row[6:10].tolist() == counted
    assert row[10] == pytest.approx(np.mean([s.rr_ms for s in exam.stacks]))
    woman = dataclasses.replace(exam, vendor="Siemens", sex="F", age_band="")
    assert baselines.header_features([woman])[0][:5].tolist() == [1, 0, 3.0, 0, 55]


def test_mean_frames_are_means_of_real_frames(tiny, smoke):
    batch, _ = first_batch(tiny, smoke)
    (mean,) = baselines.mean_frames([(batch, 1)])
    real = batch.video[0][batch.frame_mask[0]][..., 0].astype(float).mean(0)
    blocks = real.reshape(16, 2, 16, 2).mean((1, 3))
    np.testing.assert_allclose(mean, blocks.ravel(), rtol=1e-4)


def test_what_is_ahead_is_so_on_the_same_patients():
    found = {"f": np.array([1, 1, 0, 0, np.nan]), "g": np.array([1, 0, 1, 0, 1])}
    right = {"f": np.array([4, 3, 2, 1, 9.0]), "g": np.array([3, 2, 3, 1, 3.0])}
    wrong = {"f": -right["f"], "g": right["g"]}
    ahead = controls.ahead(right, wrong, found, Resamples(np.arange(5), 100))
    assert ahead["value"] == 0.5  # f by 1, g by 0
    assert ahead["chance"] == 0
    assert 0 <= ahead["low"] <= ahead["high"] <= 1


def test_motion_is_asked_of_findings_of_motion_alone():
    label = np.array([1, 1, 0, 0.0])
    score = {name: np.array([4, 3, 2, 1.0]) for name in ("lv_dysfunction", "lge")}
    still = {"lv_dysfunction": -score["lv_dysfunction"], "lge": score["lge"]}
    found = dict.fromkeys(score, label)
    told = cohorts.study(cohorts.cohort(found), list(score))
    assert controls.motion_drop(score, still, told)["value"] == 1.0


def test_a_model_of_the_same_shape_is_the_same_program_and_another_is_not(tiny, smoke):
    def weights(cfg, seed):
        example = example_batch(cfg, 1)
        params = dual_encoder.init(cfg.model, example, jax.random.key(seed))
        return Weights(params, cfg, Tokenizer.load(tiny))

    first = Embedder(weights(smoke, 0), 4)
    second = first.with_weights(weights(copy.deepcopy(smoke), 1))
    assert second._video is first._video
    assert second.weights is not first.weights
    wider = copy.deepcopy(smoke)
    wider.model.embedding = 12
    third = first.with_weights(weights(wider, 0))
    assert third._video is not first._video
    assert third.texts(["LV is dilated."]).shape == (1, 12)
    assert not np.allclose(first.texts(["LV is dilated."]), second.texts(["LV is dilated."]))


def test_a_supervised_baseline_finds_what_is_there():
    rng = np.random.default_rng(0)
    label = (rng.random(300) < 0.4).astype(float)
    features = rng.normal(size=(300, 5)) + label[:, None]
    given = cohorts.cohort({"f": label[:200]})
    scores = baselines.supervised_scores(features[:200], given, features[200:], ["f", "unknown"])
    assert set(scores) == {"f"}
    assert metrics.auc(label[200:] > 0.5, scores["f"]) > 0.9


@pytest.mark.parametrize("side", ["video", "text"])
@pytest.mark.parametrize("worse", [np.nan, np.inf])
def test_embeddings_that_are_no_numbers_are_an_error(unlearned, tiny, monkeypatch, side, worse):
    fine = ExamEmbeddings(np.ones((2, 3)), np.ones((2, 3)), [])
    broken = fine._replace(**{side: np.array([[1, worse, 0], [1, 2, 3.0]])})
    monkeypatch.setattr(unlearned, "exams", lambda *_: broken)
    with pytest.raises(ValueError, match="1 of 2 exams of internal are not finite"):
        cohort.embed(unlearned, "internal", str(tiny), "test", draws=1, seed=0)
