"""New exams straight from DICOM: prepared by `data_prep.build` in a process of its own, and embedded."""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from jaxtyping import Float

from cmr_jax import metrics
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.embedding import Model
from cmr_jax.search.about import About

SPLIT = "test"
PREPARES = "data_prep.build"


def embedded(dicom: str, about: About, model: Model) -> tuple[list[Exam], Float[np.ndarray, "n e"]]:
    """The exams of a folder of DICOM (or whatever `--dicom` takes), and their unit vectors.

    Nothing of them is kept, and their pseudonyms are of this once.  A ValueError says why there are
    none.
    """
    with tempfile.TemporaryDirectory(prefix="cmr_jax_search_") as folder:
        out = pathlib.Path(folder, "data")
        _prepare(dicom, about, pathlib.Path(folder), out)
        source = ExamSource(str(out), SPLIT)
        exams = [source[i] for i in range(len(source))]
        return exams, metrics.normalise(model.videos(model.batches(source)))


def one(dicom: str, about: About, model: Model) -> Float[np.ndarray, " e"]:
    """The vector of the one exam of a folder; a ValueError where there are more."""
    exams, vectors = embedded(dicom, about, model)
    if len(exams) != 1:
        raise ValueError(f"--like_dicom holds {len(exams)} exams: ask with one.")
    return vectors[0]


def _prepare(dicom: str, about: About, folder: pathlib.Path, out: pathlib.Path) -> None:
    key = folder / "key"
    key.touch(0o600)
    key.write_bytes(os.urandom(32))
    command = [sys.executable, "-m", PREPARES, f"--dicom={dicom}", f"--out={out}"]
    command += ["--site=query", f"--key-file={key}", "--keep-unpaired", f"--splits={SPLIT}=1.0"]
    command += [f"--spacing-mm={about.spacing_mm}", f"--size={about.size}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith(f"{PREPARES}:")]
        why = said[-1] if said else f"{PREPARES} failed: run it by itself to see why."
        # A folder of one exam often bears a name; who asked knows which folder it was.
        why = why.removeprefix(f"{PREPARES}: ").replace(f"--dicom {dicom}", dicom)
        raise ValueError(why.replace(dicom, "the folder of --like_dicom"))
