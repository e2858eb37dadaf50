"""The heart in its chest as signed distances (mm, negative inside), at any moment of the cycle.

Heart frame (left-handed, as one looks from the apex): origin at the mitral plane of end-diastole,
x towards the septum and right ventricle, y anterior, z from base to apex.  Patient frame: LPS.  Arrays are
(moments, points); static structures are (1, points).
"""

import dataclasses
import functools

import numpy as np

from data_prep.phantom import motion
from data_prep.phantom.motion import APEX_WALL_MM, CUT, LeftVentricle
from data_prep.phantom.population import Subject

# Mean directions in LPS, from the SAX orientation of a real exam (rows left-posterior,
# columns right-inferior): septal, anterior, apical.
MEAN_POSE = np.array([[-0.54, -0.82, 0.21], [0.55, -0.15, 0.82], [-0.64, 0.56, 0.53]])
RV_LENGTH_RATIO = 0.88
ATRIUM_SHAPE = (0.92, 1.08, 0.98)

# Fat, lines and partial volume around the heart, and what a path between two phases may bulge.
REACH_MM = 20.0


def rotation(tilt_deg: tuple[float, float, float]) -> np.ndarray:
    """The turn about L, then P, then S."""
    turn = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(tilt_deg)):
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    return turn


def ellipsoid(x, y, z, a, b, c) -> np.ndarray:
    """First-order signed distance to an ellipsoid of semi-axes a, b, c around the origin."""
    # Products of what is there already: this is called for every structure of every picture.
    x, y, z = x / a, y / b, z / c
    square = x * x + y * y + z * z
    x, y, z = x / a, y / b, z / c
    steep = np.sqrt(x * x + y * y + z * z)
    return (square - np.sqrt(square)) / np.maximum(steep, 1e-6)


def capsule(points, start, end, radius: float) -> np.ndarray:
    """Signed distance to a tube with round ends; points and ends are triples x, y, z."""
    # Component by component: a sum over a last axis of three is several times slower.
    rx, ry, rz = (p - s for p, s in zip(points, start, strict=True))
    ax, ay, az = (e - s for e, s in zip(end, start, strict=True))
    t = np.clip((rx * ax + ry * ay + rz * az) / (ax * ax + ay * ay + az * az), 0, 1)
    dx, dy, dz = rx - t * ax, ry - t * ay, rz - t * az
    return np.sqrt(dx * dx + dy * dy + dz * dz) - radius


@dataclasses.dataclass(frozen=True)
class Torso:
    """Chest wall and neighbours, in the patient frame around the heart's origin."""

    half_width: float
    half_depth: float
    fat: float

    @classmethod
    def of(cls, subject: Subject) -> "Torso":
        """Scales the chest with the body."""
        bmi = subject.weight_kg / (subject.height_cm / 100) ** 2
        size = (subject.height_cm / 172) * (bmi / 27) ** 0.3
        fat = float(np.clip(8 + 1.2 * (bmi - 20), 8, 30))
        return cls(172 * size, 114 * size, fat)


@dataclasses.dataclass(frozen=True)
class Moment:
    """Signed distances of the moving structures at `points`, by name, and wall coordinates."""

    distance: dict[str, np.ndarray]
    theta: np.ndarray  # angle around the long axis, rad
    height: np.ndarray  # 0 base .. 1 apex
    depth: np.ndarray  # 0 endocardium .. 1 epicardium


class Heart:
    """One subject's heart: geometry solved once, evaluated at any time and place."""

    def __init__(self, subject: Subject):
        self.subject = subject
        self.lv = LeftVentricle.of(subject)
        self.torso = Torso.of(subject)
        self.curve = motion.contraction_curve(subject)
        axes = MEAN_POSE @ rotation(subject.tilt_deg).T
        septal, apical = axes[0] / np.linalg.norm(axes[0]), -axes[2]
        apical = apical - septal * (septal @ apical)
        apical /= np.linalg.norm(apical)
        self.axes = np.stack([septal, np.cross(septal, apical), apical])  # rows: x, y, z in LPS

    def contraction(self, phase) -> np.ndarray:
        """Contraction 0..1 at a phase 0..1 of the cycle."""
        return self.curve(np.asarray(phase, np.float64) % 1.0)

    @functools.cached_property
    def rv_scales(self) -> tuple[float, float]:
        """Scale of the right ventricle at end-diastole and end-systole that gives its volumes."""
        s = self.subject
        esv = s.rv_edv_ml * (1 - s.rv_ef_percent / 100)
        return self._rv_scale(s.rv_edv_ml, 0.0), self._rv_scale(esv, 1.0)

    @property
    def lv_volumes_ml(self) -> tuple[float, float]:
        """End-diastolic and end-systolic volume of the left ventricle."""
        return self.lv.volume_ml(0.0), self.lv.volume_ml(1.0)

    def _rv_scale(self, volume_ml: float, f: float) -> float:
        step = 4.0
        x, y, z = np.meshgrid(
            np.arange(-30, 90, step), np.arange(-66, 67, step), np.arange(-10, 110, step)
        )
        points = np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32)
        moment = np.array([[f]], np.float32)
        scales = np.linspace(0.55, 1.6, 15)
        lv, base = self._lv(points, moment)
        outside = lv["lv_epi"] > 0
        volumes = [
            ((self._rv(points, moment, base, float(k)) < 0) & outside).sum() * step**3 / 1000
            for k in scales
        ]
        return float(np.interp(volume_ml, np.maximum.accumulate(volumes), scales))

    def to_heart(self, lps: np.ndarray) -> np.ndarray:
        """Patient to heart coordinates; (..., 3)."""
        return lps @ self.axes.T

    def _lv(self, p: np.ndarray, f: np.ndarray):
        """Cavity and epicardium.  p: (n, 3); f: (t, 1)."""
        x, y, z = p.T
        lv, base = self.lv, self.lv.base(f)
        length = lv.length - base
        long_axis = length / (1 + CUT)
        theta = np.arctan2(y, x)
        height = np.clip((z - base) / length, 0, 1)
        up = z - (lv.length - long_axis)
        rho = np.hypot(x, y)
        inner = lv.endo(theta, height, f)
        wall = lv.thickness(theta, height, f)
        cavity = np.maximum(ellipsoid(rho, 0, up, inner, 1, long_axis), base - z)
        epi = ellipsoid(rho, 0, up, inner + wall, 1, long_axis + APEX_WALL_MM)
        return {"lv": cavity, "lv_epi": np.maximum(epi, base - z - 1.0)}, (base, theta, height)

    def _rv(self, p: np.ndarray, f: np.ndarray, base, scale) -> np.ndarray:
        """The right ventricle's ellipsoid (the left ventricle is cut out of it when drawn)."""
        x, y, z = p.T
        length = self.lv.length * RV_LENGTH_RATIO
        plane = base[0] * 1.5 - 4  # the tricuspid plane lies more apical and moves more
        long_axis = (length - plane) / (1 + CUT)
        sized = ellipsoid(
            x - 24, y - 3, z - (length - long_axis), 43 * scale, 41 * np.sqrt(scale), long_axis
        )
        return np.maximum(sized, plane - z)

    def at(self, lps: np.ndarray, phase: np.ndarray) -> Moment:
        """Everything that moves, at points (n, 3) and phases (t,)."""
        return self._contracted(lps, self.contraction(phase)[:, None].astype(np.float32))

    def reached(self, lps: np.ndarray) -> np.ndarray:
        """Which points (n, 3) the heart, its fat and its fluid may touch in some phase, (n,) bool.

        Every structure lies between its places at rest and at full contraction, or close by.
        """
        extremes = self._contracted(lps, np.array([[0.0], [1.0]], np.float32)).distance
        nearest = np.min([np.broadcast_to(d, (2, len(lps))).min(0) for d in extremes.values()], 0)
        return nearest < REACH_MM + self.subject.effusion_mm

    def _contracted(self, lps: np.ndarray, f: np.ndarray) -> Moment:
        p = self.to_heart(lps).astype(np.float32)
        distance, (base, theta, height) = self._lv(p, f)
        wide, narrow = self.rv_scales
        distance["rv"] = self._rv(p, f, (base,), wide + (narrow - wide) * f)
        distance |= self._atria(p, f, base) | self._vessels(p, base) | self._papillaries(p, f, base)
        to_endo = distance["lv"]
        thick = np.maximum(to_endo - distance["lv_epi"], 0.5)
        depth = np.clip(to_endo / thick, 0, 1)
        return Moment(distance, *np.broadcast_arrays(theta[None], height, depth))

    def _atria(self, p, f, base):
        x, y, z = p.T
        shape = float(np.prod(ATRIUM_SHAPE))  # a NumPy scalar would make everything float64
        full = (3 / (4 * np.pi) * self.subject.la_max_ml * 1000 / shape) ** (1 / 3)
        size = full * (0.45 + 0.55 * f) ** (1 / 3)  # fills while the ventricle empties
        a, b, c = (size * k for k in ATRIUM_SHAPE)
        left = np.maximum(ellipsoid(x + 4, y + 6, z - base + 0.82 * c, a, b, c), z - base)
        right = np.maximum(
            ellipsoid(x - 50, y + 8, z - 1.5 * base + 0.78 * c, a, b, 0.95 * c), z - 1.5 * base + 4
        )
        # Leaflets are shut while the ventricle contracts.
        annulus = np.hypot(x, y) - 16
        leaflet = np.maximum(np.abs(z - base) - 0.9, annulus) + np.float32(4) * (f < 0.03)
        return {"la": left, "ra": right, "leaflet": leaflet}

    def _vessels(self, p, base):
        root = self.subject.aortic_root_mm / 2
        up = self.axes @ np.array([-0.34, -0.22, 0.91])
        valve = (20.0, 17.0, -6.0 + 0.6 * base)
        xyz = p.T

        def above(mm):  # a point on the axis of the aorta
            return tuple(v + np.float32(mm * u) for v, u in zip(valve, up, strict=True))

        outflow = capsule(xyz, (7.0, 7.0, 14.0), above(2), 10.5)
        sinus = capsule(xyz, above(0.7 * root), above(0.8 * root), root)
        tube = capsule(xyz, above(1.2 * root), above(95), 0.84 * root)
        pulmonary = capsule(xyz, (30.0, 34.0, 8.0), (4.0, 44.0, -42.0), 13.0)
        return {"lvot": outflow, "aorta": np.minimum(sinus, tube), "pa": pulmonary}

    def _papillaries(self, p, f, base):
        both = []
        for angle in (135.0, 255.0):  # anterolateral, posteromedial
            turned = np.deg2rad(angle + self.subject.twist_deg * 0.6 * f)
            start, end = (self._inside(turned, along, f, base) for along in (0.38, 0.68))
            both.append(capsule(p.T, start, end, 4.0))
        return {"papillary": np.minimum(both[0], both[1])}

    def _inside(self, theta, along: float, f, base):
        """A point in the cavity, near the wall, `along` the way from base to apex."""
        out = 0.64 * self.lv.endo(theta, along, f)
        z = base + along * (self.lv.length - base)
        return out * np.cos(theta), out * np.sin(theta), z
