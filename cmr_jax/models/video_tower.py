"""Frames with coordinates to one embedding: a divided space-time transformer.

A frame is told apart by what the scanner knew of it (view, sequence, place along the heart,
moment of the cycle, spacing), not by its index: exams of any composition are alike to it.
"""

import einops
import flax.linen as nn
import jax.numpy as jnp

from cmr_jax import schema
from cmr_jax.config import Remat, Stem
from cmr_jax.config import VideoTower as VideoTowerConfig
from cmr_jax.models.layers import EMBEDDING, KERNEL, SpaceTimeBlock, masked_mean, norm
from cmr_jax.types import Array, Bool, Coordinates, Float, UInt8

# Grey values of stored frames, as 0..1: middle and spread after percentile scaling.
GREY_MEAN, GREY_SPREAD = 0.35, 0.3
# Positions along an axis of the heart are of this order (mm).
HEART_MM = 60.0


class VideoTower(nn.Module):
    """See the module."""

    config: VideoTowerConfig
    embedding: int
    dtype: jnp.dtype
    remat: Remat

    @nn.compact
    def __call__(
        self,
        video: UInt8[Array, "b t h w c"],
        coordinates: Coordinates,
        mask: Bool[Array, "b t"],
        *,
        train: bool,
    ) -> Float[Array, "b e"]:
        c = self.config
        grey = (video.astype(self.dtype) / 255 - GREY_MEAN) / GREY_SPREAD
        x = PatchStem(c.width, c.patch, c.stem, self.dtype, name="stem")(grey)
        position = self.param("position", EMBEDDING, (x.shape[2], c.width))
        place = FrameEmbedding(c.width, c.coordinate_frequencies, self.dtype, name="frame")
        x = x + position.astype(self.dtype)[None, None] + place(coordinates)[:, :, None]
        block = SpaceTimeBlock
        if self.remat is Remat.FULL:
            block = nn.remat(SpaceTimeBlock, static_argnums=(3,))  # 0 is the module, 3 is `train`
        for i in range(c.depth):
            make = block(c.heads, c.mlp_ratio, c.dropout, self.dtype, name=f"block_{i}")
            x = make(x, mask, train)
        x = norm("norm", self.dtype)(x)
        frames = einops.rearrange(x, "b t n d -> b t (n d)")
        over_time = einops.rearrange(masked_mean(frames, mask), "b (n d) -> b n d", n=x.shape[2])
        # The mean tells how much there is of something, the places where it is.
        places = nn.Dense(c.place_width, kernel_init=KERNEL, name="places")(over_time)
        pooled = jnp.concatenate(
            [over_time.mean(1), einops.rearrange(places, "b n d -> b (n d)")], -1
        )
        return nn.Dense(self.embedding, kernel_init=KERNEL, use_bias=False, name="project")(pooled)


class PatchStem(nn.Module):
    """Pictures to tokens, one per patch.  Patches never share pixels."""

    width: int
    patch: int
    stem: Stem
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Float[Array, "b t h w c"]) -> Float[Array, "b t n d"]:
        plan = stem_plan(self.stem, self.patch, self.width)
        for i, (step, width) in enumerate(plan):
            pattern = "b t (h p) (w q) c -> b t h w (p q c)"
            x = einops.rearrange(x, pattern, p=step, q=step)
            x = nn.Dense(width, kernel_init=KERNEL, dtype=self.dtype, name=f"stem_{i}")(x)
            if i + 1 < len(plan):
                x = nn.gelu(norm(f"norm_{i}", self.dtype)(x))
        return einops.rearrange(x, "b t h w d -> b t (h w) d")


def stem_plan(stem: Stem, patch: int, width: int) -> list[tuple[int, int]]:
    """Stages of the stem as (side of the square that becomes one, numbers it becomes)."""
    if stem is Stem.LINEAR:
        return [(patch, width)]
    return [(patch // 4, width // 4), (2, width // 2), (2, width)]


class FrameEmbedding(nn.Module):
    """What the scanner knew of a frame, as a vector."""

    width: int
    frequencies: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, coordinates: Coordinates) -> Float[Array, "b t d"]:
        table = {"embedding_init": EMBEDDING, "dtype": self.dtype}
        view = nn.Embed(len(schema.View), self.width, name="view", **table)(coordinates.view)
        sequence = nn.Embed(len(schema.Sequence), self.width, name="sequence", **table)
        x = numbers(coordinates, self.frequencies).astype(self.dtype)
        x = nn.Dense(self.width, dtype=self.dtype, name="coordinates_one")(x)
        x = nn.Dense(self.width, dtype=self.dtype, name="coordinates_two")(nn.gelu(x))
        return view + sequence(coordinates.sequence) + x


def numbers(c: Coordinates, frequencies: int) -> Float[Array, "b t f"]:
    """Continuous coordinates as smooth features: harmonics of the cycle, waves along the heart.

    A still has no place in the cycle: its harmonics are zero.
    """
    k = jnp.arange(1, frequencies + 1)[None, None]
    cycle = 2 * jnp.pi * c.phase[..., None] * k
    along = c.slice_mm[..., None] / HEART_MM * (jnp.pi / 2) * k / 2
    moving = c.is_cine[..., None].astype(jnp.float32)
    return jnp.concatenate(
        [
            jnp.sin(cycle) * moving,
            jnp.cos(cycle) * moving,
            jnp.sin(along),
            jnp.cos(along),
            moving,
            jnp.log(jnp.maximum(c.spacing_mm, 0.1))[..., None],
        ],
        axis=-1,
    )
