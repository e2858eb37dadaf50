"""`cmr_jax.measure`: the shipped model, the command line, and what must not matter."""

import csv
import dataclasses
import json

import cv2
import numpy as np
import pytest
from conftest import run

from cmr_jax.measure import exams, learning, page, report, volumes
from cmr_jax.measure.measuring import measure
from cmr_jax.phantom import Source, Variant
from cmr_jax.schema import MEASUREMENTS_FILE
from cmr_jax.segmentation import weights
from cmr_jax.segmentation.batches import Sampling
from cmr_jax.segmentation.predict import AS_IT_IS, Predictor
from cmr_jax.segmentation.training import Training


@pytest.fixture(scope="module")
def shipped():
    return weights.load(None)


@pytest.fixture(scope="module")
def predictor(shipped):
    """One network of the ensemble, without shifted inputs: fast."""
    return Predictor(shipped.networks[:1], poses=AS_IT_IS)


@pytest.fixture(scope="module")
def unseen():
    source = Source(424_242, Variant(pictures=1))
    return [source[i] for i in range(12)]


def test_the_shipped_model_measures_hearts_it_never_saw(unseen, predictor):
    found = [learning.measured(e, predictor) for e in unseen]
    errors = {n: [] for n in ("lv_ef_percent", "lv_edv_ml", "rv_edv_ml", "lv_mass_g")}
    for one, exam in zip(found, unseen, strict=True):
        true = learning.truth(exam)
        for name, several in errors.items():
            several.append(getattr(one.function, name) / getattr(true, name) - 1)
    worst = {name: np.median(np.abs(several)) for name, several in errors.items()}
    assert worst["lv_ef_percent"] < 0.12
    assert worst["lv_edv_ml"] < 0.18
    assert worst["rv_edv_ml"] < 0.25
    assert worst["lv_mass_g"] < 0.20


def test_the_shipped_model_says_what_it_is(shipped):
    assert shipped.about["trained_on"] == learning.TRAINED_ON
    assert set(shipped.calibration) == set(volumes.NUMBERS)
    assert len(shipped.networks) == 3


def _same(video, pixel_mm, slice_mm):
    return video, pixel_mm, slice_mm


def _padded(video, pixel_mm, slice_mm):
    return np.pad(video, ((0, 0), (0, 0), (11, 30), (24, 5))), pixel_mm, slice_mm


def _brighter(video, pixel_mm, slice_mm):
    return 40 * video + 3, pixel_mm, slice_mm


def _eight_bits(video, pixel_mm, slice_mm):
    return np.round(np.clip(video / video.max(), 0, 1) * 255).astype(np.uint8), pixel_mm, slice_mm


def _apex_first(video, pixel_mm, slice_mm):
    return video[:, ::-1], pixel_mm, slice_mm[::-1]


def _systole_first(video, pixel_mm, slice_mm):
    return video[::-1], pixel_mm, slice_mm


def _moved_away(video, pixel_mm, slice_mm):
    return video, pixel_mm, slice_mm + 57.0


@pytest.mark.parametrize(
    "change", [_padded, _brighter, _eight_bits, _apex_first, _systole_first, _moved_away]
)
def test_what_is_no_anatomy_does_not_matter(change, unseen, predictor):
    """Padding, window, depth of grey, and the order of slices and phases."""
    for exam in unseen[:3]:
        plain = exam.video, (2.0, 2.0), -exam.pitch_mm * np.arange(exam.video.shape[1])
        before, after = (measure(*how(*plain), predictor).function for how in (_same, change))
        assert after.lv_ef_percent == pytest.approx(before.lv_ef_percent, abs=2.5)
        assert after.lv_edv_ml == pytest.approx(before.lv_edv_ml, rel=0.04)
        assert after.rv_edv_ml == pytest.approx(before.rv_edv_ml, rel=0.08, abs=4)


def test_more_phases_find_the_same_ends(unseen, predictor):
    """Diastole and systole are found among phases between them."""
    exam = unseen[0]
    ed, es = exam.video[0], exam.video[1]
    slice_mm = -exam.pitch_mm * np.arange(ed.shape[0])
    two = measure(exam.video, (2.0, 2.0), slice_mm, predictor)
    cine = np.stack([0.5 * (ed + es), es, 0.7 * ed + 0.3 * es, ed])
    several = measure(cine, (2.0, 2.0), slice_mm, predictor)
    assert several.phases == (3, 1)
    assert several.function.lv_ef_percent == pytest.approx(two.function.lv_ef_percent, abs=1)


def test_prepared_exams_are_measured(tiny, tmp_path):
    out = f"--out={tmp_path / 'out'}"
    done = run("cmr_jax.measure", f"--data={tiny}", "--split=val", out, "--json")
    with (tmp_path / "out" / MEASUREMENTS_FILE).open() as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["exam_id"] for line in lines] == [row["exam_id"] for row in rows]
    measured = [row for row in rows if not row.get("error")]
    assert measured
    for row in measured:
        low, value, high = (float(row[f"lv_edv_ml{end}"]) for end in ("_low", "", "_high"))
        assert low <= value <= high
        picture = cv2.imread(str(tmp_path / "out" / f"{row['exam_id']}.png"))
        assert picture.shape[0] == 2 * 192
        assert np.ptp(picture.astype(int), axis=-1).max() > 50  # contours are coloured
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(row["exam_id"] in page for row in rows)
    assert page.count("<img") == len(measured)


def test_names_and_reasons_are_text_on_the_page(shipped, tmp_path):
    evil = "<script>alert(1)</script>"
    page.write(tmp_path, [{"exam_id": evil, "error": evil}], shipped)
    text = (tmp_path / page.PAGE_FILE).read_text()
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") == 2


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([], "either --data or --dicom"),
        (["--data=x", "--dicom=y"], "either --data or --dicom"),
        (["--data=x", "--members=2"], "not --members"),
        (["train"], "--out is missing"),
        (["--data=nowhere"], "holds no prepared data"),
        (["--data=nowhere", "--weights=nowhere"], "cmr_jax.measure train"),
        (["weigh"], "what is 'weigh'"),
    ],
)
def test_a_wrong_command_is_told_in_one_line(flags, says):
    done = run("cmr_jax.measure", *flags, check=False)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_exam_without_a_short_axis_says_what_it_has(tiny):
    from cmr_jax.data.source import ExamSource
    from cmr_jax.schema import View

    source = ExamSource(str(tiny), "val")
    exam = source[0]
    others = tuple(s for s in exam.stacks if s.view is not View.SAX)
    with pytest.raises(ValueError, match="no short-axis cine in this exam; it has CH"):
        exams.short_axis_cine(source, dataclasses.replace(exam, stacks=others))


@pytest.mark.usefixtures("hasty")
def test_a_model_is_learned_with_its_errors():
    variant = Variant(size=48, samples=2)
    small = Training(
        steps=25, widths=(8, 16), variant=variant, lr=5e-3, sampling=Sampling(8, 32, held=12)
    )
    model = learning.learn(small, members=2, exams=6)
    assert len(model.networks) == 2
    assert model.about["seed"] == 0
    assert model.about["variant"]["greys"] == "moderate"
    json.dumps(model.about)
    assert "median error" in learning.summary(model)


def test_intervals_hold_the_share_they_promise():
    """Of exams whose errors are as those that were learned from."""
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.5, 3, 4000)
    error = rng.normal(0, spread + 1)
    known = learning.half_width(np.abs(error[:2000]), spread[:2000])
    inside = np.abs(error[2000:]) <= known[1] * (known[0] + spread[2000:])
    assert inside.mean() == pytest.approx(0.95, abs=0.015)


def test_an_interval_stays_where_numbers_can_be(shipped, unseen, predictor):
    found = learning.measured(unseen[0], predictor)
    wide = dataclasses.replace(found, spread=dict.fromkeys(volumes.NUMBERS, 500.0))
    assert learning.interval(shipped, wide, "rv_ef_percent") == (0.0, 100.0)
    low, high = learning.interval(shipped, wide, "lv_edv_ml")
    assert low == 0
    assert high > found.function.lv_edv_ml + 500


def test_pixels_of_unknown_size_make_volumes_doubtful(tiny, shipped, monkeypatch):
    from cmr_jax.data.source import ExamSource

    few = Predictor(shipped.networks[:1], poses=AS_IT_IS)
    source = ExamSource(str(tiny), "val")
    before = report._row(source, 0, shipped, few, None)
    plain = exams.short_axis_cine
    flagged = lambda *a: plain(*a)._replace(flags=("spacing unknown",))  # noqa: E731
    monkeypatch.setattr(report, "short_axis_cine", flagged)
    after = report._row(source, 0, shipped, few, None)
    assert "size of a pixel is unknown" not in before["unsure"]
    assert "size of a pixel is unknown" in after["unsure"]
