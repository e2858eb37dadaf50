"""Both towers as programs without us: StableHLO that takes any number of exams on any platform.

A folder holds `video.stablehlo` and `text.stablehlo` (read with `jax.export.deserialize`), their
arrays in `model.safetensors`, the tokenizer, and `programs.json`, which says what goes in and what
comes out.  Nothing of cmr_jax is needed to run them:

    program = jax.export.deserialize(open("text.stablehlo", "rb").read())
    params = {n: v for n, v in safetensors.numpy.load_file("model.safetensors").items() if n in needed}
    embedding = program.call(params, tokens, mask)
"""

import dataclasses
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from jax import export

from cmr_jax.config import AttentionKind
from cmr_jax.data import pipeline
from cmr_jax.models import dual_encoder
from cmr_jax.types import Batch, Coordinates
from cmr_jax.weights import Weights, flatten, nest

PLATFORMS = ("cpu", "cuda", "tpu")
ARRAYS_FILE, ABOUT_FILE = "model.safetensors", "programs.json"


def save(folder: pathlib.Path, weights: Weights) -> list[str]:
    """Writes the folder; the names of the programs.  Embeddings are raw: normalise to compare."""
    folder.mkdir(parents=True, exist_ok=True)
    flat = {n: np.array(v, order="C") for n, v in flatten(jax.device_get(weights.params)).items()}
    safetensors.numpy.save_file(flat, folder / ARRAYS_FILE)
    about: dict[str, Any] = {}
    for name, (tower, inputs, words) in _towers(weights).items():
        needed = {n: v for n, v in flat.items() if n.startswith(f"{name}/")}
        shapes = {n: jax.ShapeDtypeStruct(v.shape, v.dtype) for n, v in needed.items()}
        program = export.export(jax.jit(tower), platforms=PLATFORMS)(shapes, *inputs)
        (folder / f"{name}.stablehlo").write_bytes(program.serialize())
        about[name] = {
            "program": f"{name}.stablehlo",
            "arrays": sorted(needed),
            "inputs": {
                word: f"{x.dtype.name} {' '.join(map(str, x.shape))}"
                for word, x in zip(words, inputs, strict=True)
            },
            "output": f"float32 b {weights.config.model.embedding}, not normalised",
        }
    (folder / ABOUT_FILE).write_text(json.dumps(about, indent=1) + "\n")
    weights.tokenizer.save(folder)
    return sorted(about)


def _towers(weights: Weights) -> dict[str, tuple]:
    """Of each tower: the function of (arrays by path, inputs), its inputs, and their names."""
    # One program for all platforms: a way to attend that every one of them has.
    cfg = weights.config
    model = dataclasses.replace(cfg.model, attention=AttentionKind.PLAIN)
    (b,) = export.symbolic_shape("b")
    example = pipeline.example_batch(cfg, 1)
    free = jax.tree.map(lambda x: jax.ShapeDtypeStruct((b, *x.shape[1:]), x.dtype), example)
    scalars = {"logit_scale": jnp.float32(0), "logit_bias": jnp.float32(0)}

    def video(arrays, pictures, frame_mask, *coordinates):
        batch = example._replace(
            video=pictures,
            frame_mask=frame_mask,
            coordinates=Coordinates(*coordinates),
            row=jnp.arange(pictures.shape[0]),
        )
        return dual_encoder.apply(model, nest(arrays) | scalars, batch, text=False).video

    def text(arrays, tokens, mask):
        row = jnp.arange(tokens.shape[0])
        batch: Batch = example._replace(tokens=tokens[:, None], text_mask=mask[:, None], row=row)
        embedded = dual_encoder.apply(model, nest(arrays) | scalars, batch, video=False).text
        assert embedded is not None
        return embedded[:, 0]

    length = (b, model.text.length)
    tokens, mask = (jax.ShapeDtypeStruct(length, dtype) for dtype in (np.int32, np.bool_))
    frames = [free.video, free.frame_mask, *free.coordinates]
    return {
        "video": (video, frames, ("video", "frame_mask", *Coordinates._fields)),
        "text": (text, [tokens, mask], ("tokens", "text_mask")),
    }
