"""Trains a network on random hearts."""

import dataclasses
import itertools
import logging
import time
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding

from cmr_jax import config, optim, sharding
from cmr_jax.data.random_hearts import exams
from cmr_jax.losses.dense import dense_loss
from cmr_jax.phantom import Variant
from cmr_jax.prefetch import Prefetcher
from cmr_jax.segmentation import networks
from cmr_jax.segmentation.batches import Sampling, batches
from cmr_jax.segmentation.networks import Architecture
from cmr_jax.types import Params

log = logging.getLogger(__name__)

AHEAD = 4  # batches
RUNNING_MEAN = config.Optim(ema=0.995)


@dataclasses.dataclass(frozen=True)
class Training:
    """Options of a training run."""

    seed: int = 0
    steps: int = 4000
    lr: float = 2.5e-3
    weight_decay: float = 1e-3
    architecture: Architecture = Architecture.UNET
    widths: tuple[int, ...] = (32, 64, 96, 128)
    precision: config.Precision = config.Precision.FLOAT32
    workers: int = 0  # processes that make exams beside this one; the same exams for any number
    variant: Variant = dataclasses.field(default_factory=Variant)
    sampling: Sampling = dataclasses.field(default_factory=Sampling)


def train(run: Training, devices: list[Any] | None = None) -> Params:
    """Train over `devices` (default: all); return the running mean of the parameters at the end.

    Batches lie over the devices, parameters on each.  A ValueError says if a batch does not divide.
    """
    labeller = networks.make(run.architecture, run.widths, jnp.dtype(run.precision.value))
    mesh = sharding.make_mesh(config.Mesh(data=-1, fsdp=1, tensor=1), devices)
    rows, whole = (NamedSharding(mesh, spec) for spec in (sharding.ROWS, sharding.WHOLE))
    if run.sampling.batch % mesh.size:
        raise ValueError(
            f"batches of {run.sampling.batch} slices do not divide over {mesh.size} devices."
        )
    init = jax.jit(labeller.init, static_argnums=1, out_shardings=whole)
    params = init(jax.random.key(run.seed), run.sampling.size)
    rate = optax.cosine_onecycle_schedule(run.steps, run.lr, pct_start=0.1)
    chain = optax.chain(
        optax.clip_by_global_norm(2.0), optax.adamw(rate, weight_decay=run.weight_decay)
    )

    @jax.jit
    def step(params, state, mean, number, pictures, masks):
        def loss(params):
            return dense_loss(labeller.apply(params, pictures), masks)

        value, gradient = jax.value_and_grad(loss)(params)
        update, state = chain.update(gradient, state, params)
        moved: Any = optax.apply_updates(params, update)
        return moved, state, optim.averaged(RUNNING_MEAN, mean, moved, number), value

    state, mean, smooth, begun = chain.init(params), params, None, time.monotonic()
    made = batches(exams(run.seed, run.variant, run.workers), run.sampling, run.seed)
    with Prefetcher(itertools.islice(made, run.steps), AHEAD) as feed:
        for number, batch in enumerate(feed):
            pictures, masks = (jax.device_put(part, rows) for part in batch)
            params, state, mean, value = step(params, state, mean, number, pictures, masks)
            smooth = float(value) if smooth is None else 0.98 * smooth + 0.02 * float(value)
            if number % 100 == 99:
                log.info("step %d: loss %.3f, %.0f s", number + 1, smooth, time.monotonic() - begun)
    return jax.device_get(mean)
