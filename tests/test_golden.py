"""The published CMR-CLIP, number for number: every fixture of `--golden=DIR` (default ../shared/golden).

A fixture folder holds weights, inputs and what the published PyTorch code computed from them, in
float32 and in float64.

Semantics are compared in float64, where rounding is far below the effect of any misreading:
tolerances against float64 fixtures are tight, and those against float32 fixtures are the error of
the float32 fixture itself.  Neither depends on the CPU.  In float32, the same code is compared with
its own float64 results; the tolerance is a multiple of what perturbing every weight and pixel by
one rounding changes.
"""

import contextlib
import copy
import dataclasses
import functools
import json
import operator
import pathlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from cmr_jax import losses, objectives, optim, sharding
from cmr_jax.config import Contrast, Form, Loss, Mesh, Optim, published
from cmr_jax.data import published as data
from cmr_jax.evals import few_shot, operating, protocol
from cmr_jax.losses.pairs import normalise
from cmr_jax.models import dual_encoder
from cmr_jax.sharding import make_mesh
from cmr_jax.types import Batch, Coordinates, Embeddings, Pairing
from cmr_jax.weights import flatten, nest, shapes
from cmr_jax.weights import published as names

ROUNDOFF = 2.0**-24  # relative error of one rounding to float32
# Float64 results agree to 4e-15, and losses of three AdamW steps to 3e-13 (measured on AVX-512);
# misreadings change them by 1e-6 and more.
EXACT = 1e-10
# Measured float32 errors, as a multiple of the effect of one rounding of weights and pixels: at
# most 9, over XLA code for SSE4.2, AVX2 and AVX-512.
ROUNDINGS = 64
# One device, and eight: the batch over as many as it divides by, the towers' widths over the rest.
DEVICES = {"1 device": 1, "8 devices": 8}


def check_close(found, expected, atol: float | np.ndarray, name: str = "") -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, name
    error = np.abs(found - expected)
    worst = np.unravel_index((error / np.broadcast_to(atol, error.shape)).argmax(), error.shape)
    assert (error <= atol).all(), (
        f"{name}{[int(i) for i in worst]}: {found[worst]}, not {expected[worst]}; error "
        f"{error[worst]:.3g}, tolerance {np.broadcast_to(atol, error.shape)[worst]:.3g}"
    )


@contextlib.contextmanager
def precision(dtype: type) -> Iterator[None]:
    """Compute in `dtype`, also where the code names float32.

    Code for float64 need not be fast; code for float32 is compiled as in use.
    """
    double = dtype is np.float64
    before = jax.config.read("jax_disable_most_optimizations")
    with jax.enable_x64(double), pytest.MonkeyPatch.context() as patch:
        jax.config.update("jax_disable_most_optimizations", double or before)
        if double:
            patch.setattr(jnp, "float32", jnp.float64)
        try:
            yield
        finally:
            jax.config.update("jax_disable_most_optimizations", before)


@dataclasses.dataclass
class Case:
    """One fixture folder, brought into our terms."""

    folder: pathlib.Path

    def __post_init__(self) -> None:
        self.meta: dict[str, Any] = json.loads((self.folder / "meta.json").read_text())
        self.io = np.load(self.folder / "io.npz")
        theirs = load_file(self.folder / "state_dict.safetensors")
        model, size = shapes.model_of(theirs)
        # Fixtures are narrow, so their heads are not 64 wide, and their videos normalised already.
        model.video.heads = self.meta["video_cfg"]["num_heads"]
        model.video.pixel_mean, model.video.pixel_spread = (0.0,) * 3, (1.0,) * 3
        model.text.heads = self.meta["text_cfg"]["num_attention_heads"]
        self.cfg = published.experiment(1)
        self.cfg.model, self.cfg.data.clip.size = model, size
        self.entries = names.entries_of(self.cfg)
        flat, differences = names.to_ours(dict(theirs), self.entries)
        assert not differences, differences
        scale = np.float32(np.log(model.initial_scale))
        self.params = nest(flat | {"logit_scale": scale, "logit_bias": np.float32(0)})

    @property
    def batch(self) -> Batch:
        video = np.moveaxis(self.io["video"], 2, -1)
        b, t = video.shape[:2]
        whole, real = np.zeros((b, t), np.int32), np.zeros((b, t), np.float32)
        length = self.cfg.model.text.length
        tokens = self.io["input_ids"][:, None, :length].astype(np.int32)
        mask = self.io["attention_mask"][:, None, :length].astype(bool)
        where = Coordinates(whole, whole, whole, real, real, whole > 0, real + 1)
        own = np.arange(b)
        return Batch(video, where, np.ones((b, t), bool), tokens, mask, own[:, None], own, own)

    def mesh(self, devices: int) -> jax.sharding.Mesh:
        b = len(self.io["video"])
        share = next(n for n in (devices, devices // 2, 1) if b % n == 0)
        return make_mesh(Mesh(share, 1, devices // share), jax.devices()[:devices])

    def theirs(self, ours: dict) -> dict[str, np.ndarray]:
        return names.to_theirs(flatten(jax.device_get(ours)), self.entries)


@pytest.fixture(scope="module")
def case(golden_case: pathlib.Path) -> Case:
    return Case(golden_case)


@dataclasses.dataclass
class Results:
    """What one evaluation gives, as numpy arrays."""

    loss: float
    gradient: dict
    video: np.ndarray
    text: np.ndarray
    similarity: np.ndarray  # texts in rows, videos in columns
    features: dict[str, np.ndarray]


class Computation:
    """The published training loss and its gradient, compiled for some devices in one precision."""

    def __init__(self, case: Case, devices: int, dtype: type):
        cfg, self.mesh, self.dtype = case.cfg, case.mesh(devices), dtype
        model = copy.copy(cfg.model)
        model.precision = types.SimpleNamespace(value=np.dtype(dtype).name)
        encoder = dual_encoder.DualEncoder(model)

        def loss(params, batch):
            # In evaluation mode, as the fixtures: no dropout.
            e, found = encoder.apply({"params": params}, batch, mutable=["intermediates"])
            pairing = objectives.pairing_of(batch, cfg.positives)
            value, _ = losses.contrastive(cfg.loss, e, pairing, cfg.contrast, self.mesh)
            similarity = normalise(e.text[:, 0]) @ normalise(e.video).T
            return value, (e.video, e.text[:, 0], similarity, found["intermediates"])

        self._evaluate = jax.jit(jax.value_and_grad(loss, has_aux=True))
        self._layout = sharding.tree_shardings(case.params, self.mesh)
        self.params = jax.tree.map(lambda p: np.asarray(p, dtype), case.params)
        self.params["logit_scale"] = dtype(np.log(model.initial_scale))
        self.batch = case.batch._replace(video=case.batch.video.astype(dtype))

    def __call__(self, params: dict, video: np.ndarray | None = None) -> Results:
        batch = self.batch if video is None else self.batch._replace(video=video)
        with precision(self.dtype), jax.set_mesh(self.mesh):
            batch = jax.device_put(batch, sharding.batch_sharding(self.mesh))
            made = self._evaluate(jax.device_put(params, self._layout), batch)
            (value, (*arrays, inner)), gradient = jax.device_get(made)
        features = {tower: inner[tower]["features"][0] for tower in ("video", "text")}
        assert {a.dtype for a in jax.tree.leaves((made[0][0], arrays, features, gradient))} == {
            np.dtype(self.dtype)
        }
        return Results(float(value), gradient, *arrays, features)

    @functools.cached_property
    def results(self) -> Results:
        """With the weights of the fixture."""
        return self(self.params)

    def roundings(self, draws: int = 4) -> list[Results]:
        """With every weight and pixel off by up to one float32 rounding, at random."""
        rng = np.random.default_rng(0)

        def perturbed(x):
            return x * (1 + ROUNDOFF * rng.uniform(-1, 1, np.shape(x)))

        return [
            self(jax.tree.map(perturbed, self.params), perturbed(self.batch.video))
            for _ in range(draws)
        ]


@pytest.fixture(scope="module")
def compute(case) -> Callable[..., Computation]:
    return functools.cache(lambda devices, dtype: Computation(case, DEVICES[devices], dtype))


@pytest.mark.parametrize("devices", DEVICES)
def test_embeddings_are_the_published_ones(case, compute, devices):
    found = compute(devices, np.float64).results
    check_close(found.video, case.io["video_embeds_f64"], EXACT)
    check_close(found.text, case.io["text_embeds_f64"], EXACT)
    check_close(found.similarity, case.io["sim_f64"], EXACT)


@pytest.mark.parametrize("devices", DEVICES)
def test_features_before_the_projections_are_the_published_ones(case, compute, devices):
    for tower, features in compute(devices, np.float64).results.features.items():
        check_close(features, case.io[f"{tower}_features_f64"], EXACT, tower)


@pytest.mark.parametrize("devices", DEVICES)
def test_the_training_loss_is_norm_softmax(case, compute, devices):
    check_close(compute(devices, np.float64).results.loss, case.io["loss_normsoftmax_f64"], EXACT)


@pytest.mark.parametrize("normed", ["normed", "raw"])
@pytest.mark.parametrize("scale", ["default", "clamped"])
def test_clip_loss_and_the_gradient_of_its_scale(case, normed, scale):
    video, text = (case.io[f"{t}_embeds"].astype(float) for t in ("video", "text"))
    start = {"default": np.log(1 / 0.07), "clamped": 5.0}[scale]

    def loss(log_scale, video, text):
        if normed == "normed":
            video, text = normalise(video), normalise(text)
        factor = jnp.minimum(jnp.exp(log_scale), case.cfg.model.largest_scale)
        e = Embeddings(video, text[:, None], factor, jnp.zeros_like(factor))
        pairing = Pairing(jnp.arange(len(video))[:, None])
        contrast = Contrast(normalise=False, form=Form.PLAIN)
        return losses.contrastive(Loss.SOFTMAX, e, pairing, contrast, case.mesh(1))[0]

    with precision(np.float64):
        value, slope = jax.value_and_grad(loss)(jnp.float64(start), video, text)
    # The fixtures are float32, whose logits have errors of a few roundings of the largest; the loss
    # changes by no more than twice as much, its derivative by the largest logit times as much.
    if normed == "normed":
        video, text = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (video, text))
    largest = min(np.exp(start), 100) * np.abs(text @ video.T).max()
    key, error = f"clip_{normed}_{scale}", 16 * ROUNDOFF * largest
    check_close(value, case.io[f"loss_{key}"], error)
    check_close(slope, case.io[f"dlogitscale_{key}"], error * max(1, largest))


@pytest.mark.parametrize("devices", DEVICES)
def test_gradients_are_the_published_ones(case, compute, devices):
    found = case.theirs(compute(devices, np.float64).results.gradient)
    expected = load_file(case.folder / "grads_normsoftmax.safetensors")
    assert len(expected) >= 10
    assert set(expected) <= set(case.meta["grad_f32_vs_f64"])
    for name, error in case.meta["grad_f32_vs_f64"].items():
        # The largest element is recorded in float64.  Zero but for rounding: key biases, and
        # queries and keys of a dead attention.
        check_close(np.abs(found[name]).max(), error["maxabs"], EXACT, name)
        if name in expected and error["maxabs"] > EXACT:
            # The error of the float32 fixture is recorded: exactly that is left.
            check_close(found[name], expected[name], 4 * error["f32_err"] + EXACT, name)
    for name in case.meta["params_without_grad"]:
        assert not found[name].any(), name


def test_float32_results_differ_by_rounding_alone(case, compute):
    double, single = (compute("1 device", dtype) for dtype in (np.float64, np.float32))
    exact, roundings, found = double.results, double.roundings(), single.results
    for part in ("loss", "video", "text", "similarity", "features", "gradient"):
        expected, actual, *perturbed = (
            flatten({part: getattr(r, part)}) for r in (exact, found, *roundings)
        )
        trace = ROUNDOFF * max(np.abs(x).max() for x in expected.values())
        for name, value in expected.items():
            effect = max(np.abs(x[name] - value).max() for x in perturbed)
            if np.abs(value).max() < EXACT:
                # Zero whatever the weights: terms cancel that are as large as other gradients.
                effect = trace
            check_close(actual[name], value, ROUNDINGS * effect, name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_step_of_the_published_optimiser(case, dtype):
    """Fed with the published gradients, so that only the optimiser is compared."""
    said = case.meta["adamw"]["ref"]
    gradients, after, before = (
        load_file(case.folder / f"{name}.safetensors")
        for name in ("grads_normsoftmax", "after_adamw_ref", "state_dict")
    )
    gradients, before = (
        {name: tensors[name].astype(dtype) for name in after if name in gradients}
        for tensors in (gradients, before)
    )
    assert len(before) >= 10
    chain = optim.make(constant(case, said))
    with precision(dtype):
        update, _ = jax.device_get(jax.jit(chain.update)(gradients, chain.init(before), before))
    for name, value in before.items():
        # The step and the decay each round the parameter, here and in the fixture.  The largest
        # relative error of the step itself is that of 1 - b2 where it is computed in float32.
        step_error = ROUNDOFF / (1 - case.cfg.optim.b2) if dtype is np.float32 else ROUNDOFF
        atol = 10 * ROUNDOFF * np.abs(value) + 20 * said["lr"] * step_error
        check_close(value + update[name], after[name], atol, name)


def test_three_steps_of_training_are_the_published_ones(case, compute):
    said, evaluate = case.meta["adamw"]["coarse"], compute("1 device", np.float64)
    chain, params = optim.make(constant(case, said)), evaluate.params
    with precision(np.float64):
        state, step = jax.device_get(chain.init(params)), jax.jit(chain.update)
    curve = []
    for _ in range(said["steps"]):
        results = evaluate(params)
        curve.append(results.loss)
        with precision(np.float64):
            update, state = jax.device_get(step(results.gradient, state, params))
        params = jax.tree.map(np.add, params, update)
    curve.append(evaluate(params).loss)
    check_close(curve, np.array(said["losses_f64"]), EXACT)
    found, expected = case.theirs(params), load_file(case.folder / "after_adamw_coarse.safetensors")
    for name, value in expected.items():
        # Adam divides by the root of the second moment, so where a gradient is near zero its
        # float32 rounding moves the fixture by much; how far is recorded.
        check_close(found[name], value, 4 * said["param_f32_vs_f64"][name] + EXACT, name)


def constant(case: Case, said: dict[str, Any]) -> Optim:
    """The published optimiser at a constant rate."""
    return dataclasses.replace(
        case.cfg.optim,
        lr=said["lr"],
        lr_start=said["lr"],
        lr_end=said["lr"],
        warmup_steps=0,
        steps=100,
        hold=1,
        weight_decay=said["weight_decay"],
        eps=said["eps"],
    )


def test_the_rate_of_every_epoch(golden):
    for said in json.loads((golden / "eval" / "lr_schedule.json").read_text()):
        per_epoch, epochs = 7, said["epochs"]
        rate = optim.schedule(
            Optim(
                lr=said["lr"],
                lr_start=said["warmup_start_lr"],
                lr_end=float(said["eta_min"]),
                warmup_steps=said["warmup_epochs"] * per_epoch,
                steps=epochs * per_epoch,
                hold=per_epoch,
            )
        )
        for part in (0, per_epoch - 1):  # held from the first step of an epoch to its last
            found = [float(rate(e * per_epoch + part)) for e in range(epochs)]
            expected = said["lr_used_in_epoch_1_to_n"]
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * said["lr"])


def test_frames_that_weights_do_not_have(golden):
    from cmr_jax.weights.frames import Inflate, inflate

    how = {"zeros": Inflate.ZEROS, "interp": Inflate.NEAREST, "bilinear": Inflate.LINEAR}
    arrays = np.load(golden / "eval" / "temporal_inflation.npz")
    for said in json.loads((golden / "eval" / "temporal_inflation.json").read_text()):
        made = inflate(arrays[f"{said['name']}_in"], said["model_frames"], how[said["fix"]])
        np.testing.assert_allclose(
            made, arrays[f"{said['name']}_out"], atol=1e-5, err_msg=str(said)
        )


def test_frames_are_sampled_as_published(golden):
    said = json.loads((golden / "eval" / "sample_frames.json").read_text())
    for one in said["uniform"]:
        found = data.sample(one["num_frames"], one["vlen"], None)
        assert found.tolist() == one["idx"], one
    for one in said["rand"]:
        draws = [
            data.sample(one["num_frames"], one["vlen"], np.random.default_rng(i)) for i in range(40)
        ]
        reached = [sorted({int(d[i]) for d in draws}) for i in range(len(one["reachable"]))]
        for found, reachable in zip(reached, one["reachable"], strict=True):
            assert set(found) <= set(reachable), one
            assert len(reachable) == 1 or len(found) > 1, one


def test_pictures_are_resized_as_published(golden):
    arrays = np.load(golden / "eval" / "transforms.npz")
    mean, spread = (
        np.array(v)[:, None, None] for v in (published.IMAGENET_MEAN, published.IMAGENET_SPREAD)
    )
    for one in json.loads((golden / "eval" / "transforms.json").read_text()):
        name, size, box = one["name"], one["input_res"], tuple(one["crop_ijhw"])
        given = arrays[f"{name}_in"]
        tested = data.enlarge_and_shrink(given, one["center_crop"], size)
        trained = data.crop(given, box, size)
        for made, key in (
            (tested, "test"),
            (trained, "train_noflip"),
            (trained[..., ::-1], "train_flip"),
        ):
            np.testing.assert_allclose(
                (made - mean) / spread, arrays[f"{name}_{key}"], atol=1e-4, err_msg=f"{name} {key}"
            )
    made = data.enlarge_and_shrink(arrays["real224_in_u8"].astype(np.float32) / 255, 256, 224)
    rows = ((made - mean) / spread)[..., [0, 111, 223], :]
    np.testing.assert_allclose(rows, arrays["real224_test_rows0_111_223"], atol=1e-4)


PUBLISHED_VALUES = {  # as the published code and its configuration have them
    "model.video.width": 768,
    "model.video.depth": 12,
    "model.video.heads": 12,
    "model.video.mlp_ratio": 4.0,
    "model.video.patch": 16,
    "model.video.index_frames": 64,
    "model.video.epsilon": 1e-6,
    "model.video.dropout": 0.0,
    "model.video.time_init.value": "zeros",
    "model.video.pixel_mean": (0.485, 0.456, 0.406),
    "model.video.pixel_spread": (0.229, 0.224, 0.225),
    "model.text.width": 768,
    "model.text.depth": 12,
    "model.text.heads": 12,
    "model.text.mlp_ratio": 4.0,
    "model.text.vocabulary": 28_996,
    "model.text.length": 512,
    "model.text.positions": 512,
    "model.text.segments": 2,
    "model.text.pooler": True,
    "model.text.epsilon": 1e-12,
    "model.text.dropout": 0.1,
    "model.text.attention_dropout": 0.1,
    "model.embedding": 512,
    "model.initial_scale": 20.0,  # similarities over 0.05
    "model.precision.value": "float32",
    "contrast.sum_directions": True,
    "data.batch": 16,
    "data.texts": 1,
    "data.shuffle_sentences": False,
    "data.clip.frames": 64,
    "data.clip.size": 224,
    "data.clip.enlarged": 256,
    "optim.lr": 3e-5,
    "optim.weight_decay": 1e-5,
    "optim.decay_all": True,
    "optim.b1": 0.9,
    "optim.b2": 0.999,
    "optim.eps": 1e-6,
    "optim.clip_norm": 0.0,
    "optim.steps": 5600,  # 100 epochs of 56 batches
}


def test_the_published_config_has_the_published_values():
    cfg = published.experiment(56)
    found = {path: operator.attrgetter(path)(cfg) for path in PUBLISHED_VALUES}
    assert found == PUBLISHED_VALUES
    # One rate for an epoch: ten of warm-up, then half a cosine that would reach zero.
    rate = optim.schedule(cfg.optim)
    for epoch, expected in {0: 1e-5, 1: 1.2e-5, 9: 2.8e-5, 10: 3e-5, 99: 9.1375e-9}.items():
        for batch in (0, 55):
            assert float(rate(epoch * 56 + batch)) == pytest.approx(expected, rel=1e-4), epoch


def test_retrieval_metrics_are_the_published_ones(golden):
    sims = np.load(golden / "eval" / "retrieval_sims.npz")
    rules = protocol.PROTOCOLS["published"]
    said = json.loads((golden / "eval" / "retrieval_metrics.json").read_text())
    for name, expected in said.items():
        found = protocol.retrieval(rules, sims[name])
        for way in ("t2v", "v2t"):
            assert found[way] == pytest.approx(expected[way], abs=1e-9), (name, way)
    # What the published rule calls perfect is chance.
    honest = protocol.retrieval(protocol.PROTOCOLS["honest"], sims["constant"])
    assert said["constant"]["t2v"]["R1"] == 100
    assert honest["t2v"]["R1"] == 0


def test_thresholds_are_the_published_ones(golden):
    for one in json.loads((golden / "eval" / "cutoff.json").read_text()):
        label, score = np.array(one["y"]) > 0, np.array(one["score"])
        threshold = operating.cutoff(label, score)
        assert threshold == float(one["cutoff"]), one["name"]
        assert (score > threshold).astype(int).tolist() == one["pred_strictly_greater"]


def test_few_shot_episodes_are_the_published_ones(golden):
    data = np.load(golden / "eval" / "fewshot_data.npz")
    keys = {"accuracy": "Accuracy", "f1": "F1-score", "auc": "AUC"}
    for one in json.loads((golden / "eval" / "fewshot.json").read_text()):
        name, shape = one["name"], (one["n_class"], one["n_shot"])
        train, label = data[f"{name}_train_x"].astype(float), data[f"{name}_train_y"]
        for n, episode in enumerate(one["episodes"]):
            support = np.array(episode["support"]).reshape(shape)
            classes = label[support][:, 0]
            for part, rows, expected in (
                ("test", episode["query"], one["per_episode"][n]),
                ("external", episode["external"], one["per_episode_external"][n]),
            ):
                query, truth = data[f"{name}_{part}_x"][rows], data[f"{name}_{part}_y"][rows]
                away = few_shot.distances(train[support], query.astype(float))
                if n == 0:
                    key = f"{name}_ep0_dist_{'query' if part == 'test' else 'external'}"
                    np.testing.assert_allclose(away, data[key], atol=1e-5)
                found = few_shot.scored(away, classes, truth)
                assert {keys[k]: v for k, v in found.items()} == pytest.approx(expected, abs=1e-6)
