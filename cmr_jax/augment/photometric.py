"""Grey values: changed as scanners change them, never as hearts do.

In the order in which they come about: the coil hears what is near it louder, the receiver adds
noise to a complex signal whose magnitude is stored, the scale is arbitrary, and so is the window.
"""

import math

import jax
import jax.numpy as jnp

from cmr_jax.config import Data
from cmr_jax.hashing import mixed
from cmr_jax.types import Array, Float, Key, UInt32

OPTIONS = ("gain", "offset", "bias_field", "noise")  # of config.Data
WAVES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))  # half waves down and across a coil's picture
STEPS = 1 << 16  # an angle or a chance has so many values


def changed(data: Data, x: Float[Array, "t h w c"], key: Key[Array, ""]) -> Float[Array, "t h w c"]:
    """An exam's pictures in 0..1 as another scanner, coil and window would have made them."""
    # A key for each, so that one draws the same whatever else is on.
    coil, receiver, scale, window = jax.random.split(key, 4)
    if data.bias_field:
        _, h, w, _ = x.shape
        x = x * sensitivity(coil, (h, w), data.bias_field)[None, :, :, None]
    if data.noise:
        level, places = jax.random.split(receiver)
        x = rician(places, x, data.noise * jax.random.uniform(level))
    x = x * (1 + data.gain * jax.random.uniform(scale, minval=-1))
    x = x + data.offset * jax.random.uniform(window, minval=-1)
    return jnp.clip(x, 0, 1)


def sensitivity(key: Key[Array, ""], size: tuple[int, int], most: float) -> Float[Array, "h w"]:
    """A coil's: a smooth positive field around 1, whose logarithm nowhere leaves `most`."""
    strength, shape = jax.random.split(key)
    weights = jax.random.uniform(shape, (len(WAVES),), minval=-1)
    weights *= most * jax.random.uniform(strength) / jnp.abs(weights).sum()
    down, across = (jnp.pi * (jnp.arange(n) + 0.5) / n for n in size)
    waves = (jnp.cos(i * down)[:, None] * jnp.cos(j * across)[None] for i, j in WAVES)
    return jnp.exp(sum((w * wave for w, wave in zip(weights, waves, strict=True)), jnp.zeros(size)))


def rician(
    key: Key[Array, ""], x: Float[Array, "*s"], sigma: float | Float[Array, ""]
) -> Float[Array, "*s"]:
    """Magnitudes `|x + n|` of a complex normal n, `sigma` in each part (Gudbjartsson 1995).

    By length and angle of n (Box 1958): `|x + r e^ia|^2 = x^2 + 2 x r cos a + r^2`, so that one
    random word gives a pixel both.
    """
    word = _words(key, x.shape)
    chance = ((word >> 16).astype(jnp.float32) + 0.5) / STEPS
    r = sigma * jnp.sqrt(-2 * jnp.log(chance))
    cosine = _cos_of_turns((word & (STEPS - 1)).astype(jnp.float32) / STEPS)
    return jnp.sqrt(jnp.maximum(x * x + r * (r + 2 * x * cosine), 0))


def _words(key: Key[Array, ""], shape: tuple[int, ...]) -> UInt32[Array, "*s"]:
    """Random 32 bits for each place: its number, mixed twice with what the key gives.

    JAX's own generator is made to withstand more than noise in pictures asks, and costs a tenth of
    a small step on a CPU.
    """
    first, second = jax.random.bits(key, (2,), jnp.uint32)
    places = jnp.arange(math.prod(shape), dtype=jnp.uint32).reshape(shape)
    return mixed(mixed(places ^ first) ^ second)


def _cos_of_turns(turns: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Cosine of 0..1 turns to 2e-4, in products alone: XLA's costs a CPU eight times the rest."""
    x = 1 - 4 * jnp.abs(turns - 0.5)  # -cos is an odd function of this, a quarter turn from -1 to 1
    return -x * (1.5706268 - x * x * (0.6432292 - 0.0727102 * x * x))
