"""Attention: of one sequence, and over the frames or the patches of a clip.

Every softmax runs in float32 and every mask is True where data is real, so that padding can
reach nothing.
"""

import enum
from collections.abc import Callable

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp

from cmr_jax.types import Array, Bool, Float

# By fan-in, so that narrow towers start with as much say in their residual branches as wide ones.
KERNEL = nn.initializers.lecun_normal()
HIDDEN = -1e30  # logit of what is not there: its weight is 0 in float32, and never NaN


class Over(enum.Enum):
    """Which tokens of a clip attend to each other: a group, as einops writes it."""

    FRAMES = "b t n ... -> (b n) t ..."  # those at one place
    PATCHES = "b t n ... -> (b t) n ..."  # those of one frame


class Attention(nn.Module):
    """Multi-head self-attention over the last but one axis."""

    heads: int
    dtype: jnp.dtype
    dropout: float = 0.0  # of the weights

    @nn.compact
    def __call__(
        self, x: Float[Array, "q s d"], mask: Bool[Array, "q s"], *, train: bool
    ) -> Float[Array, "q s d"]:
        width = x.shape[-1]
        q, k, v = (to_heads(width, self.heads, self.dtype, name, KERNEL)(x) for name in QKV)
        drop = nn.Dropout(self.dropout, deterministic=not train)
        out = attend(q, k, v, mask, drop)
        return from_heads(width, self.dtype, KERNEL)(out)


class ClipAttention(nn.Module):
    """Multi-head self-attention within the groups of a clip.

    A `cls` token, if there is one, is in every group, and itself attends to every token of the
    clip.  `patches` False leaves out what only the patches' own output needs.
    """

    heads: int
    over: Over
    dtype: jnp.dtype
    kernel_init: Callable = KERNEL
    out_init: Callable = KERNEL

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b t n d"],
        cls: Float[Array, "b 1 1 d"] | None,
        mask: Bool[Array, "b t"],
        *,
        patches: bool = True,
    ) -> tuple[Float[Array, "b t n d"] | None, Float[Array, "b 1 1 d"] | None]:
        width = x.shape[-1]
        query, key, value = (
            to_heads(width, self.heads, self.dtype, name, self.kernel_init) for name in QKV
        )
        out = from_heads(width, self.dtype, self.out_init)
        k, v = key(x), value(x)
        seen = jnp.broadcast_to(mask[:, :, None], x.shape[:3])
        own = None if cls is None else (query(cls), key(cls), value(cls))
        made = out(self._groups(query(x), k, v, own, seen)) if patches else None
        return made, None if own is None else out(_see_all(k, v, own, seen))

    def _groups(self, q, k, v, own, seen):
        """Every token's mean of the values of its group."""
        b, t, n = q.shape[:3]
        groups = n if self.over is Over.FRAMES else t  # of one clip
        q, k, v, seen = (einops.rearrange(a, self.over.value) for a in (q, k, v, seen))
        if own is not None:
            # One more key for every group: the clip's token.
            _, cls_k, cls_v = (jnp.repeat(a[:, 0], groups, axis=0) for a in own)
            k, v = jnp.concatenate([cls_k, k], 1), jnp.concatenate([cls_v, v], 1)
            seen = jnp.pad(seen, ((0, 0), (1, 0)), constant_values=True)
        # A frame's own patches are as real as it is: nothing in such a group is hidden.
        hides = self.over is Over.FRAMES
        y = attend(q, k, v, seen if hides else None)
        back = (
            "(b n) t k m -> b t n k m" if self.over is Over.FRAMES else "(b t) n k m -> b t n k m"
        )
        return einops.rearrange(
            y, back, b=b, **({"n": n} if self.over is Over.FRAMES else {"t": t})
        )


def _see_all(k, v, own, seen) -> Float[Array, "b 1 1 k m"]:
    """The clip's token over every token of the clip, itself included."""
    cls_q, cls_k, cls_v = (a[:, 0, 0] for a in own)
    logits = jnp.einsum("bkm,btnkm->bktn", scaled(cls_q), k)
    itself = jnp.einsum("bkm,bkm->bk", scaled(cls_q), cls_k)[..., None]
    tokens = jnp.concatenate([itself, einops.rearrange(logits, "b k t n -> b k (t n)")], -1)
    mask = jnp.pad(
        einops.rearrange(seen, "b t n -> b 1 (t n)"), ((0, 0), (0, 0), (1, 0)), constant_values=True
    )
    weights = softmax(tokens, mask).astype(v.dtype)
    there = einops.rearrange(weights[..., 1:], "b k (t n) -> b k t n", n=k.shape[2])
    out = jnp.einsum("bktn,btnkm->bkm", there, v) + weights[..., :1] * cls_v
    return out[:, None, None]


class ClipMean(nn.Module):
    """What attention over frames is where its queries and keys are zero: the mean of the values.

    Its parameters are those of `ClipAttention` that are left: the value of a mean is the mean of
    the values, so one token per place is projected, not one per place and frame.
    """

    heads: int
    dtype: jnp.dtype
    kernel_init: Callable = KERNEL
    out_init: Callable = KERNEL

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b t n d"],
        cls: Float[Array, "b 1 1 d"] | None,
        mask: Bool[Array, "b t"],
    ) -> tuple[Float[Array, "b 1 n d"], Float[Array, "b 1 1 d"] | None]:
        width = x.shape[-1]
        value = to_heads(width, self.heads, self.dtype, "value", self.kernel_init)
        out = from_heads(width, self.dtype, self.out_init)
        keep = mask[:, :, None, None].astype(jnp.float32)
        total = (x.astype(jnp.float32) * keep).sum(1, keepdims=True)
        count = keep.sum(1, keepdims=True)
        if cls is None:
            return out(value(total / jnp.maximum(count, 1))), None
        own = cls.astype(jnp.float32)
        everything = (total.sum(2, keepdims=True) + own) / (count * x.shape[2] + 1)
        return out(value((total + own) / (count + 1))), out(value(everything))


QKV = ("query", "key", "value")


def to_heads(
    width: int, heads: int, dtype: jnp.dtype, name: str, init: Callable
) -> nn.DenseGeneral:
    """A layer from `... width` to `... heads head_width`."""
    return nn.DenseGeneral((heads, width // heads), kernel_init=init, dtype=dtype, name=name)


def from_heads(width: int, dtype: jnp.dtype, init: Callable) -> nn.DenseGeneral:
    """The output layer, from `... heads head_width` to `... width`."""
    return nn.DenseGeneral(
        width, axis=(-2, -1), kernel_init=init, dtype=dtype, name="attention_out"
    )


def attend(
    q: Float[Array, "g s k m"],
    k: Float[Array, "g z k m"],
    v: Float[Array, "g z k m"],
    mask: Bool[Array, "g z"] | None = None,
    drop: Callable[[Array], Array] = lambda weights: weights,
) -> Float[Array, "g s k m"]:
    """Softmax attention over `z`; `drop` changes its weights.

    Heads come before tokens and the sum of the weights divides the output, not the weights: one
    way less over the largest array, and on a CPU a third of the time of
    jax.nn.dot_product_attention.
    """
    q, k, v = (einops.rearrange(x, "g s k m -> g k s m") for x in (scaled(q), k, v))
    logits = jnp.einsum("gksm,gkzm->gksz", q, k, preferred_element_type=jnp.float32)
    if mask is not None:
        logits = jnp.where(mask[:, None, None], logits, HIDDEN)
    weights = jnp.exp(logits - jax.lax.stop_gradient(logits.max(-1, keepdims=True)))
    out = jnp.einsum("gksz,gkzm->gksm", drop(weights).astype(v.dtype), v)
    out = (out / weights.sum(-1, keepdims=True)).astype(v.dtype)
    return einops.rearrange(out, "g k s m -> g s k m")


def scaled(q: Float[Array, "*g m"]) -> Float[Array, "*g m"]:
    """Queries, so that products with keys have unit spread (Vaswani 2017, 3.2.1)."""
    return q * q.shape[-1] ** -0.5


def softmax(logits: Float[Array, "*g s"], mask: Bool[Array, "*h s"]) -> Float[Array, "*g s"]:
    """Weights in float32; what is hidden has none."""
    return jax.nn.softmax(jnp.where(mask, logits.astype(jnp.float32), HIDDEN), axis=-1)
