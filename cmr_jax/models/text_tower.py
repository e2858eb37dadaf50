"""Tokens to one embedding: a transformer encoder and the mean over real tokens."""

import flax.linen as nn
import jax.numpy as jnp

from cmr_jax import sharding
from cmr_jax.config import Head, NormPlace
from cmr_jax.config import TextTower as TextTowerConfig
from cmr_jax.models.dropping import Dropout
from cmr_jax.models.layers import (
    EMBEDDING,
    KERNEL,
    Block,
    How,
    Lookup,
    masked_mean,
    norm,
    project,
    stack,
)
from cmr_jax.types import Array, Bool, Float, Int


class TextTower(nn.Module):
    """See the module."""

    config: TextTowerConfig
    embedding: int
    head: Head
    how: How

    @nn.compact
    def __call__(
        self,
        tokens: Int[Array, "b l"],
        mask: Bool[Array, "b l"],
        rows: Int[Array, " b"],
        *,
        train: bool,
    ) -> Float[Array, "b e"]:
        c, dtype = self.config, self.how.dtype
        x = Lookup(c.vocabulary, c.width, dtype, name="token")(tokens)
        position = self.param("position", EMBEDDING, (c.positions or c.length, c.width))
        x = x + position[None, : tokens.shape[1]].astype(dtype)
        if c.segments:
            segment = self.param("segment", EMBEDDING, (c.segments, c.width))
            x = x + segment[:1, None].astype(dtype)
        if c.norm is NormPlace.POST:
            x = norm("norm_token", c.epsilon, dtype)(x)
            x = Dropout(c.dropout, train)(x, rows)
        x = sharding.constrain(x, "batch tokens embed")
        x, _ = stack(Block, c.depth, c, self.how, train)(x, mask, rows)
        if c.norm is NormPlace.PRE:
            x = norm("norm", c.epsilon, dtype)(x)
        if c.pooler:
            nn.Dense(c.width, kernel_init=KERNEL, name="pooler")(jnp.zeros((1, c.width)))
        x = masked_mean(x, mask)
        self.sow("intermediates", "features", x)
        return project(x, self.head, self.embedding)
