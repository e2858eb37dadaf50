"""Opens prepared data: exams by index, and single slices of them.  Labels are not here."""

import dataclasses
import functools
import json
import pathlib
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from cmr_jax import schema
from cmr_jax.schema import EXAMS, FRAMES, MANIFEST_FILE, Stack


@dataclasses.dataclass(frozen=True)
class Exam:
    """One exam's record; `first_frame` of its stacks is global here."""

    exam_id: str
    patient_id: str
    site: str
    vendor: str
    field_strength_t: float
    sex: str
    age_band: str
    impression: str
    sentences: tuple[str, ...]
    stacks: tuple[Stack, ...]


class ExamSource:
    """The exams of one split; opens files on first use, so that it travels to workers."""

    def __init__(self, path: str, split: str):
        self.path, self.split = path, split
        manifest = pathlib.Path(path, MANIFEST_FILE)
        if not path:
            raise ValueError("no data: say where prepared data lies with --config.data.path=DIR.")
        if not manifest.is_file():
            raise ValueError(
                f"{path} holds no prepared data (no {MANIFEST_FILE}). Run data_prep.build first."
            )
        self.manifest = json.loads(manifest.read_text())
        schema.check_version(self.manifest["schema_version"])
        if split not in self._builder(EXAMS).info.splits:
            there = ", ".join(self._builder(EXAMS).info.splits) or "none"
            raise ValueError(f"{path} has no split {split!r}. There are: {there}.")

    def __getstate__(self) -> dict:
        return {"path": self.path, "split": self.split, "manifest": self.manifest}

    def __len__(self) -> int:
        return self._builder(EXAMS).info.splits[self.split].num_examples

    def __getitem__(self, index: int) -> Exam:
        record = self._exams[int(index)]
        text = {
            k: schema.as_text(record[k])
            for k in ("exam_id", "patient_id", "site", "vendor", "sex", "age_band", "impression")
        }
        start = int(self._starts[int(record["shard"])])
        stacks = tuple(
            dataclasses.replace(stack, first_frame=start + stack.first_frame)
            for stack in schema.load_stacks(schema.as_text(record["stacks"]))
        )
        return Exam(
            field_strength_t=float(record["field_strength_t"]),
            sentences=tuple(schema.as_text(s) for s in record["sentences"]),
            stacks=stacks,
            **text,
        )

    def frames(self, stack: Stack, slice_index: int) -> np.ndarray:
        """One slice of a stack, uint8 (time, rows, columns)."""
        return schema.load_frames(self._frames[stack.first_frame + slice_index])

    @functools.cached_property
    def _exams(self):
        return self._builder(EXAMS).as_data_source(self.split)

    @functools.cached_property
    def _frames(self):
        return self._builder(FRAMES).as_data_source(self.split)

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        lengths = self._builder(FRAMES).info.splits[self.split].shard_lengths
        return np.concatenate([[0], np.cumsum(lengths)])

    def _builder(self, table: str) -> Any:  # TFDS decorates its methods past type checkers
        return tfds.builder_from_directory(str(pathlib.Path(self.path, table)))
