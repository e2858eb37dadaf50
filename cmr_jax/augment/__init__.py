"""What training does to pictures, where the step runs: they travel there as stored, a byte a pixel.

A draw depends on the step's key and the exam's row in the global batch, and on nothing else: the
same exam looks the same on one device and on many, in a batch and in a part of it.
"""

import functools

import jax
import jax.numpy as jnp

from cmr_jax.augment import geometric, photometric
from cmr_jax.config import Data, Layout
from cmr_jax.models.dropping import keys_of
from cmr_jax.models.frames import grey
from cmr_jax.types import Array, Batch, Bool, Float, Int, Key, UInt8

OWN, HIDING = 0x9107, 0x91DE  # set these draws apart from others of the same step


def seen_in_training(data: Data, batch: Batch, key: Key[Array, ""]) -> Batch:
    """The batch with pictures of float32 in 0..1, changed, and some stacks hidden; where nothing is
    on, as it is.

    The published layout has its own transforms, in the loader.
    """
    if data.view_dropout:
        keys = keys_of(jax.random.fold_in(key, HIDING), jnp.asarray(batch.row))
        hide = functools.partial(some_left, data.view_dropout)
        mask = jax.vmap(hide)(batch.frame_mask, jnp.asarray(batch.coordinates.stack), keys)
        batch = batch._replace(frame_mask=mask)
    options = (*geometric.OPTIONS, *photometric.OPTIONS)
    own = data.clip.layout is Layout.STACKS
    if not (data.augment and own and any(getattr(data, name) for name in options)):
        return batch
    keys = keys_of(jax.random.fold_in(key, OWN), jnp.asarray(batch.row))
    return batch._replace(video=pictures(data, batch.video, batch.frame_mask, keys))


def some_left(
    share: float, mask: Bool[Array, " t"], stack: Int[Array, " t"], key: Key[Array, ""]
) -> Bool[Array, " t"]:
    """An exam's frames without each stack by that chance; the luckiest one always stays."""
    luck = jax.random.uniform(key, mask.shape)[jnp.asarray(stack)]  # fewer stacks than frames
    best = jnp.where(mask, luck, -1).max()
    return jnp.asarray(mask) & ((luck >= share) | (luck == best))


def pictures(
    data: Data,
    video: UInt8[Array, "b t h w c"] | Float[Array, "b t h w c"],
    mask: Bool[Array, "b t"],
    keys: Key[Array, " b"],
) -> Float[Array, "b t h w c"]:
    """Each exam's pictures in 0..1, changed by its key; frames that are not there stay empty."""
    stored = grey(video)
    changed = jax.vmap(functools.partial(_exam, data))(stored, keys)
    return jnp.where(jnp.asarray(mask)[:, :, None, None, None], changed, stored)


def _exam(data: Data, x: Float[Array, "t h w c"], key: Key[Array, ""]) -> Float[Array, "t h w c"]:
    grey, places = jax.random.split(key)
    if any(getattr(data, name) for name in geometric.OPTIONS):
        x = geometric.moved(data, x, places)  # first: the coil and its noise stay where they are
    return photometric.changed(data, x, grey)
