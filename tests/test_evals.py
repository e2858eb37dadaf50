"""Controls do what they say; labels come in the order of the exams."""

import csv

import numpy as np

from cmr_jax.data.pipeline import EvalBatches
from cmr_jax.data.source import ExamSource
from cmr_jax.evals import controls, labels, pictures, prompts
from cmr_jax.schema import LABELS_FILE
from cmr_jax.tokenizer import Tokenizer


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
    assert found["lge"][:-1].tolist() == [float(rows[i]["lge"]) for i in ids]
    assert np.isnan(found["lge"][-1])
    assert labels.read("/nowhere", ids) == {}


def test_every_label_of_the_phantom_has_prompts(tiny):
    from data_prep.phantom.protocol import profile
    from data_prep.phantom.study import Study

    assert set(Study(profile("tiny"), 0).truth.findings) == set(prompts.PROMPTS)


def test_header_features_hold_no_pixels(tiny):
    source = ExamSource(str(tiny), "test")
    exams = [source[i] for i in range(len(source))]
    features = controls.header_features(exams)
    assert features.shape[0] == len(exams)
    assert np.isfinite(features).all()


def test_a_supervised_baseline_finds_what_is_there():
    rng = np.random.default_rng(0)
    label = (rng.random(300) < 0.4).astype(float)
    features = rng.normal(size=(300, 5)) + label[:, None]
    scores = controls.supervised_scores(features[:200], {"f": label[:200]}, features[200:], ["f"])
    assert scores["f"][label[200:] > 0.5].mean() > scores["f"][label[200:] < 0.5].mean() + 1


def test_a_heart_is_a_moving_picture(tiny):
    import base64
    import io

    from PIL import Image

    source = ExamSource(str(tiny), "test")
    url = pictures.heart(source, source[0])
    assert url is not None
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert picture.n_frames == 8
