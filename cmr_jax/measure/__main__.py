"""Measures hearts: volumes, ejection fractions, mass and wall thickness of short-axis cines.

    python -m cmr_jax.measure --data=DATA [--split=test] [--out=DIR]
    python -m cmr_jax.measure --dicom=FOLDER [--out=DIR]
    python -m cmr_jax.measure train --out=WEIGHTS [--members=3] [--steps=4000] [--seed=0] [--workers=0]

Prints a line for each exam: each number with its 95 % interval, or why it cannot be measured, and what
makes a measurement doubtful.  With --out it writes measurements.csv, for each exam a picture with the
contours at end diastole and end systole, and a page of both (index.html).

The models learned from random hearts alone (cmr_jax/phantom): no patient's image or mask took part.
`train` makes such a model; without --weights the one that comes with the package measures.
Not a medical device.
"""

import pathlib

from absl import app, flags

from cmr_jax import cli

_WEIGHTS = flags.DEFINE_string("weights", None, "A measuring model (default: the one that ships).")
_DATA = flags.DEFINE_string("data", None, "Prepared data.")
_SPLIT = flags.DEFINE_string("split", "test", "Which split of it.")
_DICOM = flags.DEFINE_string("dicom", None, "A folder of DICOM, or what data_prep.build takes.")
_OUT = flags.DEFINE_string("out", None, "Folder to write.")
_JSON = flags.DEFINE_boolean("json", False, "JSON lines instead of a table.")
_MEMBERS = flags.DEFINE_integer("members", 3, "Networks of the ensemble.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 4000, "Training steps of each.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the first; the others follow.")
_WORKERS = flags.DEFINE_integer(
    "workers", 0, "Processes that make random hearts beside the training; a GPU wants some.", 0
)

DOES = {"": "weights data split dicom out json", "train": "out members steps seed workers"}


def main(argv: list[str]) -> None:
    """Command line."""
    does = "train" if argv[1:2] == ["train"] else ""
    with cli.command(f"cmr_jax.measure {does}".strip(), argv[1:] if does else argv):
        cli.only(does or "measuring", DOES[does].split())
        if does:
            _train()
        else:
            _measure()


def _train() -> None:
    if not _OUT.value:
        raise app.UsageError("--out is missing: a folder for the model.")
    from cmr_jax.measure import learning  # after the flags: `--help` needs no devices
    from cmr_jax.segmentation import weights
    from cmr_jax.segmentation.training import Training

    run = Training(seed=_SEED.value, steps=_STEPS.value, workers=_WORKERS.value)
    model = learning.learn(run, _MEMBERS.value)
    weights.save(pathlib.Path(_OUT.value), model)
    print(learning.summary(model))


def _measure() -> None:
    if (_DATA.value is None) == (_DICOM.value is None):
        raise app.UsageError("say either --data or --dicom.")
    from cmr_jax import fresh_data
    from cmr_jax.data.source import ExamSource
    from cmr_jax.measure import report
    from cmr_jax.segmentation import weights

    model = weights.load(_WEIGHTS.value)
    out = pathlib.Path(_OUT.value) if _OUT.value else None
    if _DATA.value is not None:
        report.run(ExamSource(_DATA.value, _SPLIT.value), model, out, _JSON.value)
        return
    # Fine pixels and a wide field: the measuring grid is laid within them.
    with fresh_data.prepared(str(_DICOM.value), spacing_mm=1.5, size=160, flag="--dicom") as source:
        report.run(source, model, out, _JSON.value)


if __name__ == "__main__":
    app.run(main)
