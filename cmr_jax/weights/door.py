"""The one door for weights: `load(path) -> params, config, tokenizer`.

A path is the workdir of a run (its newest checkpoint) or one checkpoint in it, an export of ours, or
a file or folder of the published CMR-CLIP.
Nothing in a file is ever executed.
"""

import dataclasses
import logging
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
import safetensors.numpy

from cmr_jax import checkpoint, config, run_files
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
    """What lies at a path: the folder, its config.json as `ours` or as `theirs` (empty where there
    is none), the file of weights of others (None in a folder without one), and which checkpoint is
    meant (None for the newest)."""

    folder: pathlib.Path
    ours: dict | None
    theirs: dict
    file: pathlib.Path | None
    step: int | None = None


def find(path: str) -> Found:
    """Looks, and reads no more than a config; ValueError where there is nothing."""
    place = pathlib.Path(path)
    if not place.exists():
        raise ValueError(
            f"--weights {path}: no such folder. Give a workdir of training, an export, or a file."
        )
    if place.parent.name == checkpoint.FOLDER and place.name.isdigit():
        return find(str(place.parent.parent))._replace(step=int(place.name))
    folder = place if place.is_dir() else place.parent
    file = place if place.is_file() else published.file_in(folder)
    config_file = folder / run_files.CONFIG_FILE
    plain = tensors.read_json(config_file) if config_file.is_file() else {}
    if "model" not in plain and "data" not in plain:
        return Found(folder, None, plain, file)
    # A file that lies beside a run of ours, but is not of it, has no config.
    of_the_run = place.is_dir() or place.name == EXPORT_FILE
    return Found(folder, plain if of_the_run else None, {}, file)


def load(path: str, options: Options = Options()) -> Weights:
    """Loads weights; ValueError says what is missing or does not fit, by name."""
    found = find(path)
    if found.ours is not None:
        return _ours(found, found.ours, options)
    if found.file is None:
        raise ValueError(
            f"--weights {path} has no {run_files.CONFIG_FILE} of ours and no file of weights: it "
            "is neither a workdir nor an export nor a published model."
        )
    return _published(found.file, found.theirs, options)


def _ours(found: Found, plain: dict, options: Options) -> Weights:
    folder = found.folder
    try:
        cfg = config.from_json(plain)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / run_files.CONFIG_FILE} is not a config of ours: {error}"
        ) from None
    # Which program attends is a matter of the device at hand, not of the model.
    cfg.model.attention = config.AttentionKind.AUTO
    tokenizer = Tokenizer.load(folder)
    exported = folder / EXPORT_FILE
    if exported.is_file():
        params = nest(tensors.read(exported))
    else:
        checkpoints = checkpoint.Checkpoints(folder, writes=False)
        params = checkpoints.params(found.step)
        checkpoints.close()
    if options.mean_time:
        raise ValueError("--mean_time is for published weights; ours say so in their config.")
    return Weights(params, cfg, tokenizer)


def _published(file: pathlib.Path, plain: dict, options: Options) -> Weights:
    kind, theirs = published.read(file)
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
    # What ours has and the published file does not.
    flat["logit_scale"] = np.asarray(np.log(cfg.model.initial_scale), np.float32)
    flat["logit_bias"] = np.zeros((), np.float32)
    if differences:
        log.warning("%s: %s", file, differences)
    if differences.missing or differences.misshapen:
        fresh = _begun(cfg)
        log.warning("%s: these start anew: %s", file, ", ".join(sorted(set(fresh) - set(flat))))
        flat = fresh | flat
    return Weights(nest(flat), cfg, Tokenizer.load(file.parent))


def _begun(cfg: config.Experiment) -> dict[str, np.ndarray]:
    """Fresh parameters, as training starts with."""
    example = pipeline.example_batch(cfg, 1)
    fresh = jax.jit(lambda key: dual_encoder.init(cfg.model, example, key))
    return flatten(fresh(jax.random.key(cfg.run.seed)))


def runs(path: str) -> list[pathlib.Path]:
    """The models at `path`: itself, or those in it (as `cmr_jax.train --repeats` writes them)."""
    folder = pathlib.Path(path)
    inside = sorted(config_file.parent for config_file in folder.glob(f"*/{run_files.CONFIG_FILE}"))
    return [folder] if (folder / run_files.CONFIG_FILE).is_file() or not inside else inside


def save(folder: pathlib.Path, weights: Weights) -> None:
    """Writes an export that `load` reads back to equal embeddings."""
    run_files.write(folder, weights.config, weights.tokenizer)
    flat = {name: np.array(value, order="C") for name, value in flatten(weights.params).items()}
    safetensors.numpy.save_file(flat, folder / EXPORT_FILE)


def save_published(folder: pathlib.Path, weights: Weights) -> int:
    """Writes the tensors, config.json and vocabulary of the published code; how many tensors."""
    theirs = published.to_theirs(flatten(weights.params), published.entries_of(weights.config))
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(theirs, folder / EXPORT_FILE, metadata={"format": "pt"})
    (folder / run_files.CONFIG_FILE).write_text(shapes.config_json(weights.config) + "\n")
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
