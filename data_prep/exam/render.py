"""Turns one planned exam into stored frames: decoded, cropped around the heart, 8 bits."""

import dataclasses

import numpy as np

from cmr_jax.schema import Sequence, Stack, View
from data_prep.exam.crop import crop, image_centre, motion_centre
from data_prep.exam.plan import ExamPlan, PlannedStack
from data_prep.read.pixels import decode
from data_prep.read.reject import Reject, Why

# Grey values from these percentiles of a stack become 0 and 255; what lies outside saturates.
PERCENTILES = (0.5, 99.5)


@dataclasses.dataclass(frozen=True)
class Rendered:
    """A stack ready for the shelf: its record and one (time, size, size) uint8 per slice."""

    stack: Stack
    videos: list[np.ndarray]


def render_exam(
    plan: ExamPlan, files: dict[str, bytes], spacing_mm: float, size: int
) -> tuple[list[Rendered], list[Reject]]:
    """Renders every stack of the plan; stacks without usable pixels are rejected, and said."""
    decoded: list[tuple[PlannedStack, list[np.ndarray]]] = []
    rejects: list[Reject] = []
    for planned in plan.stacks:
        videos = _decode_stack(planned, files, rejects)
        if videos is not None:
            decoded.append((planned, videos))
    centre = _heart_centre(decoded)
    rendered: list[Rendered] = []
    first = 0
    for planned, videos in decoded:
        one = _render_stack(planned, videos, centre, spacing_mm, size, first)
        first += len(one.videos)
        rendered.append(one)
    return rendered, rejects


def _decode_stack(planned: PlannedStack, files: dict[str, bytes], rejects: list[Reject]):
    videos, failed = [], []
    for one in planned.raw.slices:
        frames = []
        for frame in one.frames:
            data = files.get(frame.where)
            pixels = Reject(Why.IO_ERROR, frame.where) if data is None else decode(frame, data)
            failed.append(pixels) if isinstance(pixels, Reject) else frames.append(pixels)
        videos.append(frames)
    total = sum(len(s.frames) for s in planned.raw.slices)
    if failed:  # a stack with holes would be another exam than was scanned
        rejects.append(dataclasses.replace(failed[0], count=total))
        return None
    videos = [np.stack(frames) for frames in videos]
    if all(np.ptp(video) == 0 for video in videos):
        rejects.append(Reject(Why.CONSTANT_IMAGE, planned.raw.first.where, count=total))
        return None
    return videos


def _heart_centre(decoded) -> np.ndarray | None:
    """From the short-axis cine; without one, from the other cines together."""
    cines = [(p, v) for p, v in decoded if p.sequence is Sequence.CINE]
    short = [(p, v) for p, v in cines if p.view is View.SAX]
    found = [c for p, v in short or cines if (c := motion_centre(p.raw, v)) is not None]
    return np.mean(found, 0) if found else None


def _render_stack(planned: PlannedStack, videos, centre, spacing_mm, size, first) -> Rendered:
    raw = planned.raw
    flags = raw.flags if centre is not None else (*raw.flags, "centred on the image")
    middle = image_centre(raw) if centre is None else centre
    cropped = [
        crop(one.frames[0], video, middle, spacing_mm, size)
        for one, video in zip(raw.slices, videos, strict=True)
    ]
    low, high = np.percentile(np.concatenate([video for video, _ in cropped]), PERCENTILES)
    scale = 255 / max(high - low, 1e-6)
    stored = [np.clip((video - low) * scale + 0.5, 0, 255).astype(np.uint8) for video, _ in cropped]
    positions = np.array([one.position_mm for one in raw.slices])
    stack = Stack(
        view=planned.view,
        sequence=planned.sequence,
        confidence=planned.confidence,
        evidence=planned.evidence,
        first_frame=first,
        slice_mm=_rounded(positions - (positions.min() + positions.max()) / 2, 3),
        phases=tuple(_rounded(one.phases, 4) for one in raw.slices),
        trigger_ms=tuple(_rounded(one.trigger_ms, 2) for one in raw.slices),
        spacing_mm=spacing_mm,
        row=_rounded(raw.first.orientation[:3], 6),
        column=_rounded(raw.first.orientation[3:], 6),
        origins_mm=tuple(_rounded(origin, 3) for _, origin in cropped),
        rr_ms=round(raw.rr_ms, 1),
        intensity_low=round(float(low), 4),
        intensity_high=round(float(high), 4),
        flags=flags,
    )
    return Rendered(stack, stored)


def _rounded(values, digits: int) -> tuple[float, ...]:
    return tuple(round(float(v), digits) for v in values)
