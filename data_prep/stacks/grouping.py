"""Which images of one study belong together, whatever series they were sent in.

Series identity is a hint, geometry decides: a series with several orientations, resolutions,
echoes or image types is split; series that hold parts of one stack are joined.
"""

import bisect
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from data_prep.read.instance import Instance
from data_prep.stacks.ordering import latest_last
from data_prep.stacks.planes import clusters, parallel, positions

# Slices of one stack lie behind one another: their first pixels may be this far apart across (mm).
SAME_COLUMN_MM = 15.0
# Two parts of one stack are not farther apart than this many slice distances ...
WIDEST_GAP = 2.0
# ... nor nearer to each other than this (mm): else they are two scans of one place.
NEAREST_SLICES_MM = 2.0
LEAST_OF_CINE = 5  # phases
SAME_BEAT = 1.2  # ratio of two cycles' lengths that are still one state of the heart


class _Part:
    """Frames of one kind and plane, and what the others ask of them, computed once."""

    def __init__(self, frames: list[Instance]):
        self.first = frames[0]
        self.series = self.first.text["SeriesInstanceUID"]
        # The description without numbers, which count slices and series.
        words = re.sub(r"\d+", "", self.first.text.get("SeriesDescription", "")).strip(" _-#")
        self.kind = (_kind(self.first), words)
        self.began = (str(self.kind[0]), min(map(latest_last, frames)))
        self.frames: list[Instance] = []
        self.take(frames)

    def take(self, frames: list[Instance]) -> None:
        """Frames that belong here, at the places they add."""
        self.frames += frames
        at = positions(self.frames)
        found = clusters(at)
        self.places = np.array([at[c].mean() if len(c) > 1 else at[c[0]] for c in found])
        self.frames_per_slice = Counter(map(len, found)).most_common(1)[0][0]

    @property
    def lies(self) -> tuple:
        """All that `_continues` asks of a stack but its kind and series."""
        place = self.first.orientation, self.first.position, self.places.tobytes()
        return *place, self.frames_per_slice


class _Row:
    """Stacks of one kind in the making; of those that lie alike only one is asked."""

    def __init__(self) -> None:
        self.stacks: list[_Part] = []
        self._alike: dict[tuple, list[int]] = defaultdict(list)  # numbers of stacks, from the first

    def add(self, part: _Part) -> None:
        """Joins a part to the first stack that it continues, or begins another with it."""
        home = min(self._homes(part), default=len(self.stacks))
        if home == len(self.stacks):
            self.stacks.append(part)
        else:
            self._leave(home)
            self.stacks[home].take(part.frames)
        bisect.insort(self._alike[self.stacks[home].lies], home)

    def _homes(self, part: _Part) -> Iterator[int]:
        for numbers in self._alike.values():
            asked = next((n for n in numbers if self.stacks[n].series != part.series), None)
            if asked is not None and _continues(self.stacks[asked], part):
                yield asked

    def _leave(self, number: int) -> None:
        lies = self.stacks[number].lies
        self._alike[lies].remove(number)
        if not self._alike[lies]:
            del self._alike[lies]


def group(instances: list[Instance]) -> list[list[Instance]]:
    """Instances of one study as groups that are stacks, in an order that files do not decide."""
    by_kind = defaultdict(list)
    for part in map(_Part, _split(instances)):
        by_kind[part.kind].append(part)
    kept = [stack for alike in by_kind.values() for stack in _join_repeats(_join(alike))]
    return [stack.frames for stack in sorted(kept, key=lambda stack: stack.began)]


def _kind(instance: Instance) -> tuple:
    """What frames of one stack must share, apart from the plane."""
    text = instance.text
    return (
        instance.rows,
        instance.columns,
        tuple(round(s, 3) for s in instance.spacing_mm),
        tuple(text.get("ImageType", "").split("\\")[:1]),
        tuple(text.get("ImageType", "").split("\\")[2:]),
        round(instance.number("EchoTime") or 0, 1),
        text.get("ScanningSequence", ""),
        text.get("SequenceVariant", ""),
        text.get("StackID", ""),
    )


def _split(instances: list[Instance]) -> list[list[Instance]]:
    """By series, by kind, by plane."""
    by_kind = defaultdict(list)
    for instance in instances:
        by_kind[instance.text["SeriesInstanceUID"], *_kind(instance)].append(instance)
    groups: list[list[Instance]] = []
    for _, same in sorted(by_kind.items(), key=lambda item: str(item[0])):
        planes: list[list[Instance]] = []
        for instance in same:
            home = next((p for p in planes if parallel(p[0], instance)), None)
            planes.append([instance]) if home is None else home.append(instance)
        for plane in planes:
            groups += _columns(plane)
    return groups


def _columns(plane: list[Instance]) -> list[list[Instance]]:
    """Parallel images that do not lie behind one another are not one stack."""
    found: list[list[Instance]] = []
    for instance in plane:
        home = next((c for c in found if _across(c[0], instance) < _half_width(instance)), None)
        found.append([instance]) if home is None else home.append(instance)
    return found


def _across(a: Instance, b: Instance) -> float:
    """Distance of two first pixels in the plane (mm)."""
    apart = np.array(b.position) - np.array(a.position)
    return float(np.hypot(apart @ a.orientation[:3], apart @ a.orientation[3:]))


def _half_width(instance: Instance) -> float:
    return instance.columns * instance.spacing_mm[1] / 2


def _join(parts: list[_Part]) -> list[_Part]:
    """Joins series of one kind that hold one slice each, or a part each, of the same stack.

    In the order of time: what was scanned a second time finds its places taken.
    """
    row = _Row()
    for part in sorted(parts, key=lambda part: part.began):
        row.add(part)
    return row.stacks if len(row.stacks) == len(parts) else _join(row.stacks)


def _join_repeats(stacks: list[_Part]) -> list[_Part]:
    """A slice scanned again in a series of its own goes to its stack, where the latest stays."""
    several = [s for s in stacks if len(s.places) > 1]
    kept = []
    for stack in stacks:
        # Maps and stills are scanned again on purpose: with contrast, under stress.
        once = len(stack.places) == 1 and stack.frames_per_slice >= LEAST_OF_CINE
        home = next((s for s in several if _scans_again(s, stack)), None) if once else None
        kept.append(stack) if home is None else home.take(stack.frames)
    return kept


def _scans_again(stack: _Part, part: _Part) -> bool:
    """Whether a slice of the same kind lies where the stack has one, in the same state."""
    if np.abs(stack.places - part.places[0]).min() >= NEAREST_SLICES_MM:
        return False
    return _alike(stack, part) and _same_beat(stack, part)


def _same_beat(stack: _Part, part: _Part) -> bool:
    """Whether the heart beat as fast: under stress it does not."""
    beats = [
        np.median([v for f in frames if (v := f.number("NominalInterval"))] or [0.0])
        for frames in (stack.frames, part.frames)
    ]
    return min(beats) == 0 or bool(max(beats) / min(beats) <= SAME_BEAT)


def _alike(stack: _Part, part: _Part) -> bool:
    """Whether two parts of one kind share the plane and the number of frames, but not the series."""
    return (
        stack.series != part.series
        and parallel(stack.first, part.first)
        and _across(stack.first, part.first) <= SAME_COLUMN_MM
        and _alike_in_phases(stack.frames_per_slice, part.frames_per_slice)
    )


def _alike_in_phases(a: int, b: int) -> bool:
    """Prospective gating gives a phase more or less from breath-hold to breath-hold."""
    return a == b or (min(a, b) >= LEAST_OF_CINE and abs(a - b) <= 0.15 * max(a, b))


def _continues(stack: _Part, part: _Part) -> bool:
    """Whether a part of the same kind has other slices of the stack, and the next ones to it."""
    if not _alike(stack, part):
        return False
    apart = np.abs(stack.places[:, None] - part.places).min()
    if apart < NEAREST_SLICES_MM:
        return False
    steps = [np.diff(p).min() for p in (stack.places, part.places) if len(p) > 1]
    return not steps or bool(apart <= WIDEST_GAP * max(steps))
