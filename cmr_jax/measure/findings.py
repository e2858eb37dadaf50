"""Findings that follow from numbers: how strongly each is suggested, for ranking exams.

Limits are those of adults, not indexed to body size: Petersen 2019 (EHJCI 20:1321), Petersen 2017
(JCMR 19:18), Elliott 2014 (EHJ 35:2733; 15 mm for hypertrophic cardiomyopathy).
"""

import numpy as np

from cmr_jax.measure.volumes import Function

LEAST_EF, LOW_EF, LEAST_RV_EF = 50.0, 35.0, 45.0  # percent
LARGEST_EDV_ML, LARGEST_WALL_MM = 200.0, 15.0


def scores(found: Function, largest_wall_mm: float) -> dict[str, float]:
    """A score for each finding; more is more likely, and 0 is the stated limit where there is one."""
    ratio = np.log((found.rv_edv_ml + 10) / (found.lv_edv_ml + 10))
    # A wall is thick for the size of its heart: a small ventricle's counts more.
    wall = largest_wall_mm / np.cbrt(max(found.lv_edv_ml, 20) / 140)
    return {
        "EF < 50 %": LEAST_EF - found.lv_ef_percent,
        "EF < 35 %": LOW_EF - found.lv_ef_percent,
        "EDV > 200 ml": found.lv_edv_ml - LARGEST_EDV_ML,
        "RVEF < 45 %": LEAST_RV_EF - found.rv_ef_percent,
        "dilated cardiomyopathy": found.lv_esv_ml - found.lv_ef_percent,
        "hypertrophic cardiomyopathy": wall - LARGEST_WALL_MM,
        "abnormal right ventricle": ratio - 0.01 * found.rv_ef_percent,
    }
