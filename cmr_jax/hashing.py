"""Words of 32 bits mixed well, and checksums of arrays made of them."""

from typing import Any

import jax
import jax.numpy as jnp

from cmr_jax.sharding import path_of
from cmr_jax.types import Array, UInt32

PLACES = (0x9E3779B9, 0x85EBCA6B)  # one for each half of a checksum


def mixed(word: UInt32[Array, "*s"]) -> UInt32[Array, "*s"]:
    """Every bit of a word into every other (constants: Wellons 2018, "lowbias32")."""
    word = (word ^ (word >> 16)) * jnp.uint32(0x7FEB352D)
    word = (word ^ (word >> 15)) * jnp.uint32(0x846CA68B)
    return word ^ (word >> 16)


def checksums(tree: Any) -> dict[str, int]:
    """64 bits for the values of every array and their places, by path: the same on whatever devices
    it lies.  Damage, not malice, is what it finds."""
    halves = jax.device_get(_checksums(tree))
    return {name: int(high) << 32 | int(low) for name, (high, low) in halves.items()}


@jax.jit
def _checksums(tree: Any) -> dict[str, tuple[jax.Array, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {path_of(keys): _checksum(leaf) for keys, leaf in leaves}


def _checksum(x: jax.Array) -> tuple[jax.Array, ...]:
    x = x.astype(jnp.uint8) if x.dtype == bool else x
    width = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}[x.dtype.itemsize]
    bits = jax.lax.bitcast_convert_type(x, width).astype(jnp.uint32)
    place, stride = jnp.zeros(x.shape, jnp.uint32), 1
    for axis in reversed(range(x.ndim)):
        at = jax.lax.broadcasted_iota(jnp.uint32, x.shape, axis)
        place, stride = place + at * jnp.uint32(stride % (1 << 32)), stride * x.shape[axis]
    # A sum modulo 2 ** 32 of mixed words: in whatever order devices add.
    own = (mixed(bits ^ mixed(place ^ jnp.uint32(constant))) for constant in PLACES)
    return tuple(word.sum(dtype=jnp.uint32) for word in own)
