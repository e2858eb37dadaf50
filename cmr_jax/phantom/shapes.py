"""Shapes of the ventricles of a random short-axis stack.

Every voxel is seen at `samples` points (through the slice's thickness and within the pixel), so that
partial volume follows from geometry.  Arrays are `p s k h w`: phases, slices, sample points, rows,
columns.  Directions within a slice are polar around the axis of the left ventricle, 0 towards the
right ventricle, growing clockwise on the screen.
"""

import dataclasses
import functools

import cv2
import numpy as np

from cmr_jax.phantom.heart import CUT, Heart

F32 = np.float32
FAR = F32(9)  # value of a form where there is nothing


@dataclasses.dataclass(frozen=True)
class Planes:
    """Where the slices of a stack lie; lengths in mm."""

    z: np.ndarray  # s: centre of each slice, 0 at the mitral plane at end diastole, apex positive
    pitch: float  # from slice to slice
    thickness: float
    spacing: float
    size: int  # rows and columns
    samples: int

    @functools.cached_property
    def depth(self) -> np.ndarray:
        """`s k`: position of each sample point along the axis."""
        offset = (np.arange(self.samples) + 0.5) / self.samples - 0.5
        return (self.z[:, None] + offset * self.thickness).astype(F32)


def smooth_noise(rng: np.random.Generator, count: tuple[int, ...], size: int, cells: int):
    """Unit normal values on a grid of `cells`, interpolated to `size`: `*count size size`."""
    number = int(np.prod(count))
    values = rng.standard_normal((number, cells, cells), dtype=F32)
    made = [cv2.resize(v, (size, size), interpolation=cv2.INTER_LINEAR) for v in values]
    return np.stack(made).reshape(*count, size, size)


def waves(rng: np.random.Generator, angle: np.ndarray, amplitudes: list[float]) -> np.ndarray:
    """A random Fourier series over the angle, harmonics from 1."""
    total = np.zeros_like(angle)
    for k, amplitude in enumerate(amplitudes, 1):
        if amplitude:
            total += F32(amplitude * rng.normal()) * np.cos(k * angle + F32(rng.uniform(0, 6.283)))
    return total


def wrapped(angle: np.ndarray) -> np.ndarray:
    """Into -pi..pi."""
    return (angle + F32(np.pi)) % F32(2 * np.pi) - F32(np.pi)


class Frame:
    """Coordinates of every sample point around the axis of the left ventricle, in mm.

    `x`, `y`: `s k h w`, right and down on the screen.  The others broadcast to `p s k h w`: `r` and
    `theta` (polar), `u` towards the right ventricle, `v` anterior, `z` towards the apex.
    """

    def __init__(
        self, heart: Heart, planes: Planes, wide: bool, turn: float, rng: np.random.Generator
    ):
        """`turn`: radians by which the right ventricle's direction may differ from the left."""
        direction = F32(np.pi + (rng.uniform(-turn, turn)))
        s, k, n = len(planes.z), planes.samples, planes.size
        at = ((np.arange(n) - (n - 1) / 2) * planes.spacing).astype(F32)
        # Sample points within the pixel: a lattice that covers both directions evenly.
        inside = (np.arange(k) + 0.5) / k - 0.5
        dx, dy = inside * planes.spacing, np.roll(inside, k // 2) * planes.spacing
        x = np.broadcast_to(
            at[None, None, None, :] + dx.astype(F32)[None, :, None, None], (s, k, n, n)
        ).copy()
        y = np.broadcast_to(
            at[None, None, :, None] + dy.astype(F32)[None, :, None, None], (s, k, n, n)
        ).copy()
        if wide:
            x, y = _distorted(x, y, heart, planes, rng)
        self.x, self.y = x, y
        self.r = np.hypot(x, y)[None]
        self.theta = wrapped(np.arctan2(y, x) - direction)[None]
        self.u = (self.r * np.cos(self.theta)).astype(F32)
        self.v = (self.r * np.sin(self.theta)).astype(F32)
        self.z = planes.depth[None, :, :, None, None]


def _distorted(
    x: np.ndarray, y: np.ndarray, heart: Heart, planes: Planes, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Breath-holds that differ by some mm, a stack that leans, a smooth warp and an ellipse."""
    s, n = len(planes.z), planes.size
    along = (planes.z - heart.length / 2).astype(F32)[:, None, None, None]
    shift = rng.choice([0.0, 1.0, 2.5])
    for axis in (x, y):
        axis -= (
            rng.normal(0, shift, (s, 1, 1, 1)).astype(F32) + F32(rng.uniform(-0.12, 0.12)) * along
        )
    cells, amplitude = int(rng.integers(4, 8)), rng.uniform(0, 3)
    for axis in (x, y):
        axis += F32(amplitude) * smooth_noise(rng, (1, 1), n, cells)
    if rng.random() < 0.8:
        e, a = rng.uniform(-0.1, 0.1), rng.uniform(0, np.pi)
        c, d = F32(np.cos(a)), F32(np.sin(a))
        u, v = (x * c + y * d) * F32(1 + e), (y * c - x * d) * F32(1 - e)
        x, y = u * c - v * d, u * d + v * c
    return x, y


class LeftVentricle:
    """Endocardial and epicardial radius at every point.

    `level` is 0 at the mitral plane and 1 at the endocardial apex; `endo` and `epi` are 0 where there
    is no cavity or wall; `around` goes on above the base, for what lies around the ventricle there.
    """

    def __init__(
        self, heart: Heart, frame: Frame, f: np.ndarray, wide: bool, rng: np.random.Generator
    ):
        """`f`: contraction, 0 at end diastole and 1 at end systole, broadcasting to `p s k h w`."""
        h, theta = heart, frame.theta
        base = h.mapse * f
        tilt = rng.normal(0, 0.03, 2) if wide else np.zeros(2)
        tilted = frame.z - F32(tilt[0]) * frame.u - F32(tilt[1]) * frame.v
        self.level = (tilted - base) / (h.length - base)  # 0 at the mitral plane, 1 at the apex
        level = np.clip(self.level, 0, 1)
        e = level * F32(1 + CUT) - F32(CUT)
        blunt = rng.uniform(1.8, 2.8) if wide else 2.0
        profile = np.clip(1 - np.abs(e) ** F32(blunt), 0, 1) ** F32(1 / 2)
        # Contraction, less where there is a scar.
        outside = np.abs(wrapped(theta - F32(h.scar_angle)))
        scar = (
            np.clip((F32(h.scar_width) - outside) / F32(0.3) + F32(0.5), 0, 1)
            if h.scar_width
            else F32(0)
        )
        if h.scar_width and wide:
            middle, reach = rng.uniform(0.2, 1), rng.uniform(0.3, 1)
            scar = scar * np.clip((F32(reach) - np.abs(level - F32(middle))) / F32(0.2), 0, 1)
        motion = 1 - (1 - F32(h.scar_motion)) * scar
        long_axis = h.length / (h.length - h.mapse)
        systolic = h.radius * np.sqrt((1 - h.lv_ef) * long_axis)
        if wide:  # some hearts empty their apex more than their base
            motion = motion * (1 + F32(rng.uniform(0, 0.7)) * (level - F32(0.4)))
        endo = F32(h.radius) - F32(h.radius - systolic) * f * motion
        endo = np.maximum(endo, 1)
        if wide:
            endo = endo * (
                1 + waves(rng, theta, [0.02, 0.05, 0.03, 0.02]) * F32(rng.uniform(0.3, 1.5))
            )
            # Towards the outflow tract the base is drawn out like a drop.
            drop = F32(rng.uniform(0, 0.3)) * np.exp(
                -0.5 * ((theta - F32(rng.uniform(-0.8, 0.8))) / F32(0.4)) ** 2
            )
            endo = endo * (1 + drop * np.clip(1 - level / F32(rng.uniform(0.05, 0.3)), 0, 1))
        wall = F32(h.wall) * (F32(1.06) - F32(0.2) * level)
        if h.septal_bump:
            at, width = rng.normal(0, 0.6), np.deg2rad(rng.uniform(30, 70))
            bump = F32(h.septal_bump) * np.exp(-0.5 * (wrapped(theta - F32(at)) / F32(width)) ** 2)
            if wide:
                bump = bump * np.exp(
                    -0.5 * ((level - F32(rng.uniform(0.2, 0.8))) / F32(rng.uniform(0.25, 0.6))) ** 2
                )
            wall = wall + bump
        if wide:
            wall = wall * np.clip(
                1 + waves(rng, theta, [0.08, 0.08, 0.05]) * F32(rng.uniform(0.3, 1.3)), 0.45, 1.8
            )
        wall = wall * (1 - F32(h.scar_thinning) * scar)
        # The wall's volume is kept: what it loses in length and circumference it gains in thickness.
        area = ((h.radius + wall) ** 2 - F32(h.radius**2)) * (h.length / (h.length - base))
        outer = np.sqrt(endo**2 + area)
        apex = F32(rng.uniform(3, 8) if wide else 5)
        half = (h.length - base) / F32(1 + CUT)
        closed = np.clip(1 - (np.abs(e) * half / (half + apex)) ** F32(blunt), 0, 1) ** F32(1 / 2)
        self.within = (self.level >= 0) & (self.level < 1)
        below = self.level >= 0
        self.endo = np.where(self.within, endo * profile, 0)
        # Beyond the endocardial apex only the wall goes on, as a cap.
        past = np.clip((self.level - 1) * (h.length - base) / apex, 0, 1)
        cap = np.sqrt(np.clip(1 - past**2, 0, 1))
        epi = np.maximum(outer * closed, self.endo + 1.5)
        self.epi = np.where(below & (past < 1), np.where(self.level < 1, epi, epi * cap), 0)
        # As if the ventricle went on above the base: for what lies around it there.
        self.around = np.where(below, self.epi, outer * closed)


class RightVentricle:
    """Cavity of the right ventricle: an inflow along the septum and a tube that leads out of it.

    `form` is below 1 in the cavity; `level` is 0 at the tricuspid plane and 1 at the apex.  Above the
    plane goes on what `atrium_form` and `trunk_form` describe: right atrium and pulmonary trunk.
    """

    def __init__(
        self,
        heart: Heart,
        frame: Frame,
        left: LeftVentricle,
        f: np.ndarray,
        wide: bool,
        rng: np.random.Generator,
    ):
        """`f` as the left ventricle's."""
        n = frame.x.shape[-1]
        epi = heart.radius + heart.wall  # of the left ventricle, at its widest
        u = rng.uniform
        size = (heart.rv_size * heart.lv_edv_ml) ** (1 / 3)
        depth = size * (u(4.6, 9.5) if wide else 5.5)  # septum to free wall at the base
        height = size * (u(5.5, 9.0) if wide else 7.2)  # half of the chord along the septum
        # Systole: the free wall moves more than the insertions do.
        kept = np.sqrt(np.clip(1 - heart.rv_ef, 0.05, 1))
        depth_f = 1 - (1 - kept ** u(1.1, 1.6)) * f
        height_f = 1 - (1 - kept ** u(0.3, 0.8)) * f
        low = 7 if heart.rv_size > 1.3 else 12  # a large one reaches up to the mitral plane
        start = u(-5, low) if wide else 0.0
        base = F32(start) + F32(heart.tapse) * f
        end = F32(heart.length * (u(0.8, 1.04) if wide else 0.9))
        tilt = rng.normal(0, 0.08, 2) if wide else np.zeros(2)
        tilted = frame.z - F32(tilt[0]) * (frame.u - epi) - F32(tilt[1]) * frame.v
        self.level = (tilted - base) / (end - base)
        inside = np.clip(self.level, 0, 1)
        upper = 1 - inside
        taper = np.clip(1 - inside ** F32(u(0.9, 2.6)), 0, 1) ** F32(u(0.5, 1.0))
        depth = F32(depth) * depth_f * taper
        height = F32(height) * height_f * taper ** F32(u(0.5, 1.0)) + 1e-3
        # The septum, where the cavity begins, and how far behind it the contour would close.
        septum = left.around * F32(u(0.93, 1.0)) if wide else left.around
        free = F32(0.5) * (septum + F32(epi) * taper ** F32(0.3)) + depth
        back = F32(u(0.1, 0.8) if wide else 0.4) * F32(epi) * taper
        if wide:  # a waist between inflow and outflow, where the aortic root bulges
            at, narrow = u(0, 0.5) * epi, u(0, 0.6) * rng.integers(0, 2)
            waist = np.exp(-0.5 * ((frame.v - F32(at)) / F32(u(6, 14))) ** 2) * upper ** F32(3)
            free = free - F32(narrow) * depth * waist
        half = np.maximum((free - back) / 2, 1e-3)
        skew, wedge = (u(-0.35, 0.35), u(-0.5, 0.5)) if wide else (0.0, 0.0)
        m, k = (u(1.8, 4.0), u(1.8, 4.0)) if wide else (2.0, 2.0)
        a = (frame.u - (back + half)) / half
        middle = F32(0)
        if wide:  # the outflow tract draws the base towards anterior
            middle = (F32(u(-0.4, 0.3)) + F32(u(0, 0.35)) * upper) * height
        b = (frame.v - middle - F32(skew) * half * a) / (
            height * np.clip(1 + F32(wedge) * a, 0.3, 2)
        )
        form = np.abs(a) ** F32(m) + np.abs(b) ** F32(k)
        if wide:
            form = form * (1 + F32(u(0, 0.25)) * smooth_noise(rng, (1, 1), n, 6))
        live = (self.level >= 0) & (self.level < 1) & (taper > 0.02)
        self.form = np.where(live, form, FAR)
        self.atrium_form = np.where(self.level < 0, form, FAR)
        self.trunk_form = np.full_like(self.atrium_form, FAR)
        if wide:
            self._outflow(epi, size, kept, base, heart.tapse, frame, f, tilted, rng)
            self._atrium(epi, frame, f, rng)
        self.per_mm = 1 / np.maximum(np.minimum(half, height), 4)
        self.cavity = (self.form < 1) & (frame.r > septum)

    def _outflow(self, epi, size, kept, base, tapse, frame, f, tilted, rng) -> None:
        """Add the outflow tract, anterior of the septum, and the pulmonary trunk above it.

        Observers leave the infundibulum out of the right ventricle (rules of ACDC, Bernard 2018): what
        lies further above the tricuspid plane than some mm counts as the trunk.
        """
        u = rng.uniform
        along, across = epi * u(0.85, 1.4), epi * u(0.4, 1.15)
        radius = F32(size * u(2.0, 3.3)) * (1 - (1 - kept ** u(0.5, 1.2)) * f)
        valve = base - F32(u(-4, 14)) - F32(u(0, 0.5) * tapse) * f
        valve = np.maximum(valve, base - F32(u(0, 4)))
        below = np.clip(self.level, 0, 1) / F32(u(0.25, 0.7))
        up = np.minimum(tilted - valve, 0)  # the trunk crosses to the left
        away = np.hypot(
            frame.u - F32(across) - F32(u(0, 0.5)) * up,
            (frame.v - F32(along) - F32(u(-0.3, 0.3)) * up) * F32(u(0.8, 1.2)),
        )
        narrow = np.clip(1 - below**2, 1e-3, 1)
        form = (away / (radius * narrow)) ** 2
        self.form = np.minimum(self.form, np.where((tilted >= valve) & (below < 1), form, FAR))
        self.trunk_form = np.where(tilted < valve, form, FAR)

    def _atrium(self, epi, frame, f, rng) -> None:
        """In most hearts the right atrium is a round body of its own, larger in systole."""
        if rng.random() < 0.25:
            return
        u = rng.uniform
        across, along = epi * u(0.8, 1.3) + u(0, 12), epi * u(-0.9, 0.15)
        grown = 1 + F32(u(0, 0.25)) * f
        wide, high = F32(u(14, 30)) * grown, F32(u(16, 32)) * grown
        a, b = (frame.u - F32(across)) / wide, (frame.v - F32(along)) / high
        lean = F32(u(-0.5, 0.5))
        form = (a + lean * b) ** 2 + (b - lean * a) ** 2
        form = form * (1 + F32(u(0, 0.3)) * smooth_noise(rng, (1, 1), frame.x.shape[-1], 5))
        self.atrium_form = np.where(self.level < 0, form, FAR)

    def within(self, mm: float) -> np.ndarray:
        """Points no further than about `mm` outside of the cavity."""
        return self.form < (1 + F32(mm) * self.per_mm) ** 2
