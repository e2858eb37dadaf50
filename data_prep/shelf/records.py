"""Writes ArrayRecord shards that TFDS opens, byte for byte the same for the same records."""

import contextlib
import pathlib
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from etils import epath

from cmr_jax.schema import EXAM_FIELDS, EXAMS, FRAME_FIELDS, FRAMES
from data_prep.shelf import example

TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
# One record a group: a clip reads single slices.  Uncompressed: reading keeps up with a GPU.
WRITER_OPTIONS = "group_size:1,uncompressed"
FIELDS = {EXAMS: EXAM_FIELDS, FRAMES: FRAME_FIELDS}


def features(table: str) -> tfds.features.FeaturesDict:
    """The TFDS features of a table of the schema."""
    kinds = {
        "text": tfds.features.Text(),
        "bytes": tfds.features.Text(),  # any bytes: TFDS does not look inside
        "float": np.float32,
        "int": np.int64,
        "texts": tfds.features.Sequence(tfds.features.Text()),
    }
    return tfds.features.FeaturesDict({name: kinds[kind] for name, kind in FIELDS[table].items()})


def serialize(table: str, record: dict[str, Any]) -> bytes:
    """A record of a table as bytes of a tf.train.Example, with its map in sorted order."""
    return example.serialize(record, FIELDS[table])


def shard_path(out: str, table: str, split: str, shard: int, shards: int) -> pathlib.Path:
    """Where one shard lies."""
    return pathlib.Path(out, table, f"{table}-{split}.array_record-{shard:05d}-of-{shards:05d}")


def shard_writer(path: pathlib.Path) -> contextlib.closing[ArrayRecordWriter]:
    """A writer of one shard, to be closed."""
    return contextlib.closing(ArrayRecordWriter(str(path), WRITER_OPTIONS))


def remove_others(out: str, table: str, lengths: dict[str, list[int]]) -> None:
    """Removes shards that are not of this build: an earlier run may have been stopped in others."""
    wanted = {
        shard_path(out, table, split, i, len(counts))
        for split, counts in lengths.items()
        for i in range(len(counts))
    }
    for path in pathlib.Path(out, table).glob(f"{table}-*.array_record-*"):
        if path not in wanted:
            path.unlink()


def write_metadata(out: str, table: str, lengths: dict[str, list[int]]) -> None:
    """TFDS metadata of one table from the number of records in each shard of each split."""
    folder = pathlib.Path(out, table)
    infos = [
        tfds.core.SplitInfo(
            name=split,
            shard_lengths=counts,
            num_bytes=sum(
                shard_path(out, table, split, i, len(counts)).stat().st_size
                for i in range(len(counts))
            ),
            filename_template=tfds.core.ShardedFileTemplate(
                data_dir=epath.Path(folder),
                template=TEMPLATE,
                dataset_name=table,
                split=split,
                filetype_suffix="array_record",
            ),
        )
        for split, counts in lengths.items()
    ]
    tfds.folder_dataset.write_metadata(
        data_dir=str(folder),
        features=features(table),
        split_infos=infos,
        filename_template=TEMPLATE,
        check_data=False,  # checking would import TensorFlow
    )
