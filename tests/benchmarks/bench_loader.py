"""How fast batches come, beside how fast a GPU wants them: `python tests/benchmarks/bench_loader.py`.

A base-size model on one H200 would eat about 48 exams (3,100 frames of 224 x 224) a second; one
core should give twice that.  Frames here are the phantom's, prepared at 224 pixels.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

from absl import flags

from cmr_jax.data.pipeline import TrainBatches
from cmr_jax.tokenizer import Tokenizer
from configs import base

WANTED_FRAMES_PER_S = 6200


def main() -> None:
    """Prepares a few exams and reads them for ten batches."""
    flags.FLAGS.mark_as_parsed()
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "data")
        command = [
            "-m",
            "data_prep.build",
            "--dicom",
            "phantom:clinical:exams=12",
            "--site",
            "bench",
        ]
        command += ["--out", str(data), "--splits", "train=1"]
        subprocess.run(
            [sys.executable, *command],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for augment in (False, True):
            cfg = base.get_config()
            cfg.data.path, cfg.data.batch, cfg.data.workers, cfg.data.augment = (
                str(data),
                4,
                0,
                augment,
            )
            batches = TrainBatches(cfg, Tokenizer.load(data / "tokenizer.model"))
            next(batches)
            wall, cpu, frames = time.monotonic(), time.process_time(), 0
            for _ in range(10):
                frames += int(next(batches).batch.frame_mask.sum())
            cpu_rate = frames / (time.process_time() - cpu)
            print(
                f"augment {augment}: {frames / (time.monotonic() - wall):,.0f} frames/s, {cpu_rate:,.0f} per CPU-s, "
                f"{cpu_rate / WANTED_FRAMES_PER_S:.2f} of the {WANTED_FRAMES_PER_S:,} wanted per core"
            )


if __name__ == "__main__":
    main()
