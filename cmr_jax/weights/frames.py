"""Attention over frames in weights of the published kind: clips of another length, dead blocks."""

import enum
import logging

import numpy as np

from cmr_jax.config import Model, TimeMixing
from cmr_jax.models.foreign import VIDEO
from cmr_jax.weights.shapes import depth_of

log = logging.getLogger(__name__)


class Inflate(enum.Enum):
    """What frames get for which a file has no row (the published `load_temporal_fix`)."""

    ZEROS = "zeros"
    NEAREST = "nearest"
    LINEAR = "linear"


def inflate(table: np.ndarray, frames: int, how: Inflate) -> np.ndarray:
    """A table of frames, (1, had, width), for another number of them, as published: cut, filled
    with zeros, with the nearest row, or between two rows."""
    had = table.shape[1]
    if had >= frames:
        return table[:, :frames]
    if how is Inflate.ZEROS:
        return np.pad(table, ((0, 0), (0, frames - had), (0, 0)))
    if how is Inflate.NEAREST:
        return table[:, np.arange(frames) * had // frames]
    at = np.maximum((np.arange(frames) + 0.5) * had / frames - 0.5, 0)
    low = np.floor(at).astype(int)
    share = (at - low)[None, :, None].astype(table.dtype)
    return table[:, low] * (1 - share) + table[:, np.minimum(low + 1, had - 1)] * share


def with_frames(tensors: dict[str, np.ndarray], frames: int, how: Inflate) -> dict[str, np.ndarray]:
    """The same weights for clips of another length."""
    name = f"{VIDEO}temporal_embed"
    if name not in tensors or tensors[name].shape[1] == frames:
        return tensors
    log.info("frames: weights of %d, model of %d (%s)", tensors[name].shape[1], frames, how.value)
    return tensors | {name: inflate(tensors[name], frames, how)}


def dead_blocks(tensors: dict[str, np.ndarray]) -> list[int]:
    """Blocks whose attention over frames has queries and keys of exactly zero.

    Their attention is uniform, and no gradient ever changes that: each of the two gets its own
    only through the other.  This is how the published initialisation starts.
    """
    dead = []
    for i in range(depth_of(tensors, f"{VIDEO}blocks.")):
        name = f"{VIDEO}blocks.{i}.timeattn.qkv"
        both = [tensors.get(f"{name}.{part}") for part in ("weight", "bias")]
        if all(x is not None and not x[: len(x) // 3 * 2].any() for x in both):
            dead.append(i)
    return dead


def say_dead(blocks: list[int], model: Model) -> None:
    """Tells people that attention over frames is a mean, and what may be gained by that."""
    if not blocks or model.video.time is TimeMixing.MEAN:
        return
    log.warning(
        "attention over frames is dead in %d of %d blocks (queries and keys are zero): each frame "
        "gets the mean of all.%s",
        len(blocks),
        model.video.depth,
        " --mean_time (in training --config.model.video.time=mean) computes the same with a "
        "quarter less work."
        if len(blocks) == model.video.depth
        else "",
    )
