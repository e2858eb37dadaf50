"""The one door for weights: `load(path) -> params, config, tokenizer`.

A path is the workdir of a run or an export of ours.  Nothing in a file is ever executed.
"""

import json
import pathlib
from typing import NamedTuple

import numpy as np
import safetensors.numpy

from cmr_jax import checkpoint, config
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.types import Params

EXPORT_FILE = "model.safetensors"


class Weights(NamedTuple):
    """A model: parameters as a nested dict of arrays, how it was built, how it reads text."""

    params: Params
    config: config.Experiment
    tokenizer: Tokenizer


def load(path: str) -> Weights:
    """Loads a workdir or an export; ValueError says what is missing."""
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise ValueError(
            f"--weights {path}: no such folder. Give a workdir of training or an export."
        )
    config_file = folder / checkpoint.CONFIG_FILE
    if not config_file.is_file():
        raise ValueError(
            f"--weights {path} has no {checkpoint.CONFIG_FILE}: it is neither a workdir nor an export."
        )
    try:
        cfg = config.from_json(json.loads(config_file.read_text()))
    except (json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"{config_file} is not a config of ours: {error}") from None
    tokenizer = Tokenizer.load(folder / checkpoint.TOKENIZER_FILE)
    exported = folder / EXPORT_FILE
    if exported.is_file():
        params = nest(safetensors.numpy.load_file(exported))
    else:
        checkpoints = checkpoint.Checkpoints(folder)
        params = checkpoints.params()
        checkpoints.close()
    return Weights(params, cfg, tokenizer)


def runs(path: str) -> list[pathlib.Path]:
    """The models at `path`: itself, or those in it (as `cmr_jax.train --repeats` writes them)."""
    folder = pathlib.Path(path)
    inside = sorted(
        config_file.parent for config_file in folder.glob(f"*/{checkpoint.CONFIG_FILE}")
    )
    return [folder] if (folder / checkpoint.CONFIG_FILE).is_file() or not inside else inside


def save(folder: pathlib.Path, weights: Weights) -> None:
    """Writes an export that `load` reads back to equal embeddings."""
    checkpoint.write_run_files(folder, weights.config, weights.tokenizer)
    flat = {name: np.array(value, order="C") for name, value in flatten(weights.params).items()}
    safetensors.numpy.save_file(flat, folder / EXPORT_FILE)


def flatten(params: Params, prefix: str = "") -> dict[str, np.ndarray]:
    """`{"video": {"norm": {"scale": x}}}` -> `{"video/norm/scale": x}`."""
    flat: dict[str, np.ndarray] = {}
    for name, value in params.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}/")
        else:
            flat[prefix + name] = np.asarray(value)
    return flat


def nest(flat: dict[str, np.ndarray]) -> Params:
    """The inverse of `flatten`."""
    params: Params = {}
    for path, value in flat.items():
        *folders, name = path.split("/")
        at = params
        for folder in folders:
            at = at.setdefault(folder, {})
        at[name] = value
    return params
