"""One masked embedding pass over a split, shared by evaluation and search."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from cmr_jax.data import pipeline
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.models import dual_encoder
from cmr_jax.types import Batch
from cmr_jax.weights import Weights


class ExamEmbeddings(NamedTuple):
    """Raw float32 embeddings of a split, in its order."""

    video: np.ndarray  # n e
    text: np.ndarray  # n e, of the whole impression
    exams: list[Exam]


class Embedder:
    """A model as a function: exams of a split, or texts, to arrays."""

    def __init__(self, loaded: Weights, batch: int = 32):
        # On the device once, not with every batch.
        self.weights = loaded._replace(params=jax.device_put(loaded.params))
        self.cfg = loaded.config
        self.cfg.data.batch = batch
        self.cfg.data.texts = 1
        model = self.cfg.model
        self._both = jax.jit(lambda params, b: dual_encoder.apply(model, params, b))
        self._text = jax.jit(
            lambda params, b: dual_encoder.apply(model, params, b, video=False).text
        )

    def with_weights(self, loaded: Weights) -> "Embedder":
        """Another model of the same shape as the same function: it is not compiled again."""
        if loaded.config.model != self.cfg.model or loaded.config.data.clip != self.cfg.data.clip:
            return Embedder(loaded, self.cfg.data.batch)
        other = copy.copy(self)
        other.weights = loaded._replace(params=jax.device_put(loaded.params))
        return other

    def exams(
        self, data: str, split: str, change: Callable[[Batch], Batch] = lambda b: b
    ) -> ExamEmbeddings:
        """Embeds every exam of a split; `change` may alter batches, for control runs."""
        source = ExamSource(data, split)
        video, text = [], []
        for batch, real in pipeline.EvalBatches(source, self.cfg, self.weights.tokenizer):
            embedded = self._both(self.weights.params, change(batch))
            video.append(np.asarray(embedded.video)[:real])
            text.append(np.asarray(embedded.text)[:real, 0])
        exams = [source[i] for i in range(len(source))]
        return ExamEmbeddings(np.concatenate(video), np.concatenate(text), exams)

    def texts(self, texts: list[str]) -> np.ndarray:
        """Embeds texts, (n, e)."""
        tokens, mask = self.weights.tokenizer.encode(texts, self.cfg.model.text.length)
        batch = pipeline.example_batch(self.cfg, 1)
        row = np.arange(len(texts), dtype=np.int32)
        batch = batch._replace(tokens=tokens[:, None], text_mask=mask[:, None], row=row)
        return np.asarray(self._text(self.weights.params, batch))[:, 0]
