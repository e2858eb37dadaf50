"""The embeddings of new exams straight from DICOM."""

import numpy as np
from jaxtyping import Float

from cmr_jax import fresh_data, metrics
from cmr_jax.data.source import Exam
from cmr_jax.embedding import Model
from cmr_jax.search.about import About


def embedded(dicom: str, about: About, model: Model) -> tuple[list[Exam], Float[np.ndarray, "n e"]]:
    """The exams of a folder of DICOM (or whatever `--dicom` takes), and their unit vectors.

    A ValueError says why there are none.
    """
    with fresh_data.prepared(dicom, about.spacing_mm, about.size, "--like_dicom") as source:
        exams = [source[i] for i in range(len(source))]
        return exams, metrics.normalise(model.videos(model.batches(source)))


def one(dicom: str, about: About, model: Model) -> Float[np.ndarray, " e"]:
    """The vector of the one exam of a folder; a ValueError where there are more."""
    exams, vectors = embedded(dicom, about, model)
    if len(exams) != 1:
        raise ValueError(f"--like_dicom holds {len(exams)} exams: ask with one.")
    return vectors[0]
