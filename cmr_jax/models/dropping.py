"""What training leaves out by chance: numbers, frames, places of the picture.

A draw depends on the step's key, the layer and the exam's row in the global batch, and on nothing
else: the same exam loses the same things on one device and on many, in a batch and in a part of it.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from cmr_jax.types import Array, Bool, Float, Int, Key


class Dropout(nn.Module):
    """Zeros a share `rate` of numbers, and scales up the rest (Srivastava 2014)."""

    rate: float
    train: bool

    def __call__(self, x: Float[Array, "b ..."], rows: Int[Array, " b"]) -> Float[Array, "b ..."]:
        if not self.train or not self.rate:
            return x

        def keep(key: Key[Array, ""]) -> Array:
            return jax.random.bernoulli(key, 1 - self.rate, x.shape[1:])

        kept = jax.vmap(keep)(keys_of(self.make_rng("dropout"), rows))
        return jnp.where(kept, x / (1 - self.rate), 0).astype(x.dtype)


def keys_of(key: Key[Array, ""], rows: Int[Array, " b"]) -> Key[Array, " b"]:
    """A key for each row."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, rows)


def some_of(
    key: Key[Array, ""],
    rows: Int[Array, " b"],
    share: float,
    mask: Bool[Array, "b s"],
) -> Int[Array, "b kept"]:
    """Indices, in order, of a random `share` of `s` (at least one); what is not real goes first.

    How many are kept is the same for every exam, so that the sequence really is shorter (Li 2022,
    arXiv:2212.00794).
    """
    size = mask.shape[1]
    chance = jax.vmap(lambda k: jax.random.uniform(k, (size,)))(keys_of(key, rows))
    order = jnp.argsort(jnp.where(mask, chance, 1 + chance), axis=1)
    return jnp.sort(order[:, : kept(size, share)], axis=1)


def kept(size: int, share: float) -> int:
    """How many of `size` a share is."""
    return max(1, round(size * share))


def take(x: Array, index: Int[Array, "b kept"], axis: int) -> Array:
    """What is left of `x` along `axis`, of each exam its own."""
    shape = [1] * x.ndim
    shape[0], shape[axis] = index.shape
    return jnp.take_along_axis(x, index.reshape(shape), axis)
