"""What an exam of many habits scans, in order of time: stacks, stacks scanned again, new contrasts.

A take is one stack as the scanner ran it once.  Takes that scan the same thing again share the
number of their stack; which series they end up in is the vendor's habit, not theirs.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from cmr_jax.schema import Sequence, View
from data_prep.phantom import contrasts
from data_prep.phantom.acquisition import LGE_PHASE, Scan
from data_prep.phantom.planning import plan_body
from data_prep.phantom.population import exam_rng
from data_prep.phantom.protocol import LGE_PIXEL_SHARE, SIEMENS
from data_prep.phantom.tissue import Contrast

TAKES_STREAM = 21
VIEWS = {"SAX": View.SAX, "2CH": View.CH2, "3CH": View.CH3, "4CH": View.CH4, "AXIAL": View.AXIAL}
SEQUENCES = {
    Contrast.CINE: Sequence.CINE,
    Contrast.LGE_MAG: Sequence.LGE_MAG,
    Contrast.LGE_PSIR: Sequence.LGE_PSIR,
    Contrast.PERFUSION: Sequence.PERFUSION,
    Contrast.T2W: Sequence.T2W,
    Contrast.T1MAP: Sequence.T1MAP,
    Contrast.LOCALIZER: Sequence.LOCALIZER,
}
BODY = ("AXIAL", "CORONAL", "SAGITTAL")
START_S = 10 * 3600 + 15 * 60  # a quarter past ten
PAUSE_S = 25.0  # between two takes
BREATH_HOLD_S = 14.0  # one slice, and the breath before the next
LGE_WAIT_S = 600.0  # after the contrast
# How much noisier the take was that somebody scanned again.
SPOILT = 2.5


@dataclasses.dataclass(frozen=True)
class Take:
    """One stack as scanned once.  `scan.planes` are those of `slices` (0 is the most basal)."""

    stack: int
    scan: Scan
    slices: tuple[int, ...]
    slice_count: int  # of the whole stack, which a take of one slice is a part of
    clock_s: float  # seconds of the day when it began
    again: bool = False  # it replaces what an earlier take of its stack holds
    replaced: tuple[int, ...] = ()  # slices that a later take scans again
    pair: bool = False  # the other picture of the take before it: same time, same planes
    derived: bool = False  # a copy of its stack's pictures, with the contours drawn in

    @property
    def view(self) -> View:
        """The plane of it."""
        return VIEWS.get(self.scan.view, View.OTHER)

    @property
    def sequence(self) -> Sequence:
        """What it shows."""
        return Sequence.DERIVED if self.derived else SEQUENCES[self.scan.contrast]

    @property
    def seconds(self) -> float:
        """How long it ran."""
        if self.scan.contrast is Contrast.PERFUSION:
            return contrasts.FIRST_PASS_S
        return BREATH_HOLD_S * len(self.slices)


def takes(study) -> list[Take]:
    """Every take of an exam in order of time."""
    found: list[Take] = []
    clock, arrived = float(START_S), None
    for take in _ordered(study):
        if take.pair or take.derived:
            found.append(dataclasses.replace(take, clock_s=found[-1].clock_s))
            continue
        late = take.scan.contrast in (Contrast.LGE_MAG, Contrast.LGE_PSIR)
        if late:
            arrived = clock if arrived is None else arrived  # nobody looked at the first pass
            clock = max(clock, arrived + LGE_WAIT_S)
        take = dataclasses.replace(take, clock_s=clock)
        if take.scan.contrast is Contrast.PERFUSION:
            arrived = clock
        found.append(take)
        clock += take.seconds + PAUSE_S
    return found


def _ordered(study) -> Iterator[Take]:
    rng = exam_rng(study.profile.seed, study.index, TAKES_STREAM)
    habits = study.profile.habits
    cines = [s for s in study.scans if s.contrast is Contrast.CINE]
    stack = 0
    for scan in _localizers(study, cines[0]):
        yield _take(stack, scan)
        stack += 1
    twice = rng.integers(len(cines)) if rng.random() < habits.stack_again else -1
    for number, scan in enumerate(cines):
        yield from _cine(stack, scan, number == twice, study, rng)
        stack += 1
        if study.vendor == SIEMENS and scan.view == "SAX" and rng.random() < habits.results:
            yield dataclasses.replace(_take(stack, scan), derived=True)
            stack += 1
    for scan in _others(study, cines[0], rng):
        yield _take(stack, scan)
        stack += 1
    for scan in study.scans:
        if scan.contrast is Contrast.CINE:
            continue
        yield _take(stack, dataclasses.replace(scan, contrast=Contrast.LGE_MAG))
        stack += 1
        if scan.contrast is Contrast.LGE_PSIR:
            yield dataclasses.replace(_take(stack, scan), pair=True)
            stack += 1


def _cine(stack: int, scan: Scan, twice: bool, study, rng) -> Iterator[Take]:
    """A cine; perhaps the whole of it once more, or one slice."""
    whole = _take(stack, scan)
    spoilt = dataclasses.replace(scan, noise=SPOILT * scan.noise)
    if twice:
        yield dataclasses.replace(whole, scan=spoilt, replaced=whole.slices)
        yield dataclasses.replace(whole, again=True)
    elif scan.view == "SAX" and rng.random() < study.profile.habits.slice_again:
        chosen = int(rng.integers(len(scan.planes)))
        yield dataclasses.replace(whole, replaced=(chosen,))
        one = dataclasses.replace(scan, planes=(scan.planes[chosen],))
        yield dataclasses.replace(whole, scan=one, slices=(chosen,), again=True)
    else:
        yield whole


def _take(stack: int, scan: Scan) -> Take:
    count = len(scan.planes)
    return Take(stack, scan, tuple(range(count)), count, clock_s=0.0)


def _localizers(study, like: Scan) -> Iterator[Scan]:
    """Three planes of the body, a few coarse slices each."""
    matrix = study.profile.matrix * 2 // 3
    pixel = 300 / matrix  # mm: most of the chest
    for view in BODY:
        planes = plan_body(study.origin, view, 3, pixel, 8.0, matrix)
        still = np.array([LGE_PHASE])
        yield dataclasses.replace(
            like, view=view, contrast=Contrast.LOCALIZER, planes=planes, phases=still
        )


def _others(study, sax: Scan, rng) -> Iterator[Scan]:
    """Oedema, map and first pass, in this order, on three short-axis slices."""
    habits, count = study.profile.habits, len(sax.planes)
    three = tuple(sax.planes[k] for k in (1, count // 2, count - 2))
    still = np.array([LGE_PHASE])
    for contrast, share in (
        (Contrast.T2W, habits.t2w),
        (Contrast.T1MAP, habits.t1map),
        (Contrast.PERFUSION, habits.perfusion),
    ):
        if rng.random() < share:
            first_pass = contrast is Contrast.PERFUSION
            at = contrasts.beats(study.subject.rr_ms) if first_pass else still
            planes = three
            if contrast is Contrast.T2W:  # finer, as stills are
                planes = tuple(_finer(p) for p in three)
            yield dataclasses.replace(sax, contrast=contrast, planes=planes, phases=at)


def _finer(plane):
    matrix = int(plane.matrix / LGE_PIXEL_SHARE)
    spacing = plane.spacing_mm * (plane.matrix - 1) / (matrix - 1)
    return dataclasses.replace(plane, matrix=matrix, spacing_mm=spacing)
