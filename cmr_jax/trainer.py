"""A run from an empty or half-finished workdir to the last step.  Start reading here: `run`.

Every process of a run goes through the same lines; only the first writes and speaks, and what all
write together (checkpoints) knows so itself.
"""

import contextlib
import logging
import math
import pathlib
import time
from typing import NamedTuple

import jax
import numpy as np

from cmr_jax import checkpoint, config, hosts, sharding, step, weights
from cmr_jax.data import pipeline, sites
from cmr_jax.journal import Journal, Progress
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.types import Batch, TrainState

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """Where a run begins that has no checkpoint yet: files of weights, and how to take them."""

    paths: list[str]
    options: weights.Options


def run(cfg: config.Experiment, workdir: pathlib.Path, start: Start | None = None) -> TrainState:
    """Trains to the last step, going on from the newest checkpoint if there is one."""
    mesh = prepare(cfg)
    sites.paths_of(cfg.data)  # or a word that none is said
    # Its own checkpoint comes first, then the weights it is to start from, then fresh ones.
    given, tokenizer = {}, None
    if start and start.paths and not checkpoint.any_in(workdir):
        fresh = step.parameter_shapes(cfg, pipeline.example_batch(cfg, 1))
        given, tokenizer = weights.start(cfg, fresh, start.paths, start.options)
    if checkpoint.any_in(workdir):
        tokenizer = Tokenizer.load(workdir)
    tokenizer = tokenizer or Tokenizer.load(sites.vocabulary_of(cfg.data))
    check_vocabulary(cfg, tokenizer)
    share = sharding.share_of(mesh, jax.process_index())
    batches = pipeline.TrainBatches(cfg, tokenizer, share.index, share.count)
    hosts.barrier("workdir read")  # nobody reads what the first is writing
    if hosts.is_first():
        checkpoint.write_run_files(workdir, cfg, tokenizer)
    hosts.barrier("workdir made")
    checkpoint.check_run_files(workdir)
    checkpoints = checkpoint.Checkpoints(workdir, cfg.run.keep)
    with jax.set_mesh(mesh):
        ways = sharding.batch_ways(mesh)
        state = step.init_state(cfg, mesh, pipeline.example_batch(cfg, ways))
        state = step.with_parameters(state, given)
        if found := checkpoints.restore(state):
            state, position = found
            batches.restore(position)
        log.info("%s", _first_lines(cfg, mesh, workdir, int(state.step), batches))
        opened = Journal(workdir, int(state.step)) if hosts.is_first() else None
        with opened or contextlib.nullcontext() as journal:
            state = fit(cfg, mesh, state, batches, checkpoints, journal)
    checkpoints.close()
    batches.close()
    return state


def prepare(cfg: config.Experiment, devices: list | None = None) -> jax.sharding.Mesh:
    """Checks the config, by itself and against the devices, before anything is read."""
    config.validate(cfg)
    mesh = sharding.make_mesh(cfg.mesh, devices)
    sharding.check_batch(cfg.data, mesh)
    return mesh


def check_vocabulary(cfg: config.Experiment, tokenizer: Tokenizer) -> None:
    """Every piece needs a row of the table of tokens."""
    if tokenizer.size > cfg.model.text.vocabulary:
        raise ValueError(
            f"the vocabulary has {tokenizer.size} pieces, model.text.vocabulary is "
            f"{cfg.model.text.vocabulary}. Use --config.model.text.vocabulary={tokenizer.size}."
        )


def fit(
    cfg: config.Experiment,
    mesh: jax.sharding.Mesh,
    state: TrainState,
    batches: pipeline.TrainBatches,
    checkpoints: checkpoint.Checkpoints,
    journal: Journal | None,
) -> TrainState:
    """The loop.  A checkpoint is taken before the next batch is, so step and data agree."""
    train_step, key = step.make_step(cfg, mesh), jax.random.key(cfg.run.seed)
    first, last = int(state.step), cfg.optim.steps
    stop = min(last, cfg.run.stop_after or last)
    progress, began = Progress(last, first), time.monotonic()
    for at in range(first + 1, stop + 1):
        state, parts = train_step(state, to_device(next(batches).batch, mesh), key)
        log_due = at % cfg.run.log_every == 0 or at == stop
        save_due = at % cfg.run.save_every == 0 or at == stop
        if log_due or save_due:  # what is saved is known to be finite
            values = {name: float(value) for name, value in parts.items()}
            check_finite(values, at)
        if log_due and journal:
            rate = (at - first) * cfg.data.batch / (time.monotonic() - began)
            journal.write(
                at, {**{f"train/{k}": v for k, v in values.items()}, "time/exams_per_s": rate}
            )
            progress.show(
                at,
                f"loss {values['loss']:.3f}  accuracy {values['accuracy']:.2f}  {rate:.0f} exams/s",
            )
        if save_due:
            checkpoints.save(state, batches.state, cfg)
    return state


def to_device(batch: Batch, mesh: jax.sharding.Mesh) -> Batch:
    """This host's share of a batch as global arrays over the mesh."""
    place = sharding.batch_sharding(mesh)
    count = sharding.share_of(mesh, jax.process_index()).count

    def put(x: np.ndarray) -> jax.Array:
        whole = (len(x) * count, *x.shape[1:])
        return jax.make_array_from_process_local_data(place, np.asarray(x), whole)

    return jax.tree.map(put, batch)


def check_finite(values: dict[str, float], at: int) -> None:
    """A run that left the numbers stops; what was saved before stays good."""
    if bad := sorted(k for k, v in values.items() if not math.isfinite(v)):
        raise FloatingPointError(
            f"{', '.join(bad)} not finite by step {at}. "
            "The last checkpoint is good; lower --config.optim.lr or look at the data."
        )


def _first_lines(cfg, mesh, workdir, at: int, batches: pipeline.TrainBatches) -> str:
    left_out = f" ({batches.left_out} lack a view)" if batches.left_out else ""
    per_device = cfg.data.batch // sharding.batch_ways(mesh)
    return (
        f"mesh {dict(mesh.shape)}, {cfg.data.batch} exams a batch, {per_device} per device\n"
        f"{batches.exams} exams to train on{left_out}, clips of {cfg.data.clip.frames} frames\n"
        f"workdir {workdir}: {f'resuming step {at}' if at else 'fresh'}"
    )
