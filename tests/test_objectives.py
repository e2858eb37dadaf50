"""Masked frames, attention to views, registers, hidden stacks: what each sees, and what it must not."""

import dataclasses
import functools
import json

import jax
import numpy as np
import pytest

from cmr_jax import augment, config, objectives, sharding, step, trainer, weights
from cmr_jax.config import Mesh, Objective, Pool
from cmr_jax.data import pipeline
from cmr_jax.models import dual_encoder
from tests.conftest import tiny_config

pytestmark = pytest.mark.usefixtures("hasty")
EXAMS = 3


def changed(**video) -> config.Experiment:
    cfg = tiny_config("")
    cfg.model.video = dataclasses.replace(cfg.model.video, **video)
    return cfg


def clip(cfg: config.Experiment, seed=0):
    """Frames of four stacks; the last exam has but two of them."""
    rng = np.random.default_rng(seed)
    plain = pipeline.example_batch(cfg, EXAMS)
    frames = plain.frame_mask.shape
    stack = np.broadcast_to(np.arange(frames[1]) * 4 // frames[1], frames).astype(np.int32)
    mask = np.ones(frames, bool)
    mask[-1] = stack[-1] < 2
    return plain._replace(
        video=rng.integers(0, 255, plain.video.shape).astype(np.uint8),
        coordinates=plain.coordinates._replace(stack=stack),
        frame_mask=mask,
    )


@functools.cache
def program(pool: Pool = Pool.PLACES, registers: int = 0, restores: bool = False):
    cfg = changed(pool=pool, registers=registers, restores=restores)
    made = jax.jit(lambda: dual_encoder.init(cfg.model, clip(cfg), jax.random.key(0)))()
    return cfg, made, jax.jit(functools.partial(dual_encoder.apply, cfg.model, text=False))


KINDS = [(Pool.VIEWS, 0), (Pool.PLACES, 2), (Pool.VIEWS, 1), (Pool.CLS, 1)]


@pytest.mark.parametrize(("pool", "registers"), KINDS)
def test_what_is_not_there_reaches_no_embedding(pool, registers):
    cfg, params, apply = program(pool, registers)
    batch = clip(cfg)
    hidden = ~batch.frame_mask[..., None, None, None]
    other = batch._replace(video=np.where(hidden, 77, batch.video).astype(np.uint8))
    a, b = (np.asarray(apply(params, x).video) for x in (batch, other))
    np.testing.assert_array_equal(a, b)
    shown = batch._replace(video=255 - batch.video)
    assert np.abs(np.asarray(apply(params, shown).video) - a).max(1).min() > 1e-4


@pytest.mark.parametrize(("pool", "registers"), KINDS)
def test_the_order_of_frames_and_stacks_does_not_matter(pool, registers):
    cfg, params, apply = program(pool, registers)
    batch = clip(cfg)
    p = np.random.default_rng(1).permutation(batch.frame_mask.shape[1])
    where = jax.tree.map(lambda x: x[:, p], batch.coordinates)
    where = where._replace(stack=3 - where.stack)
    other = batch._replace(
        video=batch.video[:, p], frame_mask=batch.frame_mask[:, p], coordinates=where
    )
    a, b = (np.asarray(apply(params, x).video) for x in (batch, other))
    np.testing.assert_allclose(a, b, atol=3e-6)


def test_a_stack_of_one_picture_counts_as_much_as_one_of_many():
    """Twice the same pictures in a stack change nothing: each stack has one say."""
    cfg, params, apply = program(Pool.VIEWS)
    batch = clip(cfg)
    frames = batch.frame_mask.shape[1]
    # Attention over frames sees no difference where all frames look alike.
    same = np.broadcast_to(batch.video[:, :1], batch.video.shape)
    few, many = (batch._replace(video=same, frame_mask=batch.coordinates.stack < n) for n in (1, 3))
    lone = apply(params, few._replace(frame_mask=np.arange(frames)[None] < np.ones((EXAMS, 1))))
    for other in (few, many):
        np.testing.assert_allclose(apply(params, other).video, lone.video, atol=2e-5)


def test_an_exam_without_frames_is_finite_with_its_gradient():
    cfg, params, _ = program(Pool.VIEWS)
    empty = clip(cfg)
    empty = empty._replace(frame_mask=np.zeros_like(empty.frame_mask))

    def of(params, batch):
        return dual_encoder.apply(cfg.model, params, batch, text=False).video.sum()

    program_ = jax.jit(jax.value_and_grad(of))
    value, slope = program_(params, empty)
    assert value == program_(params, empty._replace(video=255 - empty.video))[0]
    assert np.isfinite(value)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(slope))


def test_stacks_are_hidden_by_chance_and_one_always_stays():
    cfg = tiny_config("")
    cfg.data.augment, cfg.data.view_dropout = False, 0.5
    exams = 64
    plain = pipeline.example_batch(cfg, exams)
    frames = plain.frame_mask.shape
    stack = np.broadcast_to(np.arange(frames[1]) * 4 // frames[1], frames).astype(np.int32)
    mask = np.broadcast_to(np.arange(frames[1]) < frames[1] - 1, frames)
    batch = plain._replace(
        coordinates=plain.coordinates._replace(stack=stack), frame_mask=np.array(mask)
    )
    seen = np.asarray(augment.seen_in_training(cfg.data, batch, jax.random.key(1)).frame_mask)
    assert not (seen & ~mask).any()
    left = []
    for row in range(exams):
        kept = {s for s in range(4) if seen[row][stack[row] == s].any()}
        for s in kept:  # a stack goes as a whole
            assert (seen[row] == mask[row])[stack[row] == s].all()
        left.append(len(kept))
    assert min(left) >= 1
    assert 1.7 < np.mean(left) < 2.4
    half = jax.tree.map(lambda x: x[20:40], batch)
    again = augment.seen_in_training(cfg.data, half, jax.random.key(1)).frame_mask
    np.testing.assert_array_equal(again, seen[20:40])  # by the exam's row, not by its place
    cfg.data.view_dropout = 0.99
    seen = np.asarray(augment.seen_in_training(cfg.data, batch, jax.random.key(2)).frame_mask)
    assert seen.any(1).all()


def test_patches_are_told_about_their_mean_by_their_spread():
    cfg = tiny_config("")
    batch = clip(cfg)
    side = cfg.model.video.patch
    made = np.asarray(objectives.patches(batch.video, side))
    np.testing.assert_allclose(made.mean(-1), 0, atol=1e-4)
    np.testing.assert_allclose(made.std(-1), 1, atol=0.01)
    first = batch.video[0, 0, :side, side : 2 * side, 0].astype(float)
    np.testing.assert_allclose(
        made[0, 0, 1], ((first - first.mean()) / first.std()).ravel(), atol=0.01
    )
    assert np.isfinite(objectives.patches(np.zeros_like(batch.video), side)).all()


@pytest.fixture
def masked():
    cfg = changed(restores=True)
    cfg.objective, cfg.optim.frozen = Objective.MASKED_FRAMES, "text/.*|logit_.*"
    cfg.data.augment, cfg.data.hidden = False, 0.5
    config.validate(cfg)
    return cfg


def test_what_is_hidden_cannot_be_seen_and_is_what_is_asked_for(masked):
    _, params, apply = program(restores=True)
    batch = clip(masked)
    places = (masked.data.clip.size // masked.model.video.patch) ** 2
    hidden = np.zeros((EXAMS, places), bool)
    hidden[:, 1] = True
    side = masked.model.video.patch
    video = batch.video.copy()
    video[:, :, :side, side : 2 * side] = 9
    other = batch._replace(video=video)
    a, b = (np.asarray(apply(params, x, hidden=hidden).restored) for x in (batch, other))
    np.testing.assert_array_equal(a, b)
    c = np.asarray(apply(params, batch).restored)
    assert np.abs(c - a).max() > 1e-3  # without hiding, the place is seen
    mesh = sharding.make_mesh(Mesh(1), jax.devices()[:1])
    learned = objectives.MaskedFrames(masked, mesh)
    look = jax.jit(learned.look)(params, batch)
    assert look.restored.shape == (EXAMS,)
    assert look.text is None
    np.testing.assert_array_equal(look.restored, jax.jit(learned.look)(params, batch).restored)
    draws = [
        np.asarray(jax.jit(learned.embed)(params, batch, jax.random.key(k)).restored)
        for k in range(2)
    ]
    assert np.abs(draws[0] - draws[1]).min() > 1e-6


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"restores": False}, "restores=True"),
        ({"pool": Pool.CLS}, "pool other than cls"),
        ({"patch_dropout": 0.5}, "leave dropout"),
    ],
)
def test_what_cannot_be_restored_is_refused(masked, change, says):
    masked.model.video = dataclasses.replace(masked.model.video, **change)
    with pytest.raises(ValueError, match=says):
        config.validate(masked)


def test_a_tower_learns_from_pictures_alone_and_another_run_starts_from_it(masked, tiny, tmp_path):
    cfg = masked
    cfg.data.path = str(tiny)
    cfg.optim.steps, cfg.optim.lr, cfg.optim.warmup_steps = 30, 5e-3, 2
    cfg.run.save_every, cfg.run.eval_every = 30, 15
    trainer.run(cfg, tmp_path / "masked", trainer.Start([], weights.Options()), devices=DEVICES)
    lines = [json.loads(x) for x in (tmp_path / "masked/metrics.jsonl").read_text().splitlines()]
    curve = [x["train/loss"] for x in lines]
    assert np.mean(curve[-5:]) < np.mean(curve[:3]) - 0.1
    assert lines[-1]["val/restored"] > lines[14]["val/restored"]
    learned = weights.flatten(weights.load(str(tmp_path / "masked")).params)
    own = tiny_config(tiny)
    start = trainer.Start([str(tmp_path / "masked")], weights.Options(partial=True))
    own.optim.steps, own.run.save_every = 1, 1
    own.optim.lr = own.optim.lr_start = 0.0  # to see where it began
    trainer.run(own, tmp_path / "own", start, devices=DEVICES)
    begun = weights.flatten(weights.load(str(tmp_path / "own")).params)
    assert "video/pixels/kernel" not in begun
    for name in (n for n in begun if n.startswith("video/")):
        np.testing.assert_array_equal(begun[name], learned[name])


DEVICES = jax.devices()[:1]


def test_heads_pull_at_the_tower_and_add_to_the_loss():
    cfg = tiny_config("")
    cfg.model.outputs, cfg.model.numbers = ("lge",), ("lv_ef_percent",)
    cfg.contrast.findings, cfg.contrast.numbers = 0.5, 0.25
    mesh = sharding.make_mesh(Mesh(1), DEVICES)
    batch = clip(cfg)._replace(
        targets={
            "lge": np.array([1, 0, np.nan], np.float32),
            "lv_ef_percent": np.array([-2, np.nan, np.nan], np.float32),
        },
        report_group=np.arange(EXAMS * cfg.data.texts).reshape(EXAMS, -1).astype(np.int32),
    )
    learned = objectives.Contrastive(cfg, mesh)
    with jax.set_mesh(mesh):
        params = step.init_state(cfg, mesh, batch).params
        made = jax.jit(learned.look)(params, batch)
        loss, parts = learned.score(made, batch)
        silent, _ = learned.score(made._replace(outputs=None, numbers=None), batch)
    assert parts["findings_loss"] == pytest.approx(np.log(2), abs=1e-6)  # a fresh head says nothing
    assert parts["numbers_loss"] == pytest.approx(1.5)  # Huber's, of two spreads
    assert float(loss - silent) == pytest.approx(0.5 * np.log(2) + 0.25 * 1.5, rel=1e-5)
