"""New exams straight from DICOM: `data_prep.build` prepares them in a process of its own."""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from cmr_jax.data.source import ExamSource

SPLIT = "test"
PREPARES = "data_prep.build"


@contextlib.contextmanager
def prepared(dicom: str, spacing_mm: float, size: int, flag: str) -> Iterator[ExamSource]:
    """The exams of a folder of DICOM (or of whatever `--dicom` of `data_prep.build` takes).

    Nothing of them is kept, and their pseudonyms hold this once.  `flag` is what errors call the
    folder, whose own name may identify a patient.  A ValueError says why there are none.
    """
    with tempfile.TemporaryDirectory(prefix="cmr_jax_fresh_") as folder:
        out = pathlib.Path(folder, "data")
        key = pathlib.Path(folder, "key")
        key.touch(0o600)
        key.write_bytes(os.urandom(32))
        command = [sys.executable, "-m", PREPARES, f"--dicom={dicom}", f"--out={out}"]
        command += ["--site=query", f"--key-file={key}", "--keep-unpaired", f"--splits={SPLIT}=1.0"]
        command += [f"--spacing-mm={spacing_mm}", f"--size={size}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith(f"{PREPARES}:")]
            why = said[-1] if said else f"{PREPARES} failed: run it by itself to see why."
            why = why.removeprefix(f"{PREPARES}: ").replace(f"--dicom {dicom}", dicom)
            raise ValueError(why.replace(dicom, f"the folder of {flag}"))
        yield ExamSource(str(out), SPLIT)
