"""The blocks that the towers are made of, and what they share."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp

from cmr_jax import sharding
from cmr_jax.config import (
    Activation,
    AttentionKind,
    Head,
    NormPlace,
    Remat,
    Residual,
    TimeInit,
    TimeMixing,
)
from cmr_jax.config import TextTower as TextTowerConfig
from cmr_jax.config import VideoTower as VideoTowerConfig
from cmr_jax.models.attention import KERNEL, Attention, ClipAttention, ClipMean, Over
from cmr_jax.models.dropping import Dropout
from cmr_jax.types import Array, Bool, Float, Int

EMBEDDING = nn.initializers.truncated_normal(0.02)
REMAT = {
    Remat.DOTS: jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    Remat.FULL: jax.checkpoint_policies.nothing_saveable,
    Remat.OFFLOAD: jax.checkpoint_policies.offload_dot_with_no_batch_dims("device", "pinned_host"),
}
TIME_OUT = {  # the output layer of attention over frames
    TimeInit.IDENTITY: nn.initializers.zeros,
    TimeInit.RANDOM: KERNEL,
    TimeInit.ZEROS: nn.initializers.ones,
}


class How(NamedTuple):
    """How towers compute, whatever they compute."""

    dtype: jnp.dtype
    attention: AttentionKind
    remat: Remat
    unroll: int


class Mlp(nn.Module):
    """Two layers with a GELU between them."""

    ratio: float
    activation: Activation
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Float[Array, "*s d"]) -> Float[Array, "*s d"]:
        width, hidden = x.shape[-1], int(self.ratio * x.shape[-1])
        x = nn.Dense(hidden, kernel_init=KERNEL, dtype=self.dtype, name="up")(x)
        x = sharding.constrain(x, "batch " + "tokens " * (x.ndim - 2) + "mlp")
        x = gelu(x) if self.activation is Activation.GELU else nn.gelu(x)
        return nn.Dense(width, kernel_init=KERNEL, dtype=self.dtype, name="down")(x)


class Block(nn.Module):
    """Transformer block over one sequence axis; the carry of a scan over layers."""

    config: TextTowerConfig
    how: How
    train: bool

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s d"], mask: Bool[Array, "b s"], rows: Int[Array, " b"]
    ) -> tuple[Float[Array, "b s d"], None]:
        c, (dtype, kind, *_) = self.config, self.how
        attention = Attention(c.heads, dtype, kind, c.attention_dropout, name="attention")
        mlp = Mlp(c.mlp_ratio, c.activation, dtype, name="mlp")
        first, second = (norm(n, c.epsilon, dtype) for n in ("norm_attention", "norm_mlp"))

        def add(x, more):
            x = x + Dropout(c.dropout, self.train)(more, rows)
            return sharding.constrain(x, "batch tokens embed")

        if c.norm is NormPlace.POST:
            x = first(add(x, attention(x, mask, rows, train=self.train)))
            return second(add(x, mlp(x))), None
        x = add(x, attention(first(x), mask, rows, train=self.train))
        return add(x, mlp(second(x))), None


class Lookup(nn.Module):
    """Rows of a table of vectors."""

    rows: int
    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, index: Int[Array, "*b s"]) -> Float[Array, "*b s d"]:
        table = self.param("embedding", EMBEDDING, (self.rows, self.width)).astype(self.dtype)
        # Each device reads its exams' rows of the whole table, rather than its share of all rows.
        return jnp.take(sharding.constrain(table, "table embed"), index, axis=0)


def gelu(x: Float[Array, "*s d"]) -> Float[Array, "*s d"]:
    """GELU by the error function (Hendrycks 2016, 2), as PyTorch has it.

    jax.nn.gelu takes erfc: digits far below zero that a sum with others drops, at three times the
    work.
    """
    return 0.5 * x * (1 + jax.lax.erf(x * math.sqrt(0.5)))


CLIP = "batch frames patches embed"
Tokens = tuple[Float[Array, "b t n d"] | None, Float[Array, "b 1 1 d"] | None]


class SpaceTimeBlock(nn.Module):
    """Divided attention: over frames, then within a frame; then an MLP.

    Patches and the clip's token, if there is one, are the carry of a scan over layers.  `mask` says
    which frames are real; a frame's own patches always are.  With `patches` False only the token
    comes out, and what it does not need is not computed.
    """

    config: VideoTowerConfig
    how: How
    train: bool
    patches: bool = True

    @nn.compact
    def __call__(
        self, tokens: Tokens, mask: Bool[Array, "b t"], rows: Int[Array, " b"]
    ) -> tuple[Tokens, None]:
        c, (dtype, kind, *_) = self.config, self.how

        def both(layer, parts):
            """The same layer for patches and token, whichever there are."""
            return [None if part is None else layer(part) for part in parts]

        def add(parts, more):
            sums = [
                a if b is None else a + Dropout(c.dropout, self.train)(b, rows)
                for a, b in zip(parts, more, strict=True)
            ]
            return [a if a is None else sharding.constrain(a, CLIP) for a in sums]

        over_frames = self._over_frames()(*both(self._norm("norm_time"), tokens), mask)
        timed = add(tokens, over_frames)
        base = tokens if c.residual is Residual.FROZEN_IN_TIME else timed
        space: Any = ClipAttention(c.heads, Over.PATCHES, dtype, kind, name="space")
        within = space(*both(self._norm("norm_space"), timed), mask, patches=self.patches)
        spaced = add(base, within)
        if not self.patches:
            spaced[0] = None
        mlp = Mlp(c.mlp_ratio, c.activation, dtype, name="mlp")
        x, cls = add(spaced, both(mlp, both(self._norm("norm_mlp"), spaced)))
        return (x, cls), None

    def _norm(self, name: str) -> nn.LayerNorm:
        return norm(name, self.config.epsilon, self.how.dtype)

    def _over_frames(self) -> Callable[..., Any]:
        c = self.config
        init = nn.initializers.zeros if c.time_init is TimeInit.ZEROS else KERNEL
        out = TIME_OUT[c.time_init]
        if c.time is TimeMixing.MEAN:
            return ClipMean(c.heads, self.how.dtype, init, out, name="time")
        dtype, kind, *_ = self.how
        return ClipAttention(c.heads, Over.FRAMES, dtype, kind, init, out, name="time")


def stack(block: type[nn.Module], depth: int, config: Any, how: How, train: bool):
    """`depth` blocks one after the other as a scan: parameters have a first axis of layers, one
    program serves them all, and what a layer needs is freed before the next."""
    if how.remat is not Remat.NONE:
        # In a loop, nothing of two passes can be shared by mistake; laid out flat, it could.
        block = nn.remat(block, prevent_cse=how.unroll != 1, policy=REMAT[how.remat])
    layers = nn.scan(
        block,
        variable_axes={"params": 0},
        split_rngs={"params": True, "dropout": True},
        in_axes=cast(Any, nn.broadcast),
        length=depth,
        unroll=how.unroll or depth,
    )
    return layers(config, how, train, name="blocks")


def norm(name: str, epsilon: float, dtype: jnp.dtype) -> nn.LayerNorm:
    """LayerNorm; its statistics are float32 whatever the dtype."""
    # Not E[x^2] - E[x]^2, which loses digits where the mean is large beside the spread.
    return nn.LayerNorm(epsilon=epsilon, dtype=dtype, use_fast_variance=False, name=name)


def masked_mean(x: Float[Array, "b s d"], mask: Bool[Array, "b s"]) -> Float[Array, "b d"]:
    """Mean over what is real, in float32.  Nothing real gives zeros, never NaN."""
    keep = mask[..., None].astype(jnp.float32)
    return (x.astype(jnp.float32) * keep).sum(1) / jnp.maximum(keep.sum(1), 1)


def project(x: Float[Array, "b d"], head: Head, width: int) -> Float[Array, "b e"]:
    """From a tower's vector to the shared space, in float32."""
    relu = head is Head.RELU_LINEAR
    layer = nn.Dense(width, kernel_init=KERNEL, use_bias=relu, name="project")
    return layer(jax.nn.relu(x) if relu else x)
