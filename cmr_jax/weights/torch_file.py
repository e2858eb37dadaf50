"""Tensors out of PyTorch files without PyTorch, and without running anything in them.

A PyTorch file is a pickle, and a pickle is a program.  Here its only words are those that rebuild
tensors; a few more, which training files contain beside tensors, become inert placeholders; any
other name is refused.  Nothing that a file names is ever imported.
"""

import collections
import dataclasses
import io
import pathlib
import pickle
import struct
import zipfile
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

STORAGES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
# Objects that training files hold beside tensors: read past, never made.
INERT = {
    ("parse_config", "ConfigParser"),
    ("pathlib", "Path"),
    ("pathlib", "PosixPath"),
    ("torch", "Size"),
    ("torch", "device"),
    ("argparse", "Namespace"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
}
LARGEST_PICKLE = 256 << 20  # bytes of names and structure; the numbers are not in it
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # of files before PyTorch 1.6


class RefusedError(ValueError):
    """The file asks for something other than tensors."""


@dataclasses.dataclass
class _Storage:
    """A block of numbers that a file holds; its bytes come on demand."""

    key: str
    dtype: np.dtype


@dataclasses.dataclass
class Tensor:
    """Where a tensor lies in a storage, in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The state dict of a file by tensor name, whether bare or inside a training checkpoint.

    Each array is read once, into memory of its own.  Raises `RefusedError` naming what the file
    asked for, ValueError where it is no PyTorch file or has no state dict.
    """
    with path.open("rb") as file:
        try:
            if zipfile.is_zipfile(file):
                return _read_zip(file, str(path))
            file.seek(0)
            return _read_legacy(file, str(path))
        except RefusedError as error:
            raise RefusedError(f"{path}: {error}") from None
        except (
            pickle.UnpicklingError,
            zipfile.BadZipFile,
            struct.error,
            AttributeError,
            EOFError,
            IndexError,
            KeyError,
            TypeError,
            MemoryError,
            OverflowError,
        ) as error:
            raise ValueError(f"{path} is not a whole PyTorch file: {error!r}") from None


def _read_zip(file: BinaryIO, path: str) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        entries = {info.filename.split("/", 1)[-1]: info for info in archive.infolist()}
        for info in entries.values():
            if info.compress_type != zipfile.ZIP_STORED:
                raise RefusedError(f"{info.filename} is compressed, as no PyTorch file is")
        if entries["data.pkl"].file_size > LARGEST_PICKLE:
            raise RefusedError("its pickle is larger than any that only rebuilds tensors")
        if "byteorder" in entries and archive.read(entries["byteorder"]) != b"little":
            raise ValueError(
                f"{path} was written on a big-endian machine. Save it anew on another."
            )
        state = _state_dict(_Unpickler(archive.open(entries["data.pkl"])).load())

        def numbers(storage: _Storage) -> np.ndarray:
            info = entries[f"data/{storage.key}"]
            with archive.open(info) as data:
                block = data.read()
            return np.frombuffer(block, storage.dtype, len(block) // storage.dtype.itemsize)

        return _arrays(state, numbers)


def _read_legacy(file: BinaryIO, path: str) -> dict[str, np.ndarray]:
    """Files of PyTorch before 1.6: pickles one after the other, then the storages."""
    if _Unpickler(file).load() != LEGACY_MAGIC:
        raise ValueError(f"{path} is not a PyTorch file.")
    for _ in range(2):  # protocol version, facts of the machine
        _Unpickler(file).load()
    unpickler = _Unpickler(file)
    state = _state_dict(unpickler.load())
    blocks = {}
    for key in _Unpickler(file).load():
        dtype = unpickler.storages[key].dtype
        (count,) = struct.unpack("<q", file.read(8))
        data = file.read(count * dtype.itemsize)
        blocks[key] = np.frombuffer(bytearray(data), dtype, count)
    return _arrays(state, lambda storage: blocks[storage.key])


def _state_dict(loaded: Any) -> dict[str, Tensor]:
    """Tensors by name; the `state_dict` of a training checkpoint, without `module.`."""
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not any(isinstance(v, Tensor) for v in loaded.values()):
        raise ValueError("it holds no state dict: no table of named tensors.")
    tensors = {str(k): v for k, v in loaded.items() if isinstance(v, Tensor)}
    if all(name.startswith("module.") for name in tensors):  # of DataParallel
        tensors = {name.removeprefix("module."): v for name, v in tensors.items()}
    return tensors


def _arrays(state: dict[str, Tensor], numbers) -> dict[str, np.ndarray]:
    arrays, blocks = {}, {}
    for name, t in state.items():
        if t.storage.key not in blocks:
            blocks[t.storage.key] = numbers(t.storage)
        block = blocks[t.storage.key]
        last = t.offset + sum((n - 1) * s for n, s in zip(t.shape, t.strides, strict=True))
        if min((t.offset, *t.shape, *t.strides)) < 0 or (0 not in t.shape and last >= block.size):
            raise RefusedError(f"tensor {name} reaches outside of its storage")
        steps = [s * block.itemsize for s in t.strides]
        arrays[name] = np.lib.stride_tricks.as_strided(
            block[t.offset :], t.shape, steps, writeable=False
        )
    return arrays


class _Unpickler(pickle.Unpickler):
    """Knows the words of tensors.  Everything it hands out is made for this one file."""

    def __init__(self, file: BinaryIO | Any):
        super().__init__(io.BytesIO(file.read()) if not file.seekable() else file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in STORAGES:
            return np.dtype(STORAGES[name])
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: Tensor(
                storage, offset, tuple(shape), tuple(strides)
            )
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if (module, name) in INERT:
            return _inert()
        raise RefusedError(
            f"it asks for {module}.{name}, which is not a tensor. Nothing was run. "
            "If you trust its source, save the state dict alone, as safetensors."
        )

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, _, *view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or (view and view[0] is not None):
            raise RefusedError("it has a storage of a kind that is not known")
        return self.storages.setdefault(str(key), _Storage(str(key), dtype))


def _inert() -> type:
    """A class of its own that takes whatever it is given and keeps nothing of it."""

    class Inert:
        def __new__(cls, *_: Any) -> "Inert":
            return object.__new__(cls)

        def __init__(self, *_: Any) -> None:
            pass

        def __setstate__(self, state: Any) -> None:
            pass

    return Inert
