"""Fine-tunes a trained model's video tower, with a head, on findings from labels.

    python -m cmr_jax.train --config=configs/fine_tune.py:runs/smoke --weights=runs/smoke \\
        --config.data.path=runs/data --config.data.labels=runs/data/labels.csv \\
        --config.model.outputs="('lge', 'aortic_dilation')" --workdir=runs/fine_tuned

After the colon stands the workdir (or export) that the model and its clips are of; --weights says
the same once more, since training starts from any weights.  Labels are opened because they are
named.  The text tower rests: zero-shot prompts and retrieval still work, for as far as the video tower
has not moved away from them.  `cmr_jax.evaluate` tells how good the head is.  Some three minutes for
the demo's 900 exams on two CPU cores.
"""

import json
import pathlib

from cmr_jax.config import Experiment, Objective, Optim, Run, from_json


def get_config(arg: str = "") -> Experiment:
    """The model of a run, to be taught findings: a smaller rate, less for lower layers."""
    if not arg:
        raise ValueError("configs/fine_tune.py:RUN wants the workdir of a trained model.")
    file = pathlib.Path(arg, "config.json")
    if not file.is_file():
        raise ValueError(f"configs/fine_tune.py:{arg}: there is no {file}.")
    cfg = from_json(json.loads(file.read_text()))
    cfg.objective = Objective.SUPERVISED
    cfg.data.path, cfg.data.paths, cfg.data.shares = "", (), ()
    cfg.data.groups, cfg.data.permute_reports = "", False
    cfg.data.texts = 1
    cfg.optim = Optim(
        lr=3e-4,
        warmup_steps=20,
        steps=200,
        layer_decay=0.75,
        frozen="text/.*|logit_.*",
    )
    cfg.run = Run(log_every=10, save_every=50, eval_every=50, seed=cfg.run.seed)
    return cfg
