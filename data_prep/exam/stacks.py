"""Stacks of one study: slices ordered by position, frames by time, gaps said and never filled."""

import dataclasses
from collections import Counter, defaultdict

import numpy as np

from data_prep.exam.grouping import group
from data_prep.exam.ordering import by_time, cycle_ms
from data_prep.exam.planes import clusters, positions, towards_base
from data_prep.read.instance import Instance
from data_prep.read.reject import Reject, Why

# A step between slices this many times the usual one is a gap.
GAP = 1.5


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
    """Stacks of one study, and every instance that has no place in one."""
    unique, rejects = drop_duplicates(instances)
    stacks = []
    for members in group(unique):
        stack, repeats = _order(members)
        stacks.append(stack)
        rejects += repeats
    stacks.sort(key=lambda s: (s.first.text["SeriesInstanceUID"], s.first.where, s.first.frame))
    return stacks, rejects


def drop_duplicates(instances: list[Instance]) -> tuple[list[Instance], list[Reject]]:
    """One instance per SOPInstanceUID; one UID with different content is nobody's."""
    kept, rejects = [], []
    for same in _by_uid(instances):
        if len(same) > 1 and len({repr(_content(i)) for i in same}) > 1:
            rejects += [Reject(Why.DUPLICATE_CONFLICT, i.where) for i in same]
            continue
        kept.append(same[0])
        rejects += [Reject(Why.DUPLICATE, i.where) for i in same[1:]]
    return kept, rejects


def copies_of(instances: list[Instance]) -> tuple[tuple[Instance, Instance], ...]:
    """(what is kept, its copy) of objects that came more than once: their pixels may yet differ."""
    return tuple((same[0], copy) for same in _by_uid(instances) for copy in same[1:])


def _by_uid(instances: list[Instance]) -> list[list[Instance]]:
    by_uid = defaultdict(list)
    for instance in sorted(instances, key=lambda i: (i.where, i.frame)):
        name = f"{instance.where}#{instance.frame}"
        by_uid[instance.text.get("SOPInstanceUID") or name].append(instance)
    return list(by_uid.values())


def _content(instance: Instance) -> Instance:
    """What two copies of one object share, however they were written."""
    text = dict(sorted(instance.text.items()))
    return dataclasses.replace(
        instance, where="", text=text, transfer_syntax="", pixel_offset=0, pixel_length=0
    )


def _order(members: list[Instance]) -> tuple[RawStack, list[Reject]]:
    at, places = positions(members), clusters(members)
    counts = Counter(map(len, places))
    usual = min(counts, key=lambda count: (-counts[count], count))
    slices, rejects, intervals = [], [], []
    for place in places:
        frames, triggers, repeats = by_time([members[i] for i in place], usual)
        rejects += repeats
        interval = cycle_ms(frames, triggers)
        intervals.append(interval)
        phases = _phases(triggers, interval)
        slices.append(Slice(float(at[place].mean()), tuple(frames), tuple(triggers), phases))
    stack = RawStack(
        tuple(slices),
        towards_base(members[0]),
        float(np.median(intervals)),
        _flags(slices),
    )
    return stack, rejects


def _phases(triggers: list[float], interval: float) -> tuple[float, ...]:
    """Positions in the cycle; even steps where no trigger time says more."""
    times = np.array(triggers)
    if len(times) > 1 and np.isnan(times).any():
        return tuple(map(float, np.arange(len(times)) / len(times)))
    return tuple(map(float, np.clip(np.nan_to_num(times / interval), 0, 1)))


def _flags(slices: list[Slice]) -> tuple[str, ...]:
    """What is not as it should be, in fixed words."""
    flags = []
    if len({len(s.frames) for s in slices}) > 1:
        flags.append("unequal phases")
    if any(np.isnan(s.trigger_ms).any() for s in slices):
        flags.append("no trigger time")
    gaps = np.diff([s.position_mm for s in slices])
    if len(gaps) > 1 and gaps.max() > GAP * np.median(gaps):
        flags.append("gap between slices")
    return tuple(flags)
