"""Stacks of one study: slices ordered by position, frames by time, gaps said and never filled."""

import dataclasses
from collections import Counter

import numpy as np

from data_prep.read.instance import Instance
from data_prep.read.reject import Reject
from data_prep.stacks.grouping import group
from data_prep.stacks.ordering import by_time, cycle_ms
from data_prep.stacks.planes import clusters, positions, towards_base

# A step between slices this many times the usual one is a gap.
GAP = 1.5
# Flag of a cine that has end diastole and end systole alone, in that order.
TWO_MOMENTS = "two moments"
MOMENTS = ("END_DIASTOLE", "END_SYSTOLE")


@dataclasses.dataclass(frozen=True)
class Slice:
    """The frames of one slice in order of time."""

    position_mm: float  # along the stack's normal
    frames: tuple[Instance, ...]
    trigger_ms: tuple[float, ...]  # NaN where there is none
    phases: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class RawStack:
    """Slices from apex to base (or in the order of the normal that points there)."""

    slices: tuple[Slice, ...]
    normal: np.ndarray
    rr_ms: float
    flags: tuple[str, ...]

    @property
    def first(self) -> Instance:
        """Any frame: what a stack has in common stands in all of them."""
        return self.slices[0].frames[0]

    @property
    def phase_count(self) -> int:
        """The most common number of frames per slice."""
        return Counter(len(s.frames) for s in self.slices).most_common(1)[0][0]

    @property
    def frame_count(self) -> int:
        """Frames of all slices."""
        return sum(len(s.frames) for s in self.slices)


def build_stacks(instances: list[Instance]) -> tuple[list[RawStack], list[Reject]]:
    """Stacks of one study without its duplicates, and every instance that has no place in one."""
    stacks, rejects = [], []
    for members in group(instances):
        stack, repeats = _order(members)
        stacks.append(stack)
        rejects += repeats
    stacks.sort(key=lambda s: (s.first.text["SeriesInstanceUID"], s.first.where, s.first.frame))
    return stacks, rejects


def _order(members: list[Instance]) -> tuple[RawStack, list[Reject]]:
    at = positions(members)
    places = clusters(at)
    counts = Counter(map(len, places))
    usual = min(counts, key=lambda count: (-counts[count], count))
    slices, rejects, intervals = [], [], []
    for place in places:
        frames, triggers, repeats = by_time([members[i] for i in place], usual)
        rejects += repeats
        interval = cycle_ms(frames, triggers)
        intervals.append(interval)
        phases = _stated_phases(frames) or _phases(triggers, interval)
        slices.append(Slice(float(at[place].mean()), tuple(frames), tuple(triggers), phases))
    stack = RawStack(
        tuple(slices),
        towards_base(members[0]),
        float(np.median(intervals)),
        _flags(slices),
    )
    return stack, rejects


def _stated_phases(frames: list[Instance]) -> tuple[float, ...]:
    """Positions in the cycle that every frame states as a percentage of R-R; () otherwise."""
    percent = [frame.number("NominalPercentageOfCardiacPhase") for frame in frames]
    stated = [value for value in percent if value is not None and 0 <= value <= 100]
    return tuple(value / 100 for value in stated) if len(stated) == len(frames) else ()


def _phases(triggers: list[float], interval: float) -> tuple[float, ...]:
    """Positions in the cycle; even steps where no trigger time says more."""
    times = np.array(triggers)
    if len(times) > 1 and np.isnan(times).any():
        return tuple(map(float, np.arange(len(times)) / len(times)))
    return tuple(map(float, np.clip(np.nan_to_num(times / interval), 0, 1)))


def _positions(one: Slice) -> tuple[str, ...]:
    return tuple(f.text.get("CardiacCyclePosition", "") for f in one.frames)


def _flags(slices: list[Slice]) -> tuple[str, ...]:
    """What is not as it should be, in fixed words."""
    flags = []
    if len({len(s.frames) for s in slices}) > 1:
        flags.append("unequal phases")
    if all(_positions(s) == MOMENTS for s in slices):
        flags.append(TWO_MOMENTS)
        if not all(_stated_phases(list(s.frames)) for s in slices):
            flags.append("unknown phases")
    if any(f.text.get("NominalSpacing") == "YES" for s in slices for f in s.frames):
        flags.append("spacing unknown")
    if any(np.isnan(s.trigger_ms).any() for s in slices):
        flags.append("no trigger time")
    gaps = np.diff([s.position_mm for s in slices])
    if len(gaps) > 1 and gaps.max() > GAP * np.median(gaps):
        flags.append("gap between slices")
    return tuple(flags)
