"""Who is scanned: people whose findings are physical parameters of one heart.

Normal values are means and spreads of Petersen 2017 (JCMR 19:18) and Petersen 2019 (EHJCI
20:1321); papillary muscles count as blood, as there.  What disease changes is in `disease`.
"""

import dataclasses
import enum

import numpy as np


class Diagnosis(enum.Enum):
    """Bundles of findings that occur together."""

    NORMAL = "normal"
    MIXED = "mixed"  # findings combined freely, no named disease
    DCM = "dcm"
    ICM = "icm"
    HCM = "hcm"
    AMYLOID = "amyloid"


# How often each diagnosis is drawn: denser in disease than a clinic, so that a few hundred
# exams show every finding often enough to be counted.
PREVALENCE = {
    Diagnosis.NORMAL: 0.20,
    Diagnosis.MIXED: 0.36,
    Diagnosis.DCM: 0.12,
    Diagnosis.ICM: 0.15,
    Diagnosis.HCM: 0.09,
    Diagnosis.AMYLOID: 0.08,
}


class Scar(enum.Enum):
    """Patterns of late gadolinium enhancement."""

    NONE = "none"
    SUBENDOCARDIAL = "subendocardial"
    TRANSMURAL = "transmural"
    MIDWALL = "midwall"
    PATCHY = "patchy"
    DIFFUSE = "diffuse"


class Territory(enum.Enum):
    """Coronary territories (AHA 17-segment model, Cerqueira 2002)."""

    LAD = "LAD"
    RCA = "RCA"
    LCX = "LCx"


@dataclasses.dataclass(frozen=True)
class Subject:
    """One person.  Lengths in mm, volumes in mL, EF in percent, angles in degrees."""

    seed: int
    index: int
    diagnosis: Diagnosis
    male: bool
    age_years: int
    height_cm: float
    weight_kg: float
    heart_rate_bpm: float
    lv_edv_ml: float
    lv_ef_percent: float
    lv_length_mm: float
    lv_wall_mm: float
    septal_extra_mm: float
    mapse_mm: float
    twist_deg: float
    rv_edv_ml: float
    rv_ef_percent: float
    rv_wall_mm: float
    la_max_ml: float
    aortic_root_mm: float
    effusion_mm: float
    scar: Scar
    territory: Territory | None
    scar_depth: float  # fraction of the wall, from the endocardium
    kinesis: float  # contraction of the territory: 1 normal, 0 akinetic, < 0 dyskinetic
    tilt_deg: tuple[float, float, float]  # the heart's turn away from the mean pose, about L, P, S

    @property
    def bsa_m2(self) -> float:
        """Body surface area in m2 (Mosteller)."""
        return float(np.sqrt(self.height_cm * self.weight_kg / 3600))

    @property
    def rr_ms(self) -> float:
        """Length of the cardiac cycle."""
        return 60_000 / self.heart_rate_bpm


def exam_rng(seed: int, index: int, purpose: int) -> np.random.Generator:
    """The random stream of one exam for one purpose: a function of its three numbers alone."""
    return np.random.default_rng([seed, index, purpose])


def _clipped(rng: np.random.Generator, mean: float, sd: float, spread: float = 2.0) -> float:
    return float(mean + sd * np.clip(rng.normal(), -spread, spread))


def healthy(rng: np.random.Generator, seed: int, index: int) -> Subject:
    """Somebody with a normal heart."""
    male = bool(rng.random() < 0.5)
    height = _clipped(rng, 178 if male else 165, 7)
    weight = _clipped(rng, 27, 3.5) * (height / 100) ** 2
    bsa = np.sqrt(height * weight / 3600)
    age = int(rng.integers(22, 88))
    # A heart grows with the body it serves: indexed volumes are what is drawn.
    edv = _clipped(rng, 83 if male else 74, 8, 1.6) * bsa * (1 - 0.004 * (age - 55))
    ef = _clipped(rng, 62, 3, 1.5)
    tilt = [float(x) for x in rng.normal(0, 7, 3)]
    return Subject(
        seed=seed,
        index=index,
        diagnosis=Diagnosis.NORMAL,
        male=male,
        age_years=age,
        height_cm=height,
        weight_kg=weight,
        heart_rate_bpm=_clipped(rng, 68, 9),
        lv_edv_ml=edv,
        lv_ef_percent=ef,
        lv_length_mm=float((93 if male else 85) * (edv / (160 if male else 125)) ** 0.25),
        lv_wall_mm=_clipped(rng, 7.2 if male else 6.3, 0.6),
        septal_extra_mm=0.0,
        mapse_mm=_clipped(rng, 14, 1.2),
        twist_deg=_clipped(rng, 11, 2),
        rv_edv_ml=edv * _clipped(rng, 1.05, 0.05),
        rv_ef_percent=_clipped(rng, 58, 3, 1.5),
        rv_wall_mm=3.0,
        la_max_ml=_clipped(rng, 72, 10),
        aortic_root_mm=_clipped(rng, 32 if male else 28.5, 1.7) + 0.06 * (age - 50),
        effusion_mm=0.0,
        scar=Scar.NONE,
        territory=None,
        scar_depth=0.0,
        kinesis=1.0,
        tilt_deg=(tilt[0], tilt[1], tilt[2]),
    )
