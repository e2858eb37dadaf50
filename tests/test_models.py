"""Invariants of the towers: padding reaches nothing, every parameter has a place, names hold."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cmr_jax import config, sharding, step
from cmr_jax.config import Mesh, Remat
from cmr_jax.data import pipeline
from cmr_jax.models import attending, dual_encoder
from configs import smoke
from tests.conftest import GOLDEN, tiny_config

pytestmark = pytest.mark.usefixtures("hasty")


def init(model, batch):
    """Fresh parameters, by one program."""
    return jax.jit(lambda: dual_encoder.init(model, batch, jax.random.key(0)))()


def apply(model, params, batch, **towers):
    """Embeddings, by one program."""
    return jax.jit(functools.partial(dual_encoder.apply, model, **towers))(params, batch)


@pytest.fixture(scope="module")
def cfg():
    return tiny_config("")


@pytest.fixture(scope="module")
def params(cfg):
    return init(cfg.model, pipeline.example_batch(cfg, 2))


@pytest.fixture
def batch(cfg):
    rng = np.random.default_rng(0)
    b = pipeline.example_batch(cfg, 3)
    frames = b.frame_mask.shape
    mask = np.arange(frames[1])[None] < np.array([[frames[1]], [5], [1]])
    c = b.coordinates._replace(
        view=rng.integers(1, 5, frames).astype(np.int32),
        phase=rng.random(frames).astype(np.float32),
        slice_mm=rng.normal(0, 30, frames).astype(np.float32),
        is_cine=rng.random(frames) < 0.7,
    )
    tokens = rng.integers(4, 300, b.tokens.shape).astype(np.int32)
    text_mask = np.arange(tokens.shape[-1])[None, None] < rng.integers(2, 20, (3, 2, 1))
    video = rng.integers(0, 255, b.video.shape).astype(np.uint8)
    return b._replace(
        video=video, coordinates=c, frame_mask=mask, tokens=tokens, text_mask=text_mask
    )


def test_padding_cannot_move_the_embedding(cfg, params, batch):
    rng = np.random.default_rng(9)
    hidden = ~batch.frame_mask
    video = np.where(
        hidden[..., None, None, None], rng.integers(0, 255, batch.video.shape), batch.video
    )
    c = batch.coordinates._replace(
        view=np.where(hidden, 7, batch.coordinates.view).astype(np.int32),
        slice_mm=np.where(hidden, 55.0, batch.coordinates.slice_mm).astype(np.float32),
    )
    tokens = np.where(batch.text_mask, batch.tokens, 9).astype(np.int32)
    scrambled = batch._replace(video=video.astype(np.uint8), coordinates=c, tokens=tokens)
    a, b = (apply(cfg.model, params, x) for x in (batch, scrambled))
    np.testing.assert_array_equal(a.video, b.video)
    np.testing.assert_array_equal(a.text, b.text)


def test_what_is_real_moves_the_embedding(cfg, params, batch):
    changed = batch.video.copy()
    changed[:, 0] = 255 - changed[:, 0]
    a, b = (apply(cfg.model, params, x).video for x in (batch, batch._replace(video=changed)))
    assert (np.abs(np.asarray(a - b)).max(1) > 1e-6).all()
    later = batch.coordinates._replace(phase=(batch.coordinates.phase + 0.5) % 1)
    c = apply(cfg.model, params, batch._replace(coordinates=later)).video
    assert np.abs(np.asarray(a - c)).max() > 1e-7


def test_exams_do_not_see_each_other(cfg, params, batch):
    alone = jax.tree.map(lambda x: x[1:2], batch)
    together = apply(cfg.model, params, batch)
    apart = apply(cfg.model, params, alone)
    np.testing.assert_allclose(together.video[1:2], apart.video, atol=1e-6)
    np.testing.assert_allclose(together.text[1:2], apart.text, atol=1e-6)


def test_order_of_frames_does_not_matter(cfg, params, batch):
    p = np.random.default_rng(1).permutation(batch.frame_mask.shape[1])
    shuffled = batch._replace(
        video=batch.video[:, p],
        frame_mask=batch.frame_mask[:, p],
        coordinates=jax.tree.map(lambda x: x[:, p], batch.coordinates),
    )
    a, b = (apply(cfg.model, params, x).video for x in (batch, shuffled))
    np.testing.assert_allclose(a, b, atol=2e-6)


def test_an_exam_without_frames_gives_a_finite_embedding(cfg, params, batch):
    empty = batch._replace(frame_mask=np.zeros_like(batch.frame_mask))
    assert np.isfinite(apply(cfg.model, params, empty).video).all()


def test_a_tower_not_asked_for_is_none(cfg, params, batch):
    assert apply(cfg.model, params, batch, video=False).video is None
    assert apply(cfg.model, params, batch, text=False).text is None


def test_remat_changes_the_graph_and_not_the_gradient(cfg, params, batch):
    def loss(model):
        return lambda p: dual_encoder.apply(model, p, batch).video.sum()

    saved = tiny_config("").model
    saved.remat = Remat.FULL
    a, b = (jax.jit(jax.grad(loss(model)))(params) for model in (cfg.model, saved))
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)
    assert str(jax.make_jaxpr(jax.grad(loss(saved)))(params)).count("remat") > 0
    assert "remat" not in str(jax.make_jaxpr(jax.grad(loss(cfg.model)))(params))


def test_bfloat16_stays_close_and_gives_float32(cfg, params, batch):
    low = tiny_config("").model
    low.precision = config.Precision.BFLOAT16
    a, b = (apply(m, params, batch) for m in (cfg.model, low))
    assert b.video.dtype == jnp.float32
    np.testing.assert_allclose(a.video, b.video, atol=0.05 * float(np.abs(a.video).max()))


def test_every_parameter_has_a_sharding_rule_and_lives_by_it(cfg):
    mesh = sharding.make_mesh(Mesh(2, 2, 2))
    with jax.set_mesh(mesh):
        state = step.init_state(cfg, mesh, pipeline.example_batch(cfg, 4))
    places = sharding.tree_shardings(state, mesh)
    for leaf, place in zip(jax.tree.leaves(state), jax.tree.leaves(places), strict=True):
        assert leaf.sharding.is_equivalent_to(place, leaf.ndim)
    kernel = state.params["video"]["blocks"]["mlp"]["up"]["kernel"]
    assert kernel.sharding.spec == jax.sharding.PartitionSpec(None, "fsdp", "tensor")
    # The optimiser's moments lie where their parameters do.
    moments = [
        leaf
        for keys, leaf in jax.tree_util.tree_leaves_with_path(state.optimizer)
        if sharding.path_of(keys).endswith("video/blocks/mlp/up/kernel")
    ]
    assert moments
    assert all(m.sharding.spec == kernel.sharding.spec for m in moments)


def test_a_parameter_without_a_rule_is_named():
    with pytest.raises(ValueError, match="video/new/thing"):
        sharding.dims("video/new/thing", (3, 3))


@pytest.mark.parametrize("sizes", [Mesh(3), Mesh(-1, -1), Mesh(2, 2, 1), Mesh(0)], ids=str)
def test_a_mesh_that_does_not_fit_says_so(sizes):
    with pytest.raises(ValueError, match=r"8 devices|places"):
        sharding.make_mesh(sizes)


def test_names_shapes_and_places_of_parameters_hold(update_golden):
    """A change here is a break for every checkpoint: make it knowingly, with --update-golden."""
    cfg = smoke.get_config()
    mesh = sharding.make_mesh(Mesh(2, 2, 2))
    shapes = jax.eval_shape(
        lambda: dual_encoder.init(cfg.model, pipeline.example_batch(cfg, 1), jax.random.key(0))
    )
    places = jax.tree.leaves(sharding.tree_shardings(shapes, mesh))
    leaves = jax.tree_util.tree_leaves_with_path(shapes)
    table = "".join(
        f"{sharding.path_of(keys)} {'x'.join(map(str, leaf.shape)) or '-'} {tuple(place.spec)}\n"
        for (keys, leaf), place in zip(leaves, places, strict=True)
    )
    golden = GOLDEN / "parameters_smoke.txt"
    if update_golden:
        golden.write_text(table)
    assert table == golden.read_text()


def exact_attention(q, k, v, mask):
    """By the formula, in float64."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    logits = np.einsum("gskm,gzkm->gksz", q, k) / np.sqrt(q.shape[-1])
    logits = np.where(np.asarray(mask)[:, None, None], logits, -np.inf)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return np.einsum("gksz,gzkm->gskm", weights / weights.sum(-1, keepdims=True), v)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("kind", attending.KINDS, ids=lambda k: k.value)
def test_attention_is_softmax_attention_each_way(kind, dtype):
    """Values and gradients, with keys hidden and without, of odd and of even lengths."""
    fused = kind is config.AttentionKind.CUDNN
    if fused and (jax.default_backend() != "gpu" or dtype == jnp.float32):
        pytest.skip("cuDNN attends on an NVIDIA GPU, to 16-bit floats")
    rng = np.random.default_rng(3)
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == jnp.float32 else {"rtol": 0.05, "atol": 0.05}
    for length in (7, 8):
        given = [jnp.asarray(rng.normal(0, 1.5, (3, n, 2, 8)), dtype) for n in (5, length, length)]
        pull = jnp.asarray(rng.normal(0, 1, (3, 5, 2, 8)), jnp.float32)
        some = np.arange(length)[None] < np.array([[length], [4], [1]])
        for mask in (None, some):

            @functools.partial(jax.jit, static_argnums=3)
            def run(q, k, v, way, mask=mask, pull=pull):
                def loss(*a):
                    out = attending.attend(*a, mask, way)
                    return (out.astype(jnp.float32) * pull).sum(), out

                grads, out = jax.grad(loss, (0, 1, 2), has_aux=True)(q, k, v)
                return out, *grads

            ours = [np.asarray(x, np.float64) for x in run(*given, kind)]
            seen = np.ones_like(some) if mask is None else mask
            np.testing.assert_allclose(ours[0], exact_attention(*given, seen), **close)
            exact = [x.astype(jnp.float32) for x in given]
            theirs = run(*exact, config.AttentionKind.XLA)
            for x, y in zip(ours[1:], theirs[1:], strict=True):
                np.testing.assert_allclose(x, y, **close)


def test_what_attention_drops_is_not_missing_from_what_divides():
    rng = np.random.default_rng(3)
    q, k, v = (jnp.asarray(rng.normal(0, 2, (3, 7, 2, 8)), jnp.float32) for _ in range(3))
    halved = attending.attend(q, k, v, None, drop=lambda weights: weights / 2)
    np.testing.assert_allclose(halved, attending.attend(q, k, v) / 2, rtol=1e-6)


@pytest.mark.parametrize("pool", config.Pool, ids=lambda p: p.value)
def test_towers_attend_alike_each_way(batch, pool):
    """With hidden frames; with a token of the clip in every group, and without."""

    def embed(kind):
        cfg = tiny_config("")
        cfg.model.video.pool, cfg.model.video.time_init = pool, config.TimeInit.RANDOM
        cfg.model.attention = kind

        def loss(params):
            made = apply(cfg.model, params, batch)
            return (made.video**2).sum() + (made.text**2).sum(), made.video

        params = init(cfg.model, batch)
        return jax.jit(jax.value_and_grad(loss, has_aux=True))(params)

    (_, plain), plain_grads = embed(config.AttentionKind.PLAIN)
    (_, xla), xla_grads = embed(config.AttentionKind.XLA)
    np.testing.assert_allclose(plain, xla, atol=1e-5)
    for a, b in zip(jax.tree.leaves(plain_grads), jax.tree.leaves(xla_grads), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * max(1, float(np.abs(a).max())))


def test_the_way_to_attend_is_chosen_by_device_and_format():
    auto, plain = config.AttentionKind.AUTO, config.AttentionKind.PLAIN
    low, full = jnp.dtype(jnp.bfloat16), jnp.dtype(jnp.float32)
    assert attending.choose(auto, "gpu", low, 64) is config.AttentionKind.CUDNN
    assert attending.choose(auto, "gpu", low, 100) is config.AttentionKind.XLA
    assert attending.choose(auto, "gpu", full, 64) is config.AttentionKind.XLA
    assert attending.choose(plain, "gpu", low, 64) is plain
    for platform in ("cpu", "gpu", "tpu"):
        assert attending.choose(auto, platform, full, 64) in attending.KINDS
