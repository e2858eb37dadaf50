"""What the headers of a stack, and of the exam around it, say about how it was acquired."""

import dataclasses

import numpy as np

from data_prep.classify.geometry import body_plane
from data_prep.stacks.ordering import seconds
from data_prep.stacks.planes import angle_deg
from data_prep.stacks.stack import RawStack

# An inversion time from here on is one; shorter ones are of saturation pulses (ms).
INVERSION_LEAST_MS = 150.0
# First pass: an image each heartbeat (s), at least this often, over this long (s).
BEAT_S, FIRST_PASS_LEAST, FIRST_PASS_S = (0.25, 4.0), 15, 15.0
# Acquisition times closer than this are one (s).
SAME_TIME_S = 0.005
SAME_POSITION_MM = 1.0
# Normals further apart than this are two planes, closer than the first are one (degrees).
ONE_PLANE_DEG, TWO_PLANES_DEG = 1.0, 20.0
DAY_S = 86400.0
PSIR_WORDS = {"PSIR", "PS", "CR", "REAL", "R", "PHASE SENSITIVE"}  # in ImageType


@dataclasses.dataclass(frozen=True)
class Facts:
    """Values of one stack that rules look at; None where the header has none."""

    stack: RawStack
    image_type: frozenset[str]
    scanning: frozenset[str]
    variant: frozenset[str]
    sequence_name: str
    phases: int
    te_ms: float | None
    tr_ms: float | None
    flip_deg: float | None
    inversions_ms: tuple[float, ...]  # distinct inversion times of one slice
    inverted: bool
    beats_s: tuple[float, ...]  # steps between distinct acquisition times of one slice
    contrast_given: bool
    beside_phase: bool  # its series holds phase-sensitive images of the same plane
    echoes: int  # distinct echo times of the plane within its series
    planes: int  # distinct planes of its series, and those of the body among them
    body_planes: int

    @property
    def first_pass(self) -> bool:
        """Whether the frames are heartbeats of a first pass, not moments of one cycle."""
        return is_first_pass(self.beats_s)


def is_first_pass(beats_s: tuple[float, ...]) -> bool:
    """An image each heartbeat, often and for long enough."""
    if len(beats_s) + 1 < FIRST_PASS_LEAST or sum(beats_s) < FIRST_PASS_S:
        return False
    return BEAT_S[0] <= float(np.median(beats_s)) <= BEAT_S[1]


def gather(stacks: list[RawStack]) -> list[Facts]:
    """Facts of every stack of one exam."""
    beats = [_beats_s(stack) for stack in stacks]
    starts = [_start_s(stack) for stack in stacks]
    given = [
        start
        for stack, beat, start in zip(stacks, beats, starts, strict=True)
        if stack.first.text.get("ContrastBolusAgent", "").strip() or is_first_pass(beat)
    ]
    since = min((start for start in given if start is not None), default=None)
    found = []
    for stack, beat, start in zip(stacks, beats, starts, strict=True):
        agent = bool(stack.first.text.get("ContrastBolusAgent", "").strip())
        later = since is not None and start is not None and start > since
        series = [s for s in stacks if _series(s) == _series(stack)]
        found.append(_facts(stack, series, beat, agent or later))
    return found


def _facts(
    stack: RawStack, series: list[RawStack], beats_s: tuple[float, ...], contrast_given: bool
) -> Facts:
    first = stack.first
    scanning = _words(stack, "ScanningSequence")
    options = _words(stack, "ScanOptions")
    inversions = _inversions_ms(stack)
    inverted = "IR" in scanning or any(word.split("_")[0] == "IR" for word in options)
    planes = _planes(series)
    names = (first.text.get(k, "") for k in ("SequenceName", "PulseSequenceName"))
    return Facts(
        stack=stack,
        image_type=_words(stack, "ImageType"),
        scanning=scanning,
        variant=_words(stack, "SequenceVariant"),
        sequence_name=" ".join(names).lower(),
        phases=stack.phase_count,
        te_ms=first.number("EchoTime"),
        tr_ms=first.number("RepetitionTime"),
        flip_deg=first.number("FlipAngle"),
        inversions_ms=inversions,
        inverted=inverted or max(inversions, default=0.0) >= INVERSION_LEAST_MS,
        beats_s=beats_s,
        contrast_given=contrast_given,
        beside_phase=any(
            s is not stack and _one_plane(s, stack) and _words(s, "ImageType") & PSIR_WORDS
            for s in series
        ),
        echoes=len({s.first.number("EchoTime") for s in series if _one_plane(s, stack)}),
        planes=len(planes),
        body_planes=sum(body_plane(p) is not None for p in planes),
    )


def _words(stack: RawStack, keyword: str) -> frozenset[str]:
    parts = stack.first.text.get(keyword, "").upper().split("\\")
    return frozenset(word for part in parts if (word := part.strip()))


def _series(stack: RawStack) -> str:
    return stack.first.text.get("SeriesInstanceUID", "")


def _planes(stacks: list[RawStack]) -> list[RawStack]:
    """One stack of each distinct direction."""
    kept: list[RawStack] = []
    for stack in stacks:
        if all(angle_deg(stack.normal, k.normal) > TWO_PLANES_DEG for k in kept):
            kept.append(stack)
    return kept


def _one_plane(a: RawStack, b: RawStack) -> bool:
    apart = abs((np.array(a.first.position) - np.array(b.first.position)) @ a.normal)
    return angle_deg(a.normal, b.normal) < ONE_PLANE_DEG and bool(apart < SAME_POSITION_MM)


def _longest(stack: RawStack):
    return max(stack.slices, key=lambda one: len(one.frames)).frames


def _inversions_ms(stack: RawStack) -> tuple[float, ...]:
    values = {v for f in _longest(stack) if (v := f.number("InversionTime")) and v > 0}
    return tuple(sorted(values))


def _beats_s(stack: RawStack) -> tuple[float, ...]:
    """Steps between acquisition times, or between trigger times that go on for many cycles."""
    frames = _longest(stack)
    times = sorted(t for f in frames if (t := seconds(f)) is not None)
    if len(set(times)) < len(frames):
        triggers = [t / 1000 for f in frames if (t := f.number("TriggerTime")) is not None]
        if triggers and max(triggers) - min(triggers) > FIRST_PASS_S:
            times = sorted(triggers)
    steps = np.diff(times)
    return tuple(float(step) for step in steps if step > SAME_TIME_S)


def _start_s(stack: RawStack) -> float | None:
    """Seconds of the first acquisition, counted in days; None without a time."""
    frames = [f for one in stack.slices for f in one.frames]
    starts = []
    for frame in frames:
        clock = seconds(frame)
        if clock is not None:
            starts.append((frame.number("AcquisitionDate") or 0.0) * DAY_S + clock)
    return min(starts, default=None)
