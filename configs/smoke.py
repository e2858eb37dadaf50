"""Learns phantom hearts on a laptop's CPU in minutes; the configuration of `make demo`.

    python -m data_prep.build --dicom phantom:demo --site demo --out runs/data --spacing-mm 2.0 --size 64
    python -m cmr_jax.train --config=configs/smoke.py --config.data.path=runs/data --workdir=runs/smoke

`--config=configs/smoke.py:short` is the same in about a quarter of the steps.
"""

from cmr_jax.config import (
    Clip,
    Data,
    Experiment,
    Model,
    Optim,
    Run,
    Stem,
    TextTower,
    TimeInit,
    VideoTower,
)


def get_config(arg: str = "") -> Experiment:
    """Two small towers, clips of 27 frames of 64 x 64 pixels."""
    if arg not in ("", "short"):
        raise ValueError(f"configs/smoke.py:{arg}: there is only :short.")
    steps = 160 if arg == "short" else 600
    return Experiment(
        model=Model(
            video=VideoTower(
                width=64,
                depth=2,
                heads=2,
                mlp_ratio=2.0,
                patch=16,
                stem=Stem.HIERARCHICAL,
                coordinate_frequencies=4,
                # So short a run has no time to let attention over frames grow from nothing.
                time_init=TimeInit.RANDOM,
            ),
            text=TextTower(width=64, depth=1, heads=2, mlp_ratio=2.0, vocabulary=768, length=96),
            embedding=64,
        ),
        data=Data(
            batch=32,
            clip=Clip(sax_slices=2, phases=4, lge_slices=4, size=64),
            texts=5,
            rotate_deg=25.0,
        ),
        optim=Optim(lr=2e-3, warmup_steps=40, steps=steps),
        run=Run(log_every=10, save_every=50, eval_every=100),
    )
