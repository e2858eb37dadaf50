"""How the heart moves: contraction over one cycle, and the left ventricle it shapes.

The cavity is a prolate ellipsoid cut above its equator, whose apex stays and whose base comes
down.  The wall keeps its volume at every angle and height, so it thickens where it shortens.
"""

import dataclasses
import math

import numpy as np
from scipy.interpolate import PchipInterpolator

from data_prep.phantom.population import Scar, Subject, Territory

Real = np.ndarray | np.floating | float  # numbers, one or many

CUT = 0.35  # the base lies this fraction of the long semi-axis above the equator
APEX_WALL_MM = 4.0
MYOCARDIAL_DENSITY_G_PER_ML = 1.05
# Volume = VOLUME_SHAPE * pi * a^2 * length for that cut ellipsoid.
VOLUME_SHAPE = ((1 + CUT) - (1 + CUT**3) / 3) / (1 + CUT)


def end_systole_fraction(heart_rate_bpm: float) -> float:
    """When the ventricle is smallest, as a fraction of RR (Boudoulas 1981, less 45 ms Q-R)."""
    return (495 - 2.2 * heart_rate_bpm) * heart_rate_bpm / 60_000


def contraction_curve(subject: Subject) -> PchipInterpolator:
    """Contraction over the cycle: 0 at the R wave, 1 at end-systole, 0 again; monotone between."""
    rr, end = subject.rr_ms, end_systole_fraction(subject.heart_rate_bpm)
    start = 50 / rr
    early = float(np.interp(subject.age_years, [25, 50, 75], [0.75, 0.60, 0.45]))
    relaxed = end + 70 / rr
    rapid = relaxed + 150 / rr
    atrial = max(1 - 115 / rr, rapid + 0.04)
    points = [
        (0, 0),
        (start, 0.01),
        (start + 0.4 * (end - start), 0.5),
        (end, 1),
        (relaxed, 0.985),
        (rapid, 1 - early),
        (atrial, 1 - early - 0.03),
        (1.0, 0),
    ]
    at, values = np.array(points).T
    return PchipInterpolator(at, values)


TERRITORY_DEG = {Territory.LAD: (0, 120), Territory.LCX: (120, 240), Territory.RCA: (240, 360)}


def territory_weight(territory: Territory | None, theta: Real, height: Real) -> np.ndarray:
    """Share in a coronary territory, 0..1, at angle `theta` (rad) and height (0 base, 1 apex).

    Angles run from the septum (0) over anterior (90 degrees) to lateral (180).  Edges blend over
    about 15 degrees.  The apex belongs to the LAD, and the RCA ends before it.
    """
    if territory is None:
        return np.zeros(np.broadcast(theta, height).shape, np.float32)
    low, high = TERRITORY_DEG[territory]
    middle, half = math.radians((low + high) / 2), math.radians((high - low) / 2)
    away = np.abs((theta - middle + np.pi) % (2 * np.pi) - np.pi) - half
    weight = _step(-away / math.radians(15))
    if territory is Territory.LAD:
        return np.maximum(weight * _step((height - 0.1) / 0.15), _step((height - 0.85) / 0.08))
    return weight * _step((0.78 - height) / 0.1)


def _step(x: Real) -> np.ndarray:
    """A soft step from 0 to 1 around x = 0, one unit wide."""
    return np.clip(x + 0.5, 0, 1)


@dataclasses.dataclass(frozen=True)
class LeftVentricle:
    """The left ventricle of one subject at any contraction `f` in 0..1; lengths in mm."""

    length: float
    radius: float  # short semi-axis of the cavity at end-diastole
    inward: float  # how far a fully moving wall comes in
    mapse: float
    wall: float
    septal_extra: float
    territory: Territory | None
    kinesis: float

    @classmethod
    def of(cls, subject: Subject) -> "LeftVentricle":
        """Solves the size and the inward motion for the subject's volume and ejection fraction."""
        length, mapse = subject.lv_length_mm, subject.mapse_mm
        radius = np.sqrt(subject.lv_edv_ml * 1000 / (VOLUME_SHAPE * np.pi * length))
        frozen = subject.scar in (Scar.SUBENDOCARDIAL, Scar.TRANSMURAL)
        still = cls(
            length=length,
            radius=float(radius),
            inward=1.0,
            mapse=mapse,
            wall=subject.lv_wall_mm,
            septal_extra=subject.septal_extra_mm,
            territory=subject.territory if frozen else None,
            kinesis=subject.kinesis,
        )
        # V(es) / (pi L) = mean (r - d k)^2 is a quadratic in d, the inward motion.
        weights, motion = still._quadrature()
        goal = subject.lv_edv_ml * 1000 * (1 - subject.lv_ef_percent / 100) / np.pi
        k1, k2 = (weights * motion).sum(), (weights * motion**2).sum()
        constant = radius**2 * VOLUME_SHAPE - goal / (length - mapse)
        under = (radius * k1) ** 2 - k2 * constant
        inward = (radius * k1 - np.sqrt(max(under, 0.0))) / k2
        return dataclasses.replace(still, inward=float(min(inward, 0.8 * radius)))

    def motion(self, theta: Real, height: Real) -> Real:
        """Share of the full inward motion that this piece of wall makes."""
        return 1 + (self.kinesis - 1) * territory_weight(self.territory, theta, height)

    def base(self, f: Real) -> Real:
        """How far the mitral plane has come down towards the apex."""
        return self.mapse * f

    def endo(self, theta: Real, height: Real, f: Real) -> Real:
        """Short semi-axis of the endocardium."""
        return self.radius - self.inward * f * self.motion(theta, height)

    def thickness(self, theta: Real, height: Real, f: Real) -> Real:
        """Wall thickness: the area between endo- and epicardium keeps its volume."""
        septal = 0.5 + 0.5 * np.cos(np.clip(1.6 * _wrap(theta), -np.pi, np.pi))
        start = self.wall * (1.06 - 0.2 * height) + self.septal_extra * septal
        stretch = self.length / (self.length - self.base(f))
        inner = self.endo(theta, height, f)
        kept = (2 * self.radius * start + start**2) * stretch
        return np.sqrt(inner**2 + kept) - inner

    def volume_ml(self, f: float) -> float:
        """Cavity volume, papillary muscles counted as blood."""
        weights, motion = self._quadrature()
        mean_square = (weights * (self.radius - self.inward * f * motion) ** 2).sum()
        return float(np.pi * (self.length - self.base(np.float64(f))) * mean_square / 1000)

    def mass_g(self, f: float = 0.0) -> float:
        """Mass of the wall."""
        theta, height, ds = _grid()
        inner, wall = self.endo(theta, height, np.float64(f)), self.thickness(theta, height, f)
        length = self.length - float(self.base(np.float64(f)))
        long_axis = length / (1 + CUT)
        e = -CUT + (1 + CUT) * height
        shell = (inner + wall) ** 2 * (1 - (e * long_axis / (long_axis + APEX_WALL_MM)) ** 2)
        cavity = inner**2 * (1 - e**2)
        cap = np.pi * np.mean(inner + wall) ** 2 * APEX_WALL_MM**2 / (long_axis + APEX_WALL_MM)
        volume = np.pi * length * ((shell - cavity) * ds).sum() + cap
        return float(volume / 1000 * MYOCARDIAL_DENSITY_G_PER_ML)

    def _quadrature(self) -> tuple[np.ndarray, np.ndarray]:
        theta, height, ds = _grid()
        return (1 - (-CUT + (1 + CUT) * height) ** 2) * ds, np.asarray(self.motion(theta, height))


def _wrap(theta: Real) -> Real:
    return (theta + np.pi) % (2 * np.pi) - np.pi


def _grid(n_theta: int = 48, n_height: int = 64):
    theta = (np.arange(n_theta) + 0.5) / n_theta * 2 * np.pi
    height = (np.arange(n_height)[:, None] + 0.5) / n_height
    return theta, height, 1 / (n_theta * n_height)
