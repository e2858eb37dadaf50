"""Scans a heart: partial volume, coil shading, Rician noise."""

import dataclasses
import math

import numpy as np

from data_prep.phantom import motion, tissue
from data_prep.phantom.anatomy import Heart, ellipsoid
from data_prep.phantom.planning import Plane
from data_prep.phantom.population import Scar, exam_rng
from data_prep.phantom.tissue import Contrast, Signals

LGE_PHASE = 0.72  # mid-diastole
HEART_RADIUS_MM = 105.0
HEART_DEPTH_MM = 95.0  # below the skin of the chest
HEART_CENTRE_MM = np.array([12.0, 0.0, 32.0])  # of the whole heart, in its own frame


@dataclasses.dataclass(frozen=True)
class Scan:
    """One stack as ordered: planes from base to apex, phases, and what the sequence shows."""

    view: str
    contrast: Contrast
    planes: tuple[Plane, ...]
    phases: np.ndarray
    noise: float
    tesla: float
    coil_mm: float  # over which the signal falls to 1/e below the coil on the chest


def _blend(picture, distance, value, width):
    """Paints `value` where distance < 0, with edges as wide as a voxel: the partial volume."""
    share = np.clip(0.5 - distance * (1 / width), 0, 1)
    return picture + share * (value - picture)


class Scanner:
    """Renders scans of one heart placed at `origin` (LPS mm)."""

    def __init__(self, heart: Heart, origin: np.ndarray, through: int):
        self.heart, self.origin, self.through = heart, origin, through

    def render(self, scan: Scan, purpose: int) -> np.ndarray:
        """Pixels of a scan, uint16 (slices, phases, rows, columns).

        `purpose` keys the noise: the same subject and purpose give the same pixels.
        """
        subject = self.heart.subject
        rng = exam_rng(subject.seed, subject.index, purpose)
        clean = self.clean(scan, tissue.signals(scan.contrast, scan.tesla), scan.phases)
        real = clean + scan.noise * rng.standard_normal(clean.shape, np.float32)
        if scan.contrast is Contrast.LGE_PSIR:  # a phase-sensitive picture keeps its sign
            return np.clip(2048 + 900 * real, 0, 4095).astype(np.uint16)
        imaginary = scan.noise * rng.standard_normal(clean.shape, np.float32)
        return np.clip(160 * np.hypot(real, imaginary), 0, 4095).astype(np.uint16)

    def clean(self, scan: Scan, table: Signals, phases: np.ndarray) -> np.ndarray:
        """A scan without noise in the units of `table`, (slices, phases, rows, columns)."""
        # Phase-sensitive pictures are divided by a reference, and the coil's shading with it;
        # a map has none.
        shaded = scan.contrast not in (Contrast.LGE_PSIR, Contrast.T1MAP)
        coil_mm = scan.coil_mm if shaded else np.inf
        return np.stack([self._slice(plane, phases, table, coil_mm) for plane in scan.planes])

    def cavity(self, plane: Plane, phases: np.ndarray) -> np.ndarray:
        """True share of left-ventricular cavity in each pixel, (phases, rows, columns)."""
        points = plane.points(self.through).reshape(-1, 3) - self.origin
        share = _blend(0.0, self.heart.at(points, phases).distance["lv"], 1.0, plane.spacing_mm)
        return self._average(share, plane)

    def _average(self, values: np.ndarray, plane: Plane) -> np.ndarray:
        shape = (-1, self.through, plane.matrix, plane.matrix)
        return values.reshape(shape).mean(1).astype(np.float32)

    def _slice(
        self, plane: Plane, phases: np.ndarray, table: Signals, coil_mm: float
    ) -> np.ndarray:
        points = (plane.points(self.through).reshape(-1, 3) - self.origin).astype(np.float32)
        width = plane.spacing_mm
        picture = np.repeat(self._chest(points, table, width)[None], len(phases), 0)
        middle = HEART_CENTRE_MM @ self.heart.axes
        near = ((points - middle) ** 2).sum(-1) < HEART_RADIUS_MM**2
        if len(phases) > 2:  # worth a look at two phases first
            near[near] = self.heart.reached(points[near])
        picture[:, near] = self._heart(points[near], phases, picture[:, near], table, width)
        below_skin = np.clip(points[:, 1] + HEART_DEPTH_MM, 0, 230)
        picture *= np.exp((HEART_DEPTH_MM - below_skin) / coil_mm).astype(np.float32)
        return self._average(picture, plane)

    def _chest(self, p: np.ndarray, table: Signals, width: float) -> np.ndarray:
        torso = self.heart.torso
        x, y, z = p[:, 0] + 45, p[:, 1] - 14, p[:, 2]  # from the middle of the chest
        body = ellipsoid(x, y, 0.0, torso.half_width, torso.half_depth, 1e3)
        picture = _blend(np.full(len(p), table.air, np.float32), body, table.fat, width)
        picture = _blend(picture, body + torso.fat, table.muscle, width)
        picture = _blend(picture, body + torso.fat + 20, table.lung, width)
        back = torso.half_depth - torso.fat - 24
        mediastinum = ellipsoid(x - 8, y - back + 30, 0.0, 42, 48, 1e3)
        picture = _blend(picture, mediastinum, table.muscle, width)
        picture = _blend(picture, ellipsoid(x + 35, y, z + 142, 150, 108, 88), table.liver, width)
        picture = _blend(picture, ellipsoid(x - 82, y + 8, z + 128, 52, 60, 58), table.lung, width)
        picture = _blend(picture, np.hypot(x, y - back) - 20, table.marrow, width)
        picture = _blend(picture, np.hypot(x - 24, y - back + 26) - 13, table.line, width)
        return _blend(picture, np.hypot(x - 24, y - back + 26) - 11, table.blood, width)

    def _heart(self, p, phases, picture, table: Signals, width: float) -> np.ndarray:
        subject = self.heart.subject
        now = self.heart.at(p, np.asarray(phases, np.float32))
        d = now.distance
        diffuse = subject.scar is Scar.DIFFUSE
        blood = table.diffuse_blood if diffuse else table.blood
        rv_blood = table.rv_blood * (blood / table.blood)
        rv_outer = np.maximum(d["rv"] - subject.rv_wall_mm, -d["lv_epi"])
        ventricles = np.minimum(d["lv_epi"], rv_outer)
        sac = np.minimum(ventricles, np.minimum(d["la"], d["ra"]) - 2.0)
        lateral = 0.5 + 0.5 * np.cos(now.theta - math.radians(215))
        fluid = subject.effusion_mm * (0.45 + 0.55 * lateral)

        picture = _blend(picture, np.minimum(sac - 6.0 - fluid, d["aorta"] - 7), table.fat, width)
        if subject.effusion_mm > 0:
            picture = _blend(picture, sac - fluid - 1.5, table.line, width)
            picture = _blend(picture, ventricles - fluid, table.fluid, width)
        else:
            picture = _blend(picture, sac - 1.0, table.line, width)
        rv_wall = table.diffuse if diffuse else table.myocardium
        for name, level in (("la", blood), ("ra", rv_blood)):
            picture = _blend(picture, d[name] - 2.0, rv_wall, width)
            picture = _blend(picture, d[name], level, width)
        picture = _blend(picture, rv_outer, rv_wall, width)
        picture = _blend(picture, np.maximum(d["rv"], -d["lv_epi"]), rv_blood, width)
        for name, level in (("pa", rv_blood), ("aorta", blood)):
            picture = _blend(picture, d[name] - 1.6, table.line, width)
            picture = _blend(picture, d[name], level, width)
        picture = _blend(picture, d["lv_epi"], self._wall(now, table), width)
        picture = _blend(picture, np.minimum(d["lv"], d["lvot"]), blood, width)
        picture = _blend(picture, d["leaflet"], table.line, width)
        return _blend(picture, d["papillary"], table.myocardium, width)

    def _wall(self, now, table: Signals) -> np.ndarray:
        """Signal inside the left-ventricular wall: myocardium and its scar."""
        subject = self.heart.subject
        share = scar_share(subject, now.theta, now.height, now.depth)
        full = table.diffuse if subject.scar is Scar.DIFFUSE else table.scar
        return table.myocardium + share * (full - table.myocardium)


def scar_share(subject, theta, height, depth) -> np.ndarray:
    """Share of scar, 0..1, at a place in the wall (angle, height, depth from the endocardium)."""
    scar = subject.scar
    if scar in (Scar.SUBENDOCARDIAL, Scar.TRANSMURAL):
        where = motion.territory_weight(subject.territory, theta, height)
        return where * np.clip((subject.scar_depth - depth) / 0.1 + 0.5, 0, 1)
    if scar is Scar.MIDWALL:  # a septal stripe
        stripe = np.clip(1.6 - np.abs(depth - 0.5) / 0.17, 0, 1)
        septum = np.clip(
            (math.radians(62) - np.abs(np.arctan2(np.sin(theta), np.cos(theta)))) * 4, 0, 1
        )
        return stripe * septum * np.clip((0.75 - height) * 8, 0, 1)
    if scar is Scar.PATCHY:  # at the insertions of the right ventricle
        spots = [(65, 0.3), (-65, 0.35), (30, 0.55)]
        rng = exam_rng(subject.seed, subject.index, 1)
        share = np.zeros(np.shape(theta), np.float32)
        for angle, at in spots:
            turn = theta - math.radians(angle + rng.normal(0, 8))
            away = (2 * np.sin(turn / 2) / 0.38) ** 2 + ((height - at) / 0.2) ** 2
            away = away + ((depth - 0.5) / 0.42) ** 2
            share = np.maximum(share, np.clip(1.4 - away, 0, 1))
        return share
    if scar is Scar.DIFFUSE:
        return np.clip(1.1 - 0.5 * depth, 0, 1) * np.clip(1.15 - 0.3 * height, 0, 1)
    return np.zeros(np.shape(theta), np.float32)
