"""The published CMR-CLIP, number for number: every fixture of `--golden=DIR` (default ../shared/golden).

A fixture folder holds weights, inputs and what the published PyTorch code made of them, in float32
and in float64.  Tolerances are a few times that code's own float32 error, and smaller than what any
misreading of it causes.
"""

import dataclasses
import json
import operator
import pathlib
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

VIDEO, TEXT, LOSS = 5e-6, 1.5e-6, 1e-5
# One device, and eight: the batch over as many as it divides by, the towers' widths over the rest.
DEVICES = {"1 device": 1, "8 devices": 8}


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
        return Batch(video, where, np.ones((b, t), bool), tokens, mask, own[:, None], own)

    def mesh(self, devices: int) -> jax.sharding.Mesh:
        b = len(self.io["video"])
        share = next(n for n in (devices, devices // 2, 1) if b % n == 0)
        return make_mesh(Mesh(share, 1, devices // share), jax.devices()[:devices])

    def theirs(self, ours: dict) -> dict[str, np.ndarray]:
        return names.to_theirs(flatten(jax.device_get(ours)), self.entries)


@pytest.fixture(scope="module")
def case(golden_case: pathlib.Path) -> Case:
    return Case(golden_case)


class Pulled:
    """The published training loss as a compiled function of parameters, on some devices."""

    def __init__(self, case: Case, devices: int):
        cfg, self.mesh = case.cfg, case.mesh(devices)
        encoder = dual_encoder.DualEncoder(cfg.model)

        def loss(params, batch):
            # In evaluation mode, as the fixtures: no dropout.
            e, found = encoder.apply({"params": params}, batch, mutable=["intermediates"])
            pairing = objectives.pairing_of(batch, cfg.positives)
            value, _ = losses.contrastive(cfg.loss, e, pairing, cfg.contrast, self.mesh)
            return value, (e, found["intermediates"])

        self._pull = jax.jit(jax.value_and_grad(loss, has_aux=True))
        self._places = sharding.tree_shardings(case.params, self.mesh)
        with jax.set_mesh(self.mesh):
            self._batch = jax.device_put(case.batch, sharding.batch_sharding(self.mesh))
        (self.loss, (self.embeddings, self.inner)), self.gradient = self(case.params)

    def __call__(self, params):
        with jax.set_mesh(self.mesh):
            return self._pull(jax.device_put(params, self._places), self._batch)


@pytest.fixture(scope="module")
def pulled(case):
    return {label: Pulled(case, devices) for label, devices in DEVICES.items()}


@pytest.mark.parametrize("devices", DEVICES)
def test_embeddings_are_the_published_ones(case, pulled, devices):
    e = pulled[devices].embeddings
    np.testing.assert_allclose(e.video, case.io["video_embeds_f64"], atol=VIDEO, rtol=0)
    np.testing.assert_allclose(e.text[:, 0], case.io["text_embeds_f64"], atol=TEXT, rtol=0)
    unit = [normalise(x) for x in (e.text[:, 0], e.video)]
    np.testing.assert_allclose(unit[0] @ unit[1].T, case.io["sim_f64"], atol=VIDEO, rtol=0)


@pytest.mark.parametrize("devices", DEVICES)
def test_features_before_the_projections_are_the_published_ones(case, pulled, devices):
    for tower, atol in (("video", VIDEO), ("text", TEXT)):
        features = pulled[devices].inner[tower]["features"][0]
        np.testing.assert_allclose(features, case.io[f"{tower}_features_f64"], atol=atol, rtol=0)


@pytest.mark.parametrize("devices", DEVICES)
def test_the_training_loss_is_norm_softmax(case, pulled, devices):
    assert float(pulled[devices].loss) == pytest.approx(
        float(case.io["loss_normsoftmax_f64"]), abs=LOSS
    )


@pytest.mark.parametrize("normed", ["normed", "raw"])
@pytest.mark.parametrize("scale", ["default", "clamped"])
def test_clip_loss_and_the_gradient_of_its_scale(case, normed, scale):
    video, text = (jnp.asarray(case.io[f"{t}_embeds"], jnp.float32) for t in ("video", "text"))
    if normed == "normed":
        video, text = normalise(video), normalise(text)
    start = {"default": np.log(1 / 0.07), "clamped": 5.0}[scale]

    def loss(log_scale):
        factor = jnp.minimum(jnp.exp(log_scale), case.cfg.model.largest_scale)
        e = Embeddings(video, text[:, None], factor, jnp.float32(0))
        pairing = Pairing(jnp.arange(len(video))[:, None])
        contrast = Contrast(normalise=False, form=Form.PLAIN)
        return losses.contrastive(Loss.SOFTMAX, e, pairing, contrast, case.mesh(1))[0]

    value, slope = jax.value_and_grad(loss)(jnp.float32(start))
    key = f"clip_{normed}_{scale}"
    assert float(value) == pytest.approx(float(case.io[f"loss_{key}"]), rel=3e-5)
    assert float(slope) == pytest.approx(
        float(case.io[f"dlogitscale_{key}"]), abs=1e-4 * max(1, abs(float(value)))
    )


@pytest.mark.parametrize("devices", DEVICES)
def test_gradients_are_the_published_ones(case, pulled, devices):
    found = case.theirs(pulled[devices].gradient)
    expected = load_file(case.folder / "grads_normsoftmax.safetensors")
    largest = {k: v["maxabs"] for k, v in case.meta["grad_f32_vs_f64"].items()}
    compared = 0
    for name, gradient in expected.items():
        # Below this a gradient is zero but for rounding (queries and keys of a dead attention).
        if largest.get(name, 1.0) <= 1e-6:
            assert np.abs(found[name]).max() < 1e-5, name
            continue
        atol = 1e-5 * np.abs(gradient).max() + 1e-7
        np.testing.assert_allclose(found[name], gradient, atol=atol, rtol=0, err_msg=name)
        compared += 1
    assert compared >= 10
    for name in case.meta["params_without_grad"]:
        assert not found[name].any(), name


def test_one_step_of_the_published_optimiser(case):
    """Fed with the published gradients, so that only the optimiser is compared."""
    said = case.meta["adamw"]["ref"]
    gradients = load_file(case.folder / "grads_normsoftmax.safetensors")
    after = load_file(case.folder / "after_adamw_ref.safetensors")
    before = load_file(case.folder / "state_dict.safetensors")
    chain = optim.make(constant(case, said))
    known = {k: v for k, v in before.items() if k in gradients}
    update, _ = chain.update(gradients, chain.init(known), known)
    compared = [name for name in after if name in gradients]
    for name in compared:
        np.testing.assert_allclose(
            known[name] + update[name], after[name], atol=1e-7, rtol=1e-7, err_msg=name
        )
    assert len(compared) >= 10


def test_three_steps_of_training_are_the_published_ones(case, pulled):
    said = case.meta["adamw"]["coarse"]
    chain, params = optim.make(constant(case, said)), case.params
    state, curve = chain.init(params), []
    for _ in range(said["steps"] + 1):
        (value, _), grads = pulled["1 device"](params)
        curve.append(float(value))
        update, state = chain.update(jax.device_get(grads), state, params)
        last, params = params, jax.tree.map(lambda p, u: p + u, params, update)
    # Where a gradient is rounding alone, a step in its sign is chance, in the published code too.
    own_error = np.abs(np.array(said["losses"]) - said["losses_f64"]).max()
    np.testing.assert_allclose(curve, said["losses_f64"], rtol=0, atol=20 * own_error + 1e-4)
    found = case.theirs(last)
    expected = load_file(case.folder / "after_adamw_coarse.safetensors")
    for name, value in expected.items():
        own_error = said["param_f32_vs_f64"].get(name, 0.0)
        np.testing.assert_allclose(
            found[name], value, atol=20 * own_error + 2e-5, rtol=0, err_msg=name
        )


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
