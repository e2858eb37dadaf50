"""The one door for weights: `load(path) -> params, config, tokenizer`.

A path is the workdir of a run, an export of ours, or a file or folder of the published CMR-CLIP.
Nothing in a file is ever executed.
"""

import dataclasses
import logging
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
import safetensors.numpy

from cmr_jax import checkpoint, config
from cmr_jax.config import TimeMixing
from cmr_jax.data import pipeline
from cmr_jax.models import dual_encoder
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.types import Params
from cmr_jax.weights import frames, published, shapes, tensors
from cmr_jax.weights.frames import Inflate

log = logging.getLogger(__name__)

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


class Found(NamedTuple):
    """What lies at a path: the folder, its config.json, whether that is one of ours, and the file
    of weights of others (None in a folder without one)."""

    folder: pathlib.Path
    plain: dict | None
    ours: bool
    file: pathlib.Path | None


def find(path: str) -> Found:
    """Looks, and reads no more than a config; ValueError where there is nothing."""
    place = pathlib.Path(path)
    if not place.exists():
        raise ValueError(
            f"--weights {path}: no such folder. Give a workdir of training, an export, or a file."
        )
    folder = place if place.is_dir() else place.parent
    config_file = folder / checkpoint.CONFIG_FILE
    plain = tensors.read_json(config_file) if config_file.is_file() else None
    ours = plain is not None and ("model" in plain or "data" in plain)
    if ours and place.is_file() and place.name != EXPORT_FILE:  # lies there, but is not of the run
        plain, ours = None, False
    return Found(folder, plain, ours, place if place.is_file() else published.file_in(folder))


def load(path: str, options: Options = Options()) -> Weights:
    """Loads weights; ValueError says what is missing or does not fit, by name."""
    found = find(path)
    if found.ours:
        return _ours(found, options)
    if found.file is None:
        raise ValueError(
            f"--weights {path} has no {checkpoint.CONFIG_FILE} of ours and no file of weights: it "
            "is neither a workdir nor an export nor a published model."
        )
    return _published(found.file, found.plain, options)


def _ours(found: Found, options: Options) -> Weights:
    folder = found.folder
    try:
        cfg = config.from_json(found.plain or {})
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
    params = _begun(cfg) if differences.missing or differences.misshapen else _scalars(cfg)
    if differences:
        anew = sorted(set(params) - set(flat) - set(_scalars(cfg)))
        log.warning("%s: %s. These start anew: %s", file, differences, ", ".join(anew) or "none")
    return Weights(nest(params | flat), cfg, Tokenizer.load(file.parent))


def _scalars(cfg: config.Experiment) -> dict[str, np.ndarray]:
    """What ours has and the published file does not."""
    values = {"logit_scale": np.log(cfg.model.initial_scale), "logit_bias": 0.0}
    return {name: np.asarray(value, np.float32) for name, value in values.items()}


def _begun(cfg: config.Experiment) -> dict[str, np.ndarray]:
    """Fresh parameters, as training starts with."""
    example = pipeline.example_batch(cfg, 1)
    fresh = jax.jit(lambda key: dual_encoder.init(cfg.model, example, key))
    return flatten(fresh(jax.random.key(cfg.run.seed)))


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
