"""The shards of one table of one split: records as bytes, by number."""

import os
import pathlib
import threading
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordReader

from cmr_jax.data import memory
from cmr_jax.data.broken import BrokenRecord
from cmr_jax.schema import EXAMS

# For single records anywhere in a file: nothing is read ahead, no threads of its own.
READER_OPTIONS = "readahead_buffer_size:0,max_parallelism:0"


class Table:
    """A table that TFDS describes; files are opened on first use, so that it travels to workers.

    ArrayRecord keeps a hash of every record: what comes is what was written.
    """

    def __init__(self, path: str, table: str, split: str):
        self.folder = pathlib.Path(path, table)
        self.files, lengths = _described(self.folder, split)
        self.starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        for file in self.files:
            _check_there(file)
        self._readers: dict[int, Any] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict:
        kept = ("folder", "files", "starts")
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state, _readers={}, _lock=threading.Lock())

    def __len__(self) -> int:
        return int(self.starts[-1])

    def where(self, index: int) -> tuple[int, int]:
        """Shard, and position in it."""
        shard = int(np.searchsorted(self.starts, index, side="right")) - 1
        return shard, index - int(self.starts[shard])

    def name(self, index: int) -> str:
        """A record as messages name it."""
        shard, position = self.where(index)
        return f"record {position} of {pathlib.Path(self.files[shard]).name}"

    def read(self, index: int) -> bytes:
        """One record; a BrokenRecord if it is not whole, a ValueError if its file is not there."""
        shard, position = self.where(index)
        reader = self._reader(shard)
        wanted = int(self.starts[shard + 1] - self.starts[shard])
        if reader.num_records() != wanted:
            raise BrokenRecord(
                f"{self.name(index)}: its shard holds {reader.num_records()} records, not {wanted}"
            )
        try:
            return reader.read([position])[0]
        except (RuntimeError, IndexError, ValueError):
            _check_there(self.files[shard])
            raise BrokenRecord(f"{self.name(index)} is damaged") from None

    def _reader(self, shard: int) -> Any:
        if shard not in self._readers:
            with self._lock:
                if shard not in self._readers:
                    self._readers[shard] = _open(self.files[shard])
        return self._readers[shard]


def splits_of(path: str) -> list[str]:
    """Names of the splits of prepared data."""
    return list(_all_described(pathlib.Path(path, EXAMS)))


def _all_described(folder: pathlib.Path) -> dict[str, tuple[Any, Any]]:
    """Files and lengths of the shards of each split."""
    try:
        splits: Any = tfds.builder_from_directory(str(folder)).info.splits
        return {name: (info.filepaths, info.shard_lengths) for name, info in splits.items()}
    except Exception as error:  # TFDS raises as its parsers do
        raise ValueError(
            f"the description of {folder} cannot be read ({type(error).__name__}). "
            "Copy dataset_info.json and features.json again, or prepare the data again."
        ) from None


def _described(folder: pathlib.Path, split: str) -> tuple[list[str], list[int]]:
    """Files and lengths of the shards of a split."""
    there = _all_described(folder)
    if split not in there:
        raise ValueError(
            f"{folder.parent} has no split {split!r}. There are: {', '.join(there) or 'none'}."
        )
    files, lengths = there[split]
    if len(files) != len(lengths) or min(lengths, default=0) < 0:
        raise ValueError(
            f"{folder}/dataset_info.json is damaged: shards of {split!r} do not add up."
        )
    return [os.fspath(file) for file in files], [int(n) for n in lengths]


def _open(file: str) -> Any:
    memory.keep_freed()
    _check_there(file)
    try:
        return ArrayRecordReader(file, options=READER_OPTIONS)
    except (RuntimeError, ValueError):
        raise ValueError(f"shard {file} cannot be opened. Copy it again.") from None


def _check_there(file: str) -> None:
    try:
        with open(file, "rb"):
            pass
    except OSError as error:
        raise ValueError(
            f"shard {file} cannot be opened ({error.strerror}). "
            "Copy it again, or prepare the data again."
        ) from None
