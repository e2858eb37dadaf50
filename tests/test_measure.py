"""Measurements by hand-made masks, and what cannot be measured."""

import numpy as np
import pytest

from cmr_jax.measure import cleaning, cycle, exams, quality, volumes, wall
from cmr_jax.measure.measuring import fine, measure
from cmr_jax.phantom import Source, Variant
from cmr_jax.phantom.tissue import Mask
from cmr_jax.segmentation import inputs
from cmr_jax.segmentation.grid import Grid, centre_of_motion
from cmr_jax.segmentation.predict import POSES, Network, Predictor


def ring(size=96, spacing=1.0, inner=20.0, outer=28.0, at=(47.5, 47.5)):
    """A slice with a round cavity and wall; radii in mm."""
    rows, columns = np.indices((size, size))
    away = np.hypot(rows - at[0], columns - at[1]) * spacing
    picture = np.zeros((size, size), np.uint8)
    picture[away < outer] = Mask.MYOCARDIUM
    picture[away < inner] = Mask.LV
    return picture


def one_hot(labels):
    return np.eye(len(Mask), dtype=np.float32)[labels]


# Volumes.


def test_a_disc_reaches_half_way_to_its_neighbours():
    np.testing.assert_allclose(volumes.disc_heights(np.array([20.0, 10.0, 0.0])), [10, 10, 10])
    # A missing slice is filled by those around it, in any order.
    np.testing.assert_allclose(
        volumes.disc_heights(np.array([0.0, 10.0, 40.0, 30.0])), [10, 15, 10, 15]
    )


@pytest.mark.parametrize("bad", [[0.0], [0.0, 0.0, 10.0]])
def test_slices_without_a_height_are_refused(bad):
    with pytest.raises(ValueError, match=r"one slice|same place"):
        volumes.disc_heights(np.array(bad))


def test_function_is_what_the_masks_hold():
    labels = np.zeros((2, 2, 10, 10), np.uint8)
    labels[0, :, :5] = Mask.LV  # 50 pixels in each of two slices
    labels[1, :, :2] = Mask.LV
    labels[:, :, 5] = Mask.MYOCARDIUM
    labels[0, :, 6:] = Mask.RV
    labels[1, :, 6:8] = Mask.RV
    curves = volumes.volumes(labels, 4.0, np.array([10.0, 5.0]))
    found = volumes.function(curves)
    assert found.lv_edv_ml == pytest.approx(50 * 4 * 15 / 1000)
    assert found.lv_ef_percent == pytest.approx(60)
    assert found.rv_ef_percent == pytest.approx(50)
    assert found.lv_mass_g == pytest.approx(10 * 4 * 15 / 1000 * 1.05)


def test_expected_volumes_weigh_voxels_by_their_probability():
    labels = np.random.default_rng(0).integers(0, 4, (2, 3, 6, 5))
    sure = one_hot(labels)
    heights = np.array([10.0, 5.0, 8.0])
    np.testing.assert_allclose(
        volumes.expected(sure, 2.0, heights), volumes.volumes(labels, 2.0, heights), rtol=1e-5
    )
    # Half here and half there is the mean of both.
    other = sure[..., [0, 3, 2, 1]]
    np.testing.assert_allclose(
        volumes.expected((sure + other) / 2, 2.0, heights)[:, Mask.LV],
        (volumes.volumes(labels, 2.0, heights)[:, [Mask.LV, Mask.RV]]).mean(1),
        rtol=1e-5,
    )


# The wall.


@pytest.mark.parametrize("spacing", [0.8, 1.0, 1.5])
def test_thickness_is_in_mm(spacing):
    labels = np.stack([ring(128, spacing, 15, 24, at=(63.5, 63.5))] * 6)
    np.testing.assert_allclose(wall.segment_thickness(labels, spacing), 9, atol=0.7)
    assert wall.largest_thickness(labels, spacing) == pytest.approx(9, abs=0.7)


@pytest.mark.parametrize(
    ("right_at", "thick"), [((47, 10), {2, 3, 8, 9, 14}), ((10, 47), {2, 3, 8, 9, 14})]
)
def test_the_septum_is_where_the_right_ventricle_is(right_at, thick):
    labels = np.stack([ring()] * 6)
    rows, columns = np.indices(labels.shape[1:])
    away = np.hypot(rows - right_at[0], columns - right_at[1])
    labels[:, (away < 8)] = Mask.RV
    towards = np.arctan2(right_at[0] - 47.5, right_at[1] - 47.5)
    angle = np.arctan2(rows - 47.5, columns - 47.5)
    near = np.abs((angle - towards + np.pi) % (2 * np.pi) - np.pi) < np.radians(44)
    r = np.hypot(rows - 47.5, columns - 47.5)
    labels[:, near & (r > 15) & (r < 20)] = Mask.MYOCARDIUM
    found = wall.segment_thickness(labels, 1.0)
    assert {n for n in range(1, 17) if found[n - 1] > 9.5} == thick


def test_segments_grow_from_anterior_to_septum_as_on_a_display():
    """The right ventricle on the left, anterior on top: the top is segment 1, the bottom 4."""
    labels = np.stack([ring()] * 6)
    labels[:, 40:55, 5:12] = Mask.RV
    rows, columns = np.indices(labels.shape[1:])
    top = (rows < 47.5) & (np.abs(columns - 47.5) < 10)
    r = np.hypot(rows - 47.5, columns - 47.5)
    labels[:, top & (r > 14) & (r < 20)] = Mask.MYOCARDIUM
    found = wall.segment_thickness(labels, 1.0)
    assert np.nanargmax(found[:6]) == 0
    flipped = wall.segment_thickness(labels[:, ::-1], 1.0)
    assert np.nanargmax(flipped[:6]) == 3


# From probabilities to one heart.


def test_another_ring_is_not_the_heart():
    labels = np.zeros((2, 4, 96, 96), np.uint8)
    for phase in labels:
        for s in range(4):
            heart, stomach = ring(96, 1, 10, 14), ring(96, 1, 9, 16, at=(20, 80))
            phase[s] = np.maximum(heart, stomach)
            phase[s, 44:52, 20:33] = Mask.RV
            phase[s, 78:95, 2:15] = Mask.RV  # liver, larger than the ventricle
    kept = cleaning.labels(one_hot(labels))
    assert not kept[..., :30, 65:].any()
    assert not kept[..., 70:, :15].any()
    np.testing.assert_array_equal(kept[..., 35:62, 15:62], labels[..., 35:62, 15:62])


def test_one_phase_alone_does_not_move_the_heart():
    """At end systole a bright body beside the heart is labelled as its cavity; it is out of reach."""
    true = np.stack([np.stack([ring(inner=r, outer=28.0)] * 5) for r in (20.0, 14.0)])
    wrong = true.copy()
    far = ring(inner=18.0, outer=22.0, at=(47.5, 90.0)) > 0
    wrong[0, 1:4][:, far & (true[0, 0] == 0)] = Mask.LV
    probability = 0.9 * one_hot(wrong) + 0.025
    # The other phase is not sure what it is.
    probability[1, 1:4][:, far & (true[0, 0] == 0)] = [0.5, 0.45, 0.025, 0.025]
    found = cleaning.labels(probability)
    beyond = 76 + cleaning.MOVES_PIXELS  # columns
    assert (wrong[0, ..., beyond:] == Mask.LV).sum() > 500
    assert not found[..., beyond:].any()
    np.testing.assert_array_equal(cleaning.labels(one_hot(true)), true)


def test_holes_of_the_cavity_are_cavity():
    labels = np.stack([np.stack([ring(64, 1, 12, 18, at=(31.5, 31.5))] * 3)] * 2)
    labels[:, :, 30:33, 30:33] = Mask.BACKGROUND
    assert (cleaning.labels(one_hot(labels))[:, :, 30:33, 30:33] == Mask.LV).all()


def test_nothing_seen_stays_nothing():
    assert not cleaning.labels(one_hot(np.zeros((2, 3, 32, 32), np.uint8))).any()


# The cycle.


def two_moments(slices=5):
    """A heart that contracts: `2 s h w`, end diastole first; the last slices are narrower."""
    made = np.zeros((2, slices, 96, 96), np.uint8)
    for at in range(slices):
        for moment, (inner, outer, right) in enumerate([(16, 22, 20), (10, 20, 14)]):
            made[moment, at] = ring(inner=inner - at, outer=outer - at)
            beside = slice(25 + at - right // 2, 25 + at)
            free = made[moment, at, 38:58, beside] == Mask.BACKGROUND
            made[moment, at, 38:58, beside][free] = Mask.RV
    return made


def probable(labels, sure=0.9):
    """`1 2 s h w k`: the rest is shared by the other masks."""
    return (sure * one_hot(labels) + (1 - sure) / len(Mask))[None]


def seen(probability):
    return probability.mean(0).argmax(-1)


def test_blood_where_the_right_ventricle_was_is_the_right_ventricles():
    true = two_moments()
    wrong = true.copy()
    wrong[1][true[1] == Mask.RV] = Mask.LV
    made = cycle.contracted(probable(wrong), 1.0)
    found = seen(made)
    far = (true[1] == Mask.RV) & (np.arange(96) < 20)  # further than the slack from the cavity
    assert far[1:].any()
    assert (found[1, 1:][far[1:]] == Mask.RV).all()
    np.testing.assert_array_equal(found[0], true[0])  # end diastole stays
    np.testing.assert_allclose(made.sum(-1), 1, rtol=1e-5)


def test_hearts_do_not_grow_in_systole():
    true = two_moments()
    wrong = true.copy()
    wrong[1, 2, 60:90, 60:90][true[1, 2, 60:90, 60:90] == 0] = Mask.MYOCARDIUM
    wrong[1, 3, 5:30, 5:30] = Mask.RV
    wrong[1, 1, 5:30, 70:90] = Mask.LV
    found = seen(cycle.contracted(probable(wrong), 1.0))
    assert not found[1, 2, 80:, 80:].any()
    assert not found[1, 3, 5:25, 5:15].any()
    assert not found[1, 1, 5:20, 80:90].any()


def test_a_heart_that_does_not_move_does_not_eject():
    rng = np.random.default_rng(0)
    still = probable(two_moments()[[0, 0]]) * rng.uniform(0.2, 1.8, (1, 1, 5, 96, 96, 4))
    made = cycle.contracted(still / still.sum(-1, keepdims=True), 1.0)
    np.testing.assert_allclose(made[:, 1], made[:, 0], rtol=1e-5)


def test_a_heart_that_contracts_stays_as_it_is():
    true = two_moments()
    found = seen(cycle.contracted(probable(true), 1.0))
    np.testing.assert_array_equal(found, true)


def hesitant(labels, sure=0.6, base_first=True):
    """Labels found, base first, where the network hesitates between the right ventricle and the background."""
    order = slice(None) if base_first else slice(None, None, -1)
    doubtful = probable(labels, sure)
    doubtful[0][labels == Mask.RV] = np.array([1 - sure, sure, 0, 0])
    return seen(cycle.contracted(doubtful[:, :, order], 1.0))[:, order]


@pytest.mark.parametrize("base_first", [True, False])
def test_valves_stay_where_nothing_contracts(base_first):
    still = two_moments()[[0, 0]]
    assert (hesitant(still, base_first=base_first)[still == Mask.RV] == Mask.RV).all()


def test_ends_of_a_stack_that_look_alike_are_not_called_the_base():
    cut = two_moments(slices=8)
    cut[:, 1:] = cut[:, :1]
    cut[:, -1, :48] = cut[:, -1, :48] * (cut[:, -1, :48] != Mask.RV)  # a little less than the first
    assert (hesitant(cut)[cut == Mask.RV] == Mask.RV).all()


def test_a_few_stray_pixels_at_diastole_do_not_bind_a_slice():
    true = two_moments()
    stray = true.copy()
    stray[0, 2][true[0, 2] == Mask.RV] = Mask.BACKGROUND
    stray[0, 2, 39:41, 24:26] = Mask.RV  # four pixels of it are left
    found = seen(cycle.contracted(probable(stray), 1.0))
    assert (found[1, 2][true[1, 2] == Mask.RV] == Mask.RV).all()


def test_where_all_is_ruled_out_there_is_background():
    true = two_moments()
    far = true.copy()
    far[1, 1, 85:96, 85:96] = Mask.LV
    certain = one_hot(far)[None].astype(np.float32)
    made = cycle.contracted(certain, 4.0)
    assert (seen(made)[1, 1, 90:, 90:] == Mask.BACKGROUND).all()
    np.testing.assert_allclose(made.sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize("base_first", [True, False])
def test_beside_the_most_basal_slice_is_the_atrium_unless_it_is_plain(base_first):
    true = two_moments()
    at = true == Mask.RV
    for sure, basal in ((0.6, Mask.BACKGROUND), (0.95, Mask.RV)):
        found = hesitant(true, sure, base_first)
        assert (found[1, 0][at[1, 0]] == basal).all()
        assert (found[1, 1:][at[1, 1:]] == Mask.RV).all()
        assert (found[0][at[0]] == Mask.RV).all()


class Says(Predictor):
    """A predictor whose answers are given: one for the first look, and one for each phase after it."""

    def __init__(self, first_look, phases):
        self.first_look, self.phases = first_look, phases

    def coarse(self, video, pixel_mm):
        return probable(self.first_look)[0], Grid((47.5, 47.5), 1.0, 96)

    def ensemble(self, two, pixel_mm, grid):
        return probable(self.phases[[int(picture.max()) for picture in two]])


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_first_look_that_takes_one_moment_for_the_other_is_mended(order):
    phases = two_moments()[order]  # of the cine; the first look confuses them
    video = np.zeros((2, 5, 8, 8), np.float32)
    video[1] = 1
    found = measure(video, (1.0, 1.0), -8.0 * np.arange(5), Says(phases[::-1], phases))
    assert found.phases == (order.index(0), order.index(1))
    right = measure(video, (1.0, 1.0), -8.0 * np.arange(5), Says(phases, phases))
    assert found.function == right.function
    assert found.function.lv_ef_percent > 50


def test_moments_stay_in_order_though_systole_shows_the_right_ventricle_as_the_left():
    wrong = np.stack([np.stack([ring(inner=i, outer=22.0)] * 5) for i in (16.0, 15.0)])
    for phase, first, mask in ((0, 6, Mask.RV), (1, 8, Mask.RV), (1, 22, Mask.LV)):
        beside = wrong[phase, :, 28:68, first:28]
        beside[beside != Mask.MYOCARDIUM] = mask
    left = (cleaning.labels(one_hot(wrong)) == Mask.LV).sum((1, 2, 3))
    assert left[1] > left[0]
    video = np.zeros((2, 5, 8, 8), np.float32)
    video[1] = 1
    found = measure(video, (1.0, 1.0), -8.0 * np.arange(5), Says(wrong, wrong))
    assert found.phases == (0, 1)


def test_slices_without_a_heart_at_diastole_bind_nothing():
    empty = two_moments()
    empty[0] = Mask.BACKGROUND
    given = probable(empty)
    made = cycle.contracted(given, 1.0)
    left = given.argmax(-1) >= Mask.MYOCARDIUM
    np.testing.assert_allclose(made[left], given[left], rtol=1e-4)


def test_a_prediction_needs_a_network_and_a_pose():
    for members, poses in (([], POSES), ([Network({}, (8,))], ())):
        with pytest.raises(ValueError, match="at least one network and one pose"):
            Predictor(members, poses)


def test_twice_the_resolution_is_the_same_place():
    ramp = np.arange(8, dtype=np.float32)[None, :, None, None] * np.ones((1, 8, 8, 1), np.float32)
    found = fine(ramp)[0, :, 0, 0]
    np.testing.assert_allclose(found[1:-1], (np.arange(16) / 2 - 0.25)[1:-1], atol=1e-6)


# Grids.


@pytest.mark.parametrize("pixel_mm", [(1.0, 1.0), (1.4, 1.4), (2.0, 1.25)])
def test_a_grid_is_in_mm_whatever_the_pixels(pixel_mm):
    rows, columns = np.indices((150, 160))
    centre = (70.0, 90.0)
    away = np.hypot((rows - centre[0]) * pixel_mm[0], (columns - centre[1]) * pixel_mm[1])
    picture = (away < 20).astype(np.float32)
    grid = Grid(centre, 2.0, 64)
    sampled = grid.sample(picture[None], pixel_mm)[0]
    area = picture.sum() * pixel_mm[0] * pixel_mm[1]
    assert sampled.sum() * 4 == pytest.approx(area, rel=0.02)
    at = np.arange(64)
    for axis in (0, 1):
        assert (sampled.sum(1 - axis) * at).sum() / sampled.sum() == pytest.approx(31.5, abs=0.1)
    back = grid.back(sampled[None], picture.shape, pixel_mm)[0]
    shared = 2 * ((back > 0.5) & (picture > 0.5)).sum() / ((back > 0.5).sum() + picture.sum())
    assert shared > 0.97
    moved = grid.moved(5.0, -3.0, pixel_mm).sample(picture[None], pixel_mm)[0]
    np.testing.assert_allclose(moved[:-5, 3:], sampled[5:, :-3], atol=1e-3)


def test_what_moves_is_the_middle():
    video = np.ones((2, 3, 80, 90), np.float32)
    video[:, :, 5:15, 5:15] = 3  # bright and still
    rows, columns = np.indices((80, 90))
    for phase, radius in enumerate((12, 8)):
        video[phase, :, np.hypot(rows - 50, columns - 60) < radius] = 2.5
    np.testing.assert_allclose(centre_of_motion(video, 2.0), (50, 60), atol=1)


# What the network sees.


def test_gain_and_offset_do_not_matter():
    x = np.random.default_rng(0).random((2, 3, 16, 16)).astype(np.float32)
    np.testing.assert_allclose(inputs.normalised(300 * x + 40), inputs.normalised(x), atol=1e-4)


def test_channels_are_neighbours_and_the_opposite_moment():
    x = np.random.default_rng(0).random((3, 4, 8, 8)).astype(np.float32)
    made = inputs.channels(x, np.array([2, 0, 1]))
    n = inputs.normalised(x)
    np.testing.assert_array_equal(made[1, 2], np.stack([n[1, 2], n[1, 1], n[1, 3], n[0, 2]], -1))
    assert not made[0, 0, ..., 1].any()
    assert not made[0, -1, ..., 2].any()


def test_the_opposite_of_diastole_is_systole():
    exam = Source(0, Variant(size=64, samples=2))[0]
    between = (exam.video[:1] + exam.video[1:]) / 2
    video = np.concatenate([exam.video[:1], between, exam.video[1:]])
    assert inputs.opposites(video)[[0, 2]].tolist() == [2, 0]


# What cannot be measured.

GOOD = np.random.default_rng(0).random((2, 5, 8, 8))


@pytest.mark.parametrize(
    ("video", "slices", "says"),
    [
        (GOOD[:, :1], 1, "at least 3 short-axis slices; this stack has 1"),
        (GOOD[:1], 5, "at least two phases"),
        (GOOD[[0, 0]], 5, "nothing moves"),
        (np.zeros((2, 5, 8, 8)), 5, "empty"),
        (np.where(GOOD > 0.9, np.nan, GOOD), 5, "not finite"),
        (GOOD, 4, "5 slices, but 4 positions"),
    ],
)
def test_what_cannot_be_measured_says_why(video, slices, says):
    with pytest.raises(ValueError, match=says):
        quality.check(video, np.arange(slices) * 10.0)


def doubts_of(labels, **numbers):
    usual = {
        "lv_edv_ml": 150.0, "lv_esv_ml": 60.0, "lv_ef_percent": 60.0, "lv_mass_g": 100.0,
        "rv_edv_ml": 150.0, "rv_esv_ml": 60.0, "rv_ef_percent": 60.0,
    }  # fmt: skip
    found = volumes.Function(**(usual | numbers))
    spread = dict.fromkeys(volumes.NUMBERS, 1.0)
    grid = Grid((0.0, 0.0), 1.0, labels.shape[-1])
    slice_mm = -10.0 * np.arange(labels.shape[1])
    return quality.doubts(labels, found, spread, slice_mm, grid), quality.right_doubts(
        labels, found, spread, grid
    )


def test_doubts_name_the_ventricle_they_are_about():
    heart = np.stack([ring(inner=r, outer=r + 8.0) for r in (14.0, 22.0, 20.0, 16.0, 6.0)])
    small = np.stack([ring(inner=r / 2, outer=r + 8.0) for r in (14.0, 22.0, 20.0, 16.0, 6.0)])
    labels = np.stack([heart, small])
    assert doubts_of(labels) == ((), ())
    # Ejecting a third of what the left one does is about the right one, not contracting about both.
    left, right = doubts_of(labels, rv_esv_ml=120.0)
    assert left == ()
    assert right == ("stroke volumes of the ventricles differ",)
    left, right = doubts_of(labels, lv_esv_ml=151.0)
    assert left == ("the left ventricle does not contract",)
    assert right
    left, right = doubts_of(labels, rv_esv_ml=155.0)
    assert left == ("the right ventricle fills while the left one empties",)
    assert right
    assert doubts_of(labels, rv_edv_ml=10.0, rv_esv_ml=12.0)[0] == ()  # hardly seen: says nothing
    cut = labels.copy()
    cut[0, 1, 40:50, 0] = Mask.RV
    left, right = doubts_of(cut)
    assert left == ()
    assert right == ("it reaches beyond the field that was looked at",)
    cut[0, 1, 0, 40:50] = Mask.MYOCARDIUM
    assert "the left ventricle reaches beyond" in doubts_of(cut)[0][0]


@pytest.mark.parametrize("moment", [0, 1])
def test_a_slice_that_is_lost_between_others_is_a_doubt_at_either_moment(moment):
    labels = two_moments()
    labels[moment, 2] = Mask.BACKGROUND
    assert "the left ventricle was not seen in a slice between others" in doubts_of(labels)[0]


def test_the_nearest_moment_of_the_cycle_is_round_the_corner():
    found = exams._nearest(np.array([0.0, 0.3, 0.6]), np.array([0.95, 0.4, 0.5]))
    assert found.tolist() == [0, 1, 2]
