"""Named arrays from a file of any kind that weights come in; nothing in it is ever run."""

import json
import math
import pathlib
import struct

import ml_dtypes
import numpy as np

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


DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def _safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Each array in memory of its own, so that it can be let go as soon as it is used: the format's
    own library gives views of one block, or of a map of the file that counts as well."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else None
        if length is None or length > min(LARGEST_HEADER, size - 8):
            raise ValueError(f"{path}: its header says {length} bytes, which cannot be.")
        arrays = {}
        try:
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            for name, said in header.items():
                dtype, shape = np.dtype(DTYPES[said["dtype"]]), tuple(map(int, said["shape"]))
                begin, end = map(int, said["data_offsets"])
                count = math.prod(shape)
                # Checked before anything of that size is made.
                if min(shape, default=0) < 0 or begin < 0 or end - begin != count * dtype.itemsize:
                    raise ValueError(f"{name} has a shape and a length that do not agree")
                if 8 + length + end > size:
                    raise ValueError(f"{name} ends after the file does")
                file.seek(8 + length + begin)
                arrays[name] = np.fromfile(file, dtype, count).reshape(shape)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path} is not a safetensors file: {error}") from None
    return arrays


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
