"""Compiles the training step for devices that are here, or for a TPU topology that is not.

Nothing runs and no array is made: shapes and shardings are enough.
"""

import importlib.util
import logging
import math
import re
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import topologies

from cmr_jax import config, sharding, step
from cmr_jax.data import pipeline
from cmr_jax.planner import chips
from cmr_jax.types import Batch, TrainState

log = logging.getLogger(__name__)

PREFIX = {"K": 2.0**10, "M": 2.0**20, "G": 2.0**30, "T": 2.0**40, "": 1.0}
# "... HLO temporaries (28.88G) exceeds available HBM (15.75G)", "Used 28.88G of 15.75G hbm".
TEMPORARIES = re.compile(r"temporaries \(([\d.]+)([KMGT]?)\)")
USED = re.compile(r"([\d.]+) ?([KMGT]?)B? (?:of|exceeds) [\d.]+ ?[KMGT]?B?")


class Program(NamedTuple):
    """The step as it would run: shapes with shardings, and the compiled program.

    `compiled` is None where it does not fit; `needed` is then the bytes on one device by what the
    compiler said, or None if it did not say.
    """

    state: TrainState
    batch: Batch
    compiled: jax.stages.Compiled | None
    needed: float | None = None


def devices_of(topology: str) -> list[Any]:
    """The chips of a TPU topology such as `v5e:16x16`, without having one."""
    chips.of_topology(topology)
    if importlib.util.find_spec("libtpu") is None:
        raise ValueError(
            f"--topology={topology} needs the compiler for TPUs, which runs without one: "
            'pip install "cmr_jax[aot]".'
        )
    try:
        found = topologies.get_topology_desc(platform="tpu", topology_name=topology)
    except (RuntimeError, ValueError, NotImplementedError) as error:
        raise ValueError(f"--topology={topology}: libtpu refuses it: {error}") from error
    return list(found.devices)


def shapes(cfg: config.Experiment, mesh: jax.sharding.Mesh) -> tuple[TrainState, Batch]:
    """State and global batch as shapes, each with its place on the mesh."""
    ways = sharding.batch_ways(mesh)
    with jax.set_mesh(mesh):
        state = jax.eval_shape(
            lambda: step.init_state(cfg, mesh, pipeline.example_batch(cfg, ways))
        )
    places, rows = sharding.tree_shardings(state, mesh), sharding.batch_sharding(mesh)

    def placed(x: Any, place: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place)

    def of_batch(x: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((cfg.data.batch, *x.shape[1:]), x.dtype, sharding=rows)

    example = pipeline.example_batch(cfg, 1)
    return jax.tree.map(placed, state, places), jax.tree.map(of_batch, example)


def per_device(tree: Any) -> float:
    """Bytes on one device of a tree of shapes with shardings."""
    return float(
        sum(
            math.prod(leaf.sharding.shard_shape(leaf.shape)) * np.dtype(leaf.dtype).itemsize
            for leaf in jax.tree.leaves(tree)
        )
    )


def compile_step(cfg: config.Experiment, mesh: jax.sharding.Mesh) -> Program:
    """The compiled step, or what it lacks; takes minutes for a large model or a TPU."""
    state, batch = shapes(cfg, mesh)
    key = jax.eval_shape(lambda: jax.random.key(0))
    kind = mesh.devices.flat[0].device_kind
    chip = chips.of_kind(kind)
    log.info(
        "compiling the training step for %d x %s; a large model takes minutes",
        mesh.size,
        chip.name if chip else kind,
    )
    with jax.set_mesh(mesh):
        lowered = step.make_step(cfg, mesh).lower(state, batch, key)  # type: ignore[attr-defined]
        try:
            return Program(state, batch, lowered.compile())
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error) and "HbmOom" not in str(error):
                raise
            return Program(state, batch, None, needed_bytes(str(error), per_device((state, batch))))


def needed_bytes(message: str, given: float) -> float | None:
    """What a compiler that ran out of memory says a program needs; None if it does not say.

    `given`: bytes of what goes in, for a compiler that gave up over what is temporary alone.
    """
    if found := TEMPORARIES.search(message):
        return float(found[1]) * PREFIX[found[2]] + given
    found = USED.search(message)
    return float(found[1]) * PREFIX[found[2]] if found else None
