"""The one door for weights: `load(path) -> params, config, tokenizer`.

A path is the workdir of a run, an export of ours, or a file or folder of the published CMR-CLIP.
Nothing in a file is ever executed.
"""

import dataclasses
import pathlib
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy

from cmr_jax import checkpoint, config
from cmr_jax.config import TimeMixing
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.types import Params
from cmr_jax.weights import frames, published, shapes, tensors
from cmr_jax.weights.frames import Inflate

EXPORT_FILE = "model.safetensors"


class Weights(NamedTuple):
    """A model: parameters as a nested dict of arrays, how it was built, how it reads text."""

    params: Params
    config: config.Experiment
    tokenizer: Tokenizer


@dataclasses.dataclass(frozen=True)
class Options:
    """How foreign weights are taken in."""

    partial: bool = False  # take what fits, start the rest anew
    inflate: Inflate = Inflate.ZEROS
    mean_time: bool = False  # where attention over frames is dead, compute the mean that it is

    @classmethod
    def of(cls, plain: dict) -> "Options":
        """From the values of a command line."""
        return cls(plain["partial"], Inflate(plain["inflate"]), plain["mean_time"])


def load(path: str, options: Options = Options()) -> Weights:
    """Loads weights; ValueError says what is missing or does not fit, by name."""
    place = pathlib.Path(path)
    if not place.exists():
        raise ValueError(
            f"--weights {path}: no such folder. Give a workdir of training, an export, or a file."
        )
    folder = place if place.is_dir() else place.parent
    config_file = folder / checkpoint.CONFIG_FILE
    plain = tensors.read_json(config_file) if config_file.is_file() else None
    if plain is not None and ("model" in plain or "data" in plain):
        return _ours(folder, plain, options)
    file = place if place.is_file() else published.file_in(folder)
    if file is None:
        raise ValueError(
            f"--weights {path} has no {checkpoint.CONFIG_FILE} of ours and no file of weights: it "
            "is neither a workdir nor an export nor a published model."
        )
    return _published(file, plain, options)


def _ours(folder: pathlib.Path, plain: dict, options: Options) -> Weights:
    try:
        cfg = config.from_json(plain)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / checkpoint.CONFIG_FILE} is not a config of ours: {error}"
        ) from None
    tokenizer = Tokenizer.load(folder)
    exported = folder / EXPORT_FILE
    if exported.is_file():
        params = nest(tensors.read(exported))
    else:
        checkpoints = checkpoint.Checkpoints(folder)
        params = checkpoints.params()
        checkpoints.close()
    if options.mean_time:
        raise ValueError("--mean_time is for published weights; ours say so in their config.")
    return Weights(params, cfg, tokenizer)


def _published(file: pathlib.Path, plain: dict | None, options: Options) -> Weights:
    found = published.recognise(tensors.read(file))
    if found is None:
        raise ValueError(f"{file} has tensors of no model that is known here.")
    kind, theirs = found
    if kind is not published.Kind.PUBLISHED:
        raise ValueError(
            f"{file} is {kind.value}, one tower of two: start training from it with "
            "`cmr_jax.train --weights=...`."
        )
    cfg = shapes.experiment_of(theirs, plain)
    if options.mean_time:
        cfg.model.video.time = TimeMixing.MEAN
    frames.say_dead(frames.dead_blocks(theirs), cfg.model)
    theirs = frames.with_frames(theirs, cfg.model.video.index_frames, options.inflate)
    flat, differences = published.to_ours(theirs, published.entries_of(cfg))
    differences.check(file, options.partial)
    scalars = {"logit_scale": np.log(cfg.model.initial_scale), "logit_bias": 0.0}
    params = nest(flat | {name: np.float32(value) for name, value in scalars.items()})
    return Weights(params, cfg, Tokenizer.load(file.parent))


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


def save_published(folder: pathlib.Path, weights: Weights) -> int:
    """Writes the tensors, config.json and vocabulary of the published code; how many tensors."""
    theirs = published.to_theirs(flatten(weights.params), published.entries_of(weights.config))
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(theirs, folder / EXPORT_FILE, metadata={"format": "pt"})
    (folder / checkpoint.CONFIG_FILE).write_text(shapes.config_json(weights.config) + "\n")
    weights.tokenizer.save(folder)
    return len(theirs)


def flatten(params: Params, prefix: str = "") -> dict[str, np.ndarray]:
    """`{"video": {"norm": {"scale": x}}}` -> `{"video/norm/scale": x}`."""
    flat: dict[str, np.ndarray] = {}
    for name, value in params.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}/")
        else:
            flat[prefix + name] = np.asarray(value)
    return flat


def nest(flat: dict[str, Any]) -> Params:
    """The inverse of `flatten`."""
    params: Params = {}
    for path, value in flat.items():
        *folders, name = path.split("/")
        at = params
        for folder in folders:
            at = at.setdefault(folder, {})
        at[name] = value
    return params
