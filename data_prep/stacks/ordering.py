"""The frames of one slice in time, and which of them are a moment scanned again."""

from collections import defaultdict

import numpy as np

from data_prep.read.instance import Instance
from data_prep.read.reject import Reject, Why
from data_prep.read.remembered import Remembered

# Trigger times of one slice closer than this are one moment scanned twice (ms).
SAME_MOMENT_MS = 0.5
# A trigger time beyond this share of RR is not a position in the cycle.
LONGEST_CYCLE = 1.2
# Images one heart beat or more apart are not phases of one breath-hold's cycle (s).
SHORTEST_BEAT_S = 0.35
# Trigger times that cover less than this share of RR do not order many frames (first pass).
LEAST_OF_CYCLE = 0.25
SEVERAL = 6  # frames of one slice from which on they are a movie
LEAST_RUN = 5  # frames of a cycle
PAUSE_S = 3.0  # between two breath-holds, at least
# Images of one place and moment that differ in one of these are not the same scanned again.
SETTINGS = (
    "TemporalPositionIdentifier",
    "InversionTime",
    "EchoTime",
    "FlipAngle",
    "SequenceName",
    "ImageType",
)
OTHER_KEYS = ("TemporalPositionIdentifier", "AcquisitionTime", "ContentTime", "InstanceNumber")

Timed = tuple[list[Instance], list[float], list[Reject]]


def by_time(frames: list[Instance], usual: int) -> Timed:
    """(frames in time, trigger times in ms or NaN, repeats), by the first key that orders them.

    `usual` is how many frames most slices of the stack have.  The keys are those of the
    preparation's notes: trigger time, temporal position, acquisition time, content time, number.
    """
    frames, repeats = _latest_run(frames, usual)
    if len(frames) > 1 and usual == 1 and len(set(map(_setting, frames))) == 1:
        *before, last = sorted(frames, key=latest_last)
        return [last], [_trigger(last)], repeats + [Reject(Why.REPEAT, f.where) for f in before]
    triggers = [f.number("TriggerTime") for f in frames]
    if None not in triggers and _orders(frames, triggers):
        order = sorted(range(len(frames)), key=lambda i: (triggers[i], latest_last(frames[i])))
        kept, times, more = _latest_of_each(frames, triggers, order)
        return kept, times, repeats + more
    for key in OTHER_KEYS:
        values = [f.number(key) for f in frames]
        if None not in values and len(set(values)) == len(values):
            order = sorted(range(len(frames)), key=lambda i: values[i] or 0)
            return [frames[i] for i in order], [float("nan")] * len(frames), repeats
    ordered = sorted(frames, key=latest_last)
    return ordered, [float("nan")] * len(frames), repeats


def cycle_ms(frames: list[Instance], triggers: list[float]) -> float:
    """Length of the cycle: stated if that is plausible, else from the steps between frames."""
    stated = [v for f in frames if (v := f.number("NominalInterval")) and 300 <= v <= 2500]
    if len(frames) > 1 and not np.isnan(triggers).any():
        covered = triggers[-1] - triggers[0] + float(np.median(np.diff(triggers)))
        if not stated or not covered / LONGEST_CYCLE <= np.median(stated):
            return max(covered, 1.0)
    return float(np.median(stated)) if stated else 1000.0


def latest_last(frame: Instance) -> tuple:
    """Sorts by when a frame was acquired, as far as that is known."""
    return (
        frame.text.get("AcquisitionDate", ""),
        seconds(frame) or 0.0,
        frame.number("SeriesNumber") or 0,
        frame.number("InstanceNumber") or 0,
        frame.where,
        frame.frame,
    )


def seconds(frame: Instance) -> float | None:
    """AcquisitionTime as seconds of the day (TM: HHMMSS.FFFFFF); None where there is none."""
    return _SECONDS[frame.text.get("AcquisitionTime", "")]


def _seconds(text: str) -> float | None:
    whole, _, fraction = text.strip().partition(".")
    if len(whole) != 6 or not whole.isdecimal() or not (fraction or "0").isdecimal():
        return None
    hours, minutes = int(whole[:2]), int(whole[2:4])
    return hours * 3600 + minutes * 60 + int(whole[4:]) + float(f"0.{fraction or 0}")


_SECONDS = Remembered(_seconds)


def _trigger(frame: Instance) -> float:
    value = frame.number("TriggerTime")
    return float("nan") if value is None else value


def _setting(frame: Instance) -> tuple[str, ...]:
    """What tells two images of one place and moment apart that are not one scanned again."""
    return tuple(frame.text.get(keyword, "") for keyword in SETTINGS)


def _latest_run(frames: list[Instance], usual: int) -> tuple[list[Instance], list[Reject]]:
    """A cycle that was scanned again in the same place: the last run stays."""
    runs = _runs(frames, usual)
    if len(runs) < 2:
        return frames, []
    *before, last = runs
    return last, [Reject(Why.REPEAT, f.where) for run in before for f in run]


def _runs(frames: list[Instance], usual: int) -> list[list[Instance]]:
    """The runs of one slice in time: by series, else by pauses between acquisition times."""
    by_series: dict[str, list[Instance]] = defaultdict(list)
    for frame in frames:
        by_series[frame.text["SeriesInstanceUID"]].append(frame)
    if len(by_series) > 1 and all(len(run) >= LEAST_RUN for run in by_series.values()):
        return sorted(by_series.values(), key=lambda run: max(map(latest_last, run)))
    ordered = sorted(frames, key=latest_last)
    times = [seconds(f) for f in ordered]
    if None in times or len(frames) < 2 * LEAST_RUN:
        return [frames]
    runs = [[ordered[0]]]
    for frame, step in zip(ordered[1:], np.diff(np.array(times, float)), strict=True):
        if step > PAUSE_S or (step >= SHORTEST_BEAT_S and len(runs[-1]) == usual >= LEAST_RUN):
            runs.append([])
        runs[-1].append(frame)
    alike = len({len(run) for run in runs}) == 1 and len(runs[0]) >= LEAST_RUN
    return runs if alike and all(map(_is_cycle, runs)) else [frames]


def _is_cycle(run: list[Instance]) -> bool:
    """Whether trigger times of a run are those of one whole cycle."""
    triggers = [f.number("TriggerTime") for f in run]
    return None not in triggers and len(set(triggers)) == len(run) and _orders(run, triggers)


def _orders(frames: list[Instance], triggers: list) -> bool:
    """Whether trigger times are positions in one cycle that tell the frames apart.

    Those of a first pass only jitter: they cover little of the cycle.
    """
    if len(frames) == 1:
        return True
    stated = max((f.number("NominalInterval") or 0 for f in frames), default=0)
    covered = max(triggers) - min(triggers)
    if not SAME_MOMENT_MS < covered <= LONGEST_CYCLE * (stated or 2500 / LONGEST_CYCLE):
        return False
    return len(frames) < SEVERAL or covered > LEAST_OF_CYCLE * (stated or 1000)


def _latest_of_each(frames, triggers, order) -> Timed:
    """Keeps the latest frame of every moment; the others are repeats."""
    kept: list[int] = []
    repeats = []
    for i in order:
        again = kept and triggers[i] - triggers[kept[-1]] <= SAME_MOMENT_MS
        if again and _setting(frames[i]) == _setting(frames[kept[-1]]):
            repeats.append(Reject(Why.REPEAT, frames[kept.pop()].where))
        kept.append(i)
    return [frames[i] for i in kept], [float(triggers[i]) for i in kept], repeats
