"""Tokens to one embedding: a transformer encoder and the mean over real tokens."""

import flax.linen as nn
import jax.numpy as jnp

from cmr_jax.config import TextTower as TextTowerConfig
from cmr_jax.models.layers import EMBEDDING, KERNEL, Block, masked_mean, norm
from cmr_jax.types import Array, Bool, Float, Int


class TextTower(nn.Module):
    """See the module."""

    config: TextTowerConfig
    embedding: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self, tokens: Int[Array, "b l"], mask: Bool[Array, "b l"], *, train: bool
    ) -> Float[Array, "b e"]:
        c = self.config
        x = nn.Embed(
            c.vocabulary, c.width, embedding_init=EMBEDDING, dtype=self.dtype, name="token"
        )(tokens)
        position = self.param("position", EMBEDDING, (c.length, c.width))
        x = x + position[None, : tokens.shape[1]].astype(self.dtype)
        for i in range(c.depth):
            block = Block(c.heads, c.mlp_ratio, c.dropout, self.dtype, name=f"block_{i}")
            x = block(x, mask, train=train)
        x = masked_mean(norm("norm", self.dtype)(x), mask)
        return nn.Dense(self.embedding, kernel_init=KERNEL, use_bias=False, name="project")(x)
