"""Every option of a run, as typed dataclasses with the one default of each.

`configs/*.py` return an `Experiment`; `--config.model.video.depth=4` overrides by type, and an
unknown key is an error.  `validate` checks what types cannot, before anything starts.
"""

from cmr_jax.config.check import validate
from cmr_jax.config.model import (
    Activation,
    AttentionKind,
    FrameCode,
    Head,
    Model,
    NormPlace,
    Padding,
    Pool,
    Precision,
    Remat,
    Residual,
    Stem,
    TextTower,
    TimeInit,
    TimeMixing,
    VideoTower,
)
from cmr_jax.config.options import (
    CLIP_SEQUENCES,
    Clip,
    Contrast,
    Data,
    Experiment,
    Form,
    Layout,
    Loss,
    Mesh,
    Objective,
    Optim,
    Optimizer,
    Positives,
    Run,
)
from cmr_jax.config.store import from_json, to_json

__all__ = [
    "CLIP_SEQUENCES",
    "Activation",
    "AttentionKind",
    "Clip",
    "Contrast",
    "Data",
    "Experiment",
    "Form",
    "FrameCode",
    "Head",
    "Layout",
    "Loss",
    "Mesh",
    "Model",
    "NormPlace",
    "Objective",
    "Optim",
    "Optimizer",
    "Padding",
    "Pool",
    "Positives",
    "Precision",
    "Remat",
    "Residual",
    "Run",
    "Stem",
    "TextTower",
    "TimeInit",
    "TimeMixing",
    "VideoTower",
    "from_json",
    "to_json",
    "validate",
]
