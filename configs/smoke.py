"""Learns phantom hearts on a laptop's CPU in minutes; the configuration of `make demo`.

    python -m data_prep.build --dicom phantom:demo --site demo --out runs/data --spacing-mm 2.0 --size 64
    python -m cmr_jax.train --config=configs/smoke.py --config.data.path=runs/data --workdir=runs/smoke

`--config=configs/smoke.py:short` is the same in about a quarter of the steps.
What it learns from, how pictures vary and the batch are those of the recipe of `phantom:v1`
(configs/ablation/v1.py).
"""

from cmr_jax.config import (
    Clip,
    Data,
    Experiment,
    Model,
    Moments,
    Optim,
    Positives,
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
    steps = 320 if arg == "short" else 1200
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
            batch=16,
            clip=Clip(sax_slices=2, phases=4, lge_slices=4, size=64, moments=Moments.SYSTOLE),
            texts=5,
            rephrase=0.3,
            shift=2,
            zoom=0.02,
            gain=0.075,
            offset=0.025,
            bias_field=0.1,
            noise=0.01,
        ),
        optim=Optim(lr=2e-3, warmup_steps=40, steps=steps),
        run=Run(log_every=20, save_every=100, eval_every=200),
        positives=Positives.SENTENCES,
    )
