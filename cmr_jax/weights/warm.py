"""Where training starts from: files of weights laid over fresh parameters."""

import logging
from collections.abc import Mapping

import numpy as np

from cmr_jax.config import Experiment
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.weights import door, frames, published
from cmr_jax.weights.differences import Differences
from cmr_jax.weights.door import Options

log = logging.getLogger(__name__)


def start(
    cfg: Experiment, fresh: Mapping[str, tuple[int, ...]], paths: list[str], options: Options
) -> tuple[dict[str, np.ndarray], Tokenizer | None]:
    """Arrays by path for a model whose parameters have the shapes `fresh`, and the tokenizer that
    the text tower's weights were made with, if one lies beside them.

    A path is whatever `load` takes, or a ViT or a BERT for its tower alone.  Later files win.
    """
    flat: dict[str, np.ndarray] = {}
    tokenizer = None
    for path in paths:
        at = door.find(path)
        found, differences = _from(cfg, fresh, path, at, options)
        for name in sorted(set(found) & set(fresh)):
            if found[name].shape != fresh[name]:
                differences.misshapen.append(f"{name} {found[name].shape}, not {fresh[name]}")
        # A head is made for the findings of a run: it starts anew where the weights have none.
        differences.missing = [n for n in differences.missing if not n.startswith("outputs/")]
        differences.unused += sorted(set(found) - set(fresh))
        differences.check(path, options.partial)
        if differences:
            log.warning("%s: %s", path, differences)
        fits = {n: v for n, v in found.items() if n in fresh and v.shape == fresh[n]}
        log.info("%s: %d of %d parameters", path, len(fits), len(fresh))
        flat |= fits
        if any(name.startswith("text/token/") for name in fits):
            tokenizer = Tokenizer.beside(at.folder)
    return flat, tokenizer


def _from(
    cfg: Experiment,
    fresh: Mapping[str, tuple[int, ...]],
    path: str,
    at: door.Found,
    options: Options,
) -> tuple[dict[str, np.ndarray], Differences]:
    if at.ours is not None or at.file is None:
        flat = door.flatten(door.load(path, options).params)
        return flat, Differences(missing=sorted(set(fresh) - set(flat)))
    kind, theirs = published.read(at.file)
    entries = published.covered(kind, published.entries_of(cfg))
    frames.say_dead(frames.dead_blocks(theirs), cfg.model)
    theirs = frames.with_frames(theirs, cfg.model.video.index_frames, options.inflate)
    return published.to_ours(theirs, entries)
