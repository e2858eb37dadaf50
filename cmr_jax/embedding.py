"""One masked embedding pass over a split, shared by evaluation and search."""

import abc
import copy
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import numpy as np

from cmr_jax import config, sharding
from cmr_jax.config import Objective
from cmr_jax.data import pipeline
from cmr_jax.data.sites import Source
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.models import dual_encoder
from cmr_jax.types import Batch
from cmr_jax.weights import Weights

TEXTS_AT_ONCE = 64
Batches = Iterable[tuple[Batch, int]]  # a batch, and how many of its exams are real


class ExamEmbeddings(NamedTuple):
    """Raw float32 embeddings of a split, in its order."""

    video: np.ndarray  # n e
    text: np.ndarray  # n e, of the whole impression
    exams: list[Exam]


class Model(abc.ABC):
    """What evaluation and search ask of a model, ours or another: clips and texts to arrays."""

    at_once: int = 32  # exams
    learned_at_home = True  # from the training exams of the data that it is judged on

    @property
    def scale(self) -> float | None:
        """Of a cosine in the logits of training; None where nobody said."""
        return None

    @abc.abstractmethod
    def batches(self, source: Source) -> Batches:
        """The clips of a split, in its order."""

    @abc.abstractmethod
    def video(self, batch: Batch) -> np.ndarray:
        """Raw embeddings of clips, (b, e)."""

    @abc.abstractmethod
    def texts(self, texts: list[str]) -> np.ndarray:
        """Raw embeddings of texts, (n, e)."""

    def head(self, video: np.ndarray) -> dict[str, np.ndarray]:
        """Scores of findings by a head that was trained on labels, from raw embeddings; {} of most."""
        del video
        return {}

    def videos(
        self, batches: Batches, change: Callable[[Batch], Batch] = lambda b: b
    ) -> np.ndarray:
        """Raw embeddings of the real exams of batches, (n, e); `change` may alter batches."""
        return np.concatenate([self.video(change(b))[:real] for b, real in batches])

    def clips(self, batch: Batch) -> np.ndarray:
        """Raw embeddings of any number of clips, (n, e): in few sizes, each a program of its own."""
        made = []
        for first in range(0, len(batch.video), self.at_once):
            part = jax.tree.map(lambda x, i=first: np.asarray(x)[i : i + self.at_once], batch)
            size = len(part.video)
            more = self._size(size) - size
            part = jax.tree.map(lambda x, n=more: np.concatenate([x, x[-1:].repeat(n, 0)]), part)
            row = np.arange(size + more, dtype=np.int32)
            made.append(self.video(part._replace(row=row))[:size])
        return np.concatenate(made)

    def _size(self, rows: int) -> int:
        """So many rows are filled up to; few sizes, since each is a program of its own."""
        return 1 << (rows - 1).bit_length()

    def exams(
        self, data: str, split: str, change: Callable[[Batch], Batch] = lambda b: b
    ) -> ExamEmbeddings:
        """Embeds every exam of a split; `change` may alter batches, for control runs."""
        source = ExamSource(data, split)
        exams = [source[i] for i in range(len(source))]
        # Many exams read alike: each impression once.
        row: dict[str, int] = {}
        owner = [row.setdefault(e.text, len(row)) for e in exams]
        text = self.texts(list(row))[owner]
        return ExamEmbeddings(self.videos(self.batches(source), change), text, exams)


class Embedder(Model):
    """A model of ours as a function, on all devices of this process: each has all parameters, and its
    share of every batch."""

    def __init__(self, loaded: Weights, batch: int = 32):
        """`batch` exams at once, or a few more, where they do not divide over the devices."""
        self._mesh = sharding.make_mesh(config.Mesh(), jax.local_devices())
        self.weights = self._resident(loaded)
        self.cfg = copy.deepcopy(loaded.config)  # others may have the same weights
        self.cfg.data.batch = self.at_once = _up(batch, self._mesh.size)
        self.cfg.data.texts, self.cfg.data.untrue_text = 1, False
        self.cfg.objective, self.cfg.data.labels = Objective.CONTRASTIVE, ""  # no label is read
        model = self.cfg.model
        self._video = jax.jit(
            lambda params, b: dual_encoder.apply(model, params, b, text=False).video
        )
        blank = pipeline.example_batch(self.cfg, 1)
        self._text = jax.jit(
            lambda params, words: dual_encoder.apply(
                model, params, blank._replace(**words), video=False
            )._replace(video=None)
        )

    @property
    def scale(self) -> float:
        """Of a cosine in the logits, as learned."""
        return float(self._texts([""]).scale)

    def with_weights(self, loaded: Weights) -> "Embedder":
        """Another model of the same shape as the same function: it is not compiled again."""
        if loaded.config.model != self.cfg.model or loaded.config.data.clip != self.cfg.data.clip:
            return Embedder(loaded, self.at_once)
        other = copy.copy(self)
        other.weights = self._resident(loaded)
        return other

    def batches(self, source: Source, left_out: set[int] | None = None) -> Batches:
        """As in training, but for nothing that is random.  An exam that cannot be read is an error, or
        is left out where its number can go."""
        return pipeline.EvalBatches(source, self.cfg, self.weights.tokenizer, left_out)

    def video(self, batch: Batch) -> np.ndarray:
        """Embeds clips."""
        return np.asarray(self._video(self.weights.params, self._spread(batch)))

    def head(self, video: np.ndarray) -> dict[str, np.ndarray]:
        """Logits by finding."""
        if not (names := self.cfg.model.outputs):
            return {}
        layer = self.weights.params["outputs"]
        logits = video @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])
        return dict(zip(names, logits.T, strict=True))

    def texts(self, texts: list[str]) -> np.ndarray:
        """Embeds texts."""
        parts = [texts[i : i + TEXTS_AT_ONCE] for i in range(0, len(texts), TEXTS_AT_ONCE)]
        return np.concatenate(
            [np.asarray(self._texts(part).text)[: len(part), 0] for part in parts]
        )

    def _texts(self, texts: list[str]):
        size = self._size(len(texts))
        tokens, mask = self.weights.tokenizer.encode(
            texts + [""] * (size - len(texts)), self.cfg.model.text.length
        )
        row = np.arange(size, dtype=np.int32)
        words = {"tokens": tokens[:, None], "text_mask": mask[:, None], "row": row}
        return self._text(self.weights.params, self._spread(words))

    def _size(self, rows: int) -> int:
        return _up(super()._size(rows), self._mesh.size)

    def _resident(self, loaded: Weights) -> Weights:
        """On the devices once, not with every batch."""
        place = jax.NamedSharding(self._mesh, sharding.WHOLE)
        return loaded._replace(params=jax.device_put(loaded.params, place))

    def _spread(self, rows: Any) -> Any:
        """Arrays of rows that divide over the devices, each its own."""
        return jax.device_put(rows, sharding.batch_sharding(self._mesh))


def check_finite(vectors: np.ndarray, of: str) -> np.ndarray:
    """The vectors of some exams.  A ValueError where some are no numbers: they would be ranked as if
    they were."""
    if broken := int((~np.isfinite(vectors).all(1)).sum()):
        raise ValueError(
            f"the model's embeddings of {broken} of {len(vectors)} exams of {of} are not finite. "
            "Take weights of an earlier step."
        )
    return vectors


def _up(count: int, ways: int) -> int:
    return -(-count // ways) * ways
