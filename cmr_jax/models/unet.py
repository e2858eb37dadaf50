"""A plain 2-D U-Net (Ronneberger 2015, arXiv:1505.04597) that labels every pixel of a slice.

The first layer folds 2 x 2 pixels into channels and the last unfolds them (Shi 2016,
arXiv:1609.05158), so that all convolutions run on a quarter of the pixels.
"""

from collections.abc import Sequence
from typing import Any

import einops
import flax.linen as nn
import jax.numpy as jnp

from cmr_jax.types import Array, Float

FOLD = 2


def fold(x: Float[Array, "b h w c"]) -> Float[Array, "b i j d"]:
    """Fold squares of `FOLD` x `FOLD` pixels into channels."""
    return einops.rearrange(x, "b (h i) (w j) c -> b h w (i j c)", i=FOLD, j=FOLD)


def unfold(x: Float[Array, "b h w c"]) -> Float[Array, "b i j d"]:
    """Unfold channels into squares of pixels: the inverse of `fold`."""
    return einops.rearrange(x, "b h w (i j c) -> b (h i) (w j) c", i=FOLD, j=FOLD)


class ConvBlock(nn.Module):
    """Two 3 x 3 convolutions, each normalised over groups of channels (Wu 2018)."""

    width: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        for name in ("first", "second"):
            x = nn.Conv(self.width, (3, 3), use_bias=False, dtype=self.dtype, name=name)(x)
            x = nn.GroupNorm(num_groups=8, dtype=self.dtype, name=f"norm_{name}")(x)
            x = nn.relu(x)
        return x


class UNet(nn.Module):
    """Logits of `classes` from a slice and what goes with it (its neighbours) as channels.

    Rows and columns must divide by 2 to the power of the number of widths.
    """

    classes: int
    widths: Sequence[int] = (32, 64, 96, 128)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, pictures: Float[Array, "b h w c"]) -> Float[Array, "b h w k"]:
        step = 2 ** len(self.widths)
        if any(n % step for n in pictures.shape[1:3]):
            raise ValueError(f"pictures of {pictures.shape[1:3]} pixels do not divide by {step}.")
        x = fold(pictures).astype(self.dtype)
        skipped = []
        for number, width in enumerate(self.widths):
            x = ConvBlock(width, self.dtype, name=f"down_{number}")(x)
            if number + 1 < len(self.widths):
                skipped.append(x)
                x = nn.max_pool(x, (2, 2), (2, 2))
        for number, width in reversed(list(enumerate(self.widths[:-1]))):
            x = einops.repeat(x, "b h w c -> b (h i) (w j) c", i=2, j=2)
            x = jnp.concatenate([x, skipped.pop()], -1)
            x = ConvBlock(width, self.dtype, name=f"up_{number}")(x)
        x = nn.Conv(self.classes * FOLD**2, (1, 1), dtype=self.dtype, name="classify")(x)
        return unfold(x).astype(jnp.float32)
