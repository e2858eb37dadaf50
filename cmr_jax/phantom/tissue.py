"""Maps of tissues of a random short-axis stack, painted on the shapes of its ventricles.

Arrays are `p s k h w`: phases, slices, sample points of a voxel, rows, columns.
"""

import enum

import numpy as np

from cmr_jax.phantom.heart import Heart
from cmr_jax.phantom.shapes import (
    Frame,
    LeftVentricle,
    Planes,
    RightVentricle,
    smooth_noise,
    waves,
    wrapped,
)

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
    ATRIUM = 13  # left atrium, aorta and vessels: blood that is no ventricle's
    LIVER = 14
    RV_TRABECULA = 15
    PERICARDIUM = 16  # and the dark line that chemical shift draws at an edge of fat
    WALL_EDGE = 17  # outermost myocardium, which observers leave outside of their contour
    RV_EDGE = 18  # innermost wall of the right ventricle, which they take in
    LV_EDGE = 19  # innermost myocardium, likewise
    LV_OPENING = 20  # the outflow tract's gap in the wall, across which they close the ring
    RIGHT_BLOOD = 21  # right atrium and pulmonary trunk


class Mask(enum.IntEnum):
    """Classes of the masks.

    Papillary muscles and trabeculae count as cavity (ACDC; Petersen 2017).  Contours follow the habit
    of observers, who draw the epicardium a little inside of the wall's edge and the right ventricle
    to the outside of its blood, the endocardium a little into the wall; the wall's ring is closed
    across the outflow tract.
    """

    BACKGROUND = 0
    RV = 1
    MYOCARDIUM = 2
    LV = 3


MASK_OF = np.zeros(len(Tissue), np.uint8)
MASK_OF[[Tissue.RV_BLOOD, Tissue.RV_TRABECULA, Tissue.RV_EDGE]] = Mask.RV
MASK_OF[[Tissue.MYOCARDIUM, Tissue.LV_OPENING]] = Mask.MYOCARDIUM
MASK_OF[[Tissue.LV_BLOOD, Tissue.LV_TRABECULA, Tissue.LV_EDGE]] = Mask.LV


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
        self.shape = (len(contraction), len(planes.z), planes.samples, planes.size, planes.size)
        self.frame = Frame(heart, planes, wide, turn, rng)
        self.left = LeftVentricle(heart, self.frame, self.f, wide, rng)
        self.right = RightVentricle(heart, self.frame, self.left, self.f, wide, rng)

    def paint(self) -> np.ndarray:
        """The map of tissues."""
        tissue = np.zeros(self.shape, np.uint8)
        tissue[:] = self._surroundings()
        self._pericardium(tissue)
        self._base(tissue)
        self._fill_right(tissue)
        self._fill_left(tissue)
        return tissue

    # Paint, from the outside in.

    def _surroundings(self) -> np.ndarray:
        """Lungs, chest wall, liver and whatever else lies around: `s k h w`."""
        rng, n = self.rng, self.shape[-1]
        _, s, k, _, _ = self.shape
        x, y, u = self.frame.x, self.frame.y, rng.uniform
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
            a = np.deg2rad(u(-20, 160))
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
        if rng.random() < 0.4:  # a pad of fat beside the apex
            a = np.deg2rad(u(60, 260))
            away = x * F32(np.cos(a)) + y * F32(np.sin(a)) + wobble
            pad = (away > u(25, 50) - u(0, 25) * down) & (down > u(0.2, 0.7))
            made[pad] = Tissue.FAT if rng.random() < 0.5 else Tissue.EPICARDIAL_FAT
        return made

    def _pericardium(self, tissue: np.ndarray) -> None:
        """Epicardial fat in patches, and a thin dark line around the heart."""
        rng, u, n = self.rng, self.rng.uniform, self.shape[-1]
        around = self.left.around
        live = around > 0
        thick = F32(6)
        if self.wide:
            thick = F32(u(-4, 4)) + waves(rng, self.frame.theta, [3.0, 3.0, 3.0, 2.0])
            thick = thick + 4 * smooth_noise(rng, (1, self.shape[1], 1), n, 6)
            thick = np.clip(thick, 0, u(4, 16))
        wall = u(1.5, 4.5) if self.wide else 3.0
        if self.heart.group == "abnormal_rv" and rng.random() < 0.3:  # hypertrophy
            wall = u(4, 7.5)
        near_left = self.frame.r - around
        right = self.right.within
        fat = live & (
            (near_left < thick) | ((self.right.level > -0.3) & right(wall + 4.0) & (thick > 2))
        )
        tissue[fat] = Tissue.EPICARDIAL_FAT
        if not self.wide or rng.random() < 0.7:
            line = F32(u(0.4, 2.0))
            ring = live & (near_left < line) & (thick > 0)
            tissue[ring] = Tissue.PERICARDIUM
        tissue[(self.right.level > -0.25) & right(wall)] = Tissue.THIN_WALL

    def _base(self, tissue: np.ndarray) -> None:
        """Atria and great vessels above the valves."""
        rng, u, left, right = self.rng, self.rng.uniform, self.left, self.right
        above, r = left.level < 0, self.frame.r
        atrium = above & (r < left.around)
        tissue[atrium] = Tissue.MYOCARDIUM if rng.random() < 0.15 else Tissue.THIN_WALL
        tissue[above & (r < left.around - F32(u(1, 3.5)))] = Tissue.ATRIUM
        if self.wide and rng.random() < 0.85:
            # The aortic root, between the atria.
            self._vessel(tissue, above, u(-1.0, 1.0), u(8, 26), u(9, 16))
        if self.wide:
            for _ in range(rng.integers(0, 4)):
                radius = u(8, 26)
                near = left.level < F32(u(-0.08, 0.04))
                outside = near & (r >= left.endo)
                far = (self.heart.radius + self.heart.wall) * u(0.7, 1.2) + radius * u(0, 0.9)
                self._vessel(tissue, outside, u(-1.9, 1.9), far, radius)
        beside = r > left.around * F32(u(0.8, 1))
        if self.wide and rng.random() < 0.6:  # fat in the groove around the tricuspid valve
            groove = np.abs(right.level) < F32(u(0.02, 0.15))
            edge = (right.atrium_form > u(0.5, 0.9)) & (right.atrium_form < u(1.2, 2.5))
            tissue[beside & groove & edge] = Tissue.EPICARDIAL_FAT
        for form in (right.atrium_form, right.trunk_form):
            inner = u(0.8, 1) if self.wide else 0.95
            tissue[beside & (form < 1)] = Tissue.THIN_WALL
            tissue[beside & (form < inner)] = Tissue.RIGHT_BLOOD

    def _vessel(
        self, tissue: np.ndarray, where: np.ndarray, angle: float, far: float, radius: float
    ) -> None:
        away = np.hypot(
            self.frame.u - F32(far * np.cos(angle)), self.frame.v - F32(far * np.sin(angle))
        )
        tissue[where & (away < radius + self.rng.uniform(0.8, 3))] = Tissue.THIN_WALL
        tissue[where & (away < radius)] = Tissue.ATRIUM

    def _fill_right(self, tissue: np.ndarray) -> None:
        rng, u, n = self.rng, self.rng.uniform, self.shape[-1]
        right = self.right
        cavity = right.cavity
        if self.wide:
            edge = right.within(u(0.6, 3.0)) & (self.frame.r > self.left.around)
            tissue[edge] = Tissue.RV_EDGE
        tissue[cavity] = Tissue.RV_BLOOD
        if not self.wide:
            return
        p, s, *_ = self.shape
        cells = int(rng.integers(n // 6, n // 3))
        noise = smooth_noise(rng, (1, s, 1), n, cells)
        noise = noise + F32(0.5) * smooth_noise(rng, (p, s, 1), n, cells)
        edge = (1 - np.sqrt(right.form)) / right.per_mm  # mm from the free wall, roughly
        noise = noise + F32(u(0, 1.8)) * self.f
        more = np.clip(right.level, 0.3, 1)
        tissue[cavity & (noise > u(0.4, 2.2)) & (edge < u(2, 25) * more)] = Tissue.RV_TRABECULA
        outer = self.heart.radius + self.heart.wall
        for _ in range(rng.integers(0, 4)):  # papillary muscles and the moderator band
            far, along, radius = outer + u(3, 35), outer * u(-1.2, 1.2), F32(u(2, 6))
            away = np.hypot(self.frame.u - F32(far), (self.frame.v - F32(along)) * F32(u(0.5, 1.5)))
            tissue[cavity & (away < radius) & (right.level > u(0, 0.4))] = Tissue.RV_TRABECULA

    def _fill_left(self, tissue: np.ndarray) -> None:
        rng, u, n = self.rng, self.rng.uniform, self.shape[-1]
        p, s, *_ = self.shape
        below = self.left.level >= 0
        wall = below & (self.frame.r < self.left.epi)
        tissue[wall] = Tissue.MYOCARDIUM
        if self.wide:
            # Observers differ, and go further in systole, when the wall's edges blur.
            systole = 1 + F32(0.6) * self.f
            outer = self.left.epi - F32(u(0.2, 1.4)) * systole
            tissue[wall & (self.frame.r > np.maximum(outer, self.left.endo + 1.5))] = (
                Tissue.WALL_EDGE
            )
            inner = self.left.endo + F32(u(0.3, 1.6)) * systole
            tissue[wall & self.left.within & (self.frame.r < inner)] = Tissue.LV_EDGE
        cavity = self.left.within & (self.frame.r < self.left.endo)
        tissue[cavity] = Tissue.LV_BLOOD
        if self.wide and rng.random() < 0.3:
            # The outflow tract opens the wall in the first slices.
            opened = below & (self.left.level < F32(u(0, 0.2)))
            opened &= np.abs(wrapped(self.frame.theta - F32(u(-0.9, 1.0)))) < u(0.2, 0.7)
            tissue[
                opened & (self.frame.r < self.left.epi + 2) & (self.frame.r >= self.left.endo)
            ] = Tissue.LV_OPENING
        level = np.clip(self.left.level, 0, 1)
        if self.wide:
            cells = int(rng.integers(n // 6, n // 3))
            noise = smooth_noise(rng, (1, s, 1), n, cells) + F32(0.5) * smooth_noise(
                rng, (p, s, 1), n, cells
            )
            depth = F32(u(1, 10)) * np.clip(level * F32(1.5), 0.3, 1)
            # Systole leaves no room.
            depth = np.minimum(depth, F32(0.6) * self.left.endo + F32(0.1))
            # Denser towards the compact wall, where the pictures no longer tell them apart.
            inward = (self.left.endo - self.frame.r) / depth
            packed = noise + F32(u(0, 3)) * (1 - inward)
            rough = cavity & (inward < 1) & (packed > u(0, 2.2))
            tissue[rough] = Tissue.LV_TRABECULA
        spread = 0.2 if self.wide else 0.0
        for side in (u(1.65, 2.8), u(3.5, 4.6)) if self.wide else (2.36, 4.45):
            for _ in range(rng.integers(1, 3) if self.wide else 1):
                angle = side + rng.normal(0, spread)
                start, stop = (u(0.15, 0.4), u(0.6, 0.85)) if self.wide else (0.38, 0.68)
                radius = F32(u(2, 6.5) if self.wide else 4) * (1 + F32(0.15) * self.f)
                out = F32(u(0.55, 0.95) if self.wide else 0.64) * (self.left.endo - radius / 2)
                away = np.hypot(
                    self.frame.u - out * F32(np.cos(angle)), self.frame.v - out * F32(np.sin(angle))
                )
                tissue[cavity & (away < radius) & (level > start) & (level < stop)] = (
                    Tissue.LV_TRABECULA
                )
