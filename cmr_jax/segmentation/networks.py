"""Networks that label pixels: a plain U-Net, and a decoder on the video tower's patch tokens."""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cmr_jax import config, schema
from cmr_jax.models.layers import How
from cmr_jax.models.token_decoder import TokenDecoder
from cmr_jax.models.unet import UNet
from cmr_jax.models.video_tower import VideoTower
from cmr_jax.phantom.tissue import Mask
from cmr_jax.segmentation.inputs import CHANNELS
from cmr_jax.types import Array, Coordinates, Float, Params

PATCH = 8
FLOAT32 = jnp.dtype("float32")
NEIGHBOUR_MM = 9.0  # a usual distance of slices


class Architecture(enum.Enum):
    """Kinds of networks."""

    UNET = "unet"
    TOKENS = "tokens"  # on the video tower's patch tokens


class Labeller(NamedTuple):
    """Pure functions of a network: `init(key, size)` and `apply(params, pictures)` -> logits."""

    init: Callable[[jax.Array, int], Params]
    apply: Callable[[Params, Float[Array, "b h w c"]], Float[Array, "b h w k"]]


def make(architecture: Architecture, widths: tuple[int, ...], dtype: Any = FLOAT32) -> Labeller:
    """Make a network.  `widths`: of the U-Net's levels; the last is the tower's too."""
    return _unet(widths, dtype) if architecture is Architecture.UNET else _tokens(widths, dtype)


def _unet(widths: tuple[int, ...], dtype: Any) -> Labeller:
    network: Any = UNet(len(Mask), widths, dtype)

    def init(key: jax.Array, size: int) -> Params:
        return network.init(key, jnp.zeros((1, size, size, CHANNELS)))["params"]

    return Labeller(init, lambda params, x: network.apply({"params": params}, x))


def _tokens(widths: tuple[int, ...], dtype: Any) -> Labeller:
    """The channels of a slice are frames of a clip: the tower sees them as it sees an exam."""
    sizes = config.VideoTower(
        width=widths[-1], depth=4, heads=4, patch=PATCH, stem=config.Stem.HIERARCHICAL
    )
    how = How(dtype, config.AttentionKind.XLA, config.Remat.NONE, 1)
    tower: Any = VideoTower(sizes, widths[-1], config.Head.LINEAR, how)
    decoder: Any = TokenDecoder(len(Mask), dtype=dtype)

    def clip(x: Float[Array, "b h w c"]):
        b = x.shape[0]
        # Grey values around those that the tower expects.
        video = x.transpose(0, 3, 1, 2)[..., None] * sizes.pixel_spread[0] + sizes.pixel_mean[0]

        def wide(row: list) -> Array:
            return jnp.broadcast_to(jnp.array(row), (b, CHANNELS))

        frames = Coordinates(
            view=wide([int(schema.View.SAX)] * CHANNELS),
            sequence=wide([int(schema.Sequence.CINE)] * CHANNELS),
            stack=wide([0] * CHANNELS),
            slice_mm=wide([0.0, NEIGHBOUR_MM, -NEIGHBOUR_MM, 0.0]),
            phase=wide([0.0, 0.0, 0.0, 0.4]),
            is_cine=wide([True] * CHANNELS),
            spacing_mm=wide([2.0] * CHANNELS),
        )
        return video, frames, jnp.ones((b, CHANNELS), bool), jnp.arange(b)

    def init(key: jax.Array, size: int) -> Params:
        first, second = jax.random.split(key)
        x = jnp.zeros((1, size, size, CHANNELS))
        tokens = jnp.zeros((1, (size // PATCH) ** 2, sizes.width))
        return {
            "tower": tower.init(first, *clip(x), train=False)["params"],
            "decoder": decoder.init(second, tokens, x)["params"],
        }

    def apply(params: Params, x: Float[Array, "b h w c"]) -> Float[Array, "b h w k"]:
        _, seen = tower.apply(
            {"params": params["tower"]}, *clip(x), train=False, mutable="intermediates"
        )
        tokens = seen["intermediates"]["patches"][0][:, 0]  # of the slice itself
        return decoder.apply({"params": params["decoder"]}, tokens, x)

    return Labeller(init, apply)
