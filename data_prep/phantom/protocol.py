"""How exams are scanned and what vendors call it: profiles, series names, sequence parameters."""

import dataclasses
from collections.abc import Mapping

from data_prep.phantom.population import PREVALENCE, Diagnosis
from data_prep.phantom.tissue import Contrast

SIEMENS, GE, PHILIPS = "SIEMENS", "GE MEDICAL SYSTEMS", "Philips Medical Systems"


@dataclasses.dataclass(frozen=True)
class Habits:
    """How often real exports do what a tidy one does not; every number is a share from 0 to 1."""

    # Shares of exams that hold ...
    perfusion: float = 0.5  # a first pass of contrast
    t2w: float = 0.5  # dark-blood stills
    t1map: float = 0.5  # a map in ms
    stack_again: float = 0.3  # a whole stack scanned again, in a series of its own
    slice_again: float = 0.3  # one slice of the short-axis cine scanned again
    together: float = 0.2  # 2CH and 4CH cines in one series
    unplaced: float = 0.1  # a classic object of many frames, which nothing places
    enhanced: float = 0.4  # of one vendor: multi-frame objects, one for each stack
    results: float = 0.5  # of another: copies with contours drawn in, and a page of results
    # Shares of stacks ...
    per_slice: float = 0.5  # one series for each slice, where a vendor does so
    interleaved: float = 0.25  # every other slice first
    split: float = 0.12  # over two series
    shuffled: float = 0.5  # frames of a multi-frame object in no order
    mislabelled: float = 0.04  # the name is that of another view
    blank: float = 0.06  # no name at all
    hostile: float = 0.05  # a name that a careless program would obey


@dataclasses.dataclass(frozen=True)
class Profile:
    """How a phantom data set is scanned; one file per frame."""

    exams: int
    seed: int
    matrix: int
    pixel_mm: float
    sax_slices: int
    lge_slices: int
    phases: int
    through: int = 2  # samples across a slice
    missing: float = 0.06  # share of stacks that are not there
    no_contrast: float = (
        0.0  # share of exams without late enhancement, of which reports say nothing
    )
    missing_any: bool = False  # also cines of the short axis and of four chambers; one cine stays
    habits: Habits | None = None  # None: every vendor exports alike, and in English
    wild: bool = False  # random short-axis stacks (cmr_jax.phantom) instead of the tidy heart
    vendors: tuple[str, ...] = (SIEMENS, GE, PHILIPS)
    noise: tuple[float, float] = (0.06, 0.14)  # from least to most, as a share of the signal
    slice_mm: float = 8.0
    prevalence: Mapping[Diagnosis, float] = dataclasses.field(default_factory=lambda: PREVALENCE)
    splits: tuple[tuple[str, int], ...] = ()  # of the first exams, the next, ...; (): nobody says

    def split_of(self, index: int) -> str:
        """Which split an exam is given to; "" where nobody says."""
        for name, exams in self.splits:
            if index < exams:
                return name
            index -= exams
        return ""


# Another hospital: one vendor, noisier, finer pixels, thinner and more slices, more phases.
_ELSEWHERE = Profile(
    120,
    11,
    matrix=80,
    pixel_mm=2.4,
    sax_slices=7,
    lge_slices=6,
    phases=12,
    vendors=(PHILIPS,),
    noise=(0.14, 0.26),
    slice_mm=6.0,
)
# A benchmark is never changed: another number gives it another name (see benchmark.py).
_V1 = Profile(
    2900,
    101,
    matrix=64,
    pixel_mm=3.0,
    sax_slices=5,
    lge_slices=4,
    phases=10,
    missing=0.04,
    no_contrast=0.15,
    missing_any=True,
    vendors=(SIEMENS, GE),
    prevalence={
        Diagnosis.NORMAL: 0.30,
        Diagnosis.MIXED: 0.31,
        Diagnosis.DCM: 0.10,
        Diagnosis.ICM: 0.13,
        Diagnosis.HCM: 0.09,
        Diagnosis.AMYLOID: 0.07,
    },
    splits=(("train", 2000), ("val", 300), ("test", 600)),
)
_V1_ELSEWHERE = dataclasses.replace(
    _ELSEWHERE,
    exams=400,
    seed=102,
    sax_slices=6,
    lge_slices=5,
    missing=_V1.missing,
    no_contrast=_V1.no_contrast,
    missing_any=True,
    prevalence={
        Diagnosis.NORMAL: 0.38,
        Diagnosis.MIXED: 0.22,
        Diagnosis.DCM: 0.08,
        Diagnosis.ICM: 0.20,
        Diagnosis.HCM: 0.06,
        Diagnosis.AMYLOID: 0.06,
    },
    splits=(("test", 400),),
)

PROFILES = {
    "demo": Profile(1220, 0, matrix=64, pixel_mm=3.0, sax_slices=5, lge_slices=4, phases=8),
    "demo-short": Profile(320, 0, matrix=64, pixel_mm=3.0, sax_slices=5, lge_slices=3, phases=6),
    "elsewhere": _ELSEWHERE,
    "v1": _V1,
    "v1-elsewhere": _V1_ELSEWHERE,
    "tiny": Profile(24, 7, matrix=48, pixel_mm=5.0, sax_slices=5, lge_slices=3, phases=8),
    "clinical": Profile(20, 0, matrix=192, pixel_mm=1.6, sax_slices=11, lge_slices=10, phases=25),
    "wild": Profile(
        300,
        0,
        matrix=128,
        pixel_mm=2.0,
        sax_slices=0,
        lge_slices=0,
        phases=20,
        wild=True,
        no_contrast=1.0,
    ),
    "habits": Profile(
        300, 41, matrix=48, pixel_mm=5.0, sax_slices=6, lge_slices=5, phases=10, habits=Habits()
    ),
}


def profile(spec: str) -> Profile:
    """`NAME` or `NAME:exams=N,seed=S` -> the profile."""
    name, _, changes = spec.partition(":")
    if name not in PROFILES:
        raise ValueError(f"no phantom called {name!r}. There are: {', '.join(PROFILES)}.")
    chosen = PROFILES[name]
    for change in filter(None, changes.split(",")):
        key, _, value = change.partition("=")
        if key not in ("exams", "seed") or not value.isdigit():
            raise ValueError(f"{change!r} in phantom:{spec}: write exams=N or seed=S.")
        chosen = dataclasses.replace(chosen, **{key: int(value)})
    return chosen


# Operators plan by eye: planes tilt a little, and pictures turn in their plane from site to site.
TILT_SD_DEG, SPIN_SD_DEG = 5.0, 35.0
# Stills have time for finer pixels over the same field of view.
LGE_PIXEL_SHARE = 0.75
DESCRIPTIONS = {
    (SIEMENS, Contrast.CINE): ("cine_tf2d_retro_{v}", "CINE_segmented_{v}", "trufi_{v}"),
    (SIEMENS, Contrast.LGE_PSIR): ("LGE_{v}_PSIR", "de_tfi_{v}_psir", "{v} late enhancement PSIR"),
    (SIEMENS, Contrast.LGE_MAG): ("LGE_{v}_MAG", "de_tfi_{v}_mag"),
    (GE, Contrast.CINE): ("{v} FIESTA", "FIESTA CINE {v}", "Cine {v} BH"),
    (GE, Contrast.LGE_PSIR): ("PS: {v} MDE", "{v} PSMDE"),
    (GE, Contrast.LGE_MAG): ("{v} MDE", "MAG: {v} MDE"),
    (PHILIPS, Contrast.CINE): ("sBTFE_BH_{v}", "bFFE {v} cine", "WIP B-TFE {v}"),
    (PHILIPS, Contrast.LGE_PSIR): ("PSIR_TFE_{v}", "LGE PSIR {v}"),
    (PHILIPS, Contrast.LGE_MAG): ("IR_TFE_{v} LGE", "late Gd {v}"),
}
VIEW_WORDS = {
    "SAX": ("SAX", "SA", "short axis"),
    "4CH": ("4CH", "4 chamber", "HLA"),
    "3CH": ("3CH", "3 chamber"),
    "2CH": ("2CH", "2 chamber", "VLA"),
}
FIELDS = {SIEMENS: (1.5, 3.0), GE: (1.5,), PHILIPS: (1.5, 3.0)}
PHYSICS = {
    Contrast.CINE: {"RepetitionTime": "3.3", "EchoTime": "1.5", "FlipAngle": "55"},
    Contrast.LGE_MAG: {"RepetitionTime": "6.0", "EchoTime": "3.1", "FlipAngle": "25"},
    Contrast.LGE_PSIR: {"RepetitionTime": "6.0", "EchoTime": "3.1", "FlipAngle": "25"},
}
