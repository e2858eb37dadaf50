"""Batches for this host.  Every random draw depends on (seed, global index) alone.

The training iterator's state is one number, the global position, so a run resumes on any number
of hosts.
"""

import dataclasses
import json
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import grain
import numpy as np
from absl import flags

from cmr_jax import config
from cmr_jax.config import Layout, Objective
from cmr_jax.data import broken, recipes, sites
from cmr_jax.data.broken import Broken, BrokenRecord
from cmr_jax.data.sites import Source
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.types import Array, Batch, Coordinates

log = logging.getLogger(__name__)


class Loaded(NamedTuple):
    """A batch, and what is known of it beside what the model sees."""

    batch: Batch
    rows: tuple[int, ...]  # of the global batch, that this host's share is
    exams: tuple[str, ...]  # ids, one per row
    broken: tuple[Broken, ...]  # what this batch met
    state: dict[str, Any]  # JSON: the position after this batch


class TrainBatches:
    """Endless batches of this host's share; `state` and `restore` carry the position."""

    def __init__(self, cfg: config.Experiment, tokenizer: Tokenizer, host: int = 0, hosts: int = 1):
        source = sites.open_training(cfg.data)
        usable = recipes.usable(source, cfg.data)
        if len(usable) < cfg.data.batch:
            raise ValueError(
                f"data.batch is {cfg.data.batch}, but {', '.join(sites.paths_of(cfg.data))} has "
                f"{len(usable)} exams to train on{_left_out(len(source) - len(usable))}."
            )
        if (
            not flags.FLAGS.is_parsed()
        ):  # grain reads flags; under a program of ours they are parsed
            flags.FLAGS.mark_as_parsed()
        data = sites.deal(source, usable, cfg.data, cfg.run.seed)
        for step in recipes.for_training(source, usable, cfg, tokenizer):
            random = isinstance(step, grain.transforms.RandomMap)
            data = data.random_map(step) if random else data.map(step)
        workers = cfg.data.workers
        self._iterator: Any = iter(
            grain.experimental.ElasticIterator(
                data,
                cfg.data.batch,
                grain.sharding.ShardOptions(shard_index=host, shard_count=hosts),
                # Grain counts whole batches here, and each may be a gigabyte: one for each thread.
                read_options=grain.ReadOptions(
                    num_threads=cfg.data.threads, prefetch_buffer_size=cfg.data.threads
                ),
                multiprocessing_options=grain.MultiprocessingOptions(num_workers=workers)
                if workers
                else None,
            )
        )
        self.exams, self.left_out = len(usable), len(source) - len(usable)
        self._share, self._records = cfg.data.broken_share, len(source)
        self._broken: dict[str, Broken] = {}  # each once, though it is met in every epoch
        # Grain deals exams out to hosts one by one.
        self._rows = np.arange(cfg.data.batch // hosts, dtype=np.int32) * hosts + host

    def __iter__(self) -> Iterator[Loaded]:
        return self

    def __next__(self) -> Loaded:
        """A ValueError when more exams are broken than data.broken_share, as this host met them."""
        try:
            arrays = next(self._iterator)
        except ValueError as error:  # of a thread or a worker, with notes of where in its graph
            self.close()
            raise ValueError(str(error)) from None
        except RuntimeError as error:
            self.close()
            raise ValueError(f"a reader has failed, or was killed: {error}") from None
        exams = tuple(str(exam) for exam in arrays.pop("exam_id"))
        met = tuple(b for text in arrays.pop("broken") for b in broken.load(str(text)))
        self._broken.update((b.record, b) for b in met)
        broken.check_share(list(self._broken.values()), self._records, self._share)
        rows = tuple(self._rows.tolist())
        return Loaded(to_batch(arrays, self._rows), rows, exams, met, self.state)

    @property
    def state(self) -> dict[str, Any]:
        """JSON values."""
        return json.loads(json.dumps(self._iterator.get_state()))

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on where `state` was taken."""
        self._iterator.set_state(state)

    def close(self) -> None:
        """Ends reader processes."""
        if self._iterator:
            self._iterator.close()
            self._iterator = None  # Grain's own ending fails once Python ends


def _left_out(exams: int) -> str:
    return (
        f", since {exams} lack a view that the layout needs, or are not among data.most_exams"
        if exams
        else ""
    )


@dataclasses.dataclass(frozen=True)
class EvalBatches:
    """A split once through, in order; the last batch repeats its last exam, and says so."""

    source: Source
    cfg: config.Experiment
    tokenizer: Tokenizer
    # Collects the numbers of exams that cannot be read, which are named and left out; None: an error.
    left_out: set[int] | None = None
    # Groups that impressions share with others, as in training; else equal words alone are equal.
    groups: dict[int, int] = dataclasses.field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[Batch, int]]:
        """(batch, how many of its exams are real)."""
        steps = recipes.for_evaluation(self.source, self.cfg, self.tokenizer, self.groups)
        rng = np.random.default_rng(0)  # nothing in evaluation draws from it
        size, total = self.cfg.data.batch, len(self.source)
        for start in range(0, total, size):
            elements = []
            for index in range(start, min(start + size, total)):
                try:
                    elements.append(_through(steps, index, rng))
                except BrokenRecord as error:
                    if self.left_out is not None:
                        log.warning("%s cannot be read: %s", self.source.name(index), error)
                        self.left_out.add(index)
                        continue
                    raise ValueError(
                        f"{self.source.name(index)} cannot be read: {error}. "
                        "Copy the data again, or prepare it again: evaluation leaves nothing out."
                    ) from None
            if not (real := len(elements)):
                continue
            elements += elements[-1:] * (size - real)
            arrays = _stack(elements)
            del arrays["exam_id"], arrays["broken"]
            yield to_batch(arrays, np.arange(size, dtype=np.int32)), real


def _through(steps: list, element: Any, rng: np.random.Generator) -> Any:
    for step in steps:
        random = isinstance(step, grain.transforms.RandomMap)
        element = step.random_map(element, rng) if random else step.map(element)
    return element


def _stack(elements: list[dict[str, Any]]) -> dict[str, Any]:
    first = elements[0]
    return {
        k: _stack([e[k] for e in elements])
        if isinstance(v, dict)
        else np.stack([e[k] for e in elements])
        for k, v in first.items()
    }


def to_batch(arrays: dict[str, Any], rows: np.ndarray) -> Batch:
    """Names the arrays."""
    where = Coordinates(**arrays["coordinates"])
    return Batch(**{**arrays, "coordinates": where, "row": rows})


def example_batch(cfg: config.Experiment, exams: int) -> Batch:
    """A batch of zeros with the shapes of this config: for building and counting."""
    clip, length = cfg.data.clip, cfg.model.text.length
    texts = (exams, cfg.data.texts + cfg.data.untrue_text)
    frames = (exams, clip.frames)
    whole, real = np.zeros(frames, np.int32), np.zeros(frames, np.float32)
    stored = np.float32 if clip.layout is Layout.PUBLISHED else np.uint8  # resized, or as stored
    return Batch(
        video=np.zeros((*frames, clip.size, clip.size, 1), stored),
        coordinates=Coordinates(whole, whole, whole, real, real, real > 0, real + 1),
        frame_mask=np.ones(frames, bool),
        tokens=np.zeros((*texts, length), np.int32),
        text_mask=np.ones((*texts, length), bool),
        report_group=np.zeros(texts, np.int32),
        row=np.arange(exams, dtype=np.int32),
        exam_key=np.arange(exams, dtype=np.int32),
        targets=_example_targets(cfg, exams),
        says=np.zeros(texts, np.int32) if cfg.positives.reads_reports else None,
        exam_says=np.zeros(exams, np.int32) if cfg.positives.reads_reports else None,
        untrue=np.zeros(texts, bool) if cfg.data.untrue_text else None,
    )


def _example_targets(cfg: config.Experiment, exams: int) -> dict[str, Array] | None:
    told = {
        Objective.SUPERVISED: cfg.model.outputs,
        Objective.CONTRASTIVE: cfg.model.outputs + cfg.model.numbers,
    }
    names = told.get(cfg.objective, ())
    return {name: np.zeros(exams, np.float32) for name in names} or None
