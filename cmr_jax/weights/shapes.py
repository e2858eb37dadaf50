"""Which model the tensors of the published kind make: read off their shapes."""

import dataclasses
import json
import math

import numpy as np

from cmr_jax import config
from cmr_jax.config import Experiment, Model, published
from cmr_jax.models.foreign import TEXT, VIDEO

HEAD_WIDTH = 64  # of every standard ViT and BERT


def model_of(tensors: dict[str, np.ndarray], frames: int | None = None) -> tuple[Model, int]:
    """The model that these shapes make, and the side of its pictures in pixels.

    Heads leave no trace in a file; they are 64 wide, as in every ViT and BERT of standard size.
    """
    m = published.model()
    try:
        width = tensors[f"{VIDEO}cls_token"].shape[-1]
        patches = tensors[f"{VIDEO}pos_embed"].shape[1] - 1
        _, channels, patch, _ = tensors[f"{VIDEO}patch_embed.proj.weight"].shape
        words = tensors[f"{TEXT}embeddings.word_embeddings.weight"].shape
        m.video = dataclasses.replace(
            m.video,
            width=width,
            heads=max(width // HEAD_WIDTH, 1),
            depth=depth_of(tensors, f"{VIDEO}blocks."),
            mlp_ratio=tensors[f"{VIDEO}blocks.0.mlp.fc1.weight"].shape[0] / width,
            patch=patch,
            index_frames=frames or tensors[f"{VIDEO}temporal_embed"].shape[1],
        )
        rows = tensors[f"{TEXT}embeddings.position_embeddings.weight"].shape[0]
        hidden = tensors[f"{TEXT}encoder.layer.0.intermediate.dense.weight"].shape[0]
        m.text = dataclasses.replace(
            m.text,
            width=words[1],
            heads=max(words[1] // HEAD_WIDTH, 1),
            depth=depth_of(tensors, f"{TEXT}encoder.layer."),
            mlp_ratio=hidden / words[1],
            vocabulary=words[0],
            length=min(m.text.length, rows),
            positions=rows,
            segments=tensors[f"{TEXT}embeddings.token_type_embeddings.weight"].shape[0],
            pooler=f"{TEXT}pooler.dense.weight" in tensors,
        )
        m.embedding = tensors["vid_proj.1.weight"].shape[0]
    except (KeyError, ValueError, IndexError) as error:
        raise ValueError(f"not a whole CMR-CLIP: it has no {error}.") from None
    if channels != len(m.video.pixel_mean):
        raise ValueError(f"its stem reads {channels} channels, not {len(m.video.pixel_mean)}.")
    return m, math.isqrt(patches) * patch


def depth_of(tensors: dict[str, np.ndarray], prefix: str) -> int:
    """How many blocks have names that begin so."""
    numbers = {n.removeprefix(prefix).split(".")[0] for n in tensors if n.startswith(prefix)}
    return len(numbers)


def experiment_of(tensors: dict[str, np.ndarray], plain: dict) -> Experiment:
    """The published run for these weights; `plain` is the config.json beside them."""
    frames = (plain.get("video_params") or {}).get("num_frames")
    if frames is not None and not (isinstance(frames, int) and 0 < frames < 100_000):
        raise ValueError(
            f"config.json: video_params.num_frames is {frames!r}, not a number of frames."
        )
    cfg = published.experiment(steps_per_epoch=1)
    cfg.model, cfg.data.clip.size = model_of(tensors, frames)
    cfg.data.clip.sampled = cfg.model.video.index_frames
    config.validate(cfg)
    return cfg


def config_json(cfg: Experiment) -> str:
    """The config.json that the published code keeps beside its weights."""
    return json.dumps(
        {
            "video_params": {
                "model": "SpaceTimeTransformer",
                "arch_config": f"base_patch{cfg.model.video.patch}_{cfg.data.clip.size}",
                "num_frames": cfg.model.video.index_frames,
                "pretrained": True,
                "time_init": "zeros",
            },
            "text_params": {
                "model": "emilyalsentzer/Bio_ClinicalBERT",
                "pretrained": True,
                "input": "text",
            },
            "projection": "minimal",
            "projection_dim": cfg.model.embedding,
        },
        indent=1,
    )
