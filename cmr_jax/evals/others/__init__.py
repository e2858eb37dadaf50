"""Image-text models that are not ours, through the same door: single pictures, averaged.

`--embed=MODULE:FUNCTION` (or `FILE.py:FUNCTION`, and `:ARGUMENT` after either) names code of the
user's that is run: FUNCTION(ARGUMENT) gives an object with two methods,

    images(pictures) -> (n, e)     pictures: float32 (n, height, width), grey, 0 to 1
    texts(sentences) -> (n, e)     sentences: list of n strings

An exam's embedding is the mean of those of its pictures, each of unit length.  `clip.py` has the
functions for CLIP models of transformers and open_clip.
"""

import importlib
import importlib.util
import pathlib
import sys
from typing import Protocol, runtime_checkable

import numpy as np

from cmr_jax import config, metrics
from cmr_jax.data import pipeline
from cmr_jax.data.sites import Source
from cmr_jax.embedding import Batches, Model
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.types import Batch

# Pictures of an exam: neighbouring slices and moments look alike to a model of single pictures.
SAX_SLICES, PHASES, LGE_SLICES = 3, 4, 3


@runtime_checkable
class PicturesAndTexts(Protocol):
    """What FUNCTION gives."""

    def images(self, pictures: np.ndarray) -> np.ndarray:
        """Embeddings of grey pictures."""
        ...

    def texts(self, sentences: list[str]) -> np.ndarray:
        """Embeddings of sentences."""
        ...


class Averaged(Model):
    """A model of single pictures as one of exams."""

    learned_at_home = False

    def __init__(self, pictures: PicturesAndTexts, batch: int = 32):
        self.pictures, self.at_once = pictures, batch

    def batches(self, source: Source) -> Batches:
        """Pictures of the size that the data has."""
        exam = source[0]
        size = source.frames(exam.stacks[0], 0).shape[-1]
        clip = config.Clip(sax_slices=SAX_SLICES, phases=PHASES, lge_slices=LGE_SLICES, size=size)
        cfg = config.Experiment(data=config.Data(batch=self.at_once, clip=clip, texts=1))
        return pipeline.EvalBatches(source, cfg, _NoTokens(b""))

    def video(self, batch: Batch) -> np.ndarray:
        """Means over the pictures of each exam."""
        real = np.asarray(batch.frame_mask)
        pictures = np.asarray(batch.video)[real][..., 0].astype(np.float32) / 255
        each = metrics.normalise(self._checked(self.pictures.images(pictures), len(pictures)))
        total = np.zeros((len(real), each.shape[1]))
        np.add.at(total, np.nonzero(real)[0], each)
        return (total / np.maximum(real.sum(1, keepdims=True), 1)).astype(np.float32)

    def texts(self, texts: list[str]) -> np.ndarray:
        """As the model has them."""
        return self._checked(self.pictures.texts(texts), len(texts))

    def _checked(self, made: np.ndarray, rows: int) -> np.ndarray:
        made = np.asarray(made, np.float32)
        if made.ndim != 2 or len(made) != rows:
            raise ValueError(
                f"--embed: of {rows} inputs the function made an array of shape {made.shape}; "
                "it must have a row for each."
            )
        return made


class _NoTokens(Tokenizer):
    """Texts go to the other model as they are."""

    def encode(self, texts: list[str], length: int) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((len(texts), 1), np.int32), np.ones((len(texts), 1), bool)


def load(spec: str, batch: int) -> Model:
    """The model that `--embed` names; a ValueError where there is no such thing."""
    place, _, rest = spec.partition(":")
    function, *argument = rest.split(":", 1)
    try:
        module = _module(place)
        make = getattr(module, function)
    except (ImportError, AttributeError, OSError) as error:
        raise ValueError(
            f"--embed={spec}: {error}. Write MODULE:FUNCTION or FILE.py:FUNCTION, with :ARGUMENT "
            "if it takes one."
        ) from None
    made = make(*argument)
    if missing := [name for name in ("images", "texts") if not callable(getattr(made, name, None))]:
        raise ValueError(f"--embed={spec}: what it gives has no method {' or '.join(missing)}.")
    return Averaged(made, batch)


def _module(place: str):
    path = pathlib.Path(place)
    if path.suffix != ".py":
        return importlib.import_module(place)
    description = importlib.util.spec_from_file_location(path.stem, path)
    if description is None or description.loader is None:
        raise ImportError(f"{place} is no Python file")
    module = importlib.util.module_from_spec(description)
    sys.modules[path.stem] = module
    description.loader.exec_module(module)
    return module
