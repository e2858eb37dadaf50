"""A look at exams that nothing is learned from, while a run goes on."""

import copy
import itertools
import logging
from collections.abc import Iterator

import jax
import numpy as np

from cmr_jax import config, metrics, sharding, step
from cmr_jax.data import sites
from cmr_jax.data.pipeline import EvalBatches
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.trainer.ahead import Ahead
from cmr_jax.types import Batch, TrainState

log = logging.getLogger(__name__)

SPLIT = "val"


class Validation:
    """Loss and retrieval on the first exams of the val split: whole impressions, nothing random."""

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
        self._batches = EvalBatches(source, cfg, tokenizer, strict=False)
        self._look = step.make_look(cfg, mesh)

    def __call__(self, state: TrainState) -> dict[str, float]:
        """`val/loss` (of whole batches alone: that of a smaller one is another number), `val/mrr` and
        `val/recall_at_5`, means over both directions; equal impressions are right for each other."""
        params = state.params if state.ema is None else state.ema
        video, text, group, losses = [], [], [], []
        with Ahead(self._placed()) as batches:
            for batch, local, real in batches:
                embeddings, loss = self._look(params, batch)
                video.append(np.asarray(embeddings.video)[:real])
                text.append(np.asarray(embeddings.text)[:real, 0])
                group.append(local.report_group[:real, 0])
                if real == self._cfg.data.batch:
                    losses.append(float(loss))
        groups = np.concatenate([*group, np.zeros(0, np.int32)])
        told = groups >= 0
        if told.sum() < 2:
            log.warning("fewer than two exams of %s have an impression: nothing to look at", SPLIT)
            return {}
        a, b = (metrics.normalise(np.concatenate(x)[told]) for x in (text, video))
        ranks = [metrics.group_ranks(s, groups[told]) for s in (a @ b.T, b @ a.T)]
        values = {
            "val/mrr": float(np.mean([1 / (1 + r) for r in ranks])),
            "val/recall_at_5": float(np.mean([metrics.recall_at(r, 5) for r in ranks])),
        }
        if losses and np.isfinite(losses).all():
            values["val/loss"] = float(np.mean(losses))
        return values

    def _placed(self) -> Iterator[tuple[Batch, Batch, int]]:
        """Each batch over the devices and as it was loaded, and how many of its exams are real."""
        most = -(-self._cfg.run.eval_exams // self._cfg.data.batch)
        for batch, real in itertools.islice(self._batches, most):
            yield place(batch, self._mesh), batch, real


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
