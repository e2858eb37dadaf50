"""The published CMR-CLIP's files: recognised, checked name by name, turned into ours and back."""

import enum
import pathlib
from collections.abc import Iterable

import numpy as np

from cmr_jax.config import Experiment, published
from cmr_jax.models import foreign
from cmr_jax.models.foreign import TEXT, VIDEO, Entry, Place
from cmr_jax.weights.differences import Differences
from cmr_jax.weights.tensors import read as read_tensors

# Parts of others' files that no tower has: their own classifiers.
UNREAD = ("head.", "head_dist.", "pre_logits.", "fc_norm.", "cls.")
OLD_NAMES = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))


class Kind(enum.Enum):
    """Whose file it is."""

    PUBLISHED = "the published CMR-CLIP"
    VIT = "a ViT"
    BERT = "a BERT"


def read(file: pathlib.Path) -> tuple[Kind, dict[str, np.ndarray]]:
    """Whose file it is, and its tensors under the names of the published one; ValueError for
    nobody's."""
    found = read_tensors(file)
    if any(n.startswith(VIDEO) for n in found) and any(n.startswith(TEXT) for n in found):
        return Kind.PUBLISHED, found
    if "patch_embed.proj.weight" in found:
        return Kind.VIT, {VIDEO + n: v for n, v in found.items() if not n.startswith(UNREAD)}
    bare = {n.removeprefix("bert."): v for n, v in found.items() if not n.startswith(UNREAD)}
    if "embeddings.word_embeddings.weight" in bare:
        for old, new in OLD_NAMES:
            bare = {n.replace(old, new): v for n, v in bare.items()}
        return Kind.BERT, {TEXT + n: v for n, v in bare.items()}
    raise ValueError(f"{file} has tensors of no model that is known here.")


def covered(kind: Kind, entries: Iterable[Entry]) -> list[Entry]:
    """What a file of this kind has."""
    if kind is Kind.VIT:
        return [
            e
            for e in entries
            if e.name.startswith(VIDEO) and not any(t in e.name for t in foreign.TIME)
        ]
    if kind is Kind.BERT:
        return [e for e in entries if e.name.startswith(TEXT)]
    return list(entries)


def to_ours(
    tensors: dict[str, np.ndarray], entries: list[Entry]
) -> tuple[dict[str, np.ndarray], Differences]:
    """Our arrays by path; and what did not fit.

    Takes what it uses out of `tensors`, so that a model is in memory once, not twice.
    """
    flat: dict[str, np.ndarray] = {}
    absent: set[str] = set()
    differences = Differences(unused=sorted(set(tensors) - {e.name for e in entries}))
    for entry in entries:
        theirs = tensors.pop(entry.name, None)
        if theirs is not None and theirs.shape == entry.shape:
            for place, part in zip(entry.places, entry.split(theirs), strict=True):
                if place.layer is None:
                    flat[place.path] = np.array(part, order="C")
                else:
                    whole = flat.setdefault(
                        place.path, np.empty((place.layers, *part.shape), part.dtype)
                    )
                    whole[place.layer] = part
            continue
        absent |= {place.path for place in entry.places}
        if theirs is not None:
            differences.misshapen.append(f"{entry.name} {theirs.shape}, not {entry.shape}")
        elif entry.places:  # a buffer that only counts may be left out, as newer files do
            differences.missing.append(entry.name)
    # Layers that lie in one array come together or not at all.
    return {path: value for path, value in flat.items() if path not in absent}, differences


def to_theirs(flat: dict[str, np.ndarray], entries: list[Entry]) -> dict[str, np.ndarray]:
    """Their tensors by name, in the order of the published file."""

    def own(place: Place) -> np.ndarray:
        return flat[place.path] if place.layer is None else flat[place.path][place.layer]

    return {
        e.name: np.ascontiguousarray(e.join(tuple(own(place) for place in e.places)))
        for e in entries
    }


def entries_of(cfg: Experiment) -> list[Entry]:
    """The table for a model; ValueError where it is another than the published one's kind."""
    reference = published.model()
    for part, names in (("video", ("pool", "frame_code", "stem")), ("text", ("norm",))):
        for name in names:
            has, needs = (getattr(getattr(m, part), name) for m in (cfg.model, reference))
            if has is not needs:
                raise ValueError(
                    f"only a model of the published kind has these tensors: model.{part}.{name} is "
                    f"{has.value}, not {needs.value} (configs/cmr_clip_reference.py)."
                )
    patches = (cfg.data.clip.size // cfg.model.video.patch) ** 2
    return foreign.published(cfg.model, patches)


def file_in(folder: pathlib.Path) -> pathlib.Path | None:
    """The weights that lie in a folder under one of their usual names."""
    names = ("pytorch_model.bin", "model.safetensors", "model_best.pth")
    return next((folder / n for n in names if (folder / n).is_file()), None)
