"""Pictures to tokens, and which picture a token is of."""

import einops
import flax.linen as nn
import jax.numpy as jnp

from cmr_jax import schema
from cmr_jax.config import Stem
from cmr_jax.models.attention import KERNEL
from cmr_jax.models.layers import Lookup, norm
from cmr_jax.types import Array, Coordinates, Float

# Positions along an axis of the heart are of this order (mm).
HEART_MM = 60.0
STEM_EPSILON = 1e-6  # of the LayerNorm between two stages of a stem


def grey(video: Array) -> Float[Array, "*s"]:
    """Grey values in 0..1: stored ones are bytes, resized ones are that already."""
    return jnp.asarray(video, jnp.float32) / (255 if video.dtype == jnp.uint8 else 1)


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
                x = nn.gelu(norm(f"norm_{i}", STEM_EPSILON, self.dtype)(x))
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
        view = Lookup(len(schema.View), self.width, self.dtype, name="view")(coordinates.view)
        sequence = Lookup(len(schema.Sequence), self.width, self.dtype, name="sequence")
        x = numbers(coordinates, self.frequencies).astype(self.dtype)
        x = nn.Dense(self.width, dtype=self.dtype, name="coordinates_one")(x)
        x = nn.Dense(self.width, dtype=self.dtype, name="coordinates_two")(nn.gelu(x))
        return view + sequence(coordinates.sequence) + x


class FrameIndex(nn.Module):
    """The number of a frame in its clip, as a vector; the first rows serve shorter clips."""

    width: int
    frames: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, coordinates: Coordinates) -> Float[Array, "1 t d"]:
        table = self.param("index", nn.initializers.zeros, (self.frames, self.width))
        t = coordinates.view.shape[1]
        if t > self.frames:
            raise ValueError(
                f"a clip of {t} frames, but model.video.index_frames is {self.frames}."
            )
        return table[None, :t].astype(self.dtype)


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
