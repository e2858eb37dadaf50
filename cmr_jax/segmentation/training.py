"""Trains the U-Net on random hearts."""

import dataclasses
import itertools
import logging
import time
from typing import Any

import jax
import jax.numpy as jnp
import optax

from cmr_jax import config, optim
from cmr_jax.losses.dense import dense_loss
from cmr_jax.models.unet import UNet
from cmr_jax.phantom import Source, Variant
from cmr_jax.phantom.tissue import Mask
from cmr_jax.prefetch import Prefetcher
from cmr_jax.segmentation import inputs
from cmr_jax.segmentation.batches import Sampling, batches
from cmr_jax.types import Params

log = logging.getLogger(__name__)

AHEAD = 4  # batches
RUNNING_MEAN = config.Optim(ema=0.995)


@dataclasses.dataclass(frozen=True)
class Training:
    """Options of a training run."""

    seed: int = 0
    steps: int = 1600
    lr: float = 2.5e-3
    weight_decay: float = 1e-3
    widths: tuple[int, ...] = (32, 64, 96, 128)
    variant: Variant = dataclasses.field(default_factory=Variant)
    sampling: Sampling = dataclasses.field(default_factory=Sampling)


def train(run: Training) -> Params:
    """The running mean of the parameters at the end of a run."""
    network: Any = UNet(len(Mask), run.widths)
    size = run.sampling.size
    example = jnp.zeros((1, size, size, inputs.CHANNELS))
    params = jax.jit(network.init)(jax.random.key(run.seed), example)["params"]
    rate = optax.cosine_onecycle_schedule(run.steps, run.lr, pct_start=0.1)
    chain = optax.chain(
        optax.clip_by_global_norm(2.0), optax.adamw(rate, weight_decay=run.weight_decay)
    )

    @jax.jit
    def step(params, state, mean, number, pictures, masks):
        def loss(params):
            return dense_loss(network.apply({"params": params}, pictures), masks)

        value, gradient = jax.value_and_grad(loss)(params)
        update, state = chain.update(gradient, state, params)
        moved: Any = optax.apply_updates(params, update)
        return moved, state, optim.averaged(RUNNING_MEAN, mean, moved, number), value

    state, mean, smooth, begun = chain.init(params), params, None, time.monotonic()
    made = batches(Source(run.seed, run.variant), run.sampling, run.seed)
    with Prefetcher(itertools.islice(made, run.steps), AHEAD) as feed:
        for number, (pictures, masks) in enumerate(feed):
            params, state, mean, value = step(params, state, mean, number, pictures, masks)
            smooth = float(value) if smooth is None else 0.98 * smooth + 0.02 * float(value)
            if number % 100 == 99:
                log.info("step %d: loss %.3f, %.0f s", number + 1, smooth, time.monotonic() - begun)
    return jax.device_get(mean)
