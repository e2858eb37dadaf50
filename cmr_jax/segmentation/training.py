"""Trains the U-Net on random hearts."""

import dataclasses
import logging
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import optax

from cmr_jax.losses.dense import dense_loss
from cmr_jax.models.unet import UNet
from cmr_jax.phantom import Source, Variant
from cmr_jax.phantom.tissue import Mask
from cmr_jax.segmentation import inputs
from cmr_jax.segmentation.batches import Sampling, batches
from cmr_jax.types import Params

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Training:
    """A run."""

    seed: int = 0
    steps: int = 1000
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
        params = optax.apply_updates(params, update)
        decay = jnp.minimum(0.995, (number + 1) / (number + 10))
        mean = jax.tree.map(lambda m, p: m * decay + p * (1 - decay), mean, params)
        return params, state, mean, value

    state, mean, smooth, begun = chain.init(params), params, None, time.monotonic()
    source = Source(run.seed, run.variant)
    for number, (pictures, masks) in enumerate(_ahead(batches(source, run.sampling, run.seed))):
        if number == run.steps:
            break
        params, state, mean, value = step(params, state, mean, number, pictures, masks)
        smooth = float(value) if smooth is None else 0.98 * smooth + 0.02 * float(value)
        if number % 100 == 99:
            log.info("step %d: loss %.3f, %.0f s", number + 1, smooth, time.monotonic() - begun)
    return jax.device_get(mean)


def _ahead(items: Iterator[Any], depth: int = 4) -> Iterator[Any]:
    """The same items, made by a thread."""
    made: queue.Queue = queue.Queue(depth)
    stopped = threading.Event()

    def work() -> None:
        for item in items:
            while not stopped.is_set():
                try:
                    made.put(item, timeout=0.5)
                    break
                except queue.Full:
                    continue
            if stopped.is_set():
                return

    threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            yield made.get()
    finally:
        stopped.set()
