"""Maps of tissues of a random short-axis stack.

Every voxel is seen at `samples` points (through the slice's thickness and within the pixel), so that
partial volume follows from geometry.  Arrays are `p s k h w`: phases, slices, sample points, rows,
columns.  Directions within a slice are polar around the axis of the left ventricle, 0 towards the
right ventricle, growing clockwise on the screen.
"""

import dataclasses
import enum
import functools

import cv2
import numpy as np

from cmr_jax.phantom.heart import CUT, Heart

F32 = np.float32


class Tissue(enum.IntEnum):
    """Classes of the maps."""

    LUNG = 0
    SOFT_A = 1  # any tissue, as are the next two
    SOFT_B = 2
    SOFT_C = 3
    FAT = 4
    MUSCLE = 5
    VESSEL = 6
    EPICARDIAL_FAT = 7
    THIN_WALL = 8  # right ventricle, atria, great vessels
    LV_BLOOD = 9
    RV_BLOOD = 10
    MYOCARDIUM = 11
    LV_TRABECULA = 12  # papillary muscles too
    ATRIUM = 13  # atria, aorta and pulmonary artery: blood that is no ventricle's
    LIVER = 14
    RV_TRABECULA = 15
    PERICARDIUM = 16  # and the dark line that chemical shift draws at an edge of fat
    WALL_EDGE = 17  # outermost myocardium, which observers leave outside of their contour
    RV_EDGE = 18  # innermost wall of the right ventricle, which they take in


class Mask(enum.IntEnum):
    """Classes of the masks.

    Papillary muscles and trabeculae count as cavity (ACDC; Petersen 2017).  Contours follow the habit
    of observers, who draw the epicardium a little inside of the wall's edge and the right ventricle
    to the outside of its blood.
    """

    BACKGROUND = 0
    RV = 1
    MYOCARDIUM = 2
    LV = 3


MASK_OF = np.zeros(len(Tissue), np.uint8)
MASK_OF[[Tissue.RV_BLOOD, Tissue.RV_TRABECULA, Tissue.RV_EDGE]] = Mask.RV
MASK_OF[Tissue.MYOCARDIUM] = Mask.MYOCARDIUM
MASK_OF[[Tissue.LV_BLOOD, Tissue.LV_TRABECULA]] = Mask.LV


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


class Painter:
    """Paints one stack; `paint` returns `p s k h w` uint8."""

    def __init__(
        self,
        heart: Heart,
        planes: Planes,
        contraction: np.ndarray,
        wide: bool,
        clutter: bool,
        turn: float,
        rng: np.random.Generator,
    ):
        """`contraction`, one value a phase: 0 at end diastole, 1 at end systole."""
        self.heart, self.planes, self.rng = heart, planes, rng
        self.wide, self.clutter = wide, clutter
        self.f = contraction.astype(F32)[:, None, None, None, None]
        p, s, k, n = len(contraction), len(planes.z), planes.samples, planes.size
        self.shape = (p, s, k, n, n)
        self.direction = F32(np.pi + (rng.uniform(-turn, turn)))
        self._grid()

    def _grid(self) -> None:
        rng, planes = self.rng, self.planes
        _, s, k, n, _ = self.shape
        centre = (n - 1) / 2
        at = ((np.arange(n) - centre) * planes.spacing).astype(F32)
        # Sample points within the pixel: a lattice that covers both directions evenly.
        inside = (np.arange(k) + 0.5) / k - 0.5
        dx, dy = inside * planes.spacing, np.roll(inside, k // 2) * planes.spacing
        x = np.broadcast_to(
            at[None, None, None, :] + dx.astype(F32)[None, :, None, None], (s, k, n, n)
        ).copy()
        y = np.broadcast_to(
            at[None, None, :, None] + dy.astype(F32)[None, :, None, None], (s, k, n, n)
        ).copy()
        along = (planes.z - self.heart.length / 2).astype(F32)[:, None, None, None]
        if self.wide:
            # Breath-holds differ by some mm, and slices are not quite at right angles to the axis.
            shift = rng.choice([0.0, 1.0, 2.5])
            for axis in (x, y):
                axis -= (
                    rng.normal(0, shift, (s, 1, 1, 1)).astype(F32)
                    + F32(rng.uniform(-0.12, 0.12)) * along
                )
            cells, amplitude = int(rng.integers(4, 8)), rng.uniform(0, 3)
            for axis in (x, y):
                axis += F32(amplitude) * smooth_noise(rng, (1, 1), n, cells)
            if rng.random() < 0.8:
                e, a = rng.uniform(-0.1, 0.1), rng.uniform(0, np.pi)
                c, d = F32(np.cos(a)), F32(np.sin(a))
                u, v = (x * c + y * d) * F32(1 + e), (y * c - x * d) * F32(1 - e)
                x, y = u * c - v * d, u * d + v * c
        self.x, self.y = x, y
        self.r = np.hypot(x, y)[None]
        self.theta = wrapped(np.arctan2(y, x) - self.direction)[None]
        self.u = (self.r * np.cos(self.theta)).astype(F32)  # towards the right ventricle
        self.v = (self.r * np.sin(self.theta)).astype(F32)
        self.z = planes.depth[None, :, :, None, None]

    def paint(self) -> np.ndarray:
        """The map of tissues."""
        self._left_ventricle()
        self._right_ventricle()
        tissue = np.zeros(self.shape, np.uint8)
        tissue[:] = self._surroundings()
        self._pericardium(tissue)
        self._base(tissue)
        self._fill_right(tissue)
        self._fill_left(tissue)
        return tissue

    # Geometry of the ventricles.

    def _left_ventricle(self) -> None:
        """Endocardial and epicardial radius at every point: `self.endo`, `self.epi`."""
        h, rng, theta = self.heart, self.rng, self.theta
        base = h.mapse * self.f
        tilt = rng.normal(0, 0.03, 2) if self.wide else np.zeros(2)
        tilted = self.z - F32(tilt[0]) * self.u - F32(tilt[1]) * self.v
        self.level = (tilted - base) / (h.length - base)  # 0 at the mitral plane, 1 at the apex
        level = np.clip(self.level, 0, 1)
        e = level * F32(1 + CUT) - F32(CUT)
        blunt = rng.uniform(1.8, 2.8) if self.wide else 2.0
        profile = np.clip(1 - np.abs(e) ** F32(blunt), 0, 1) ** F32(1 / 2)
        # Contraction, less where there is a scar.
        outside = np.abs(wrapped(theta - F32(h.scar_angle)))
        scar = (
            np.clip((F32(h.scar_width) - outside) / F32(0.3) + F32(0.5), 0, 1)
            if h.scar_width
            else F32(0)
        )
        if h.scar_width and self.wide:
            middle, reach = rng.uniform(0.2, 1), rng.uniform(0.3, 1)
            scar = scar * np.clip((F32(reach) - np.abs(level - F32(middle))) / F32(0.2), 0, 1)
        motion = 1 - (1 - F32(h.scar_motion)) * scar
        long_axis = h.length / (h.length - h.mapse)
        systolic = h.radius * np.sqrt((1 - h.lv_ef) * long_axis)
        if self.wide:  # some hearts empty their apex more than their base
            motion = motion * (1 + F32(rng.uniform(0, 0.7)) * (level - F32(0.4)))
        endo = F32(h.radius) - F32(h.radius - systolic) * self.f * motion
        endo = np.maximum(endo, 1)
        if self.wide:
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
            if self.wide:
                bump = bump * np.exp(
                    -0.5 * ((level - F32(rng.uniform(0.2, 0.8))) / F32(rng.uniform(0.25, 0.6))) ** 2
                )
            wall = wall + bump
        if self.wide:
            wall = wall * np.clip(
                1 + waves(rng, theta, [0.08, 0.08, 0.05]) * F32(rng.uniform(0.3, 1.3)), 0.45, 1.8
            )
        wall = wall * (1 - F32(h.scar_thinning) * scar)
        # The wall's volume is kept: what it loses in length and circumference it gains in thickness.
        area = ((h.radius + wall) ** 2 - F32(h.radius**2)) * (h.length / (h.length - base))
        outer = np.sqrt(endo**2 + area)
        apex = F32(rng.uniform(3, 8) if self.wide else 5)
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

    def _right_ventricle(self) -> None:
        """Where the right ventricle's cavity is, and a margin of its wall around it."""
        h, rng = self.heart, self.rng
        epi = h.radius + h.wall  # of the left ventricle, at its widest
        u = rng.uniform
        size = (h.rv_size * h.lv_edv_ml) ** (1 / 3)
        depth = size * (u(4.6, 8.5) if self.wide else 5.5)  # septum to free wall at the base
        height = size * (u(6.0, 9.0) if self.wide else 7.2)  # half of the chord along the septum
        # Systole: the free wall moves more than the insertions do.
        kept = np.sqrt(np.clip(1 - h.rv_ef, 0.05, 1))
        depth_f = 1 - (1 - kept ** u(1.1, 1.6)) * self.f
        height_f = 1 - (1 - kept ** u(0.3, 0.8)) * self.f
        base = F32(u(-14, 5) if self.wide else 0) + F32(h.tapse) * self.f
        end = F32(h.length * (u(0.78, 1.02) if self.wide else 0.9))
        tilt = rng.normal(0, 0.15, 2) if self.wide else np.zeros(2)
        tilted = self.z - F32(tilt[0]) * (self.u - epi) - F32(tilt[1]) * self.v
        level = (tilted - base) / (end - base)
        self.rv_level = level
        inside = np.clip(level, 0, 1)
        taper = np.clip(1 - inside ** F32(u(1.3, 3.2)), 0, 1) ** F32(u(0.5, 1.0))
        depth = F32(depth) * depth_f * taper
        height = F32(height) * height_f * taper ** F32(u(0.5, 1.0)) + 1e-3
        # The septum, where the cavity begins, and how far behind it the contour would close.
        septum = self.around * F32(u(0.93, 1.0)) if self.wide else self.around
        free = F32(0.5) * (septum + F32(epi) * taper ** F32(0.3)) + depth
        back = F32(u(0.1, 0.8) if self.wide else 0.4) * F32(epi) * taper
        half = np.maximum((free - back) / 2, 1e-3)
        skew, wedge = (u(-0.35, 0.35), u(-0.5, 0.5)) if self.wide else (0.0, 0.0)
        m, k = (u(1.8, 4.0), u(1.8, 4.0)) if self.wide else (2.0, 2.0)
        a = (self.u - (back + half)) / half
        middle = F32(u(-0.25, 0.25) if self.wide else 0) * height
        b = (self.v - middle - F32(skew) * half * a) / (
            height * np.clip(1 + F32(wedge) * a, 0.3, 2)
        )
        form = np.abs(a) ** F32(m) + np.abs(b) ** F32(k)
        if self.wide:
            form = form * (1 + F32(u(0, 0.25)) * smooth_noise(rng, (1, 1), self.shape[-1], 6))
        live = (level < 1) & (taper > 0.02)
        self.rv_form = np.where(live, form, 9)
        self.rv_margin = 1 / np.maximum(
            np.minimum(half, height), 4
        )  # a mm in units of the form's root
        self.rv_cavity = live & (form < 1) & (self.r > septum)

    # Paint, from the outside in.

    def _surroundings(self) -> np.ndarray:
        """Lungs, chest wall, liver and whatever else lies around: `s k h w`."""
        rng, n = self.rng, self.shape[-1]
        _, s, k, _, _ = self.shape
        x, y, u = self.x, self.y, rng.uniform
        down = (self.planes.z / self.heart.length).astype(F32)[:, None, None, None]
        made = np.zeros((s, k, n, n), np.uint8)
        if not self.clutter:
            away = x * F32(np.cos(2.2)) + y * F32(np.sin(-2.2))
            edge = 75 - 40 * down
            for more, tissue in ((0, Tissue.MUSCLE), (14, Tissue.FAT), (34, Tissue.LUNG)):
                made[away > edge + more] = tissue
            made[(y > 60 - 20 * down) & (made == 0)] = Tissue.LIVER
            return made
        cells = int(rng.integers(3, 7))
        drift = np.linspace(-1, 1, s, dtype=F32)[:, None, None, None]

        def field(cells: int) -> np.ndarray:
            """Noise that changes slowly from slice to slice."""
            first, second = smooth_noise(rng, (2, 1, 1), n, cells)
            return (first + drift * second) / np.sqrt(1 + drift**2)

        for tissue, more in ((Tissue.SOFT_A, 0), (Tissue.SOFT_B, 1), (Tissue.SOFT_C, 3)):
            blobs, level = field(cells + more), u(0.55, 1.6)
            if rng.random() < 0.75:
                made[np.broadcast_to(blobs > level, made.shape)] = tissue
        vessels = smooth_noise(rng, (s, 1), n, int(rng.integers(n // 4, n // 2 - 4)))
        made[(vessels > u(1.3, 2.4)) & (made == 0)] = Tissue.VESSEL
        wobble = field(4) * 6
        if rng.random() < 0.75:
            a = np.deg2rad(u(-20, 120))
            away = x * F32(np.cos(a)) + y * F32(np.sin(a)) + wobble
            made[away > u(25, 75) - u(0, 25) * down] = Tissue.LIVER
        for _ in range(rng.integers(0, 4)):  # stomach, aorta, vessels, spine
            a, far, radius = u(0, 2 * np.pi), u(35, 85), u(5, 24)
            away = np.hypot(x - F32(far * np.cos(a)), y - F32(far * np.sin(a))) + wobble * F32(0.3)
            inner = rng.choice(
                [Tissue.SOFT_A, Tissue.SOFT_B, Tissue.SOFT_C, Tissue.ATRIUM, Tissue.VESSEL]
            )
            made[away < radius + u(1, 5)] = rng.choice(
                [Tissue.LUNG, Tissue.MUSCLE, Tissue.FAT, Tissue.THIN_WALL]
            )
            made[away < radius] = inner
        if rng.random() < 0.85:
            a = np.deg2rad(u(160, 300))
            away = x * F32(np.cos(a)) + y * F32(np.sin(a)) + wobble
            edge = u(38, 85) - u(0, 30) * down
            layers = (
                (0, Tissue.FAT if rng.random() < 0.5 else Tissue.MUSCLE),
                (u(2, 12), Tissue.MUSCLE if rng.random() < 0.6 else Tissue.SOFT_A),
                (u(4, 14), Tissue.FAT),
                (u(8, 30), Tissue.LUNG),
            )
            for more, tissue in layers:
                edge = edge + more
                made[away > edge] = tissue
        return made

    def _rv_within(self, mm: float) -> np.ndarray:
        """Points no further than about `mm` outside of the right ventricle's cavity."""
        return self.rv_form < (1 + F32(mm) * self.rv_margin) ** 2

    def _pericardium(self, tissue: np.ndarray) -> None:
        """Epicardial fat in patches, and a thin dark line around the heart."""
        rng, u, n = self.rng, self.rng.uniform, self.shape[-1]
        live = self.around > 0
        thick = F32(6)
        if self.wide:
            thick = F32(u(-4, 4)) + waves(rng, self.theta, [3.0, 3.0, 3.0, 2.0])
            thick = thick + 4 * smooth_noise(rng, (1, self.shape[1], 1), n, 6)
            thick = np.clip(thick, 0, u(4, 16))
        wall = u(1.5, 4.5) if self.wide else 3.0
        near_left = self.r - self.around
        right = self._rv_within
        fat = live & (
            (near_left < thick) | ((self.rv_level > -0.3) & right(wall + 4) & (thick > 2))
        )
        tissue[fat] = Tissue.EPICARDIAL_FAT
        if not self.wide or rng.random() < 0.7:
            line = F32(u(0.4, 2.0))
            ring = live & (near_left < line) & (thick > 0)
            tissue[ring] = Tissue.PERICARDIUM
        tissue[(self.rv_level > -0.25) & right(wall)] = Tissue.THIN_WALL

    def _base(self, tissue: np.ndarray) -> None:
        """Atria and great vessels above the valves."""
        rng, u = self.rng, self.rng.uniform
        above = self.level < 0
        if not above.any() and not (self.rv_level < 0).any():
            return
        left = above & (self.r < self.around)
        tissue[left] = Tissue.MYOCARDIUM if rng.random() < 0.15 else Tissue.THIN_WALL
        tissue[above & (self.r < self.around - F32(u(1, 3.5)))] = Tissue.ATRIUM
        tissue[(self.rv_level < 0) & (self.rv_level > -0.6) & self._rv_within(-1.0)] = Tissue.ATRIUM
        if self.wide and rng.random() < 0.85:
            # The aortic root, between the atria.
            self._vessel(tissue, above, u(-1.0, 1.0), u(8, 26), u(9, 16))
        if self.wide:
            for _ in range(rng.integers(0, 4)):
                radius = u(8, 26)
                near = self.level < F32(u(-0.08, 0.04))
                outside = near & (self.r >= self.endo)
                far = (self.heart.radius + self.heart.wall) * u(0.7, 1.2) + radius * u(0, 0.9)
                self._vessel(tissue, outside, u(-1.9, 1.9), far, radius)

    def _vessel(
        self, tissue: np.ndarray, where: np.ndarray, angle: float, far: float, radius: float
    ) -> None:
        away = np.hypot(self.u - F32(far * np.cos(angle)), self.v - F32(far * np.sin(angle)))
        tissue[where & (away < radius + self.rng.uniform(0.8, 3))] = Tissue.THIN_WALL
        tissue[where & (away < radius)] = Tissue.ATRIUM

    def _fill_right(self, tissue: np.ndarray) -> None:
        rng, u, n = self.rng, self.rng.uniform, self.shape[-1]
        cavity = self.rv_cavity & (self.rv_level >= 0)
        if self.wide:
            within = self._rv_within(u(0.3, 1.5)) & (self.rv_level >= 0) & (self.rv_level < 1)
            tissue[within & (self.r > self.around)] = Tissue.RV_EDGE
        tissue[cavity] = Tissue.RV_BLOOD
        if not self.wide:
            return
        p, s, *_ = self.shape
        cells = int(rng.integers(n // 6, n // 3))
        noise = smooth_noise(rng, (1, s, 1), n, cells)
        noise = noise + F32(0.5) * smooth_noise(rng, (p, s, 1), n, cells)
        edge = (1 - np.sqrt(self.rv_form)) / self.rv_margin  # mm from the free wall, roughly
        noise = noise + F32(u(0, 1)) * self.f
        more = np.clip(self.rv_level, 0.3, 1)
        tissue[cavity & (noise > u(0.4, 2.2)) & (edge < u(2, 25) * more)] = Tissue.RV_TRABECULA

    def _fill_left(self, tissue: np.ndarray) -> None:
        rng, u, n = self.rng, self.rng.uniform, self.shape[-1]
        p, s, *_ = self.shape
        below = self.level >= 0
        wall = below & (self.r < self.epi)
        tissue[wall] = Tissue.MYOCARDIUM
        if self.wide:
            inner = np.maximum(self.epi - F32(u(0.2, 1.4)), self.endo + 1.5)
            tissue[wall & (self.r > inner)] = Tissue.WALL_EDGE
        cavity = self.within & (self.r < self.endo)
        tissue[cavity] = Tissue.LV_BLOOD
        if self.wide and rng.random() < 0.3:
            # The outflow tract opens the wall in the first slices.
            opened = below & (self.level < F32(u(0, 0.2)))
            opened &= np.abs(wrapped(self.theta - F32(u(-0.9, 1.0)))) < u(0.2, 0.7)
            tissue[opened & (self.r < self.epi + 2) & (self.r >= self.endo)] = Tissue.THIN_WALL
        level = np.clip(self.level, 0, 1)
        if self.wide:
            cells = int(rng.integers(n // 6, n // 3))
            noise = smooth_noise(rng, (1, s, 1), n, cells) + F32(0.5) * smooth_noise(
                rng, (p, s, 1), n, cells
            )
            depth = F32(u(1, 10)) * np.clip(level * F32(1.5), 0.3, 1)
            depth = np.minimum(depth, F32(0.6) * self.endo + F32(0.1))  # systole leaves no room
            # Denser towards the compact wall, where the pictures no longer tell them apart.
            inward = (self.endo - self.r) / depth
            packed = noise + F32(u(0, 3)) * (1 - inward)
            rough = cavity & (inward < 1) & (packed > u(0, 2.2))
            tissue[rough] = Tissue.LV_TRABECULA
        spread = 0.2 if self.wide else 0.0
        for side in (u(1.65, 2.8), u(3.5, 4.6)) if self.wide else (2.36, 4.45):
            for _ in range(rng.integers(1, 3) if self.wide else 1):
                angle = side + rng.normal(0, spread)
                start, stop = (u(0.15, 0.4), u(0.6, 0.85)) if self.wide else (0.38, 0.68)
                radius = F32(u(2, 6.5) if self.wide else 4) * (1 + F32(0.15) * self.f)
                out = F32(u(0.55, 0.95) if self.wide else 0.64) * (self.endo - radius / 2)
                away = np.hypot(
                    self.u - out * F32(np.cos(angle)), self.v - out * F32(np.sin(angle))
                )
                tissue[cavity & (away < radius) & (level > start) & (level < stop)] = (
                    Tissue.LV_TRABECULA
                )
