"""Named arrays from a file of any kind that weights come in; nothing in it is ever run."""

import json
import pathlib
import struct

import numpy as np
import safetensors
import safetensors.numpy

from cmr_jax.weights import torch_file

TORCH = (".bin", ".pth", ".pt")
LARGEST_HEADER = 100_000_000  # bytes; the format's own limit


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Arrays by name; ValueError says what the file is instead."""
    if not path.is_file():
        raise ValueError(f"no file at {path}.")
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if path.suffix == ".npz":
        return _npz(path)
    if path.suffix in TORCH:
        return torch_file.read(path)
    raise ValueError(
        f"{path}: weights are {', '.join((*TORCH, '.safetensors', '.npz'))} files, not {path.suffix!r}."
    )


def _safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else None
        if length is None or length > min(LARGEST_HEADER, path.stat().st_size - 8):
            raise ValueError(f"{path}: its header says {length} bytes, which cannot be.")
    try:
        return safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, KeyError) as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None


def _npz(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, AttributeError) as error:
        raise ValueError(f"{path} is not an npz of plain arrays: {error}") from None


def read_json(path: pathlib.Path) -> dict:
    """A JSON object; anything else, code among it, is refused."""
    try:
        plain = json.loads(path.read_text())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not a config: no JSON, {error}") from None
    if not isinstance(plain, dict):
        raise ValueError(f"{path} is not a config: it holds {type(plain).__name__}.")
    return plain
