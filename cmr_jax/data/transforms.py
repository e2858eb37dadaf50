"""Each step from an exam's record to the arrays of a batch: a frozen noun with one verb."""

import dataclasses
import zlib
from typing import Any

import grain
import numpy as np

from cmr_jax.config import CLIP_SEQUENCES, Clip
from cmr_jax.data import broken, moments
from cmr_jax.data.replacement import Replacement
from cmr_jax.data.sites import Source
from cmr_jax.data.source import Exam
from cmr_jax.schema import Sequence, Stack, View
from cmr_jax.types import Batch

Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class ReadClip(grain.transforms.RandomMap):
    """Reads the frames of a clip: for each view its cine, then its LGE, evenly over the heart.

    In training each slice is random within its equal part of the stack, and the first phase of
    each within one step: a cine is a loop.  What an exam does not have is left out; the clip is
    padded at its end and `frame_mask` says so.
    """

    source: Source
    clip: Clip
    train: bool

    def random_map(self, element: int, rng: np.random.Generator) -> Record:
        """Index -> record."""
        exam = self.source[element]
        frames = [
            f for stack, cine in self._stacks(exam) for f in self._read(exam, stack, cine, rng)
        ]
        arrays = clip_arrays(frames[: self.clip.frames], self.clip.frames, self.clip.size)
        return {"index": element, "exam": exam} | arrays

    def _stacks(self, exam: Exam) -> list[tuple[Stack, bool]]:
        chosen = []
        for cine in (True, False):
            for name in self.clip.views:
                wanted = [s for s in CLIP_SEQUENCES if (s is Sequence.CINE) == cine]
                found = [s for s in exam.stacks if s.view is View[name] and s.sequence in wanted]
                if found:
                    best = max(found, key=lambda s: (-wanted.index(s.sequence), s.confidence))
                    chosen.append((best, cine))
        # An exam with none of the views is read from what it has, and its coordinates say so.
        return chosen or [(stack, stack.is_cine) for stack in exam.stacks]

    def _read(self, exam: Exam, stack: Stack, cine: bool, rng: np.random.Generator) -> list[tuple]:
        several = stack.view in (View.SAX, View.OTHER)
        slices = 1 if not several else self.clip.sax_slices if cine else self.clip.lge_slices
        frames = []
        chance = rng if self.train and self.clip.vary else None
        for i in spread(len(stack.slice_mm), slices, chance):
            video = self.source.frames(stack, i, exam.exam_id)
            at = moments.chosen(self.clip, stack, i, len(video), chance) if cine else [0]
            frames += [(stack, i, int(t), video[t]) for t in at]
        return frames


def clip_arrays(frames: list[tuple], length: int, size: int) -> Record:
    """Arrays of `length` from (stack, slice, phase, picture) of each frame, padded and masked."""
    video = np.empty((length, size, size, 1), np.uint8)
    video[len(frames) :] = 0
    for at, (*_, picture) in enumerate(frames):
        if picture.shape != (size, size):
            raise ValueError(
                f"stored frames are {picture.shape[0]} x {picture.shape[1]}, data.clip.size is {size}. "
                f"Use --config.data.clip.size={picture.shape[0]} or prepare the data with --size {size}."
            )
        video[at, :, :, 0] = picture
    numbers: dict[int, int] = {}
    columns = {
        "view": (np.int32, 0, [stack.view for stack, *_ in frames]),
        "sequence": (np.int32, 0, [stack.sequence for stack, *_ in frames]),
        "stack": (
            np.int32,
            0,
            [numbers.setdefault(s.first_frame, len(numbers)) for s, *_ in frames],
        ),
        "slice_mm": (np.float32, 0, [stack.slice_mm[i] for stack, i, *_ in frames]),
        "phase": (np.float32, 0, [stack.phases[i][t] for stack, i, t, _ in frames]),
        "is_cine": (bool, False, [stack.is_cine for stack, *_ in frames]),
        "spacing_mm": (np.float32, 1, [stack.spacing_mm for stack, *_ in frames]),
    }
    left = length - len(frames)
    values = {k: np.array(some + [none] * left, kind) for k, (kind, none, some) in columns.items()}
    mask = np.arange(length) < len(frames)
    return {"video": video, "coordinates": values, "frame_mask": mask}


def spread(available: int, wanted: int, rng: np.random.Generator | None = None) -> list[int]:
    """`wanted` different indices over equal parts of `available`; all where there are fewer.

    The middle of each part, or with `rng` a random index of it; which parts have one more, where
    they do not divide, is random then too.
    """
    if wanted >= available:
        return list(range(available))
    bounds = np.arange(wanted + 1) * available / wanted
    if rng is None:
        return [int(middle) for middle in (bounds[:-1] + bounds[1:]) / 2]
    whole = np.floor(bounds + rng.random()).astype(int)
    return rng.integers(whole[:-1], whole[1:]).tolist()


@dataclasses.dataclass(frozen=True)
class BorrowReport(grain.transforms.Map):
    """A control: reports permuted among exams, so that nothing can be learned."""

    source: Source
    seed: int
    replacement: Replacement

    def map(self, element: Record) -> Record:
        """The permutation is a function of the seed alone."""
        order = np.random.default_rng(self.seed).permutation(len(self.source))
        borrowed = int(order[element["index"]])
        report, passed = self.replacement.first(borrowed, self.source.__getitem__)
        return element | {"report": report, "broken": [*element["broken"], *passed]}


@dataclasses.dataclass(frozen=True)
class Arrays(grain.transforms.Map):
    """Leaves what a batch is made of."""

    def map(self, element: Record) -> Record:
        """Drop the record; keep its id, its key, and what was broken as a text: arrays are stacked."""
        met = broken.dump(element.get("broken", ()))
        exam_id = element["exam"].exam_id
        key = np.int32(zlib.crc32(exam_id.encode()) % 2**30)
        return {"exam_id": exam_id, "broken": met, "exam_key": key} | {
            name: element[name] for name in Batch._fields if name in element
        }
