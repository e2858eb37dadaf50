"""Adds exams to a finished build: old shards stay byte for byte, new ones follow them.

The new build is made in a folder beside the old one, with the old shards linked into it, and takes
its place when it is whole: whatever stops the program, one of the two is complete.
"""

import json
import os
import pathlib
import shutil
from typing import Any

import tensorflow_datasets as tfds

from cmr_jax import schema
from cmr_jax.schema import EXAMS, FRAMES, MANIFEST_FILE, SPLITS, TOKENIZER_FILE
from data_prep.exchange import link
from data_prep.orders import Existing
from data_prep.qc import rejects
from data_prep.shelf import records


def beside(out: pathlib.Path) -> pathlib.Path:
    """Where an update of OUT is made."""
    return out.with_name(out.name + ".updating")


def recover(out: pathlib.Path) -> None:
    """Finishes the exchange that a stopped update was in the middle of."""
    made = beside(out)
    if not out.exists() and (made / MANIFEST_FILE).exists():
        os.rename(made, out)


def check(out: pathlib.Path, same: dict[str, Any]) -> None:
    """ValueError where OUT is no finished build, or was made with other options."""
    path = out / MANIFEST_FILE
    if not path.exists():
        raise ValueError(f"--update: {out} holds no finished build.")
    manifest = json.loads(path.read_text())
    for name, value in {"schema_version": schema.SCHEMA_VERSION, **same}.items():
        if manifest.get(name) != value:
            raise ValueError(
                f"--update: {out} has {name} {manifest.get(name)!r}, this build {value!r}. "
                "Use the same options, or build everything anew with --overwrite."
            )


def existing(out: pathlib.Path) -> Existing:
    """The exams and the shards of a finished build."""
    # TFDS decorates its methods past type checkers.
    builder: Any = tfds.builder_from_directory(str(out / EXAMS))
    exams = {}
    for split in builder.info.splits:
        source = builder.as_data_source(split)
        for i in range(len(source)):
            exam, patient = (schema.as_text(source[i][k]) for k in ("exam_id", "patient_id"))
            exams[exam] = (patient, split)
    return Existing(exams, {s: len(i.shard_lengths) for s, i in builder.info.splits.items()})


def lengths(out: pathlib.Path, table: str) -> dict[str, list[int]]:
    """Records in each shard of each split."""
    builder: Any = tfds.builder_from_directory(str(out / table))
    return {split: list(info.shard_lengths) for split, info in builder.info.splits.items()}


def begin(out: pathlib.Path, old: Existing, shards: dict[str, int]) -> pathlib.Path:
    """The folder of the update with the old shards in it, named as parts of the new whole.

    `shards` is how many each split will have.
    """
    made = beside(out)
    for table in (EXAMS, FRAMES):
        for split in SPLITS:
            count = old.shards.get(split, 0)
            for shard in range(count):
                source = records.shard_path(str(out), table, split, shard, count)
                target = records.shard_path(str(made), table, split, shard, shards[split])
                link(source, target)
    # Models know this vocabulary: words that only new reports have are spelled in its pieces.
    shutil.copyfile(out / TOKENIZER_FILE, made / TOKENIZER_FILE)
    return made


def finish(out: pathlib.Path) -> None:
    """The update takes the place of the old build."""
    old = out.with_name(out.name + ".replaced")
    shutil.rmtree(old, ignore_errors=True)
    os.rename(out, old)
    os.rename(beside(out), out)
    shutil.rmtree(old)
    paths = [rejects.paths_of(folder) for folder in (beside(out), out)]
    if paths[0].exists():
        os.replace(*paths)
