"""The U-Net, its loss, its batches, its training and its files."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cmr_jax import config
from cmr_jax.data.random_hearts import exams
from cmr_jax.losses.dense import dense_loss
from cmr_jax.models.unet import UNet
from cmr_jax.phantom import Source, Variant
from cmr_jax.phantom.tissue import Mask
from cmr_jax.segmentation import inputs, networks, predict, training, weights
from cmr_jax.segmentation.batches import Sampling, batches
from cmr_jax.segmentation.grid import Grid
from cmr_jax.segmentation.networks import Architecture
from cmr_jax.segmentation.predict import Network, Predictor
from cmr_jax.segmentation.training import Training, train
from cmr_jax.weights import flatten

pytestmark = pytest.mark.usefixtures("hasty")
SMALL = Variant(size=48, samples=2)
TINY = Training(
    steps=110, widths=(8, 16), variant=SMALL, sampling=Sampling(batch=8, size=32, held=12), lr=5e-3
)


@pytest.fixture(scope="module")
def trained():
    return train(TINY)


def test_the_loss_is_zero_where_all_is_right_and_grows_with_what_is_wrong():
    masks = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(0, 4, (2, 8, 8))]
    right = dense_loss(jnp.asarray(40 * masks), masks)
    assert float(right) < 1e-3
    # All of one class: cross-entropy of 40 for three of four, and no overlap with two classes.
    wrong = dense_loss(jnp.asarray(40 * np.eye(4, dtype=np.float32)[np.full((2, 8, 8), 2)]), masks)
    share = 1 - masks[..., 2].mean()
    overlap = (2 * masks[..., 2].sum() + 1) / (masks[..., 2].sum() + 128 + 1)
    others = [1 / (masks[..., k].sum() + 1) for k in (1, 3)]
    expected = 40 * share + 1 - (overlap + sum(others)) / 3
    assert float(wrong) == pytest.approx(expected, rel=1e-4)


def test_soft_masks_are_their_own_best_answer():
    p = np.full((1, 4, 4, 4), 0.25, np.float32)
    gradient = jax.jit(jax.grad(dense_loss))(jnp.zeros((1, 4, 4, 4)), p)
    np.testing.assert_allclose(np.asarray(gradient).sum(-1), 0, atol=1e-6)


def test_every_pixel_has_its_logits_and_shifts_carry_over():
    network = UNet(4, (8, 16))
    x = jax.random.normal(jax.random.key(0), (2, 32, 32, inputs.CHANNELS))
    params = jax.jit(network.init)(jax.random.key(1), x)
    apply = jax.jit(network.apply)
    out = apply(params, x)
    assert out.shape == (2, 32, 32, 4)
    with pytest.raises(ValueError, match="do not divide by 4"):
        apply(params, x[:, :30])
    # A point of the input moves outputs near it only.
    touched = apply(params, x.at[0, 10, 10].add(5.0))
    assert not np.allclose(touched[0, 10, 10], out[0, 10, 10])
    np.testing.assert_array_equal(touched[1], out[1])


def test_batches_are_the_same_for_a_seed():
    first, again, other = (
        next(batches(exams(0, SMALL), Sampling(batch=4, size=32), seed)) for seed in (1, 1, 2)
    )
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])
    pictures, masks = first
    assert pictures.shape == (4, 32, 32, inputs.CHANNELS)
    np.testing.assert_allclose(pictures[..., 0].mean((1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(masks.sum(-1), 1, atol=2e-3)


def test_workers_make_the_same_exams_in_the_same_order():
    variant = dataclasses.replace(SMALL, pictures=2)
    source = Source(3, variant)
    for workers in (0, 2):
        for index, exam in zip(range(5), exams(3, variant, workers), strict=False):
            np.testing.assert_array_equal(exam.video, source[index].video)
            assert exam.heart == source[index].heart


def test_training_learns_to_see_hearts(trained):
    """Better than labelling every pixel by the usual share of its class."""
    pictures, masks = next(batches(exams(99, SMALL), Sampling(batch=24, size=32, held=12), 5))
    network = UNet(len(Mask), TINY.widths)
    apply, init = jax.jit(network.apply), jax.jit(network.init)
    logits = apply({"params": trained}, jnp.asarray(pictures))
    share = np.log(masks.astype(np.float32).mean((0, 1, 2)))
    blind = dense_loss(jnp.broadcast_to(share, logits.shape), masks)
    assert float(dense_loss(logits, masks)) < 0.97 * float(blind)
    fresh = init(jax.random.key(TINY.seed), jnp.asarray(pictures[:1]))
    assert float(dense_loss(apply(fresh, jnp.asarray(pictures)), masks)) > float(blind)


def test_training_is_the_same_for_a_seed():
    short = dataclasses.replace(TINY, steps=3)
    first, again = (flatten(train(short)) for _ in range(2))
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name], err_msg=name)


def test_training_over_devices_is_training_on_one():
    short = dataclasses.replace(TINY, steps=3)
    one, many = (flatten(train(short, jax.devices()[:n])) for n in (1, 4))
    for name, value in one.items():
        np.testing.assert_allclose(value, many[name], atol=2e-5, rtol=2e-3, err_msg=name)
    odd = dataclasses.replace(short, sampling=dataclasses.replace(TINY.sampling, batch=6))
    with pytest.raises(ValueError, match="6 slices do not divide over 4 devices"):
        train(odd, jax.devices()[:4])


def test_half_precision_trains_full_parameters():
    run = dataclasses.replace(TINY, steps=3, precision=config.Precision.BFLOAT16)
    exact = flatten(train(dataclasses.replace(TINY, steps=3)))
    for name, value in flatten(train(run)).items():
        assert value.dtype == np.float32
        assert np.isfinite(value).all()
        assert np.abs(value - exact[name]).max() < 0.1, name
    labeller = networks.make(run.architecture, run.widths, jnp.dtype("bfloat16"))
    x = jax.random.normal(jax.random.key(0), (1, 32, 32, inputs.CHANNELS))
    rounded, full = (
        make.apply(train(dataclasses.replace(TINY, steps=1)), x)
        for make in (labeller, networks.make(run.architecture, run.widths))
    )
    assert 1e-4 < np.abs(rounded - full).max() < 0.3


def test_tokens_of_the_video_tower_label_pixels():
    """A slice's labels depend on its tokens and not on other slices of the batch."""
    labeller = networks.make(Architecture.TOKENS, (8, 16))
    params = jax.jit(labeller.init, static_argnums=1)(jax.random.key(0), 32)
    x = jax.random.normal(jax.random.key(1), (2, 32, 32, inputs.CHANNELS))
    apply = jax.jit(labeller.apply)
    out = apply(params, x)
    assert out.shape == (2, 32, 32, len(Mask))
    np.testing.assert_allclose(apply(params, x[::-1])[::-1], out, atol=1e-5)
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(labeller.apply(p, x) ** 2)))(params)
    reached = {k for k, v in flatten(gradient["tower"]).items() if np.abs(v).max() > 0}
    assert any("stem" in k for k in reached)
    assert any("mlp" in k for k in reached)


def test_channels_can_be_left_empty():
    pictures, _ = next(batches(exams(0, SMALL), Sampling(batch=4, size=32, empty=(1, 3)), 1))
    whole, _ = next(batches(exams(0, SMALL), Sampling(batch=4, size=32), 1))
    assert not pictures[..., [1, 3]].any()
    np.testing.assert_array_equal(pictures[..., [0, 2]], whole[..., [0, 2]])


def test_turned_pictures_keep_their_masks():
    """The cavity is bright wherever it lies."""
    sampling = Sampling(batch=16, size=32, turned=True)
    pictures, masks = next(batches(exams(0, SMALL), sampling, 1))
    plain, _ = next(batches(exams(0, SMALL), Sampling(batch=16, size=32), 1))
    assert not np.array_equal(pictures, plain)
    cavity, wall = ((masks[..., m] > 0.9) for m in (Mask.LV, Mask.MYOCARDIUM))
    assert pictures[..., 0][cavity].mean() > pictures[..., 0][wall].mean() + 0.5


def test_what_goes_wrong_in_a_batch_ends_training(monkeypatch):
    def broken(*_):
        raise ValueError("no heart could be drawn")
        yield

    monkeypatch.setattr(training, "batches", broken)
    with pytest.raises(ValueError, match="no heart could be drawn"):
        train(dataclasses.replace(TINY, steps=3))


def model(params):
    network = Network(params, TINY.widths, 32, 2.0)
    return weights.MeasuringModel([network, network], {"lv_edv_ml": (1.0, 2.0)}, {"steps": 60})


def test_a_model_is_read_back(trained, tmp_path):
    weights.save(tmp_path / "model", model(trained))
    found = weights.load(tmp_path / "model")
    assert found.calibration == {"lv_edv_ml": (1.0, 2.0)}
    assert found.about == {"steps": 60}
    before, after = flatten(trained), flatten(found.networks[1].params)
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 9}, "version 9 is not known"),
        ({"widths": "wide"}, "does not describe"),
        ({"networks": 3}, "holds no network 2"),
        ({"calibration": {"x": 1}}, "does not describe"),
        ({"odds": [1, 1, 0, 1]}, "does not describe"),
        ({"odds": [1, 1]}, "does not describe"),
        ({"architecture": "forest"}, "does not describe"),
    ],
)
def test_a_wrong_model_says_what_is_wrong(trained, tmp_path, change, says):
    weights.save(tmp_path, model(trained))
    about = tmp_path / weights.ABOUT_FILE
    about.write_text(json.dumps(json.loads(about.read_text()) | change))
    with pytest.raises(ValueError, match=says):
        weights.load(tmp_path)


def test_odds_weigh_masks(trained, tmp_path):
    """The cavity at ten times the odds grows; every voxel's probabilities still sum to 1."""
    weights.save(tmp_path, model(trained)._replace(odds=(1.0, 1.0, 1.0, 10.0)))
    exam = Source(1, SMALL)[0]
    grid = Grid((23.5, 23.5), 2.0, 32)
    plain, weighed = (
        m.predictor().ensemble(exam.video, (2.0, 2.0), grid)
        for m in (model(trained), weights.load(tmp_path))
    )
    np.testing.assert_allclose(weighed.sum(-1), 1, rtol=1e-5)
    assert (weighed[..., Mask.LV] > plain[..., Mask.LV]).all()
    odds = weighed[..., Mask.LV] * plain[..., 0] / (weighed[..., 0] * plain[..., Mask.LV])
    assert np.median(odds) == pytest.approx(10, rel=0.2)


def test_no_model_says_how_to_make_one(tmp_path):
    with pytest.raises(ValueError, match=r"cmr_jax\.measure train"):
        weights.load(tmp_path)


def test_batches_of_any_size_are_predicted_alike(trained):
    network = Network(trained, TINY.widths, 32, 2.0)
    video = Source(7, SMALL)[0].video
    whole, grid = Predictor([network], batch=32).coarse(video, (2.0, 2.0))
    parts, same = Predictor([network], batch=5).coarse(video, (2.0, 2.0))
    assert grid == same
    np.testing.assert_allclose(whole, parts, atol=1e-5)
    np.testing.assert_allclose(whole.sum(-1), 1, atol=1e-4)


@pytest.mark.parametrize("pose", predict.POSES)
def test_what_is_turned_and_magnified_comes_back(pose):
    rows, columns = np.indices((64, 64))
    blobs = [np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 60) for r, c in ((20, 40), (35, 25))]
    pictures = np.stack(blobs, -1)[None].astype(np.float32)
    there, back = pose.affines(64)
    seen = predict.warped(pictures, there)
    np.testing.assert_allclose(predict.warped(seen, back), pictures, atol=0.02)
    # Around the middle: what lies there stays there.
    middle = np.exp(-((rows - 31.5) ** 2 + (columns - 31.5) ** 2) / 60)[None, ..., None]
    moved = predict.warped(middle.astype(np.float32), there)[0, ..., 0]
    np.testing.assert_allclose(moved, moved[::-1, ::-1], atol=1e-3)


def test_a_pose_shows_the_network_another_picture(monkeypatch):
    """The mean over poses is that of what the network says of each, turned back."""
    shown = []

    def says(_, x):
        shown.append(x)
        return np.eye(4, dtype=np.float32)[(x[..., 0] > 0.5).astype(int)]

    network = predict.Network({}, (8,), size=32)
    predictor = predict.Predictor([network], poses=(predict.Pose(), predict.Pose(90)))
    monkeypatch.setattr(predictor, "_batched", says)
    video = np.zeros((2, 1, 32, 32), np.float32)
    video[:, :, 4:12, 20:28] = 1
    found = predictor.ensemble(video, (2.0, 2.0), Grid((15.5, 15.5), 2.0, 32))
    assert not np.allclose(shown[0], shown[1])
    np.testing.assert_allclose(shown[1], np.rot90(shown[0], 1, (1, 2)), atol=1e-3)
    assert (found[0, 0, 0, 5:11, 21:27, 1] > 0.99).all()
