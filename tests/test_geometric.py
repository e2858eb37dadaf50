"""Pictures lie elsewhere as two scans of a heart do; hearts are not flipped, stretched or changed."""

import functools

import cv2
import jax
import numpy as np
import pytest

from cmr_jax import augment, config
from cmr_jax.augment import geometric, photometric
from cmr_jax.data import pipeline
from tests.conftest import tiny_config

KEY = jax.random.key(5)
EXAMS, SIZE = 16, 32
RESAMPLED = jax.jit(geometric.resampled)


def only(**on: float) -> config.Data:
    """Options with these alone switched on."""
    data = tiny_config("").data
    for name in (*geometric.OPTIONS, *photometric.OPTIONS):
        setattr(data, name, on.get(name, 0.0))
    return data


@functools.cache
def program(**on: float):
    return jax.jit(functools.partial(augment.seen_in_training, only(**on)))


def blobs(h: int, w: int, *spots: tuple[float, float, float]) -> np.ndarray:
    """Smooth spots of light: (row, column, size), from the middle."""
    row, column = np.mgrid[:h, :w] - np.array([(h - 1) / 2, (w - 1) / 2])[:, None, None]
    return sum(np.exp(-((row - r) ** 2 + (column - c) ** 2) / s**2) for r, c, s in spots)


def middle(picture: np.ndarray) -> np.ndarray:
    """Where its light is, from the middle: (row, column)."""
    h, w = picture.shape
    places = np.mgrid[:h, :w] - np.array([(h - 1) / 2, (w - 1) / 2])[:, None, None]
    return (places * picture).sum((1, 2)) / picture.sum()


@pytest.fixture(scope="module")
def batch():
    """One smooth spot right of the middle in every picture that is there; some are not."""
    plain = pipeline.example_batch(tiny_config(""), EXAMS)
    picture = (200 * blobs(SIZE, SIZE, (0, 6, 4))).astype(np.uint8)
    mask = np.arange(plain.video.shape[1]) < np.arange(1, EXAMS + 1)[:, None]
    video = picture[..., None] * mask[:, :, None, None, None].astype(np.uint8)
    return plain._replace(video=video, frame_mask=mask)


def seen(batch, key=KEY, **on: float) -> np.ndarray:
    return np.asarray(program(**on)(batch, key).video)[..., 0]


def matrix(degrees: float, zoom: float = 1.0) -> np.ndarray:
    turn = np.deg2rad(degrees)
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / zoom


@pytest.mark.parametrize("shape", [(48, 48), (40, 56)])
@pytest.mark.parametrize(
    ("across", "shift"),
    [
        (matrix(0), (0.0, 0.0)),
        (matrix(0), (2.5, -3.25)),
        (matrix(25), (0.0, 0.0)),
        (matrix(-40, 1.2), (1.0, 4.0)),
        (matrix(10, 0.8), (-3.0, 0.5)),
    ],
)
def test_pictures_are_resampled_as_opencv_does(shape, across, shift):
    """Where pictures are smooth: two passes are not quite one of four neighbours.

    Beyond the edge both repeat it, each in its own direction.
    """
    h, w = shape
    picture = blobs(h, w, (-5, 3, 9), (8, -6, 7)).astype(np.float32)
    row, column = np.mgrid[:h, :w] - np.array([(h - 1) / 2, (w - 1) / 2])[:, None, None]
    y = across[0, 0] * row + across[0, 1] * column - shift[0] + (h - 1) / 2
    x = across[1, 0] * row + across[1, 1] * column - shift[1] + (w - 1) / 2
    places = [a.astype(np.float32) for a in (x, y)]
    told = cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    video = np.stack([picture, 2 * picture])[..., None]
    ours = np.asarray(RESAMPLED(video, across.astype(np.float32), np.float32(shift)))
    inside = (y >= 0) & (y <= h - 1) & (x >= 0) & (x <= w - 1)
    np.testing.assert_allclose(ours[0, ..., 0][inside], told[inside], atol=0.012)
    np.testing.assert_allclose(ours[1], 2 * ours[0], atol=1e-5)
    assert np.abs(told - picture).max() > 0.1 or not (across[0, 1] or any(shift))


def test_where_nothing_moves_a_picture_stays_bit_by_bit():
    noise = np.random.default_rng(0).integers(0, 256, (3, 24, 40, 1)).astype(np.float32)
    same = RESAMPLED(noise, np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    np.testing.assert_array_equal(same, noise)


def test_a_turn_keeps_places_far_from_the_middle_at_their_distance(batch):
    moved = np.array([middle(one) for one in seen(batch, rotate_deg=40.0)[:, 0]])
    np.testing.assert_allclose(np.hypot(*moved.T), 6, atol=0.15)
    turns = np.rad2deg(np.arctan2(moved[:, 0], moved[:, 1]))
    assert -40.5 <= turns.min() < -20 < 20 < turns.max() <= 40.5


def test_a_zoom_is_about_the_middle_and_as_much_both_ways(batch):
    pictures = seen(batch, zoom=0.2)[:, 0]
    across = np.array([middle(one) for one in pictures])
    factors = across[:, 1] / 6
    assert 0.79 <= factors.min() < 0.9 < 1.1 < factors.max() <= 1.21
    np.testing.assert_allclose(across[:, 0], 0, atol=0.02)
    area = pictures.sum((1, 2)) / pictures.sum((1, 2)).mean()
    np.testing.assert_allclose(area / factors**2, (area / factors**2).mean(), rtol=0.02)


def test_a_shift_goes_each_way_by_itself(batch):
    moved = np.array([middle(one) for one in seen(batch, shift=3)[:, 0]]) - [0, 6]
    for way in moved.T:
        assert -3 <= way.min() < -1 < 1 < way.max() <= 3
    assert np.abs(np.corrcoef(moved.T)[0, 1]) < 0.8


def test_all_pictures_of_an_exam_move_alike_and_exams_apart(batch):
    pictures = seen(batch, rotate_deg=25.0, zoom=0.1, shift=2)
    for one, there in zip(pictures, batch.frame_mask, strict=True):
        np.testing.assert_array_equal(one[there], np.broadcast_to(one[:1], one[there].shape))
        assert not one[~there].any()
    apart = np.abs(pictures[1:, 0] - pictures[:-1, 0]).max((1, 2))
    assert apart.min() > 0.02


def test_left_stays_left_and_up_stays_up(batch):
    """A flip is no turn: three spots in a row around a corner keep their sense of going round."""
    corner = blobs(SIZE, SIZE, (-7, -7, 2.5), (-7, 7, 3.5), (7, -7, 1.5))
    video = np.broadcast_to((160 * corner).astype(np.uint8)[..., None], batch.video.shape)
    moved = seen(batch._replace(video=video), rotate_deg=25.0, shift=2)[:, 0]
    for one in moved:
        quarters = {(r, c): one[r : r + 16, c : c + 16].sum() for r in (0, 16) for c in (0, 16)}
        order = sorted(quarters, key=lambda q: -quarters[q])
        assert order[:3] == [(0, 16), (0, 0), (16, 0)]


def test_what_lies_at_the_edge_is_repeated_beyond_it():
    even = np.full((2, SIZE, SIZE, 1), 0.4, np.float32)
    for across, shift in ((matrix(30, 0.7), (5, -6)), (matrix(-45, 0.5), (0, 9))):
        moved = RESAMPLED(even, across.astype(np.float32), np.float32(shift))
        np.testing.assert_allclose(moved, 0.4, atol=1e-6)


def test_an_exam_lies_the_same_in_any_batch_and_anew_in_the_next_step(batch):
    on = {"rotate_deg": 10.0, "zoom": 0.05, "shift": 2}
    whole, some = seen(batch, **on), np.array([11, 2, 7])
    few = seen(jax.tree.map(lambda x: x[some], batch), **on)
    np.testing.assert_allclose(few, whole[some], atol=1e-6)
    other, later = (
        seen(batch._replace(row=batch.row + 1), **on),
        seen(batch, jax.random.key(6), **on),
    )
    for drawn_anew in (other, later):
        assert np.abs(drawn_anew - whole)[:, 0].max((1, 2)).min() > 0.01


def test_one_option_draws_the_same_whatever_else_is_on(batch):
    alone = seen(batch, shift=3)
    np.testing.assert_allclose(seen(batch, shift=3, zoom=1e-6, gain=1e-6), alone, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("rotate_deg", -1.0), ("rotate_deg", 46.0), ("zoom", 1.0), ("shift", -1), ("shift", 16)],
)
def test_what_would_turn_a_heart_over_or_out_of_the_picture_is_refused(name, wrong):
    cfg = tiny_config("")
    setattr(cfg.data, name, wrong)
    with pytest.raises(ValueError, match=f"data.{name} is {wrong}"):
        config.validate(cfg)
