"""How bright each tissue is: balanced SSFP cine, and inversion-recovery LGE 12 min after contrast;
dark-blood T2 weighting, relaxation times, and the state before a first pass of contrast.

bSSFP values relate to myocardium = 1 as measured on real exams (blood 2.8-3.6, fat 4.0,
liver 1.4, lung 0.1); LGE values follow S = PD (1 - 2 exp(-TI/T1) + exp(-2 RR/T1)) with scar = 1
and normal myocardium nulled.  T1 in ms is of Dabir 2014 (myocardium) and Stanisz 2005 (the rest).
"""

import dataclasses
import enum


class Contrast(enum.Enum):
    """What the sequence shows."""

    CINE = "cine"
    LGE_MAG = "magnitude"
    LGE_PSIR = "phase-sensitive"
    PERFUSION = "first pass"
    T2W = "T2-weighted"
    T1MAP = "T1 map"
    LOCALIZER = "localizer"


@dataclasses.dataclass(frozen=True)
class Signals:
    """Signal of every tissue, relative to one reference tissue."""

    myocardium: float
    blood: float
    rv_blood: float
    fat: float
    fluid: float
    liver: float
    muscle: float
    marrow: float
    lung: float
    line: float  # pericardium, vessel wall, valve leaflet
    scar: float
    diffuse: float  # myocardium full of amyloid
    diffuse_blood: float
    air: float = 0.0


CINE_15T = Signals(1.0, 3.3, 2.8, 3.9, 4.2, 1.4, 0.8, 1.9, 0.12, 0.35, 1.05, 1.05, 3.3)
CINE_3T = Signals(1.0, 2.7, 2.3, 3.2, 3.5, 1.2, 0.75, 1.7, 0.12, 0.4, 1.05, 1.05, 2.7)
PSIR = Signals(0.0, 0.62, 0.60, 1.02, -1.0, 0.2, -0.2, 0.5, 0.0, -0.1, 1.0, 0.62, 0.22)
# Dark blood and suppressed fat; `scar` is what an acute infarct's oedema looks like.
T2W = Signals(1.0, 0.08, 0.10, 0.25, 3.2, 0.7, 0.8, 0.6, 0.05, 0.2, 1.9, 1.1, 0.08)
# Before the contrast arrives, everything is dark alike after saturation.
PERFUSION = Signals(0.45, 0.40, 0.40, 1.1, 0.3, 0.5, 0.45, 0.7, 0.05, 0.2, 0.45, 0.45, 0.40)
T1_15T = Signals(980, 1441, 1441, 290, 3000, 576, 1008, 549, 60, 500, 1150, 1110, 1441)
T1_3T = Signals(1150, 1932, 1932, 370, 3000, 812, 1412, 586, 60, 600, 1330, 1290, 1932)


def signals(contrast: Contrast, tesla: float) -> Signals:
    """The table for a contrast at a field strength.

    Magnitude LGE is the absolute value of a slightly early inversion, so normal myocardium is
    not quite black and fluid turns bright.
    """
    if contrast in (Contrast.CINE, Contrast.LOCALIZER):
        return CINE_15T if tesla < 2 else CINE_3T
    if contrast is Contrast.T1MAP:
        return T1_15T if tesla < 2 else T1_3T
    if contrast in (Contrast.T2W, Contrast.PERFUSION):
        return T2W if contrast is Contrast.T2W else PERFUSION
    if contrast is Contrast.LGE_PSIR:
        return PSIR
    early = {k: abs(v - 0.06) for k, v in dataclasses.asdict(PSIR).items() if k != "air"}
    return Signals(**early)
