"""Words of 32 bits mixed well, and checksums of arrays made of them."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cmr_jax.sharding import path_of
from cmr_jax.types import Array, UInt32

PLACES = (0x9E3779B9, 0x85EBCA6B)  # one for each half of a checksum


def mixed(word: UInt32[Array | np.ndarray, "*s"]) -> UInt32[Array | np.ndarray, "*s"]:
    """Every bit of a word into every other (constants: Wellons 2018, "lowbias32")."""
    word = (word ^ (word >> 16)) * np.uint32(0x7FEB352D)
    word = (word ^ (word >> 15)) * np.uint32(0x846CA68B)
    return word ^ (word >> 16)


def checksums(tree: Any) -> dict[str, int]:
    """64 bits for the values of every array and their places, by path: the same on whatever devices
    it lies.  Damage, not malice, is what it finds."""
    leaves = {path_of(keys): leaf for keys, leaf in jax.tree_util.tree_leaves_with_path(tree)}
    if all(map(_on_host, leaves.values())):  # nothing to compile, which takes longer
        with ThreadPoolExecutor() as pool:
            own = pool.map(_checksum, map(np.asarray, leaves.values()), itertools.repeat(np))
            halves = dict(zip(leaves, own, strict=True))
    else:
        halves = jax.device_get(_on_devices(leaves))
    return {name: int(high) << 32 | int(low) for name, (high, low) in halves.items()}


def _on_host(leaf: np.ndarray | jax.Array) -> bool:
    """Whether it lies whole in this process's memory."""
    if isinstance(leaf, np.ndarray):
        return True
    return len(leaf.devices()) == 1 and all(d.platform == "cpu" for d in leaf.devices())


@jax.jit
def _on_devices(leaves: dict[str, jax.Array]) -> dict[str, tuple[jax.Array, ...]]:
    return {name: _checksum(leaf, jnp) for name, leaf in leaves.items()}


def _checksum(x: Any, xp: Any) -> tuple[Any, ...]:
    """Its halves, by the functions of NumPy or of JAX."""
    x = xp.atleast_1d(x.astype(np.uint8) if x.dtype == bool else x)
    width = {1: np.uint8, 2: np.uint16, 4: np.uint32}[x.dtype.itemsize]
    bits = x.view(width).astype(np.uint32)
    place, stride = xp.zeros(x.shape, np.uint32), 1
    for axis in reversed(range(x.ndim)):
        along = [-1 if i == axis else 1 for i in range(x.ndim)]
        at = xp.arange(x.shape[axis], dtype=np.uint32).reshape(along)
        place, stride = place + at * np.uint32(stride % (1 << 32)), stride * x.shape[axis]
    # A sum modulo 2 ** 32 of mixed words: in whatever order devices add.
    own = (mixed(bits ^ mixed(place ^ np.uint32(constant))) for constant in PLACES)
    return tuple(word.sum(dtype=np.uint32) for word in own)
