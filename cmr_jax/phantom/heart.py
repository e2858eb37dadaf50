"""Parameters of a random heart: sizes, function and shape.

Lengths in mm, volumes in ml, angles in radians.  Ranges are wider than those of people (normal
values: Petersen 2017, JCMR 19:18; Kawel-Boehm 2015, JCMR 17:29), and in a share of hearts
independent of any diagnosis, so that no combination can be taken for granted.
"""

import dataclasses

import numpy as np

GROUPS = ("normal", "dcm", "hcm", "infarct", "abnormal_rv", "any")
SHARES = (0.15, 0.15, 0.17, 0.15, 0.24, 0.14)
# The left ventricle is a prolate ellipsoid cut this share of its half-length above the equator.
CUT = 0.35


@dataclasses.dataclass(frozen=True)
class Heart:
    """One heart at end diastole and how it contracts."""

    group: str
    bsa_m2: float
    lv_edv_ml: float
    lv_ef: float  # 0..1, before regional dysfunction
    length: float  # mitral plane to endocardial apex at end diastole
    wall: float
    septal_bump: float  # how much thicker the thickest segment is
    mapse: float  # mitral annular plane systolic excursion, as far as observers' contours follow it
    tapse: float  # tricuspid, likewise
    rv_size: float  # RV over LV end-diastolic volume, roughly
    rv_ef: float
    scar_angle: float  # direction of the infarcted territory
    scar_width: float  # its half-width; 0 where there is none
    scar_motion: float  # share of the contraction that is left there; negative bulges
    scar_thinning: float  # share of the wall that is lost there

    @property
    def radius(self) -> float:
        """Largest endocardial radius at end diastole, from volume and length."""
        volume_share = ((1 + CUT) - (1 + CUT**3) / 3) / (1 + CUT)
        return float(np.sqrt(self.lv_edv_ml * 1000 / (volume_share * np.pi * self.length)))


def sample(rng: np.random.Generator) -> Heart:
    """A random heart."""
    group = str(rng.choice(GROUPS, p=SHARES))
    u = rng.uniform
    bsa = u(1.4, 2.3)
    edv, ef, wall = bsa * u(50, 95), u(0.5, 0.72), u(4.5, 8)
    rv_size, rv_ef, bump = u(0.8, 1.25), u(0.42, 0.68), 0.0
    angle, width, motion, thinning = u(0, 2 * np.pi), 0.0, 1.0, 0.0
    if group == "dcm":
        edv, ef, wall = bsa * u(95, 200), u(0.08, 0.42), u(4.5, 8)
        rv_size, rv_ef = u(0.4, 1.1), u(0.12, 0.65)
    elif group == "hcm":
        edv, ef, wall, bump = bsa * u(42, 95), u(0.5, 0.93), u(6.5, 14), u(2, 16)
        rv_size = u(0.7, 1.2)
    elif group == "infarct":
        edv, ef, wall = bsa * u(65, 150), u(0.2, 0.55), u(4.5, 8.5)
        rv_size = u(0.5, 1.15)
    elif group == "abnormal_rv":
        rv_size, rv_ef, edv = u(1.2, 3.8), u(0.15, 0.6), bsa * u(36, 95)
    elif group == "any":
        edv, ef, wall, bump = bsa * u(42, 180), u(0.08, 0.9), u(4.5, 13), u(0, 6)
        rv_size, rv_ef = u(0.45, 2.8), u(0.12, 0.75)
    if group == "infarct" or (group == "any" and rng.random() < 0.5):
        width, motion, thinning = u(0.5, 1.4), u(-0.2, 0.6), u(0, 0.45)
    return Heart(
        group=group,
        bsa_m2=bsa,
        lv_edv_ml=edv,
        lv_ef=ef,
        length=u(74, 96) * (edv / 140) ** 0.25,
        wall=wall,
        septal_bump=bump,
        mapse=float(np.clip(1 + 11 * ef + rng.normal(0, 2), 0.5, 16)),
        tapse=float(np.clip(26 * rv_ef + rng.normal(0, 3), 0.5, 24)),
        rv_size=rv_size,
        rv_ef=rv_ef,
        scar_angle=angle,
        scar_width=width,
        scar_motion=motion,
        scar_thinning=thinning,
    )
