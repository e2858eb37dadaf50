"""The published recipe (Nakashima 2026) at the size of the studies: what it does, only smaller.

    python -m cmr_jax.train --config=configs/ablation/published.py --config.data.path=V1 --workdir=RUN

Clip, augmentation, towers, loss, optimiser and schedule are those of `configs/cmr_clip_reference.py`;
widths, depths and pictures are those of `configs/ablation/ours.py`, and so is the time a run may take.
The rate is larger because the towers are smaller: by the validation exams, among at least as many as ours
had.  Seven CPU-minutes with a run of another arm beside it; mean zero-shot AUC about 0.78.
"""

import dataclasses

from cmr_jax.config import Experiment, Run, published

EPOCH = 75  # steps: of the 2,000 training exams of the benchmark, some 1,200 have all six arrays


def get_config() -> Experiment:
    """Clips of 32 frames of 64 x 64 pixels."""
    cfg = published.experiment(EPOCH)
    cfg.model.video = dataclasses.replace(
        cfg.model.video, width=64, depth=2, heads=2, mlp_ratio=2.0, index_frames=32
    )
    cfg.model.text = dataclasses.replace(
        cfg.model.text,
        width=64,
        depth=1,
        heads=2,
        mlp_ratio=2.0,
        vocabulary=768,
        length=96,
        positions=96,
        segments=0,
        pooler=False,
    )
    cfg.model.embedding = 64
    cfg.data.clip = dataclasses.replace(cfg.data.clip, size=64, sampled=32, enlarged=73)
    cfg.optim = dataclasses.replace(
        cfg.optim, lr=3e-4, lr_start=1e-4, warmup_steps=EPOCH, steps=20 * EPOCH
    )
    cfg.run = Run(log_every=25, save_every=EPOCH, keep=1, keep_best=0)
    return cfg
