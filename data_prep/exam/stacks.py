"""Groups the instances of one study into stacks, ordered by position and trigger time.

Series identity is a hint, geometry decides: a series with several orientations is split, series
that hold one slice each of the same stack are joined.
"""

import dataclasses
import itertools
from collections import Counter, defaultdict

import numpy as np

from data_prep.read.instance import Instance
from data_prep.read.reject import Reject, Why

# Normals closer than this belong to one stack (degrees): rounding of DS strings is far below,
# the smallest angle between two planned views far above.
SAME_NORMAL_DEG = 1.0
# Positions closer than this are one slice (mm): scanners repeat a position to well within it.
SAME_POSITION_MM = 0.5
# Trigger times of one slice closer than this are one moment scanned twice (ms).
SAME_MOMENT_MS = 0.5
# A trigger time beyond this share of RR is not a position in the cycle.
LONGEST_CYCLE = 1.2
# Towards the base along a short axis: mean of real patients, LPS (see classify.geometry).
TOWARDS_BASE = np.array([-0.618, 0.629, 0.415])


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


def build_stacks(instances: list[Instance]) -> tuple[list[RawStack], list[Reject]]:
    """Stacks of one study, and every instance that has no place in one."""
    unique, rejects = drop_duplicates(instances)
    groups = _join_single_slices(_split_series(unique))
    stacks = []
    for group in groups:
        stack, repeats = _order(group)
        stacks.append(stack)
        rejects += repeats
    stacks.sort(key=lambda s: (s.first.text["SeriesInstanceUID"], s.first.where))
    return stacks, rejects


def drop_duplicates(instances: list[Instance]) -> tuple[list[Instance], list[Reject]]:
    """One instance per SOPInstanceUID; one UID with different content is nobody's."""
    by_uid = defaultdict(list)
    for instance in sorted(instances, key=lambda i: i.where):
        by_uid[instance.text.get("SOPInstanceUID") or instance.where].append(instance)
    kept, rejects = [], []
    for same in by_uid.values():
        if (
            len({repr(dataclasses.replace(i, where="", pixel_offset=0)) for i in same[1:] and same})
            > 1
        ):
            rejects += [Reject(Why.DUPLICATE_CONFLICT, i.where) for i in same]
            continue
        kept.append(same[0])
        rejects += [Reject(Why.DUPLICATE, i.where) for i in same[1:]]
    return kept, rejects


def normal_of(instance: Instance) -> np.ndarray:
    """Unit normal of an image: row direction x column direction."""
    return np.cross(instance.orientation[:3], instance.orientation[3:])


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    """Angle between two planes' normals, 0..90 degrees; a normal's sign means nothing."""
    return float(np.degrees(np.arccos(np.clip(abs(a @ b), 0, 1))))


def _kind(instance: Instance) -> tuple:
    """What frames of one stack must share, apart from the plane."""
    return (
        instance.rows,
        instance.columns,
        tuple(round(s, 3) for s in instance.spacing_mm),
        tuple(instance.text.get("ImageType", "").split("\\")[2:]),
        round(instance.number("EchoTime") or 0, 1),
        instance.text.get("ScanningSequence", ""),
        instance.text.get("SequenceVariant", ""),
    )


def _split_series(instances: list[Instance]) -> list[list[Instance]]:
    by_kind = defaultdict(list)
    for instance in instances:
        by_kind[instance.text["SeriesInstanceUID"], *_kind(instance)].append(instance)
    groups: list[list[Instance]] = []
    for _, same in sorted(by_kind.items(), key=lambda item: str(item[0])):
        planes: list[list[Instance]] = []
        for instance in same:
            home = next((p for p in planes if _parallel(p[0], instance)), None)
            planes.append([instance]) if home is None else home.append(instance)
        groups += planes
    return groups


def _parallel(a: Instance, b: Instance) -> bool:
    return angle_deg(normal_of(a), normal_of(b)) < SAME_NORMAL_DEG and bool(
        np.dot(a.orientation[:3], b.orientation[:3]) > np.cos(np.radians(SAME_NORMAL_DEG))
    )


def _join_single_slices(groups: list[list[Instance]]) -> list[list[Instance]]:
    """Joins series that hold one slice each of the same stack (as one vendor sends SAX cines)."""
    joined: list[list[Instance]] = []
    for group in groups:
        if len(_clusters(group)) > 1:
            joined.append(group)
            continue
        for other in joined:
            if (
                _kind(other[0]) == _kind(group[0])
                and other[0].text["SeriesInstanceUID"] != group[0].text["SeriesInstanceUID"]
                and _parallel(other[0], group[0])
                and len(other) % len(group) == 0
                and len(other) // len(group) == len(_clusters(other))
                and len(_clusters(other + group)) == len(_clusters(other)) + 1
            ):
                other += group
                break
        else:
            joined.append(list(group))
    return joined


def _positions(group: list[Instance]) -> np.ndarray:
    return np.array([i.position for i in group]) @ _towards_base(group[0])


def _towards_base(instance: Instance) -> np.ndarray:
    normal = normal_of(instance)
    return normal if normal @ TOWARDS_BASE >= 0 else -normal


def _clusters(group: list[Instance]) -> list[list[int]]:
    """Indices of frames at one position, from low to high."""
    at = _positions(group)
    order = np.argsort(at, kind="stable")
    clusters = [[int(order[0])]]
    for before, after in itertools.pairwise(order):
        if at[after] - at[before] > SAME_POSITION_MM:
            clusters.append([])
        clusters[-1].append(int(after))
    return clusters


def _order(group: list[Instance]) -> tuple[RawStack, list[Reject]]:
    at = _positions(group)
    slices, rejects, intervals = [], [], []
    timed = True
    for members in _clusters(group):
        frames = [group[i] for i in members]
        frames, triggers, repeats = _by_time(frames)
        rejects += repeats
        timed = timed and not np.isnan(triggers).any()
        interval = _cycle_ms(frames, triggers)
        intervals.append(interval)
        phases = np.clip(np.nan_to_num(np.array(triggers) / interval), 0, 1)
        if len(frames) > 1 and np.isnan(triggers).any():
            phases = np.arange(len(frames)) / len(frames)
        slices.append(
            Slice(
                float(at[members].mean()), tuple(frames), tuple(triggers), tuple(map(float, phases))
            )
        )
    counts = {len(s.frames) for s in slices}
    flags = (
        *(["unequal phases"] if len(counts) > 1 else []),
        *([] if timed else ["no trigger time"]),
    )
    gaps = np.diff([s.position_mm for s in slices])
    if len(gaps) > 1 and gaps.max() > 1.5 * np.median(gaps):
        flags = (*flags, "gap between slices")
    normal = _towards_base(group[0])
    return RawStack(tuple(slices), normal, float(np.median(intervals)), flags), rejects


def _by_time(frames: list[Instance]) -> tuple[list[Instance], list[float], list[Reject]]:
    """Frames of one slice in time, by the first key that tells them apart (PREP 1.5)."""
    triggers = [f.number("TriggerTime") for f in frames]
    valid = [t for t in triggers if t is not None]
    interval = (
        max((f.number("NominalInterval") or 0 for f in frames), default=0) or 2500 / LONGEST_CYCLE
    )
    if len(valid) == len(frames) and (
        len(frames) == 1 or max(valid) - min(valid) <= LONGEST_CYCLE * interval
    ):
        order = sorted(range(len(frames)), key=lambda i: (valid[i], _latest_last(frames[i])))
        if len(frames) == 1 or valid[order[-1]] - valid[order[0]] > SAME_MOMENT_MS:
            return _latest_of_each(frames, valid, order)
    for key in ("TemporalPositionIdentifier", "AcquisitionTime", "ContentTime", "InstanceNumber"):
        values = [f.number(key) for f in frames]
        if None not in values and len(set(values)) == len(values):
            order = sorted(range(len(frames)), key=lambda i: values[i] or 0)
            return [frames[i] for i in order], [float("nan")] * len(frames), []
    ordered = sorted(frames, key=lambda f: f.where)
    return ordered, [float("nan")] * len(frames), []


def _latest_last(frame: Instance) -> tuple:
    return (frame.number("AcquisitionTime") or 0, frame.number("InstanceNumber") or 0, frame.where)


def _latest_of_each(frames, valid, order):
    """Keeps the latest frame of every moment; the others are repeats."""
    kept: list[int] = []
    repeats = []
    for i in order:
        if kept and valid[i] - valid[kept[-1]] <= SAME_MOMENT_MS:
            repeats.append(Reject(Why.REPEAT, frames[kept.pop()].where))
        kept.append(i)
    return [frames[i] for i in kept], [float(valid[i]) for i in kept], repeats


def _cycle_ms(frames: list[Instance], triggers: list[float]) -> float:
    """Length of the cycle: stated if that is plausible, else from the steps between frames."""
    stated = [v for f in frames if (v := f.number("NominalInterval")) and 300 <= v <= 2500]
    if len(frames) > 1 and not np.isnan(triggers).any():
        covered = triggers[-1] - triggers[0] + float(np.median(np.diff(triggers)))
        if not stated or not covered / LONGEST_CYCLE <= np.median(stated):
            return max(covered, 1.0)
    return float(np.median(stated)) if stated else 1000.0
