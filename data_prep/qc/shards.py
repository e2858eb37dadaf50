"""The shards of a build as anyone would open them: through TFDS, and nothing else."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from cmr_jax import schema
from cmr_jax.schema import EXAMS, FRAMES, SPLITS, Stack


@dataclasses.dataclass(frozen=True)
class Exam:
    """One exam as it is stored; `first_frame` of its stacks counts over the whole split here."""

    split: str
    index: int
    exam_id: str
    patient_id: str
    vendor: str
    field_strength_t: float
    sex: str
    age_band: str
    impression: str
    sentences: int
    stacks: tuple[Stack, ...]


class Shards:
    """Both tables of OUT, split by split."""

    def __init__(self, out: pathlib.Path):
        # TFDS decorates its methods past type checkers.
        self._exams: Any = tfds.builder_from_directory(str(out / EXAMS))
        self._frames: Any = tfds.builder_from_directory(str(out / FRAMES))
        there = self._exams.info.splits
        self.splits = tuple(s for s in SPLITS if s in there and there[s].num_examples)
        self._sources = {
            (table, split): builder.as_data_source(split)
            for table, builder in ((EXAMS, self._exams), (FRAMES, self._frames))
            for split in self.splits
        }

    def __iter__(self) -> Iterator[Exam]:
        """Every exam, in the order of its split."""
        for split in self.splits:
            yield from self.of(split)

    def of(self, split: str) -> Iterator[Exam]:
        """Every exam of a split, in its order."""
        for index in range(len(self._sources[EXAMS, split])):
            yield self.exam(split, index)

    def in_turn(self) -> Iterator[Exam]:
        """The first exam of every split, then the second of each, and so on."""
        for turn in itertools.zip_longest(*map(self.of, self.splits)):
            yield from (exam for exam in turn if exam is not None)

    def exam(self, split: str, index: int) -> Exam:
        """One exam of a split."""
        record = self._sources[EXAMS, split][index]
        names = ("exam_id", "patient_id", "vendor", "sex", "age_band", "impression")
        lengths = self._frames.info.splits[split].shard_lengths
        start = sum(lengths[: int(record["shard"])])
        return Exam(
            split=split,
            index=index,
            field_strength_t=float(record["field_strength_t"]),
            sentences=len(record["sentences"]),
            stacks=tuple(
                dataclasses.replace(stack, first_frame=start + stack.first_frame)
                for stack in schema.load_stacks(schema.as_text(record["stacks"]))
            ),
            **{name: schema.as_text(record[name]) for name in names},
        )

    def middle(self, exam: Exam, stack: Stack) -> np.ndarray:
        """The middle slice of a stack, uint8 (time, rows, columns)."""
        at = stack.first_frame + len(stack.slice_mm) // 2
        return schema.load_frames(self._sources[FRAMES, exam.split][at])
