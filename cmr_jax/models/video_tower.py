"""Frames to one embedding: a divided space-time transformer.

A frame is told apart by what the scanner knew of it (view, sequence, place along the heart,
moment of the cycle, spacing), not by its index: exams of any composition are alike to it.  (By
its index all the same, and pooled by one token, where a config asks to be CMR-CLIP.)
"""

from typing import cast

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp

from cmr_jax import sharding
from cmr_jax.config import FrameCode, Head, Padding, Pool
from cmr_jax.config import VideoTower as VideoTowerConfig
from cmr_jax.models.dropping import some_of, take
from cmr_jax.models.frames import FrameEmbedding, FrameIndex, PatchStem, grey
from cmr_jax.models.layers import (
    CLIP,
    EMBEDDING,
    KERNEL,
    How,
    SpaceTimeBlock,
    masked_mean,
    norm,
    project,
    stack,
)
from cmr_jax.models.pooling import Views
from cmr_jax.types import Array, Bool, Coordinates, Float, Int, UInt8


class VideoTower(nn.Module):
    """See the module.  Pictures are grey values: uint8, or float in 0..1."""

    config: VideoTowerConfig
    embedding: int
    head: Head
    how: How

    @nn.compact
    def __call__(
        self,
        video: UInt8[Array, "b t h w c"] | Float[Array, "b t h w c"],
        coordinates: Coordinates,
        mask: Bool[Array, "b t"],
        rows: Int[Array, " b"],
        *,
        train: bool,
        hidden: Bool[Array, "b n"] | None = None,
    ) -> tuple[Float[Array, "b e"], Float[Array, "b t n p"] | None]:
        """The embedding; and, of a tower that restores, pixels of patches."""
        c, dtype = self.config, self.how.dtype
        code, stacks = self._frame_code(coordinates), jnp.asarray(coordinates.stack)
        if train and c.frame_dropout:
            left = some_of(self.make_rng("dropout"), rows, 1 - c.frame_dropout, mask)
            code = jnp.broadcast_to(code, (*mask.shape, c.width))
            video, mask, code, stacks = (take(x, left, 1) for x in (video, mask, code, stacks))
        x = self._normalised(video)
        if c.padding is Padding.GREY:
            x, mask = jnp.where(mask[:, :, None, None, None], x, 0), jnp.ones_like(mask)
        x = PatchStem(c.width, c.patch, c.stem, dtype, name="stem")(x)
        places = x.shape[2]
        if c.restores:
            instead = self.param("hidden", EMBEDDING, (c.width,)).astype(dtype)
            x = x if hidden is None else jnp.where(hidden[:, None, :, None], instead, x)
        position = self.param("position", EMBEDDING, (places, c.width))
        x = x + position.astype(dtype)[None, None] + code[:, :, None]
        left = None
        if train and c.patch_dropout:
            everywhere = jnp.ones((x.shape[0], places), bool)
            left = some_of(self.make_rng("dropout"), rows, 1 - c.patch_dropout, everywhere)
            x = take(x, left, 2)
        patches = x.shape[2]
        if c.registers:
            extra = self.param("register", EMBEDDING, (c.registers, c.width)).astype(dtype)
            extra = extra[None, None] + jnp.broadcast_to(code, (*mask.shape, c.width))[:, :, None]
            x = jnp.concatenate([x, extra], 2)
        x = sharding.constrain(x, CLIP)
        cls = self._cls(x) if c.pool is Pool.CLS else None
        # After the last block only the clip's token is read, where there is one.
        apart = cls is not None
        tokens = (x, cls)
        if c.depth > apart:
            blocks = stack(SpaceTimeBlock, c.depth - apart, c, self.how, train)
            tokens, _ = blocks(tokens, mask, rows)
        if apart:
            last = SpaceTimeBlock(c, self.how, train, False, name="last")
            tokens, _ = last(tokens, mask, rows)
        x, cls = tokens
        final, restored = norm("norm", c.epsilon, dtype), None
        if cls is not None:
            features = final(cls)[:, 0, 0]
        else:
            x = final(cast(jax.Array, x)[:, :, :patches])
            self.sow("intermediates", "patches", x)  # read by decoders that label pixels
            if c.restores:
                size = c.patch**2 * video.shape[-1]
                restored = nn.Dense(size, kernel_init=KERNEL, name="pixels")(x)
            if c.pool is Pool.VIEWS:
                features = Views(c.heads, name="pool")(x, mask, stacks)
            else:
                features = self._places(x, mask, left, places)
        features = features.astype(jnp.float32)
        self.sow("intermediates", "features", features)
        return project(features, self.head, self.embedding), restored

    def _frame_code(self, coordinates: Coordinates) -> Float[Array, "#b t d"]:
        """What tells a frame apart from the others."""
        c, dtype = self.config, self.how.dtype
        if c.frame_code is FrameCode.INDEX:
            return FrameIndex(c.width, c.index_frames, dtype, name="frame")(coordinates)
        embed = FrameEmbedding(c.width, c.coordinate_frequencies, dtype, name="frame")
        return embed(coordinates)

    def _normalised(self, video: Array) -> Float[Array, "b t h w c"]:
        """Around zero; one grey channel serves as every channel that the stem reads."""
        mean, spread = (
            jnp.asarray(v, jnp.float32) for v in (self.config.pixel_mean, self.config.pixel_spread)
        )
        mean, spread = (v[None, None, None, None] for v in (mean, spread))
        return ((grey(video) - mean) / spread).astype(self.how.dtype)

    def _cls(self, x: Float[Array, "b t n d"]) -> Float[Array, "b 1 1 d"]:
        """The token of each clip, at its own position."""
        token, position = (
            self.param(name, EMBEDDING, (self.config.width,)) for name in ("cls", "cls_position")
        )
        cls = (token + position).astype(self.how.dtype)
        return jnp.broadcast_to(cls[None, None, None], (x.shape[0], 1, 1, self.config.width))

    def _places(
        self,
        x: Float[Array, "b t n d"],
        mask: Bool[Array, "b t"],
        left: Int[Array, "b n"] | None,
        of: int,
    ) -> Float[Array, "b p"]:
        """The mean tells how much there is of something, the places where it is.

        `left` are those of `of` places that were not dropped; the others give nothing, and what is
        left is scaled up for them."""
        frames = einops.rearrange(x, "b t n d -> b t (n d)")
        over_time = einops.rearrange(masked_mean(frames, mask), "b (n d) -> b n d", n=x.shape[2])
        places = nn.Dense(self.config.place_width, kernel_init=KERNEL, name="places")(over_time)
        if left is not None:
            found = jax.nn.one_hot(left, of, dtype=places.dtype) * (of / left.shape[1])
            places = jnp.einsum("bnw,bnp->bpw", places, found)
        return jnp.concatenate(
            [over_time.mean(1), einops.rearrange(places, "b n d -> b (n d)")], -1
        )
