"""Weights in and out: the one door (`load`), exports, and where training starts from (`start`)."""

from cmr_jax.weights.door import (
    Options,
    Weights,
    flatten,
    load,
    nest,
    runs,
    save,
    save_published,
)
from cmr_jax.weights.frames import Inflate
from cmr_jax.weights.warm import start

__all__ = [
    "Inflate",
    "Options",
    "Weights",
    "flatten",
    "load",
    "nest",
    "runs",
    "save",
    "save_published",
    "start",
]
