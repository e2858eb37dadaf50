"""The loop of a run: a batch, a step, a look now and then, a save now and then."""

import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from cmr_jax import checkpoint, config, guard, hosts, sharding, step
from cmr_jax.checkpoint import Saved
from cmr_jax.data.pipeline import Loaded, TrainBatches
from cmr_jax.journal import Journal, Progress
from cmr_jax.prefetch import Prefetcher
from cmr_jax.provenance import Provenance
from cmr_jax.trainer.meter import Meter
from cmr_jax.trainer.monitor import Monitor
from cmr_jax.trainer.validation import BY, Validation
from cmr_jax.types import Batch, TrainState


class Tools(NamedTuple):
    """What a run has at hand beside its state."""

    batches: TrainBatches
    checkpoints: checkpoint.Checkpoints
    provenance: Provenance
    validation: Validation | None
    journal: Journal | None  # of the first process
    workdir: pathlib.Path


def fit(
    cfg: config.Experiment,
    mesh: jax.sharding.Mesh,
    state: TrainState,
    tools: Tools,
    saved: Saved | None = None,
) -> TrainState:
    """Trains to the last step.  Raises hosts.Leaving where it was asked to go, with all saved.

    `saved` came with the state, if it is of a checkpoint.

    What is saved goes with the position of the batch that was learned from last, however far ahead
    others have been read.
    """
    train_step, key = step.make_step(cfg, mesh), jax.random.key(cfg.run.seed)
    first = int(state.step)
    stop = min(cfg.optim.steps, cfg.run.stop_after or cfg.optim.steps)
    meter = Meter(cfg, mesh)
    progress = Progress(cfg.optim.steps, first)
    before = (saved.skipped, saved.skipped_in_a_row) if saved else (0, 0)
    watch = Monitor(cfg, tools.workdir, guard.Groups.of(state.params), before)
    if hosts.asked():
        raise hosts.Leaving(f"asked to leave before step {first + 1}")
    with Prefetcher(placed(tools.batches, mesh)) as feed, watch as monitor:
        for at in range(first + 1, stop + 1):
            loaded = next(feed)
            state, parts = train_step(state, loaded.batch, key)
            monitor.follow(at, parts, loaded)
            if at == first + 1:
                jax.block_until_ready(parts)
                meter.begin(at, feed.waited)
                progress.begin(at)
            leaves = hosts.asked()
            last = leaves or at == stop
            values: dict[str, float] = {}
            if at % cfg.run.log_every == 0 or last:
                monitor.settle()
                values |= step_metrics(parts) | meter.report(at, feed.waited)
            metrics = {}
            if tools.validation and (at % cfg.run.eval_every == 0 or at == cfg.optim.steps):
                monitor.settle()
                with meter.paused():
                    metrics = tools.validation(state)
            if tools.journal and (values or metrics):
                values |= metrics
                if skipped := monitor.passed_over[0]:
                    values["train/skipped"] = skipped
                tools.journal.write(at, values)
                progress.show(at, words(values), last or bool(metrics))
            if at % cfg.run.save_every == 0 or last or metrics:  # so that the best is there to keep
                monitor.settle()  # what is saved is known to be finite
                saved = Saved(loaded.state, tools.provenance, *monitor.passed_over)
                by = {checkpoint.BEST: metrics[BY[cfg.objective]]} if metrics else {}
                with meter.paused():
                    tools.checkpoints.save(state, saved, metrics | by)
            if leaves and at < cfg.optim.steps:
                raise hosts.Leaving(f"asked to leave: saved step {at} of {cfg.optim.steps}")
    return state


def placed(batches: Iterator[Loaded], mesh: jax.sharding.Mesh) -> Iterator[Loaded]:
    """Batches of this host as they come, each now a part of global arrays."""
    for loaded in batches:
        yield loaded._replace(batch=to_device(loaded.batch, mesh))


def to_device(batch: Batch, mesh: jax.sharding.Mesh) -> Batch:
    """This host's share of a batch as global arrays over the mesh."""
    place = sharding.batch_sharding(mesh)
    count = sharding.share_of(mesh, jax.process_index()).count

    def put(x: np.ndarray) -> jax.Array:
        whole = (len(x) * count, *x.shape[1:])
        return jax.make_array_from_process_local_data(place, np.asarray(x), whole)

    return jax.tree.map(put, batch)


def step_metrics(parts: step.Parts) -> dict[str, float]:
    """A step's numbers by the names that a journal has for them; those that are none left out."""
    parts = jax.device_get({name: value for name, value in parts.items() if name != step.FINITE})
    named = {n if "/" in n else f"train/{n}": float(value) for n, value in parts.items()}
    return {name: value for name, value in named.items() if np.isfinite(value)}


WORDS = {
    "train/loss": "loss {:.3f}",
    "train/accuracy": "accuracy {:.2f}",
    "val/mrr": "val MRR {:.3f}",
    "val/auc": "val AUC {:.3f}",
    "time/exams_per_s": "{:.0f} exams/s",
    "time/wait_share": "waiting {:.0%}",
    "time/mfu": "MFU {:.0%}",
    "train/skipped": "{:.0f} steps passed over",
}


def words(values: dict[str, float]) -> str:
    """The few of them that people want to see go by."""
    return "  ".join(form.format(values[name]) for name, form in WORDS.items() if name in values)
