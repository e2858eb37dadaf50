"""Random short-axis stacks as exams: hearts of `cmr_jax.phantom`, scanned at real geometry.

Volumes that are true of an exam are counted from its masks, slice by slice, as an observer would.
"""

import dataclasses
import functools

import numpy as np

from cmr_jax.phantom import Source, Variant
from cmr_jax.phantom.tissue import Mask
from data_prep.phantom.acquisition import Scan
from data_prep.phantom.motion import MYOCARDIAL_DENSITY_G_PER_ML
from data_prep.phantom.planning import Plane
from data_prep.phantom.population import Subject, exam_rng
from data_prep.phantom.protocol import Profile
from data_prep.phantom.report import expand
from data_prep.phantom.tissue import Contrast
from data_prep.phantom.truth import Truth

# Directions of a short-axis stack of a Siemens exam (ImageOrientationPatient).
ROW, COLUMN = np.array([0.54, 0.82, -0.21]), np.array([-0.55, 0.15, -0.82])
STORED_TOP = 3000  # largest stored value
FIRST_SEED = 4_000_003  # so that no exam is one that a measuring model learned from


@functools.lru_cache(4096)
def _volumes_ml(seed: int, variant: Variant, index: int) -> np.ndarray:
    """Volumes `p m` of an exam; reports and labels ask for the same ones, and painting takes seconds."""
    return Source(seed, variant)[index].volumes_ml


class WildHeart:
    """The random heart of exam `index` of a profile."""

    def __init__(self, chosen: Profile, index: int):
        # A profile's pixel is its coarsest.
        pixel = chosen.pixel_mm * exam_rng(chosen.seed, index, 9).uniform(0.7, 1)
        variant = Variant(size=chosen.matrix, spacing=pixel, phases=chosen.phases, pictures=1)
        self._source, self._index = Source(FIRST_SEED + chosen.seed, variant), index
        self._drawn = self._source.drawn(index)
        self.group = self._drawn.heart.group

    def person(self, subject: Subject) -> Subject:
        """Give a subject the body surface area that the heart was drawn for."""
        weight = self._drawn.heart.bsa_m2**2 * 3600 / subject.height_cm
        return dataclasses.replace(subject, weight_kg=weight)

    @functools.cached_property
    def _exam(self):
        return self._source[self._index]

    def truth(self, male: bool) -> Truth:
        """Volumes of the masks, the drawn wall's thickness, and findings by the tidy phantom's limits."""
        source, heart = self._source, self._drawn.heart
        curves = _volumes_ml(source.seed, source.variant, self._index)
        lv, rv = curves[:, Mask.LV], curves[:, Mask.RV]
        ed, es = int(lv.argmax()), int(lv.argmin())
        numbers = {
            "lv_edv_ml": lv[ed],
            "lv_esv_ml": lv[es],
            "lv_ef_percent": 100 * (1 - lv[es] / lv[ed]),
            "lv_mass_g": MYOCARDIAL_DENSITY_G_PER_ML * curves[ed, Mask.MYOCARDIUM],
            "rv_edv_ml": rv[ed],
            "rv_esv_ml": rv[es],
            "rv_ef_percent": 100 * (1 - rv[es] / rv[ed]),
        }
        # The stack shows the heart smaller by its zoom; the base is thicker than the mean (shapes.py).
        zoom = self._drawn.planes.spacing / self._source.variant.spacing
        numbers["lv_max_wall_mm"] = (1.06 * heart.wall + heart.septal_bump) / zoom
        findings = {
            "lv_dilation": lv[ed] / heart.bsa_m2 > (105 if male else 96),
            "lv_dysfunction": numbers["lv_ef_percent"] < 50,
            "lv_hypertrophy": numbers["lv_max_wall_mm"] >= 12.5,
            "rv_dilation": rv[ed] / heart.bsa_m2 > (121 if male else 112),
            "rv_dysfunction": numbers["rv_ef_percent"] < 45,
        }
        return Truth(
            {k: float(v) for k, v in numbers.items()}, {k: bool(v) for k, v in findings.items()}
        )

    def scan(self, origin: np.ndarray, tesla: float) -> Scan:
        """The stack's planes and phases."""
        planes, phases = self._drawn.planes, len(self._drawn.contraction)
        row, column = ROW / np.linalg.norm(ROW), COLUMN - COLUMN @ ROW / (ROW @ ROW) * ROW
        column = column / np.linalg.norm(column)
        apical = -np.cross(row, column)
        half = (planes.size - 1) / 2 * self._source.variant.spacing
        made = tuple(
            Plane(
                origin + z * apical - half * (row + column),
                row,
                column,
                self._source.variant.spacing,
                planes.thickness,
                planes.size,
            )
            for z in planes.z
        )
        return Scan("SAX", Contrast.CINE, made, np.arange(phases) / phases, 0.0, tesla, 0.0)

    def video(self) -> np.ndarray:
        """Stored values `s p h w`, uint16."""
        video = self._exam.video.swapaxes(0, 1)
        return np.round(video * (STORED_TOP / video.max())).astype(np.uint16)


def report(found: Truth, rng: np.random.Generator) -> str:
    """Read the findings into an impression."""
    numbers, has = found.measurements, found.findings
    ef = f"[ (EF {numbers['lv_ef_percent']:.0f}%)|]"
    lines = [
        "[dilated|enlarged] [LV|left ventricle]." if has["lv_dilation"]
        else "[normal LV size|left ventricle is not dilated].",
        f"[reduced|impaired] [LV|left ventricular] systolic function{ef}." if has["lv_dysfunction"]
        else f"[normal|preserved] [LV|left ventricular] systolic function{ef}.",
    ]  # fmt: skip
    if has["lv_hypertrophy"]:
        lines.append("[left ventricular hypertrophy|increased LV wall thickness].")
    right = [
        word
        for key, word in (("rv_dilation", "[dilated|enlarged]"), ("rv_dysfunction", "hypokinetic"))
        if has[key]
    ]
    lines.append(
        f"{' and '.join(right)} [RV|right ventricle]."
        if right
        else "[normal RV|normal right ventricular size and function]."
    )
    return "IMPRESSION:\n" + "\n".join(
        f"{n}. {expand(line, rng)}" for n, line in enumerate(lines, 1)
    )
