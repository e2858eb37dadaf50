"""Turns one planned exam into stored frames: decoded, cropped around the heart, 8 bits."""

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from cmr_jax.schema import Stack
from data_prep.exam import greys
from data_prep.exam.centre import heart_centre
from data_prep.exam.crop import crop
from data_prep.exam.plan import ExamPlan, PlannedStack
from data_prep.read.instance import Instance
from data_prep.read.pixels import decode
from data_prep.read.reject import Reject, Why
from data_prep.stacks.stack import RawStack, Slice

THIN = 8  # pictures are compared in every eighth pixel of every eighth line
CONTRASTS = {"GRE": "gradient echo"}  # of a cine; bSSFP is what nearly all are
# Pixels of an exam beyond this are held one stack at a time, and decoded twice (bytes).
HELD_BYTES = 256 << 20

Load = Callable[[list[str]], Iterator[tuple[str, bytes]]]


@dataclasses.dataclass(frozen=True)
class Decoded:
    """A stack without the frames that could not be decoded, and its pictures slice by slice."""

    planned: PlannedStack
    videos: list[list[np.ndarray]]  # by slice and time, (rows, columns) each


@dataclasses.dataclass(frozen=True)
class Rendered:
    """A stack ready for the shelf: its record and one (time, size, size) uint8 per slice."""

    stack: Stack
    videos: list[np.ndarray]


def render_exam(
    plan: ExamPlan, load: Load, spacing_mm: float, size: int
) -> tuple[list[Rendered], list[Reject]]:
    """Renders every stack of the plan; what has no usable pixels is rejected, and said."""
    reader = _Reader(plan, load)
    centre, how = heart_centre(list(plan.stacks), reader.videos)
    rendered, seen = [], set()
    for planned in plan.stacks:
        decoded = reader.read(planned)
        if decoded is None:
            continue
        if (twin := _fingerprint(decoded)) in seen:
            reader.reject(Why.DUPLICATE, decoded.planned.raw, "the same pixels in another series")
            continue
        seen.add(twin)
        rendered.append(_render_stack(decoded, centre, how, spacing_mm, size))
    return rendered, reader.rejects()


class _Reader:
    """Decodes stacks of one exam; a small exam's files are held, a large one's read by stack."""

    def __init__(self, plan: ExamPlan, load: Load):
        self._load = load
        self._rejects: dict[tuple[str, int], Reject] = {}
        frames = [f for s in plan.stacks for f in _frames(s.raw)]
        small = sum(f.rows * f.columns * 2 for f in frames) <= HELD_BYTES
        wheres = [f.where for f in frames] + [copy.where for _, copy in plan.copies]
        self._held = dict(load(list(dict.fromkeys(wheres)))) if small else None
        self._looked_at: dict[int, Decoded | None] = {}
        self._copies: dict[tuple[str, int], list[Instance]] = defaultdict(list)
        for kept, copy in plan.copies:
            self._copies[_key(kept)].append(copy)

    def videos(self, planned: PlannedStack) -> tuple[RawStack, list[list[np.ndarray]]] | None:
        """The stack as far as it could be decoded, for whoever only looks."""
        decoded = self.read(planned)
        if self._held is not None:
            self._looked_at[id(planned)] = decoded
        return None if decoded is None else (decoded.planned.raw, decoded.videos)

    def read(self, planned: PlannedStack) -> Decoded | None:
        """Decodes one stack; None where nothing of it can be used, and then it is rejected."""
        if id(planned) in self._looked_at:
            return self._looked_at.pop(id(planned))
        pictures = self._decode(planned.raw)
        slices, videos = [], []
        for one in planned.raw.slices:
            good = [i for i, f in enumerate(one.frames) if _key(f) in pictures]
            if good:
                slices.append(_only(one, good))
                videos.append([pictures[_key(one.frames[i])] for i in good])
        if not slices:
            return None
        if not any(np.ptp(picture) for video in videos for picture in video):
            self.reject(Why.CONSTANT_IMAGE, planned.raw, "")
            return None
        if sum(len(s.frames) for s in slices) < planned.raw.frame_count:
            flags = (*planned.raw.flags, "frames lost")
            raw = dataclasses.replace(planned.raw, slices=tuple(slices), flags=flags)
            planned = dataclasses.replace(planned, raw=raw)
        return Decoded(planned, videos)

    def reject(self, why: Why, raw: RawStack, detail: str) -> None:
        """Every frame of a stack has a reason, once."""
        for frame in _frames(raw):
            self._rejects.setdefault(_key(frame), Reject(why, frame.where, detail))

    def rejects(self) -> list[Reject]:
        """What was not used, frame by frame."""
        return list(self._rejects.values())

    def _decode(self, raw: RawStack) -> dict[tuple[str, int], np.ndarray]:
        by_file: dict[str, list[Instance]] = defaultdict(list)
        for frame in _frames(raw):
            by_file[frame.where].append(frame)
        files = dict(self._load(list(by_file))) if self._held is None else self._held
        pictures = {}
        for where, frames in by_file.items():
            data = files.get(where)
            if data is None:
                found = [Reject(Why.IO_ERROR, where, "gone since its header was read")] * len(
                    frames
                )
            else:
                found = decode(frames, data)
            for frame, picture in zip(frames, found, strict=True):
                if isinstance(picture, Reject):
                    self._rejects.setdefault(_key(frame), picture)
                elif all(self._same(picture, copy) for copy in self._copies[_key(frame)]):
                    pictures[_key(frame)] = picture
                else:
                    said = Reject(Why.DUPLICATE_CONFLICT, frame.where, "other pixels")
                    self._rejects.setdefault(_key(frame), said)
        return pictures

    def _same(self, picture: np.ndarray, copy: Instance) -> bool:
        """Whether a copy that can be read has the same pixels."""
        held = self._held if self._held is not None else dict(self._load([copy.where]))
        if copy.where not in held:
            return True
        (other,) = decode([copy], held[copy.where])
        return isinstance(other, Reject) or np.array_equal(picture, other)


def _key(frame: Instance) -> tuple[str, int]:
    return frame.where, frame.frame


def _frames(raw: RawStack) -> Iterator[Instance]:
    for one in raw.slices:
        yield from one.frames


def _only(one: Slice, chosen: list[int]) -> Slice:
    if len(chosen) == len(one.frames):
        return one
    pick = lambda values: tuple(values[i] for i in chosen)  # noqa: E731
    return Slice(one.position_mm, pick(one.frames), pick(one.trigger_ms), pick(one.phases))


def _fingerprint(decoded: Decoded) -> tuple:
    """Tells the same pixels sent twice, by a part of each picture: noise is never the same twice.

    The place is in it because empty slices look alike.
    """
    raw = decoded.planned.raw
    places = tuple(round(one.position_mm, 1) for one in raw.slices)
    thin = (np.float32(p[::THIN, ::THIN]).tobytes() for video in decoded.videos for p in video)
    return raw.first.orientation, places, tuple(map(hash, thin))


def _render_stack(decoded: Decoded, centre, how: str, spacing_mm, size) -> Rendered:
    planned, raw = decoded.planned, decoded.planned.raw
    cropped = [
        crop(one.frames[0], video, centre, spacing_mm, size)
        for one, video in zip(raw.slices, decoded.videos, strict=True)
    ]
    low, high = greys.window([picture for pictures, _ in cropped for picture in pictures])
    stored = [greys.eight_bits(pictures, low, high) for pictures, _ in cropped]
    positions = np.array([one.position_mm for one in raw.slices])
    stack = Stack(
        view=planned.view,
        sequence=planned.sequence,
        confidence=planned.confidence,
        evidence=planned.evidence,
        first_frame=0,  # known when it is written
        slice_mm=_rounded(positions - (positions.min() + positions.max()) / 2, 3),
        phases=tuple(_rounded(one.phases, 4) for one in raw.slices),
        trigger_ms=tuple(_rounded(one.trigger_ms, 2) for one in raw.slices),
        spacing_mm=spacing_mm,
        row=_rounded(raw.first.orientation[:3], 6),
        column=_rounded(raw.first.orientation[3:], 6),
        origins_mm=tuple(_rounded(origin, 3) for _, origin in cropped),
        rr_ms=round(raw.rr_ms, 1),
        intensity_low=round(low, 4),
        intensity_high=round(high, 4),
        flags=(*raw.flags, *filter(None, (how, CONTRASTS.get(planned.contrast)))),
        intensity_unit=planned.unit,
    )
    return Rendered(stack, stored)


def _rounded(values, digits: int) -> tuple[float, ...]:
    return tuple(round(float(v), digits) for v in values)
