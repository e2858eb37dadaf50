"""How exams are scanned and what vendors call it: profiles, series names, sequence parameters."""

import dataclasses

from data_prep.phantom.tissue import Contrast


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


PROFILES = {
    "demo": Profile(1150, 0, matrix=64, pixel_mm=3.0, sax_slices=5, lge_slices=4, phases=8),
    "demo-short": Profile(320, 0, matrix=64, pixel_mm=3.0, sax_slices=5, lge_slices=3, phases=6),
    "tiny": Profile(24, 7, matrix=48, pixel_mm=5.0, sax_slices=5, lge_slices=3, phases=8),
    "clinical": Profile(20, 0, matrix=192, pixel_mm=1.6, sax_slices=11, lge_slices=10, phases=25),
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
SIEMENS, GE, PHILIPS = "SIEMENS", "GE MEDICAL SYSTEMS", "Philips Medical Systems"
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
