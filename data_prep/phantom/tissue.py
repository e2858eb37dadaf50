"""How bright each tissue is: balanced SSFP cine, and inversion-recovery LGE 12 min after contrast.

bSSFP values relate to myocardium = 1 as measured on real exams (blood 2.8-3.6, fat 4.0,
liver 1.4, lung 0.1); LGE values follow S = PD (1 - 2 exp(-TI/T1) + exp(-2 RR/T1)) with scar = 1
and normal myocardium nulled.
"""

import dataclasses
import enum


class Contrast(enum.Enum):
    """What the sequence shows."""

    CINE = "cine"
    LGE_MAG = "magnitude"
    LGE_PSIR = "phase-sensitive"


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


def signals(contrast: Contrast, tesla: float) -> Signals:
    """The table for a contrast at a field strength.

    Magnitude LGE is the absolute value of a slightly early inversion, so normal myocardium is
    not quite black and fluid turns bright.
    """
    if contrast is Contrast.CINE:
        return CINE_15T if tesla < 2 else CINE_3T
    if contrast is Contrast.LGE_PSIR:
        return PSIR
    early = {k: abs(v - 0.06) for k, v in dataclasses.asdict(PSIR).items() if k != "air"}
    return Signals(**early)
