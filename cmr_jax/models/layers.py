"""Attention, MLP and the blocks that both towers are made of.

Every softmax runs in float32 and every mask is True where data is real, so that padding can
reach nothing.
"""

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp

from cmr_jax.types import Array, Bool, Float

EMBEDDING = nn.initializers.truncated_normal(0.02)
# By fan-in, so that narrow towers start with as much say in their residual branches as wide ones.
KERNEL = nn.initializers.lecun_normal()
NORM_EPSILON = 1e-6


class Attention(nn.Module):
    """Multi-head self-attention over the last but one axis."""

    heads: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Float[Array, "q s d"], mask: Bool[Array, "q s"]) -> Float[Array, "q s d"]:
        width = x.shape[-1]
        shape = (self.heads, width // self.heads)

        def split(name: str) -> Float[Array, "q s k m"]:
            return nn.DenseGeneral(shape, kernel_init=KERNEL, dtype=self.dtype, name=name)(x)

        out = jax.nn.dot_product_attention(
            split("query"), split("key"), split("value"), mask=mask[:, None, None, :]
        )
        return nn.DenseGeneral(
            width, axis=(-2, -1), kernel_init=KERNEL, dtype=self.dtype, name="attention_out"
        )(out)


class Mlp(nn.Module):
    """Two layers with a GELU between them."""

    hidden: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Float[Array, "*s d"]) -> Float[Array, "*s d"]:
        width = x.shape[-1]
        x = nn.gelu(nn.Dense(self.hidden, kernel_init=KERNEL, dtype=self.dtype, name="up")(x))
        return nn.Dense(width, kernel_init=KERNEL, dtype=self.dtype, name="down")(x)


class Block(nn.Module):
    """Pre-norm transformer block over one sequence axis."""

    heads: int
    mlp_ratio: float
    dropout: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s d"], mask: Bool[Array, "b s"], *, train: bool
    ) -> Float[Array, "b s d"]:
        drop = nn.Dropout(self.dropout, deterministic=not train)
        y = norm("norm_attention", self.dtype)(x)
        x = x + drop(Attention(self.heads, self.dtype, name="attention")(y, mask))
        y = norm("norm_mlp", self.dtype)(x)
        return x + drop(Mlp(int(self.mlp_ratio * x.shape[-1]), self.dtype, name="mlp")(y))


class SpaceTimeBlock(nn.Module):
    """Divided attention (Bertasius 2021, arXiv:2102.05095): over frames, then within a frame.

    `mask` says which frames are real; a frame's own patches always are.
    """

    heads: int
    mlp_ratio: float
    dropout: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t n d"], mask: Bool[Array, "b t"], train: bool
    ) -> Float[Array, "b t n d"]:
        b, t, n, _ = x.shape
        drop = nn.Dropout(self.dropout, deterministic=not train)

        y = einops.rearrange(norm("norm_time", self.dtype)(x), "b t n d -> (b n) t d")
        y = Attention(self.heads, self.dtype, name="time")(y, jnp.repeat(mask, n, axis=0))
        x = x + drop(einops.rearrange(y, "(b n) t d -> b t n d", b=b))

        y = einops.rearrange(norm("norm_space", self.dtype)(x), "b t n d -> (b t) n d")
        y = Attention(self.heads, self.dtype, name="space")(y, jnp.ones((b * t, n), bool))
        x = x + drop(einops.rearrange(y, "(b t) n d -> b t n d", b=b))

        y = norm("norm_mlp", self.dtype)(x)
        return x + drop(Mlp(int(self.mlp_ratio * x.shape[-1]), self.dtype, name="mlp")(y))


def norm(name: str, dtype: jnp.dtype) -> nn.LayerNorm:
    """LayerNorm; its statistics are float32 whatever the dtype."""
    return nn.LayerNorm(epsilon=NORM_EPSILON, dtype=dtype, name=name)


def masked_mean(x: Float[Array, "b s d"], mask: Bool[Array, "b s"]) -> Float[Array, "b d"]:
    """Mean over what is real, in float32.  Nothing real gives zeros, never NaN."""
    keep = mask[..., None].astype(jnp.float32)
    return (x.astype(jnp.float32) * keep).sum(1) / jnp.maximum(keep.sum(1), 1)
