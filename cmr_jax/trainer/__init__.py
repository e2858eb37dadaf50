"""A run from an empty or half-finished workdir to the last step.  Start reading here: `run`.

Every process of a run goes through the same lines; only the first writes and speaks, and what all
write together (checkpoints) knows so itself.
"""

import contextlib
import logging
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax

from cmr_jax import checkpoint, config, hosts, journal, run_files, sharding, step, weights
from cmr_jax.checkpoint import Checkpoints
from cmr_jax.data import identity, pipeline, sites
from cmr_jax.provenance import Provenance
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.trainer import validation
from cmr_jax.trainer.loop import Tools, fit
from cmr_jax.types import TrainState

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """Where a run begins that has no checkpoint yet: files of weights, and how to take them."""

    paths: list[str]
    options: weights.Options


def run(
    cfg: config.Experiment,
    workdir: pathlib.Path,
    start: Start | None = None,
    accept_changes: bool = False,
    devices: list | None = None,
) -> TrainState:
    """Trains to the last step, going on from the newest checkpoint if there is one.

    What the checkpoint was made of must be what is asked for now, unless `accept_changes`.  Raises
    ValueError for what the user can mend, FloatingPointError where numbers are lost, hosts.Leaving
    where it was asked to go.
    """
    mesh = prepare(cfg, devices)
    # What is asked for must be there, in all processes, before a folder is made for it.
    paths = sites.paths_of(cfg.data)
    own = None if start and start.paths else Tokenizer.load(sites.vocabulary_of(cfg.data))
    sites.open_training(cfg.data)
    hosts.barrier("data there")
    with held(workdir), opened(cfg, workdir) as checkpoints:
        saved = checkpoints.latest()
        # Its own checkpoint comes first, then the weights it is to start from, then fresh ones.
        given, tokenizer = {}, None
        if saved:
            tokenizer = Tokenizer.load(workdir)
            if start and start.paths:
                log.warning("--weights are not read again: the run has a checkpoint of its own")
        elif start and start.paths:
            fresh = step.parameter_shapes(cfg, pipeline.example_batch(cfg, 1))
            given, tokenizer = weights.start(cfg, fresh, start.paths, start.options)
        tokenizer = tokenizer or own or Tokenizer.load(sites.vocabulary_of(cfg.data))
        check_vocabulary(cfg, tokenizer)
        now = provenance_of(cfg, paths, tokenizer)
        if saved:
            check_same(saved.provenance, now, workdir, accept_changes)
        share = sharding.share_of(mesh, jax.process_index())
        batches = pipeline.TrainBatches(cfg, tokenizer, share.index, share.count)
        with jax.set_mesh(mesh), contextlib.closing(batches):
            example = pipeline.example_batch(cfg, sharding.batch_ways(mesh))
            state = step.with_parameters(step.init_state(cfg, mesh, example), given)
            if saved:
                state = checkpoints.restore(state)
                batches.restore(saved.data)
            at = int(state.step)
            written(cfg, workdir, tokenizer, at)
            log.info("%s", _first_lines(cfg, mesh, workdir, at, batches))
            looks = validation.of(cfg, mesh, tokenizer)
            with _journal(workdir, at) as told:
                tools = Tools(batches, checkpoints, now, looks, told, workdir)
                state = fit(cfg, mesh, state, tools, saved)
        if (best := checkpoints.best_step()) is not None:
            folder = workdir / checkpoint.FOLDER / str(best)
            by = validation.BY[cfg.objective]
            log.info("best by %s: step %d (--weights=%s)", by, best, folder)
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


@contextlib.contextmanager
def held(workdir: pathlib.Path) -> Iterator[None]:
    """The workdir for this run alone, by the first process for all."""
    with run_files.held(workdir) if hosts.is_first() else contextlib.nullcontext():
        hosts.barrier("workdir held")
        yield
        hosts.barrier("workdir left")


@contextlib.contextmanager
def opened(cfg: config.Experiment, workdir: pathlib.Path) -> Iterator[Checkpoints]:
    """The checkpoints of a workdir; a save under way at the end is waited for."""
    checkpoints = Checkpoints(workdir, cfg.run.keep, cfg.run.keep_best)
    try:
        yield checkpoints
    except Exception as error:
        # It is to be good, where all are here to finish it.
        if jax.process_count() == 1 or isinstance(error, FloatingPointError | hosts.Leaving):
            with contextlib.suppress(ValueError):
                checkpoints.close()
        raise
    checkpoints.close()


def provenance_of(cfg: config.Experiment, paths: Sequence[str], tokenizer: Tokenizer) -> Provenance:
    """What this run is made of."""
    data = {path: identity.fingerprint(path) for path in paths}
    data["tokenizer"] = identity.of_bytes(tokenizer.model)
    for file in filter(None, (cfg.data.groups, cfg.data.labels)):
        data[file] = identity.of_file(file)
    return Provenance.of(cfg, data)


def written(cfg: config.Experiment, workdir: pathlib.Path, tokenizer: Tokenizer, at: int) -> None:
    """Makes the workdir that of a run which goes on from this step.  Only once nothing can be refused
    any more: else the folder would be left as that of another run."""
    if hosts.is_first():
        run_files.write(workdir, cfg, tokenizer)
        journal.forget_after(workdir, at)
    hosts.barrier("workdir made")
    run_files.await_all(workdir)


def check_same(
    before: Provenance, now: Provenance, workdir: pathlib.Path, accept_changes: bool
) -> None:
    """Says what differs from what a checkpoint was made of; a ValueError unless that is accepted.

    Other versions of the program are told of, and not refused: they mean to give the same numbers.
    """
    if changes := before.code_changes(now):
        log.warning("going on with other programs: %s", "; ".join(changes))
    if not (changes := before.changes(now)):
        return
    if not accept_changes:
        raise ValueError(
            f"{workdir} is of another run: {'; '.join(changes)}. Set it as it was, take another "
            "--workdir, or go on all the same with --accept_changes."
        )
    log.warning("going on although %s", "; ".join(changes))


def _journal(workdir: pathlib.Path, at: int) -> contextlib.AbstractContextManager:
    """Of the first process; others have none."""
    return journal.Journal(workdir, at) if hosts.is_first() else contextlib.nullcontext()


def _first_lines(cfg, mesh, workdir, at: int, batches: pipeline.TrainBatches) -> str:
    left_out = f" ({batches.left_out} left out)" if batches.left_out else ""
    per_device = cfg.data.batch // sharding.batch_ways(mesh)
    return (
        f"mesh {dict(mesh.shape)}, {cfg.data.batch} exams a batch, {per_device} per device\n"
        f"{batches.exams} exams to train on{left_out}, clips of {cfg.data.clip.frames} frames\n"
        f"workdir {workdir}: {f'resuming step {at}' if at else 'fresh'}"
    )
