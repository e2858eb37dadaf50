"""Prepared data with something wrong in it."""

import contextlib
import json
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader

from cmr_jax.data import example
from cmr_jax.schema import EXAM_FIELDS, EXAMS, FRAME_FIELDS
from data_prep.shelf import records

COPIED = ("exams", "frames", "manifest.json", "tokenizer.model")
# From what a parser gives to what a serialiser takes.
VALUES: dict[str, Callable] = {
    "text": lambda values: bytes(values[0]),
    "bytes": lambda values: bytes(values[0]),
    "texts": lambda values: [bytes(v) for v in values],
    "float": lambda values: values[0],
    "int": lambda values: values[0],
}


def copy(data: pathlib.Path, out: pathlib.Path) -> pathlib.Path:
    """What a reader needs of prepared data, to be spoilt."""
    out.mkdir()
    for name in COPIED:
        place = shutil.copytree if (data / name).is_dir() else shutil.copy
        place(data / name, out / name)
    return out


def site(data: pathlib.Path, split: str, out: pathlib.Path) -> pathlib.Path:
    """One split of prepared data as another site's training data."""
    copy(data, out)
    for table in ("exams", "frames"):
        for file in (out / table).glob(f"{table}-train.*"):
            file.unlink()
        for file in sorted((out / table).glob(f"{table}-{split}.*")):
            file.rename(file.with_name(file.name.replace(f"-{split}.", "-train.")))
        info = out / table / "dataset_info.json"
        plain = json.loads(info.read_text())
        (kept,) = (s for s in plain["splits"] if s["name"] == split)
        info.write_text(json.dumps(plain | {"splits": [kept | {"name": "train"}]}))
    return out


def shard(data: pathlib.Path, table: str, number: int = 0, split: str = "train") -> pathlib.Path:
    (found,) = (data / table).glob(f"{table}-{split}.array_record-{number:05d}-*")
    return found


def flip(file: pathlib.Path, at: int) -> None:
    """One bit of a file."""
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def damage(file: pathlib.Path, text: str, turn: int = 0) -> None:
    """Flips a bit in a record: that in which a text stands for the `turn`-th time."""
    content, at = file.read_bytes(), -1
    for _ in range(turn + 1):
        at = content.index(text.encode(), at + 1)
    flip(file, at)


def rewrite(file: pathlib.Path, position: int, **changes) -> None:
    """Writes a shard again, whole, with some fields of one record changed; `raw` replaces it."""
    table = file.parent.name
    kinds = EXAM_FIELDS if table == EXAMS else FRAME_FIELDS
    with contextlib.closing(ArrayRecordReader(str(file))) as reader:
        stored = reader.read_all()
    plain = {k: VALUES[kinds[k]](v) for k, v in example.parse(stored[position]).items()}
    raw = changes.pop("raw", None)
    stored[position] = raw if raw is not None else records.serialize(table, plain | changes)
    file.unlink()
    with records.shard_writer(file) as writer:
        for record in stored:
            writer.write(record)


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut short, one bit flipped, or a stretch overwritten with what chance gives, or nothing."""
    spoilt, at = bytearray(content), int(rng.integers(len(content)))
    length = min(int(2 ** rng.uniform(0, 14)), len(content) - at)
    kind = rng.integers(4)
    if kind == 0:
        return content[:at]
    if kind == 1:
        spoilt[at] ^= 1 << int(rng.integers(8))
    else:
        spoilt[at : at + length] = rng.bytes(length) if kind == 2 else bytes(length)
    return bytes(spoilt)
