"""Writes files as PyTorch does, without PyTorch: for tests of reading them."""

import collections
import io
import pathlib
import pickle
import struct
import sys
import types
import zipfile
from typing import Any

import numpy as np

STORAGE = {"float32": "FloatStorage", "int64": "LongStorage", "float16": "HalfStorage"}


class _Pickled:
    """A tensor as PyTorch pickles it: a call of its rebuilding function on a storage."""

    def __init__(self, key: str, array: np.ndarray, torch: types.ModuleType):
        self.key, self.array, self.torch = key, np.ascontiguousarray(array), torch

    def __reduce__(self):
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        arguments = (_Storage(self), 0, self.array.shape, strides, False, collections.OrderedDict())
        return self.torch._utils._rebuild_tensor_v2, arguments


class _Storage:
    def __init__(self, tensor: _Pickled):
        self.tensor = tensor


def _torch() -> types.ModuleType:
    """A module that only has the names that pickles of tensors say."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGE.values():
        kind = type(name, (), {"__module__": "torch"})
        setattr(torch, name, kind)

    def _rebuild_tensor_v2(*_):
        raise AssertionError("only pickled by name")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    torch._utils = utils  # type: ignore[attr-defined]
    return torch


def _pickled(content: Any, torch: types.ModuleType) -> bytes:
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if not isinstance(obj, _Storage):
                return None
            t = obj.tensor
            kind = getattr(torch, STORAGE[t.array.dtype.name])
            return ("storage", kind, t.key, "cpu", t.array.size)

    out = io.BytesIO()
    Pickler(out, protocol=2).dump(content)
    return out.getvalue()


def save(
    path: pathlib.Path,
    tensors: dict[str, np.ndarray],
    wrap=lambda state: state,
    legacy: bool = False,
) -> None:
    """`torch.save(wrap(OrderedDict(tensors)), path)`; `legacy` as before PyTorch 1.6."""
    torch = _torch()
    state = collections.OrderedDict(
        (name, _Pickled(str(i), np.asarray(a), torch))
        for i, (name, a) in enumerate(tensors.items())
    )
    blocks = {t.key: t.array for t in state.values()}
    outside = {m: sys.modules.get(m) for m in ("torch", "torch._utils")}
    sys.modules |= {"torch": torch, "torch._utils": torch._utils}
    try:
        data = _pickled(wrap(state), torch)
    finally:
        for name, module in outside.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    if legacy:
        facts = {"protocol_version": 1001, "little_endian": True}
        head = [0x1950A86A20F9469CFC6C, 1001, facts]
        parts = [pickle.dumps(x, protocol=2) for x in head]
        parts += [data, pickle.dumps(list(blocks), protocol=2)]
        parts += [struct.pack("<q", a.size) + a.tobytes() for a in blocks.values()]
        path.write_bytes(b"".join(parts))
        return
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/byteorder", "little")
        for key, array in blocks.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())


def save_pickle(path: pathlib.Path, data: bytes) -> None:
    """A file whose pickle is `data`, whatever that does."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", data)
