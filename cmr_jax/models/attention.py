"""Attention: of one sequence, and over the frames or the patches of a clip.

Every softmax runs in float32 and every mask is True where data is real, so that padding can
reach nothing.
"""

import enum
from collections.abc import Callable

import einops
import flax.linen as nn
import jax.numpy as jnp

from cmr_jax import sharding
from cmr_jax.config import AttentionKind
from cmr_jax.models.attending import attend, in_place, scaled, softmax
from cmr_jax.models.dropping import Dropout
from cmr_jax.types import Array, Bool, Float, Int

# By fan-in, so that narrow towers start with as much say in their residual branches as wide ones.
KERNEL = nn.initializers.lecun_normal()


class Over(enum.Enum):
    """Which tokens of a clip attend to each other: a group, as einops writes it."""

    FRAMES = "b t n ... -> (b n) t ..."  # those at one place
    PATCHES = "b t n ... -> (b t) n ..."  # those of one frame


class Attention(nn.Module):
    """Multi-head self-attention over the last but one axis."""

    heads: int
    dtype: jnp.dtype
    kind: AttentionKind
    dropout: float = 0.0  # of the weights

    @nn.compact
    def __call__(
        self, x: Float[Array, "q s d"], mask: Bool[Array, "q s"], rows: Int[Array, " q"], *, train
    ) -> Float[Array, "q s d"]:
        width = x.shape[-1]
        q, k, v = (to_heads(width, self.heads, self.dtype, name, KERNEL)(x) for name in QKV)
        q, k, v = (sharding.constrain(a, "batch tokens heads head_dim") for a in (q, k, v))
        drop = Dropout(self.dropout, train)
        drops = train and self.dropout > 0
        out = attend(q, k, v, mask, self.kind, (lambda w: drop(w, rows)) if drops else None)
        return from_heads(width, self.dtype, KERNEL)(out)


class ClipAttention(nn.Module):
    """Multi-head self-attention within the groups of a clip.

    A `cls` token, if there is one, is in every group, and itself attends to every token of the
    clip.  `patches` False leaves out what only the patches' own output needs.
    """

    heads: int
    over: Over
    dtype: jnp.dtype
    kind: AttentionKind
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
        k, v = (sharding.constrain(layer(x), CLIP_HEADS) for layer in (key, value))
        seen = jnp.broadcast_to(mask[:, :, None], x.shape[:3])
        own = None if cls is None else (query(cls), key(cls), value(cls))
        made = None
        if patches:
            q = sharding.constrain(query(x), CLIP_HEADS)
            made = out(self._groups(q, k, v, own, seen))
        return made, None if own is None else out(_see_all(k, v, own, seen))

    def _groups(self, q, k, v, own, seen):
        """Every token's mean of the values of its group."""
        # A frame's own patches are as real as it is: nothing in such a group is hidden.
        hides = self.over is Over.FRAMES
        if own is None and self.kind is AttentionKind.XLA:
            return in_place(q, k, v, "t" if hides else "n", seen[:, :, 0] if hides else None)
        b, t, n = q.shape[:3]
        groups = n if self.over is Over.FRAMES else t  # of one clip
        q, k, v, seen = (einops.rearrange(a, self.over.value) for a in (q, k, v, seen))
        if own is not None:
            # One more key for every group: the clip's token.
            _, cls_k, cls_v = (jnp.repeat(a[:, 0], groups, axis=0) for a in own)
            k, v = jnp.concatenate([cls_k, k], 1), jnp.concatenate([cls_v, v], 1)
            seen = jnp.pad(seen, ((0, 0), (1, 0)), constant_values=True)
        y = attend(q, k, v, seen if hides else None, self.kind)
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
CLIP_HEADS = "batch frames patches heads head_dim"


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
