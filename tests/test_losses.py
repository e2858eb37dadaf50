"""The loss: right by hand, right when spread over devices, right with equal texts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cmr_jax.config import Contrast, Mesh
from cmr_jax.losses import softmax
from cmr_jax.losses.distributed import gathered_softmax_loss
from cmr_jax.sharding import make_mesh
from cmr_jax.types import Embeddings, Pairing

B, R, E = 16, 3, 8


def some(seed=0, b=B, r=R, groups=None):
    k = jax.random.split(jax.random.key(seed), 2)
    group = jnp.arange(b * r).reshape(b, r) if groups is None else jnp.array(groups)
    e = Embeddings(
        jax.random.normal(k[0], (b, E)),
        jax.random.normal(k[1], (b, r, E)),
        jnp.float32(5),
        jnp.float32(0),
    )
    return e, Pairing(group)


def by_hand(e: Embeddings, pairing: Pairing) -> float:
    """In loops, float64, numpy."""
    v = np.asarray(e.video, np.float64)
    t = np.asarray(e.text, np.float64)
    v, t = (
        v / np.linalg.norm(v, axis=-1, keepdims=True),
        t / np.linalg.norm(t, axis=-1, keepdims=True),
    )
    g = np.asarray(pairing.group)
    b, r = g.shape
    video_rows, text_rows = [], []
    for i in range(b):
        texts = [(j, k) for j in range(b) for k in range(r) if g[j, k] >= 0]
        logits = np.array([5 * v[i] @ t[j, k] for j, k in texts])
        p = logits - np.log(np.exp(logits).sum())
        right = [p[n] for n, (j, k) in enumerate(texts) if g[j, k] in g[i][g[i] >= 0]]
        video_rows.append(-np.mean(right) if right else 0.0)
        for k in range(r):
            logits = np.array([5 * v[j] @ t[i, k] for j in range(b)])
            p = logits - np.log(np.exp(logits).sum())
            right = [p[j] for j in range(b) if g[i, k] >= 0 and g[i, k] in g[j]]
            text_rows.append(-np.mean(right) if right else 0.0)
    return (np.mean(video_rows) + np.mean(text_rows)) / 2


def shared_groups():
    groups = np.arange(B * R).reshape(B, R)
    groups[3] = groups[7]  # two exams with the same texts
    groups[5, 1] = groups[11, 0]  # one sentence in common
    groups[2, 2] = -1  # a text that is not there
    return groups


@pytest.mark.parametrize("groups", [None, shared_groups()], ids=["own", "shared"])
def test_softmax_loss_equals_loops(groups):
    e, pairing = some(groups=groups)
    assert float(softmax.softmax_loss(e, pairing, Contrast())[0]) == pytest.approx(
        by_hand(e, pairing), abs=1e-5
    )


def test_with_one_text_each_it_is_clip():
    e, pairing = some(r=1)
    logits = 5 * softmax.normalise(e.video) @ softmax.normalise(e.text[:, 0]).T
    own = jnp.arange(B)
    clip = (
        -(
            jax.nn.log_softmax(logits)[own, own].mean()
            + jax.nn.log_softmax(logits.T)[own, own].mean()
        )
        / 2
    )
    assert float(softmax.softmax_loss(e, pairing, Contrast())[0]) == pytest.approx(
        float(clip), abs=1e-6
    )


@pytest.mark.parametrize("sizes", [Mesh(1), Mesh(8), Mesh(2, 4), Mesh(4, 1, 2)], ids=str)
@pytest.mark.parametrize("groups", [None, shared_groups()], ids=["own", "shared"])
def test_gathered_loss_equals_plain_in_value_and_gradient(sizes, groups):
    e, pairing = some(groups=groups)
    count = max(sizes.data, 1) * sizes.fsdp * sizes.tensor
    mesh = make_mesh(sizes, jax.devices()[:count])
    plain = jax.value_and_grad(lambda e: softmax.softmax_loss(e, pairing, Contrast())[0])(e)
    with jax.set_mesh(mesh):
        spread = jax.jit(
            jax.value_and_grad(lambda e: gathered_softmax_loss(e, pairing, Contrast(), mesh)[0])
        )(e)
    assert float(plain[0]) == pytest.approx(float(spread[0]), abs=1e-6)
    for a, b in zip(jax.tree.leaves(plain[1]), jax.tree.leaves(spread[1]), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_gathered_loss_gathers_and_does_not_make_global_logits():
    e, pairing = some()
    mesh = make_mesh(Mesh(8))
    with jax.set_mesh(mesh):
        text = (
            jax.jit(lambda e: gathered_softmax_loss(e, pairing, Contrast(), mesh)[0])
            .lower(e)
            .as_text()
        )
    assert "all_gather" in text
    assert f"tensor<{B}x{B * R}xf32>" not in text
    assert f"tensor<{B // 8}x{B * R}xf32>" in text


def test_an_exam_without_texts_gives_no_nan():
    groups = np.arange(B * R).reshape(B, R)
    groups[4] = -1
    e, pairing = some(groups=groups)
    value, grads = jax.value_and_grad(lambda e: softmax.softmax_loss(e, pairing, Contrast())[0])(e)
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


@pytest.mark.parametrize("tower", ["video", "text"])
def test_a_loss_without_a_tower_says_so(tower):
    e, pairing = some()
    with pytest.raises(ValueError, match="both towers"):
        softmax.softmax_loss(e._replace(**{tower: None}), pairing, Contrast())


def test_a_zero_embedding_has_a_finite_gradient():
    e, pairing = some()
    zeroed = e._replace(video=e.video.at[3].set(0.0))
    value, grads = jax.value_and_grad(lambda e: softmax.softmax_loss(e, pairing, Contrast())[0])(
        zeroed
    )
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


def test_order_of_exams_does_not_matter():
    e, pairing = some(groups=shared_groups())
    p = np.random.default_rng(0).permutation(B)
    shuffled = e._replace(video=e.video[p], text=e.text[p])
    a = softmax.softmax_loss(e, pairing, Contrast())[0]
    b = softmax.softmax_loss(shuffled, Pairing(pairing.group[p]), Contrast())[0]
    assert float(a) == pytest.approx(float(b), abs=1e-6)
