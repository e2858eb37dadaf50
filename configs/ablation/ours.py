"""Our recipe at the size of the studies.

python -m cmr_jax.train --config=configs/ablation/ours.py --config.data.path=V1 --workdir=RUN
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


def get_config() -> Experiment:
    """Clips of 27 frames of 64 x 64 pixels."""
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
        optim=Optim(lr=2e-3, warmup_steps=40, steps=400),
        run=Run(log_every=25, save_every=100, keep=1, keep_best=0),
    )
