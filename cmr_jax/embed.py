"""Embeds a split: `python -m cmr_jax.embed --weights=W --data=D --out=FILE.npz`.

The file holds exam_id, patient_id, video and text: raw float32 embeddings, one row per exam.
"""

import pathlib

import numpy as np
from absl import app, flags

from cmr_jax import cli

_WEIGHTS = cli.weights_flags()
_DATA = flags.DEFINE_string("data", None, "Prepared data.", required=True)
_OUT = flags.DEFINE_string("out", None, "File to write (.npz).", required=True)
_SPLIT = flags.DEFINE_string("split", "test", "Which split.")
_BATCH = flags.DEFINE_integer("batch", 32, "Exams at a time.")


def main(argv: list[str]) -> None:
    """Command line."""
    with cli.command("cmr_jax.embed", argv):
        from cmr_jax import weights  # after the flags: `--help` needs no devices
        from cmr_jax.embedding import Embedder

        path, how = _WEIGHTS()
        embedder = Embedder(weights.load(path, weights.Options.of(how)), _BATCH.value)
        embedded = embedder.exams(_DATA.value, _SPLIT.value)
    out = pathlib.Path(_OUT.value)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        out,
        exam_id=np.array([e.exam_id for e in embedded.exams]),
        patient_id=np.array([e.patient_id for e in embedded.exams]),
        video=embedded.video,
        text=embedded.text,
    )
    print(f"{len(embedded.exams)} exams, {embedded.video.shape[1]} numbers each, in {out}")


if __name__ == "__main__":
    app.run(main)
