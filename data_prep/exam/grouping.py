"""Which images of one study belong together, whatever series they were sent in.

Series identity is a hint, geometry decides: a series with several orientations, resolutions,
echoes or image types is split; series that hold parts of one stack are joined.
"""

import re
from collections import Counter, defaultdict

import numpy as np

from data_prep.exam.ordering import latest_last
from data_prep.exam.planes import clusters, parallel, positions
from data_prep.read.instance import Instance

# Slices of one stack lie behind one another: their first pixels may be this far apart across (mm).
SAME_COLUMN_MM = 15.0
# Two parts of one stack are not farther apart than this many slice distances ...
WIDEST_GAP = 2.0
# ... nor nearer to each other than this (mm): else they are two scans of one place.
NEAREST_SLICES_MM = 2.0
LEAST_OF_CINE = 5  # phases
SAME_BEAT = 1.2  # ratio of two cycles' lengths that are still one state of the heart


def group(instances: list[Instance]) -> list[list[Instance]]:
    """Instances of one study as groups that are stacks, in an order that files do not decide."""
    return _join_repeats(_join(_split(instances)))


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


def _join(groups: list[list[Instance]]) -> list[list[Instance]]:
    """Joins series that hold one slice each, or a part each, of the same stack.

    In the order of time: what was scanned a second time finds its places taken.
    """
    joined: list[list[Instance]] = []
    for part in sorted(groups, key=_by_time):
        home = next((other for other in joined if _continues(other, part)), None)
        joined.append(list(part)) if home is None else home.extend(part)
    return joined if len(joined) == len(groups) else _join(joined)


def _join_repeats(stacks: list[list[Instance]]) -> list[list[Instance]]:
    """A slice scanned again in a series of its own goes to its stack, where the latest stays."""
    several = [s for s in stacks if len(_places(s)) > 1]
    kept = []
    for stack in stacks:
        home = next((s for s in several if s is not stack and _scans_again(s, stack)), None)
        kept.append(stack) if home is None else home.extend(stack)
    return kept


def _scans_again(stack: list[Instance], part: list[Instance]) -> bool:
    if not _alike(stack, part) or len(_places(part)) > 1:
        return False
    if _frames_per_slice(part) < LEAST_OF_CINE or not _same_beat(stack, part):
        return False  # maps and stills are scanned again on purpose: with contrast, under stress
    return bool(np.abs(_places(stack) - _places(part)[0]).min() < NEAREST_SLICES_MM)


def _by_time(part: list[Instance]) -> tuple:
    return str(_kind(part[0])), min(map(latest_last, part))


def _same_beat(stack: list[Instance], part: list[Instance]) -> bool:
    """Whether the heart beat as fast: under stress it does not."""
    beats = [
        np.median([v for f in frames if (v := f.number("NominalInterval"))] or [0.0])
        for frames in (stack, part)
    ]
    return min(beats) == 0 or bool(max(beats) / min(beats) <= SAME_BEAT)


def _words(part: list[Instance]) -> str:
    """The description without numbers, which count slices and series."""
    return re.sub(r"\d+", "", part[0].text.get("SeriesDescription", "")).strip(" _-#")


def _alike(stack: list[Instance], part: list[Instance]) -> bool:
    """Whether two groups are of one kind, one plane and one number of frames, but other series."""
    first, other = stack[0], part[0]
    return (
        _kind(first) == _kind(other)
        and first.text["SeriesInstanceUID"] != other.text["SeriesInstanceUID"]
        and parallel(first, other)
        and _across(first, other) <= SAME_COLUMN_MM
        and _words(stack) == _words(part)
        and _alike_in_phases(_frames_per_slice(stack), _frames_per_slice(part))
    )


def _alike_in_phases(a: int, b: int) -> bool:
    """Prospective gating gives a phase more or less from breath-hold to breath-hold."""
    return a == b or (min(a, b) >= LEAST_OF_CINE and abs(a - b) <= 0.15 * max(a, b))


def _continues(stack: list[Instance], part: list[Instance]) -> bool:
    if not _alike(stack, part):
        return False
    there, here = _places(stack), _places(part)
    apart = np.abs(there[:, None] - here).min()
    if apart < NEAREST_SLICES_MM:
        return False
    steps = [np.diff(p).min() for p in (there, here) if len(p) > 1]
    return not steps or bool(apart <= WIDEST_GAP * max(steps))


def _places(part: list[Instance]) -> np.ndarray:
    at = positions(part)
    return np.array([at[c].mean() for c in clusters(part)])


def _frames_per_slice(part: list[Instance]) -> int:
    return Counter(len(c) for c in clusters(part)).most_common(1)[0][0]
