"""Random hearts: the same for an index wherever it is asked for, and true of themselves."""

import dataclasses
import io

import numpy as np
import pydicom
import pytest

from cmr_jax.phantom import Source, Variant
from cmr_jax.phantom.appearance import Greys
from cmr_jax.phantom.tissue import MASK_OF, Mask, Painter, Tissue
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study

SMALL = Variant(size=64, samples=2)


@pytest.fixture(scope="module")
def exams():
    source = Source(3, dataclasses.replace(SMALL, pictures=1))
    return [source[i] for i in range(40)]


def test_an_index_says_all():
    forwards, backwards = Source(5, SMALL), Source(5, SMALL)
    late = [backwards[i] for i in (7, 3, 0)]
    for exam, index in zip(late, (7, 3, 0), strict=True):
        again = forwards[index]
        np.testing.assert_array_equal(exam.video, again.video)
        np.testing.assert_array_equal(exam.masks, again.masks)
    other = Source(6, SMALL)[0]
    assert other.heart != late[-1].heart


def test_exams_that_share_an_anatomy_differ_in_their_pictures():
    source = Source(5, dataclasses.replace(SMALL, pictures=3))
    first, second, next_heart = (source[i] for i in (0, 1, 3))
    np.testing.assert_array_equal(first.masks, second.masks)
    assert np.abs(first.video - second.video).mean() > 0.05
    assert next_heart.heart != first.heart


def test_masks_are_shares_of_each_voxel(exams):
    for exam in exams:
        total = exam.masks.astype(np.float32).sum(-1)
        np.testing.assert_allclose(total, 1, atol=2e-3)
        voxel = exam.spacing_mm**2 * exam.pitch_mm / 1000
        counted = exam.masks.astype(np.float32).sum((1, 2, 3)) * voxel
        np.testing.assert_allclose(exam.volumes_ml, counted, rtol=2e-3)


def test_hearts_contract_as_they_were_drawn(exams):
    drawn = np.array([e.heart.lv_ef for e in exams if not e.heart.scar_width])
    seen = np.array(
        [
            1 - e.volumes_ml[1, Mask.LV] / e.volumes_ml[0, Mask.LV]
            for e in exams
            if not e.heart.scar_width
        ]
    )
    assert np.corrcoef(drawn, seen)[0, 1] > 0.75
    assert np.ptp(seen) > 0.4


def test_the_wall_keeps_its_volume(exams):
    """What it loses in length it gains in thickness; slices at the base come and go."""
    mass = np.stack([e.volumes_ml[:, Mask.MYOCARDIUM] for e in exams])
    assert 0.8 < np.median(mass[:, 1] / mass[:, 0]) < 1.1


def test_diagnoses_look_like_themselves(exams):
    by_group = {}
    for exam in exams:
        by_group.setdefault(exam.heart.group, []).append(exam.volumes_ml)
    sizes = {g: np.mean([v[0, Mask.LV] for v in vs]) for g, vs in by_group.items()}
    assert sizes["dcm"] > 1.3 * sizes["normal"]
    ratio = {g: np.mean([v[0, Mask.RV] / v[0, Mask.LV] for v in vs]) for g, vs in by_group.items()}
    assert ratio["abnormal_rv"] > 1.5 * ratio["dcm"]


def test_blood_is_brighter_than_the_wall(exams):
    for exam in exams:
        masks = exam.masks[0].astype(np.float32)
        blood, wall = (
            (exam.video[0] * (masks[..., m] > 0.9)).sum() / max((masks[..., m] > 0.9).sum(), 1)
            for m in (Mask.LV, Mask.MYOCARDIUM)
        )
        assert blood > 1.3 * wall


def test_greys_vary_as_they_are_asked_to():
    """With fixed greys two pictures of one heart are alike but for noise."""
    differences = {}
    for greys in Greys:
        source = Source(1, dataclasses.replace(SMALL, greys=greys, texture=False))
        first, second = source[0].video, source[1].video
        differences[greys] = np.abs(first - second).mean() / first.std()
    assert differences[Greys.FIXED] < 0.05 < differences[Greys.MODERATE]
    assert differences[Greys.MODERATE] < differences[Greys.RANDOM]


def test_simple_shapes_are_in_the_middle_and_smooth():
    exam = Source(2, dataclasses.replace(SMALL, wide_shapes=False, clutter=False))[0]
    lv = exam.masks[0, 3, :, :, Mask.LV].astype(np.float32)
    rows, columns = np.indices(lv.shape)
    middle = (lv * rows).sum() / lv.sum(), (lv * columns).sum() / lv.sum()
    np.testing.assert_allclose(middle, 31.5, atol=0.5)


def test_the_wall_is_as_thick_as_it_was_drawn():
    """At end diastole of hearts without a bump, in the mean over the middle slices."""
    source = Source(8, dataclasses.replace(SMALL, wide_shapes=False, clutter=False, pictures=1))
    plain = [e for e in (source[i] for i in range(30)) if not e.heart.septal_bump]
    drawn, seen = [], []
    for exam in plain:
        middle = exam.masks[0, 2:5].astype(np.float32).sum((1, 2)) * exam.spacing_mm**2
        cavity, wall = middle[:, Mask.LV], middle[:, Mask.MYOCARDIUM]
        seen.append((np.sqrt((cavity + wall) / np.pi) - np.sqrt(cavity / np.pi)).mean())
        drawn.append(
            exam.heart.wall * (1 - 0.5 * exam.heart.scar_thinning * exam.heart.scar_width / np.pi)
        )
    assert len(plain) > 5
    np.testing.assert_allclose(seen, drawn, rtol=0.15)


def test_a_cycle_contracts_once_and_comes_back():
    exam = Source(4, dataclasses.replace(SMALL, phases=20))[0]
    lv = exam.volumes_ml[:, Mask.LV]
    assert exam.video.shape[0] == 20
    assert lv.argmax() in (0, 18, 19)
    assert 5 <= lv.argmin() <= 12
    assert lv[0] - lv.min() > 3 * abs(lv[0] - lv[-1])
    # Volumes fall until end systole and grow after it; slices' edges are coarse.
    assert (np.diff(lv[: lv.argmin()]) < 1).all()
    assert (np.diff(lv[lv.argmin() :]) > -1).all()


def test_what_is_drawn_needs_no_paint():
    source = Source(4, SMALL)
    drawn, exam = source.drawn(5), source[5]
    assert drawn.heart == exam.heart
    assert len(drawn.planes.z) == exam.video.shape[1]


@pytest.mark.parametrize("phase", [0, 1])
def test_the_right_atrium_is_no_ventricle(phase):
    """Slices above the tricuspid plane show blood where the ventricle was; none of it is labelled."""
    source = Source(3, dataclasses.replace(SMALL, pictures=1))
    above = atrial = 0
    for index in range(12):
        drawn = source.drawn(index)
        painter = Painter(drawn.heart, drawn.planes, drawn.contraction, True, False, 1.3, drawn.rng)
        tissue = painter.paint()
        right = painter.right
        # The outflow tract extends above the plane; voxels near its own form do not count.
        atrium = (right.atrium_form < 1) & (right.level < 0) & (right.form > 2)
        above += int((MASK_OF[tissue] == Mask.RV)[phase][atrium[phase]].sum())
        atrial += int((tissue[phase] == Tissue.RIGHT_BLOOD)[atrium[phase]].sum())
    assert above == 0
    assert atrial > 1000


def test_cavities_end_where_observers_end_them():
    """The right one without its infundibulum, the left one at the endocardial apex."""
    source = Source(5, dataclasses.replace(SMALL, pictures=1))
    trunk = 0
    for index in range(12):
        drawn = source.drawn(index)
        painter = Painter(drawn.heart, drawn.planes, drawn.contraction, True, False, 1.3, drawn.rng)
        tissue = painter.paint()
        masks = MASK_OF[tissue]
        above = np.broadcast_to(painter.right.level < -0.12, tissue.shape)  # 7 mm and more
        assert not (masks[above] == Mask.RV).any()
        assert not (masks[np.broadcast_to(painter.left.level >= 1, tissue.shape)] == Mask.LV).any()
        trunk += int((tissue[above & (painter.right.trunk_form < 1)] == Tissue.RIGHT_BLOOD).sum())
    assert trunk > 500


def test_papillary_muscles_count_as_cavity():
    assert MASK_OF[Tissue.LV_TRABECULA] == Mask.LV
    assert MASK_OF[Tissue.RV_TRABECULA] == Mask.RV
    assert MASK_OF[Tissue.ATRIUM] == Mask.BACKGROUND


def study_of(index: int) -> Study:
    chosen = dataclasses.replace(profile("wild:exams=4,seed=2"), matrix=48, phases=3)
    return Study(chosen, index)


def test_random_hearts_are_written_as_dicom():
    """One file a slice and phase at its place; headers alone are the same headers."""
    study = study_of(1)
    files = [pydicom.dcmread(io.BytesIO(data)) for _, data, _ in study.files()]
    heads = [head for _, head, _ in study.files(pixels=False)]
    assert all(
        data.startswith(head) for (_, data, _), head in zip(study.files(), heads, strict=True)
    )
    planes = study.wild.scan(study.origin, study.tesla).planes
    assert len(files) == 3 * len(planes)
    places = sorted({tuple(map(float, f.ImagePositionPatient)) for f in files})
    pitch = np.linalg.norm(np.diff(places, axis=0), axis=1)
    np.testing.assert_allclose(pitch, pitch[0], atol=1e-3)
    assert all(f.Rows == 48 and f.pixel_array.max() <= 3000 for f in files)
    row, column = np.reshape(files[0].ImageOrientationPatient, (2, 3)).astype(float)
    np.testing.assert_allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=1e-5)
    # Volumes of the header's voxels are those of the truth; the stack goes from base to apex.
    exam = study.wild._exam
    cavity = exam.masks[..., Mask.LV].astype(np.float32).sum((2, 3))
    voxel_ml = float(files[0].PixelSpacing[0]) ** 2 * pitch[0] / 1000
    assert cavity[0].sum() * voxel_ml == pytest.approx(
        study.truth.measurements["lv_edv_ml"], rel=5e-3
    )
    places = np.array([p.position for p in planes])
    assert cavity[0, -2:].sum() < cavity[0, 2:4].sum()
    apical = (places[-1] - places[0]) / np.linalg.norm(places[-1] - places[0])
    np.testing.assert_allclose(apical, -np.cross(row, column), atol=1e-3)
    assert apical @ [0.64, -0.55, -0.53] > 0.95  # left, anterior, down


def test_what_is_said_of_a_random_heart_is_true():
    studies = [study_of(i) for i in range(4)]
    for study in studies:
        numbers, found = study.truth.measurements, study.truth.findings
        ejected = 1 - numbers["lv_esv_ml"] / numbers["lv_edv_ml"]
        assert numbers["lv_ef_percent"] == pytest.approx(100 * ejected)
        assert found["lv_dysfunction"] == (numbers["lv_ef_percent"] < 50)
        reduced = any(w in study.report_text.lower() for w in ("reduced", "impaired"))
        assert reduced == found["lv_dysfunction"]
        assert study.diagnosis == study.wild.group
    assert len({s.report_text for s in studies}) > 1
