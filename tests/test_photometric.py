"""Grey values change as scanners change them; hearts, order and places do not."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cmr_jax import augment, config
from cmr_jax.augment import geometric, photometric
from cmr_jax.config import Data, Layout
from cmr_jax.data import pipeline
from tests.conftest import tiny_config

KEY = jax.random.key(5)
EXAMS = 24


def only(**on: float) -> Data:
    """Options with these alone switched on."""
    data = tiny_config("").data
    for name in (*geometric.OPTIONS, *photometric.OPTIONS):
        setattr(data, name, on.get(name, 0.0))
    return data


@pytest.fixture(scope="module")
def batch():
    """Exams of few or many frames; pictures brighter to the right, with noise in them."""
    rng = np.random.default_rng(0)
    plain = pipeline.example_batch(tiny_config(""), EXAMS)
    _, t, h, w, _ = plain.video.shape
    mask = np.arange(t) < rng.integers(1, t + 1, (EXAMS, 1))
    ramp = 40 + 3 * np.arange(w) + rng.integers(0, 20, (EXAMS, t, h, w))
    return plain._replace(
        video=(ramp * mask[:, :, None, None])[..., None].astype(np.uint8), frame_mask=mask
    )


@functools.cache
def program(**on: float):
    data = only(**on)
    return jax.jit(lambda batch, key: augment.seen_in_training(data, batch, key).video)


def changed(batch, key=KEY, **on: float) -> np.ndarray:
    return np.asarray(program(**on)(batch, key))


def grey(batch) -> np.ndarray:
    return batch.video.astype(np.float32) / 255


ALL = {"gain": 0.15, "offset": 0.05, "bias_field": 0.2, "noise": 0.02}


def test_a_gain_is_one_factor_for_the_whole_exam(batch):
    seen, stored = changed(batch, gain=0.3), grey(batch)
    ratio = [(a[m] / b[m]) for a, b, m in zip(seen, stored, batch.frame_mask, strict=True)]
    for one in ratio:
        np.testing.assert_allclose(one, one.flat[0], rtol=1e-5)
    factors = np.array([one.flat[0] for one in ratio])
    assert 0.7 <= factors.min() < 0.85 < 1.15 < factors.max() <= 1.3


def test_an_offset_is_one_shift_for_the_whole_exam(batch):
    moved = changed(batch, offset=0.1) - grey(batch)
    shifts = [one[m] for one, m in zip(moved, batch.frame_mask, strict=True)]
    for one in shifts:
        np.testing.assert_allclose(one, one.flat[0], atol=1e-6)
    first = np.array([one.flat[0] for one in shifts])
    assert -0.1 <= first.min() < -0.05 < 0.05 < first.max() <= 0.1


def test_grey_values_stay_between_black_and_white(batch):
    seen = changed(batch, gain=0.9, offset=0.9)
    assert (seen.min(), seen.max()) == (0, 1)


def test_a_coils_field_is_smooth_positive_and_bounded():
    fields = np.stack(
        [photometric.sensitivity(jax.random.key(i), (48, 64), 0.5) for i in range(16)]
    )
    logs = np.log(fields)
    assert np.abs(logs).max() <= 0.5
    assert np.ptp(logs, axis=(1, 2)).max() > 0.3  # and there is one
    np.testing.assert_allclose(logs.mean((1, 2)), 0, atol=1e-4)  # no gain by another name
    # Two half waves at the most: from one pixel to the next no more than their slope.
    assert np.abs(np.diff(logs, axis=1)).max() <= 0.5 * 2 * np.pi / 48
    assert np.abs(np.diff(logs, axis=2)).max() <= 0.5 * 2 * np.pi / 64


def test_all_frames_of_an_exam_lie_under_one_field(batch):
    seen, stored = changed(batch, bias_field=0.4), grey(batch)
    at = int(batch.frame_mask.sum(1).argmax())
    fields = seen[at][batch.frame_mask[at]] / stored[at][batch.frame_mask[at]]
    np.testing.assert_allclose(fields, np.broadcast_to(fields[:1], fields.shape), rtol=1e-5)
    others = seen[:, 0] / stored[:, 0]
    assert np.abs(others - others[at]).max((1, 2, 3))[np.arange(EXAMS) != at].min() > 1e-3


@pytest.mark.parametrize(
    ("signal", "mean", "spread"),
    [(0.0, np.sqrt(np.pi / 2), np.sqrt(2 - np.pi / 2)), (1.0, 1.2724, 0.7), (8.0, 8.063, 0.997)],
)
def test_noise_in_magnitudes_is_rician(signal, mean, spread):
    """On black its mean is `sigma sqrt(pi / 2)`; where there is much signal it is normal."""
    sigma, n = 0.03, 200_000
    x = jnp.full((n,), signal * sigma)
    seen = np.asarray(photometric.rician(KEY, x, sigma)) / sigma
    rng = np.random.default_rng(0)
    told = np.hypot(signal + rng.normal(size=n), rng.normal(size=n))  # as its definition says
    error = 4 * spread / np.sqrt(n)
    assert seen.mean() == pytest.approx(mean if signal == 0 else told.mean(), abs=2 * error)
    quantiles = np.linspace(0.01, 0.99, 33)
    np.testing.assert_allclose(
        np.quantile(seen, quantiles), np.quantile(told, quantiles), atol=0.025
    )
    assert seen.std() == pytest.approx(told.std(), rel=0.01)


def test_noise_of_a_pixel_tells_nothing_of_its_neighbours_or_of_the_next_frame(batch):
    black = batch._replace(
        video=np.zeros_like(batch.video), frame_mask=np.ones_like(batch.frame_mask)
    )
    seen = changed(black, noise=0.02)[..., 0]
    seen = seen - seen.mean((1, 2, 3), keepdims=True)
    seen /= seen.std((1, 2, 3), keepdims=True)
    few = 4 / np.sqrt(seen[0].size)
    for axis in (1, 2, 3):
        lag = (seen * np.roll(seen, 1, axis)).mean((1, 2, 3))
        assert np.abs(lag).max() < 1.5 * few
    assert np.abs((seen[1:] * seen[:-1]).mean((1, 2, 3))).max() < 1.5 * few


def test_how_much_noise_there_is_differs_by_exam(batch):
    black = batch._replace(
        video=np.zeros_like(batch.video), frame_mask=np.ones_like(batch.frame_mask)
    )
    level = changed(black, noise=0.05).mean((1, 2, 3, 4)) / np.sqrt(np.pi / 2)
    assert 0 < level.min() < 0.015 < 0.035 < level.max() < 0.0505


def test_an_exam_looks_the_same_in_any_batch(batch):
    whole = changed(batch, **ALL)
    some = np.array([11, 2, 7])
    few = changed(jax.tree.map(lambda x: x[some], batch), **ALL)
    np.testing.assert_allclose(few, whole[some], atol=1e-6)
    other = changed(batch._replace(row=batch.row + 1), **ALL)
    next_step = changed(batch, jax.random.key(6), **ALL)
    for drawn_anew in (other, next_step):
        assert np.abs(drawn_anew - whole).max((1, 2, 3, 4)).min() > 1e-3


def test_one_option_draws_the_same_whatever_else_is_on(batch):
    alone = changed(batch, gain=0.15) / np.maximum(grey(batch), 1e-9)
    both = changed(batch, gain=0.15, noise=1e-7) / np.maximum(grey(batch), 1e-9)
    np.testing.assert_allclose(alone, both, atol=1e-4)


def test_frames_that_are_not_there_stay_empty(batch):
    seen = changed(batch, **ALL)
    assert not seen[~batch.frame_mask].any()
    assert (seen[batch.frame_mask] != grey(batch)[batch.frame_mask]).mean() > 0.99


def test_stored_and_resized_pictures_are_changed_alike(batch):
    np.testing.assert_allclose(
        changed(batch, **ALL), changed(batch._replace(video=grey(batch)), **ALL), atol=1e-6
    )


def test_left_stays_left(batch):
    columns = changed(batch, **ALL)[batch.frame_mask].mean((0, 1, 3))
    assert np.corrcoef(columns, np.arange(len(columns)))[0, 1] > 0.99
    each = changed(batch, **ALL)[:, 0].mean((1, 3))  # of every exam
    assert (each[:, -8:].mean(1) > each[:, :8].mean(1)).all()


def test_what_is_off_leaves_the_batch_as_it_is(batch):
    none, off, published = only(), only(**ALL), only(**ALL)
    off.augment = False
    published.clip.layout = Layout.PUBLISHED  # which has its own, in the loader
    for data in (none, off, published):
        assert augment.seen_in_training(data, batch, KEY) is batch


@pytest.mark.parametrize("name", photometric.OPTIONS)
def test_each_option_is_a_share(name):
    cfg = tiny_config("")
    assert getattr(cfg.data, name) > 0
    for wrong in (-0.1, 1.0):
        setattr(cfg.data, name, wrong)
        with pytest.raises(ValueError, match=f"data.{name} is {wrong}"):
            config.validate(cfg)
