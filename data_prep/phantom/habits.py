"""How vendors and operators put takes into series: order, names, splits, joins, repeats."""

import dataclasses
import functools
from collections import defaultdict

import numpy as np

from cmr_jax.schema import Sequence, View
from data_prep.phantom import languages
from data_prep.phantom.acquisition import LGE_PHASE
from data_prep.phantom.contrasts import FIRST_PASS_PHASES
from data_prep.phantom.languages import Name
from data_prep.phantom.population import exam_rng
from data_prep.phantom.protocol import GE, PHILIPS, SIEMENS
from data_prep.phantom.takes import BREATH_HOLD_S, Take, takes

STYLE_STREAM, SERIES_STREAM, SHOTS_STREAM = 22, 23, 400


@dataclasses.dataclass(frozen=True)
class Style:
    """What holds for a whole exam."""

    language: str  # what the hospital speaks
    codec: str  # how text is written
    charset: str  # what DICOM calls that
    enhanced: bool  # multi-frame objects
    together: bool  # 2CH and 4CH cines in one series
    unplaced: bool

    @classmethod
    def of(cls, study) -> "Style":
        """Draws the habits of an exam."""
        rng = exam_rng(study.profile.seed, study.index, STYLE_STREAM)
        habits = study.profile.habits
        latin = bool(rng.random() < 0.3)
        return cls(
            language=languages.exam_language(rng),
            codec="latin-1" if latin else "utf-8",
            charset="ISO_IR 100" if latin else "ISO_IR 192",
            enhanced=bool(rng.random() < habits.enhanced) and study.vendor == PHILIPS,
            together=bool(rng.random() < habits.together),
            unplaced=bool(rng.random() < habits.unplaced),
        )


@dataclasses.dataclass(frozen=True)
class Shot:
    """One frame as the scanner took it."""

    take: Take
    number: int  # of the take within the exam
    at: int  # index into the take's slices
    phase: int
    trigger_ms: float
    interval_ms: float
    clock_s: float

    @property
    def slice(self) -> int:
        """Its slice among those of the whole stack, 0 the most basal."""
        return self.take.slices[self.at]


@dataclasses.dataclass(frozen=True)
class Series:
    """One series: its name, and its frames in the order of InstanceNumber."""

    name: Name
    shots: tuple[Shot, ...]


def series_of(study, style: Style) -> list[Series]:
    """Every series of images of an exam, in the order of SeriesNumber."""
    rng = exam_rng(study.profile.seed, study.index, SERIES_STREAM)
    every = takes(study)
    found: list[Series] = []
    names: dict[int, Name] = {}  # by stack
    for group in _groups(every, study.vendor, style.together):
        name = _name(group, names, study, style, rng)
        names |= {take.stack: name for _, take in group if take.stack not in names}
        runs = [_shots(number, take, study) for number, take in group]
        for suffix, shots in _divided(group, runs, study, style, rng):
            plain = name.language in languages.LANGUAGES
            text = name.text + suffix if plain else name.text
            found.append(Series(dataclasses.replace(name, text=text), tuple(shots)))
    return found


def _groups(every: list[Take], vendor: str, together: bool) -> list[list[tuple[int, Take]]]:
    """Which takes share a series."""
    groups: list[list[tuple[int, Take]]] = []
    for number, take in enumerate(every):
        joins = functools.partial(_joins, take=take, vendor=vendor, together=together)
        home = next((g for g in groups if joins(first=g[0][1])), None)
        groups.append([(number, take)]) if home is None else home.append((number, take))
    return groups


def _joins(first: Take, take: Take, vendor: str, together: bool) -> bool:
    both = {first.sequence, take.sequence}
    if both == {Sequence.LOCALIZER}:
        return True
    if take.pair:  # one vendor keeps both pictures of an inversion in one series
        same_run = first.clock_s == take.clock_s and Sequence.LGE_MAG is first.sequence
        return vendor == PHILIPS and same_run
    if len(take.slices) < take.slice_count:
        return first.stack == take.stack
    once = not (first.again or take.again or first.replaced or take.replaced)
    long_axes = {first.view, take.view} == {View.CH2, View.CH4} and both == {Sequence.CINE}
    return together and once and long_axes


def _name(group, names: dict[int, Name], study, style: Style, rng) -> Name:
    first = group[0][1]
    if first.derived:  # named after the cine that it was made from
        source = names[first.stack - 1]
        plain = source.language in languages.LANGUAGES
        return dataclasses.replace(source, text=f"{source.text}_InlineVF") if plain else source
    if first.pair:
        source = names[first.stack - 1]
        return dataclasses.replace(source, text=_phase_sensitive(source))
    if first.again:
        return names[first.stack]
    # Of two pictures in one series, either may give it its name.
    contrast = group[rng.integers(len(group))][1].scan.contrast
    views = tuple(dict.fromkeys(take.scan.view for _, take in group))
    habits = study.profile.habits
    return languages.name(study.vendor, contrast, views, style.language, habits, rng)


def _phase_sensitive(magnitude: Name) -> str:
    """What the other picture is called, where this is what the magnitude is."""
    if magnitude.language not in languages.LANGUAGES:
        return magnitude.text
    for word, other in (("MAG: ", "PS: "), ("MAG", "PSIR"), ("mag", "psir"), ("MDE", "PSMDE")):
        if word in magnitude.text:
            return magnitude.text.replace(word, other)
    return f"{magnitude.text} PSIR"


def _divided(group, runs: list[list[Shot]], study, style: Style, rng):
    """(suffix of the name, shots) of each series that a group of takes becomes."""
    first = group[0][1]
    habits, vendor = study.profile.habits, study.vendor
    several = len(first.slices) > 1 and first.sequence is Sequence.CINE
    if vendor == SIEMENS and several and rng.random() < habits.per_slice:
        for run in runs:
            by_slice = defaultdict(list)
            for shot in run:
                by_slice[shot.slice].append(shot)
            for which, shots in sorted(by_slice.items()):
                yield f"_b{which + 1}", _ordered(shots, True)
        return
    phase_first = bool(rng.random() < 0.5) if vendor == PHILIPS else True
    if first.sequence is Sequence.PERFUSION:  # in the order of time, or slice after slice
        phase_first = vendor == GE
    whole = [shot for run in runs for shot in _ordered(run, phase_first)]
    may_split = len(first.slices) > 3 and len(runs) == 1 and not style.enhanced
    if may_split and rng.random() < habits.split:
        cut = int(rng.integers(1, len(first.slices)))
        yield "", [shot for shot in whole if shot.slice < cut]
        yield "", [shot for shot in whole if shot.slice >= cut]
        return
    yield "_rpt" if first.again and rng.random() < 0.3 else "", whole


def _ordered(shots: list[Shot], phase_first: bool) -> list[Shot]:
    """Slice after slice, or moment after moment; slices in the order in which they were taken."""
    turn = {at: rank for rank, at in enumerate(dict.fromkeys(s.at for s in shots))}
    if phase_first:
        return sorted(shots, key=lambda s: (turn[s.at], s.phase))
    return sorted(shots, key=lambda s: (s.phase, turn[s.at]))


def _shots(number: int, take: Take, study) -> list[Shot]:
    """The frames of a take; slices in the order in which they were taken."""
    rng = exam_rng(study.profile.seed, study.index, SHOTS_STREAM + number)
    first_pass = take.sequence is Sequence.PERFUSION
    found = []
    for rank, at in enumerate(_slice_order(len(take.slices), study.profile.habits, rng)):
        interval = study.subject.rr_ms * (1.0 if first_pass else 1 + rng.normal(0, 0.02))
        for phase in range(len(take.scan.phases)):
            if first_pass:
                trigger = FIRST_PASS_PHASES[at] * interval
                clock = take.clock_s + (phase * interval + trigger) / 1000
            else:
                still = take.sequence is not Sequence.CINE and len(take.scan.phases) == 1
                trigger = (LGE_PHASE if still else take.scan.phases[phase]) * interval
                clock = take.clock_s + rank * BREATH_HOLD_S
            found.append(Shot(take, number, at, phase, float(trigger), float(interval), clock))
    return found


def _slice_order(count: int, habits, rng: np.random.Generator) -> list[int]:
    """From the base, from the apex, or every other slice first."""
    order = list(range(count))
    if rng.random() < 0.5:
        order.reverse()
    if rng.random() < habits.interleaved:
        order = order[::2] + order[1::2]
    return order
