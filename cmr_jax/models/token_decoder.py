"""Labels of pixels from patch tokens: a convolutional decoder (UNETR; Hatamizadeh 2022, WACV)."""

from collections.abc import Sequence
from typing import Any

import einops
import flax.linen as nn
import jax.numpy as jnp

from cmr_jax.models.unet import FOLD, ConvBlock, fold, unfold
from cmr_jax.types import Array, Float


class TokenDecoder(nn.Module):
    """Logits of `classes` from the tokens of a picture's patches, and the picture itself.

    Each stage doubles the resolution, up to half of the picture's; the pixels join there.  A patch has
    `2 ** (len(widths) + 1)` pixels a side.
    """

    classes: int
    widths: Sequence[int] = (96, 64)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, tokens: Float[Array, "b n d"], pictures: Float[Array, "b h w c"]
    ) -> Float[Array, "b h w k"]:
        rows = pictures.shape[1] // 2 ** (len(self.widths) + 1)
        x = einops.rearrange(tokens, "b (h w) d -> b h w d", h=rows).astype(self.dtype)
        for number, width in enumerate(self.widths):
            x = nn.Dense(width * FOLD**2, dtype=self.dtype, name=f"unfold_{number}")(x)
            x = ConvBlock(width, self.dtype, name=f"up_{number}")(unfold(x))
        x = jnp.concatenate([x, fold(pictures).astype(self.dtype)], -1)
        x = ConvBlock(self.widths[-1], self.dtype, name="join")(x)
        x = nn.Conv(self.classes * FOLD**2, (1, 1), dtype=self.dtype, name="classify")(x)
        return unfold(x).astype(jnp.float32)
