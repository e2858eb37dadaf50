"""The sequence of a stack from how it was acquired, without a word of its description.

Thresholds are of common protocols (SCMR 2020, doi 10.1186/s12968-020-00607-1); where vendors
differ, the vendor is named.  A rule that does not apply says nothing, and the next is asked.
"""

import dataclasses
import re
from collections.abc import Callable

import numpy as np

from cmr_jax.schema import Sequence
from data_prep.classify import facts
from data_prep.classify.facts import Facts
from data_prep.stacks.stack import TWO_MOMENTS, RawStack

# A cine has at least this many phases at one position, and no longer an echo time (ms).
CINE_LEAST_PHASES, CINE_LONGEST_TE_MS = 5, 5.0
# Balanced SSFP turns far within a few ms; a spoiled gradient echo cannot.
BALANCED_LEAST_FLIP_DEG, BALANCED_LONGEST_TR_MS = 32.0, 6.0
# A T1 map inverts once and watches for seconds; a TI scout stays within a beat or two.
T1_LATEST_TI_MS = 1500.0
T2W_LEAST_TE_MS = 35.0
T2STAR_LEAST_ECHOES = 4
# Localizers: few stills in several planes, coarse and wide (mm).
LOCALIZER_LEAST_FIELD_MM, LOCALIZER_LEAST_PIXEL_MM = 300.0, 1.2
LOCALIZER_MOST_SLICES = 20
RESULT_WORDS = {"MPR", "MIP", "MIN IP", "PROJECTION IMAGE", "SCREEN SAVE", "SUBTRACT", "SUB"}
RESULT_WORDS |= {"SECONDARY", "REFORMATTED", "CSA REPORT", "CSA RESULT"}
# Derived from the pixels of one acquisition, which it still shows.
STILL_THE_IMAGE = {"DIS2D", "DIS3D", "ND", "NORM", "MOCO", "MAG", "PSIR", "PS", "FIL"}
PHASE_WORDS = {"P", "VELOCITY", "VELOCITY MAP", "PHASE MAP", "PCA", "P_PCA"}
MAPS = {
    Sequence.T1MAP: {"T1 MAP", "T1MAP", "T1_MAP"},
    Sequence.T2MAP: {"T2 MAP", "T2MAP", "T2_MAP"},
    Sequence.T2STAR: {"T2_STAR MAP", "T2STAR MAP", "T2* MAP", "T2STAR_MAP", "T2 STAR MAP"},
}
# Alone these words also mean a weighting; in what was computed after motion correction, a map.
SHORT_MAPS = {Sequence.T1MAP: {"T1"}, Sequence.T2MAP: {"T2"}, Sequence.T2STAR: {"T2*", "T2_STAR"}}
BALANCED = re.compile(r"tfi|trufi|fiesta|b-?tfe|b-?ffe|ssfp")
SPOILED = re.compile(r"tfl|fl[23]d|fl_|flash|spgr|fgre|\bffe|\btfe")
VELOCITY = re.compile(r"_v\d+|venc|flow|fl_pc|fastcard_?pc|pcmri")


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the acquisition says.  `trust` 0: it says nothing."""

    sequence: Sequence
    trust: float
    why: str
    contrast: str = ""
    unit: str = ""


def see(stacks: list[RawStack]) -> list[Seen]:
    """One finding per stack of an exam."""
    return [_first_that_applies(f) for f in facts.gather(stacks)]


def _first_that_applies(f: Facts) -> Seen:
    found = (rule(f) for rule in RULES)
    nothing = Seen(Sequence.OTHER, 0.0, f"{f.phases} phases, nothing certain")
    return next((seen for seen in found if seen is not None), nothing)


def _map(f: Facts) -> Seen | None:
    computed = f.image_type & {"DERIVED", "MOCO"}
    for sequence, words in MAPS.items():
        if f.image_type & (words | SHORT_MAPS[sequence] if computed else words):
            return Seen(sequence, 0.95, "image type of a map", unit="ms")
    return None


def _derived(f: Facts) -> Seen | None:
    if f.image_type & RESULT_WORDS and not f.image_type & {"PSIR", "PS"}:
        return Seen(Sequence.DERIVED, 0.9, "image type of a result")
    if "DERIVED" in f.image_type and not f.image_type & STILL_THE_IMAGE:
        return Seen(Sequence.DERIVED, 0.7, "derived images")
    return None


def _flow(f: Facts) -> Seen | None:
    unit = f.stack.first.text.get("RescaleType", "").strip().lower()
    phase = bool(f.image_type & PHASE_WORDS) and not f.inverted
    if not (phase or unit == "cm/s" or VELOCITY.search(f.sequence_name)):
        return None
    velocity = phase or unit == "cm/s"
    kind = "phase images" if velocity else "magnitude of a velocity sequence"
    return Seen(Sequence.FLOW, 0.9, kind, unit="cm/s" if velocity else "")


def _spin_echo(f: Facts) -> Seen | None:
    if "SE" not in f.scanning or f.phases >= CINE_LEAST_PHASES:
        return None
    if f.te_ms is not None and f.te_ms >= T2W_LEAST_TE_MS:
        return Seen(Sequence.T2W, 0.85, f"spin echo, TE {f.te_ms:.0f} ms")
    return Seen(Sequence.OTHER, 0.8, "spin echo, not T2-weighted")


def _first_pass(f: Facts) -> Seen | None:
    if not f.first_pass:
        return None
    over = sum(f.beats_s)
    return Seen(Sequence.PERFUSION, 0.9, f"{len(f.beats_s) + 1} images over {over:.0f} s")


def _inversion_series(f: Facts) -> Seen | None:
    """TI scouts before cines: both have many phases, and one of them is nothing to learn from."""
    if not f.inverted or f.phases < CINE_LEAST_PHASES:
        return None
    latest = max(f.inversions_ms, default=0.0)
    if latest > T1_LATEST_TI_MS and f.phases < 20:
        return Seen(Sequence.T1MAP, 0.8, f"inversion times up to {latest:.0f} ms")
    return Seen(Sequence.OTHER, 0.9, f"{f.phases} phases after inversion: a TI scout")


def _echoes(f: Facts) -> Seen | None:
    if f.echoes < T2STAR_LEAST_ECHOES or f.scanning & {"SE", "IR"}:
        return None
    return Seen(Sequence.T2STAR, 0.85, f"{f.echoes} gradient echoes of one plane")


def _localizer(f: Facts) -> Seen | None:
    frame = f.stack.first
    field = max(frame.rows * frame.spacing_mm[0], frame.columns * frame.spacing_mm[1])
    if f.phases > 1 or f.inverted or f.planes < 2 or f.body_planes < 2:
        return None
    if field < LOCALIZER_LEAST_FIELD_MM or min(frame.spacing_mm) < LOCALIZER_LEAST_PIXEL_MM:
        return None
    if len(f.stack.slices) > LOCALIZER_MOST_SLICES:
        return None
    return Seen(Sequence.LOCALIZER, 0.85, f"stills in {f.planes} planes of the body")


def _cine(f: Facts) -> Seen | None:
    if TWO_MOMENTS in f.stack.flags:
        return Seen(Sequence.CINE, 0.7, "two stated moments of the cycle")
    if f.phases < CINE_LEAST_PHASES:
        return None
    if f.te_ms is not None and f.te_ms > CINE_LONGEST_TE_MS:
        return Seen(Sequence.OTHER, 0.6, f"{f.phases} phases, TE {f.te_ms:.0f} ms")
    if len(f.beats_s) and np.median(f.beats_s) > facts.BEAT_S[0]:
        return Seen(Sequence.OTHER, 0.6, f"{f.phases} phases, a beat or more apart")
    contrast = _contrast(f)
    timed = "no trigger time" not in f.stack.flags
    kind = contrast or "cine of unknown contrast"
    return Seen(Sequence.CINE, 0.9 if timed else 0.7, f"{f.phases} phases, {kind}", contrast)


def _contrast(f: Facts) -> str:
    if "SS" in f.variant or BALANCED.search(f.sequence_name):
        return "bSSFP"
    if SPOILED.search(f.sequence_name) or "SP" in f.variant:
        return "GRE"
    if f.flip_deg is None or f.tr_ms is None or f.tr_ms > BALANCED_LONGEST_TR_MS:
        return ""
    return "bSSFP" if f.flip_deg >= BALANCED_LEAST_FLIP_DEG else "GRE"


def _late_enhancement(f: Facts) -> Seen | None:
    if not f.inverted or f.phases >= CINE_LEAST_PHASES:
        return None
    trust = 0.9 if f.contrast_given else 0.7
    said = "after contrast" if f.contrast_given else "no contrast on record"
    if f.image_type & facts.PSIR_WORDS:
        return Seen(Sequence.LGE_PSIR, trust, f"inversion still, phase-sensitive, {said}")
    stated = f.image_type & {"MAG", "M_IR"} or f.beside_phase
    kind = "magnitude stated" if stated else "magnitude"
    return Seen(Sequence.LGE_MAG, trust, f"inversion still, {kind}, {said}")


RULES: tuple[Callable[[Facts], Seen | None], ...] = (
    _map,
    _derived,
    _flow,
    _spin_echo,
    _first_pass,
    _inversion_series,
    _echoes,
    _localizer,
    _cine,
    _late_enhancement,
)
