"""A look at exams that nothing is learned from, while a run goes on."""

import copy
import itertools
import logging
from collections.abc import Iterator
from typing import NamedTuple, cast

import jax
import numpy as np

from cmr_jax import config, metrics, sharding, step
from cmr_jax.config import Objective
from cmr_jax.data import recipes, sites
from cmr_jax.data.pipeline import EvalBatches
from cmr_jax.prefetch import Prefetcher
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.types import Array, Batch, Embeddings, TrainState

log = logging.getLogger(__name__)

SPLIT = "val"


class Seen(NamedTuple):
    """What is kept of the exams of a batch: not their pictures."""

    embeddings: Embeddings
    group: Array
    targets: dict[str, Array] | None


class Validation:
    """Loss, and what it is for, on the first exams of the val split: nothing random.

    Called with a state it gives `val/loss` (of whole batches alone: that of a smaller one is another
    number) and, by the objective, `val/mrr` and `val/recall_at_5`, or `val/auc`, or `val/restored`.
    """

    def __init__(
        self,
        source: sites.Source,
        cfg: config.Experiment,
        mesh: jax.sharding.Mesh,
        tokenizer: Tokenizer,
    ):
        cfg = copy.deepcopy(cfg)
        # As many as go through the towers at once anyway.
        cfg.data.batch, cfg.data.micro_batch = cfg.data.micro_batch or cfg.data.batch, 0
        cfg.data.texts = 1
        self._cfg, self._mesh = cfg, mesh
        groups = recipes.shared_groups(source, cfg.data.groups)
        self._batches = EvalBatches(source, cfg, tokenizer, left_out=set(), groups=groups)
        self._look = step.make_look(cfg, mesh)
        self._told = TELL[cfg.objective]

    def __call__(self, state: TrainState) -> dict[str, float]:
        """One look."""
        params = state.params if state.ema is None else state.ema
        seen: list[Seen] = []
        losses = []
        with Prefetcher(self._placed()) as batches:
            for batch, local, real in batches:
                embeddings, loss = self._look(params, batch)
                kept = Seen(embeddings, local.report_group[:, 0], local.targets)
                # Of a temperature there is one for all.
                seen.append(jax.tree.map(lambda x, n=real: np.atleast_1d(x)[:n], kept))
                if real == self._cfg.data.batch:
                    losses.append(float(loss))
        values = self._told(self._cfg, seen)
        if values and losses and np.isfinite(losses).all():
            values["val/loss"] = float(np.mean(losses))
        return values

    def _placed(self) -> Iterator[tuple[Batch, Batch, int]]:
        """Each batch over the devices and as it was loaded, and how many of its exams are real."""
        most = -(-self._cfg.run.eval_exams // self._cfg.data.batch)
        for batch, real in itertools.islice(self._batches, most):
            yield place(batch, self._mesh), batch, real


def _retrieval(cfg: config.Experiment, seen: list[Seen]) -> dict[str, float]:
    """Whole impressions, means over both directions; equal ones are right for each other."""
    del cfg
    groups = np.concatenate([s.group for s in seen] or [np.zeros(0, np.int32)])
    told = groups >= 0
    if told.sum() < 2:
        log.warning("fewer than two exams of %s have an impression: nothing to look at", SPLIT)
        return {}
    text = np.concatenate([cast(np.ndarray, s.embeddings.text)[:, 0] for s in seen])
    video = np.concatenate([cast(np.ndarray, s.embeddings.video) for s in seen])
    a, b = (metrics.normalise(x[told]) for x in (text, video))
    ranks = [metrics.group_ranks(s, groups[told]) for s in (a @ b.T, b @ a.T)]
    return {
        "val/mrr": float(np.mean([1 / (1 + r) for r in ranks])),
        "val/recall_at_5": float(np.mean([metrics.recall_at(r, 5) for r in ranks])),
    }


def _findings(cfg: config.Experiment, seen: list[Seen]) -> dict[str, float]:
    """The mean over findings that exams with and without are there of."""
    aucs = []
    for at, name in enumerate(cfg.model.outputs):
        label = np.concatenate([cast(dict, s.targets)[name] for s in seen])
        logit = np.concatenate([cast(np.ndarray, s.embeddings.outputs)[:, at] for s in seen])
        known = ~np.isnan(label)
        aucs.append(metrics.auc(label[known] > 0.5, logit[known].astype(np.float64)))
    if np.isnan(aucs).all():
        log.warning("no finding has exams with and without it in %s: nothing to look at", SPLIT)
        return {}
    return {"val/auc": float(np.nanmean(aucs))}


def _restored(cfg: config.Experiment, seen: list[Seen]) -> dict[str, float]:
    """The share of what hidden patches look like that is told."""
    del cfg
    error = np.concatenate([cast(np.ndarray, s.embeddings.restored) for s in seen])
    return {"val/restored": 1 - float(error.mean())}


# What a look tells, and the number that the best checkpoint goes by.
TELL = {
    Objective.CONTRASTIVE: _retrieval,
    Objective.SUPERVISED: _findings,
    Objective.MASKED_FRAMES: _restored,
}
BY = {
    Objective.CONTRASTIVE: "val/mrr",
    Objective.SUPERVISED: "val/auc",
    Objective.MASKED_FRAMES: "val/restored",
}


def place(batch: Batch, mesh: jax.sharding.Mesh) -> Batch:
    """A batch that every process has loaded, as global arrays: each gives what its devices hold."""
    where = sharding.batch_sharding(mesh)

    def put(x: np.ndarray) -> jax.Array:
        return jax.make_array_from_callback(x.shape, where, lambda index: x[index])

    return jax.tree.map(put, batch)


def of(cfg: config.Experiment, mesh: jax.sharding.Mesh, tokenizer: Tokenizer) -> Validation | None:
    """What `run.eval_every` asks for; None, with a word, where there is nothing to look at."""
    if not cfg.run.eval_every:
        return None
    if (source := sites.open_split(cfg.data, SPLIT)) is None:
        log.warning("the data has no %s split: no looks at it, and no best checkpoint", SPLIT)
        return None
    return Validation(source, cfg, mesh, tokenizer)
