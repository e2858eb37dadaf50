"""Opens prepared data: exams by index, and single slices of them.  Labels are not here."""

import dataclasses
import itertools
import json
import math
import pathlib

import numpy as np

from cmr_jax import schema
from cmr_jax.data import example
from cmr_jax.data.broken import BrokenRecord
from cmr_jax.data.shards import Table
from cmr_jax.schema import EXAMS, FRAMES, MANIFEST_FILE, Stack

LARGEST = 1e6  # mm, or whatever a coordinate counts: beyond, and where not finite, it is none


@dataclasses.dataclass(frozen=True)
class Exam:
    """One exam's record; `first_frame` of its stacks counts over all shards here."""

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

    @property
    def text(self) -> str:
        """The impression as models read it, in training and evaluation: its sentences, without
        numbering or line breaks."""
        return " ".join(self.sentences) or self.impression


class ExamSource:
    """The exams of one split.  A record that is damaged is a BrokenRecord when it is read."""

    def __init__(self, path: str, split: str, frames_before: int = 0):
        """`frames_before`: frame records of other data that counts of frames begin after."""
        self.path, self.split, self._before = path, split, frames_before
        self.manifest = read_manifest(path)
        self._exams, self._frames = (Table(path, table, split) for table in (EXAMS, FRAMES))

    def __len__(self) -> int:
        return len(self._exams)

    def __getitem__(self, index: int) -> Exam:
        index = int(index)
        if not 0 <= index < len(self):
            raise IndexError(f"{self.path} has no {self.name(index)}")
        record = self._exams.read(index)
        try:
            return self._exam(example.parse(record))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            said = f"{self._exams.name(index)} holds no exam ({type(error).__name__})"
            raise BrokenRecord(said) from None

    def _exam(self, fields: dict) -> Exam:
        (shard,) = fields["shard"]
        starts = self._frames.starts
        if not 0 <= shard < len(starts) - 1:
            raise ValueError("its frames are in a shard that is not there")
        first = self._before + int(starts[shard])
        stacks = [
            dataclasses.replace(stack, first_frame=first + stack.first_frame)
            for stack in schema.load_stacks(_text(fields["stacks"]))
        ]
        if not all(map(_has_places, stacks)):
            raise ValueError("coordinates are not numbers")
        names = ("exam_id", "patient_id", "site", "vendor", "sex", "age_band", "impression")
        return Exam(
            field_strength_t=fields["field_strength_t"][0],
            sentences=tuple(_text([s]) for s in fields["sentences"]),
            stacks=tuple(stacks),
            **{name: _text(fields[name]) for name in names},
        )

    @property
    def frame_records(self) -> int:
        """How many slices there are."""
        return len(self._frames)

    def frames(self, stack: Stack, slice_index: int, exam_id: str = "") -> np.ndarray:
        """One slice of a stack, uint8 (time, rows, columns), read-only; of that exam, if given."""
        at = stack.first_frame - self._before + slice_index
        if not 0 <= at < len(self._frames):
            raise BrokenRecord(f"slice {slice_index} of a stack is not among the frames")
        record = self._frames.read(at)
        try:
            fields = example.parse(record)
            owner, shape, codec = (_text(fields[k]) for k in ("exam_id", "shape", "codec"))
            (pixels,) = fields["pixels"]
            video = schema.load_frames({"pixels": pixels, "shape": shape, "codec": codec})
        except (LookupError, TypeError, ValueError):
            raise BrokenRecord(f"{self._frames.name(at)} holds no frames") from None
        if video.ndim != 3 or len(video) != len(stack.phases[slice_index]):
            raise BrokenRecord(f"{self._frames.name(at)} is of another shape than its stack")
        if exam_id and owner != exam_id:
            raise BrokenRecord(f"{self._frames.name(at)} is of another exam")
        return video

    def name(self, index: int) -> str:
        """An exam as messages name it."""
        return f"exam {index} of {self.split} in {self.path}"

    def site(self, index: int) -> range:
        """The exams of the same site: all."""
        return range(len(self))


def read_manifest(path: str) -> dict:
    """What the preparation says of its data; a ValueError if there is none, or of no known kind."""
    file = pathlib.Path(path, MANIFEST_FILE)
    if not path:
        raise ValueError("no data: say where prepared data lies with --config.data.path=DIR.")
    if not file.is_file():
        raise ValueError(
            f"{path} holds no prepared data (no {MANIFEST_FILE}). Run data_prep.build first."
        )
    try:
        manifest = json.loads(file.read_text())
        version = manifest["schema_version"]
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} cannot be read ({type(error).__name__}). Copy it again, or prepare the data "
            "again."
        ) from None
    schema.check_version(version)
    return manifest


def _text(values: list) -> str:
    (value,) = values
    return str(value, "utf-8")


def _has_places(stack: Stack) -> bool:
    """Whether each slice has its place, its moments, and a size."""
    numbers = [stack.spacing_mm, *stack.slice_mm, *itertools.chain.from_iterable(stack.phases)]
    known = math.isfinite(sum(numbers)) and max(map(abs, numbers)) < LARGEST
    return known and stack.spacing_mm > 0 and 0 < len(stack.slice_mm) == len(stack.phases)
