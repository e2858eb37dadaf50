"""What disease does to a heart: each finding moves physical parameters, a diagnosis moves several."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from data_prep.phantom.population import (
    PREVALENCE,
    Diagnosis,
    Scar,
    Subject,
    Territory,
    exam_rng,
    healthy,
)


def sample_subject(
    seed: int, index: int, prevalence: Mapping[Diagnosis, float] = PREVALENCE
) -> Subject:
    """Draws the person of exam `index`; the same person for the same (seed, index, prevalence)."""
    rng = exam_rng(seed, index, 0)
    diagnosis = list(prevalence)[rng.choice(len(prevalence), p=list(prevalence.values()))]
    normal = healthy(rng, seed, index)
    return dataclasses.replace(normal, diagnosis=diagnosis, **_CHANGES[diagnosis](rng, normal))


def _dilate(rng: np.random.Generator, h: Subject) -> dict:
    edv = rng.uniform(122, 185) * h.bsa_m2
    return {"lv_edv_ml": edv, "lv_length_mm": h.lv_length_mm * (edv / h.lv_edv_ml) ** 0.28}


def _weaken(rng: np.random.Generator, low: float = 15, high: float = 44) -> dict:
    ef = rng.uniform(low, high)
    return {"lv_ef_percent": ef, "mapse_mm": 3 + 0.17 * ef, "twist_deg": 0.15 * ef}


def _rv_weaken(rng: np.random.Generator) -> dict:
    return {"rv_ef_percent": rng.uniform(18, 38)}


def _rv_dilate(rng: np.random.Generator, h: Subject) -> dict:
    return {"rv_edv_ml": rng.uniform(135, 195) * h.bsa_m2, "rv_wall_mm": rng.uniform(3, 6)}


def _infarct(rng: np.random.Generator) -> dict:
    transmural = bool(rng.random() < 0.6)
    return {
        "scar": Scar.TRANSMURAL if transmural else Scar.SUBENDOCARDIAL,
        "territory": list(Territory)[rng.integers(3)],
        "scar_depth": rng.uniform(0.78, 1.0) if transmural else rng.uniform(0.4, 0.6),
        "kinesis": rng.uniform(-0.15, 0.2) if transmural else rng.uniform(0.15, 0.4),
    }


def _side_findings(rng: np.random.Generator, h: Subject, rate: float) -> dict:
    """Findings of vessels and pericardium, which keep company with anything."""
    changes = {}
    if rng.random() < rate:
        changes["effusion_mm"] = rng.uniform(6, 22)
    if rng.random() < rate:
        changes["aortic_root_mm"] = rng.uniform(42, 54)
    return changes


def _normal(rng: np.random.Generator, h: Subject) -> dict:
    return {}


def _mixed(rng: np.random.Generator, h: Subject) -> dict:
    changes: dict = {}
    if rng.random() < 0.30:
        changes |= _dilate(rng, h)
    if rng.random() < 0.30:
        changes |= _weaken(rng)
    if rng.random() < 0.25:
        changes["lv_wall_mm"] = rng.uniform(12.5, 17)
    if rng.random() < 0.45:
        changes |= _rv_dilate(rng, h)
    if rng.random() < 0.40:
        changes |= _rv_weaken(rng)
    if rng.random() < 0.35:
        changes |= {"scar": Scar.PATCHY if rng.random() < 0.5 else Scar.MIDWALL}
    return changes | _side_findings(rng, h, 0.38)


def _dcm(rng: np.random.Generator, h: Subject) -> dict:
    changes = _dilate(rng, h) | _weaken(rng) | {"la_max_ml": rng.uniform(90, 150)}
    if rng.random() < 0.45:
        changes |= _rv_weaken(rng)
    if rng.random() < 0.30:
        changes |= _rv_dilate(rng, h)
    if rng.random() < 0.45:
        changes |= {"scar": Scar.MIDWALL}
    return changes | _side_findings(rng, h, 0.12)


def _icm(rng: np.random.Generator, h: Subject) -> dict:
    changes = _infarct(rng) | _weaken(rng, 20, 44)
    if rng.random() < 0.55:
        changes |= _dilate(rng, h)
    if rng.random() < 0.25:
        changes |= _rv_weaken(rng)
    return changes | _side_findings(rng, h, 0.10)


def _hcm(rng: np.random.Generator, h: Subject) -> dict:
    wall = rng.uniform(8.5, 11)
    changes: dict = {
        "lv_wall_mm": wall,
        "septal_extra_mm": rng.uniform(17, 25) - wall,
        "lv_edv_ml": rng.uniform(58, 78) * h.bsa_m2,
        "lv_ef_percent": rng.uniform(64, 77),
        "la_max_ml": rng.uniform(85, 130),
    }
    if rng.random() < 0.6:
        changes |= {"scar": Scar.PATCHY}
    return changes | _side_findings(rng, h, 0.06)


def _amyloid(rng: np.random.Generator, h: Subject) -> dict:
    changes: dict = {
        "lv_wall_mm": rng.uniform(13, 18),
        "septal_extra_mm": rng.uniform(0, 2.5),
        "lv_edv_ml": rng.uniform(58, 80) * h.bsa_m2,
        "lv_ef_percent": rng.uniform(40, 60),
        "mapse_mm": rng.uniform(5, 8),
        "rv_wall_mm": rng.uniform(6, 9),
        "la_max_ml": rng.uniform(95, 150),
        "scar": Scar.DIFFUSE,
    }
    if rng.random() < 0.3:
        changes["effusion_mm"] = rng.uniform(5, 12)
    return changes | {"age_years": int(rng.integers(58, 90))}


_CHANGES = {
    Diagnosis.NORMAL: _normal,
    Diagnosis.MIXED: _mixed,
    Diagnosis.DCM: _dcm,
    Diagnosis.ICM: _icm,
    Diagnosis.HCM: _hcm,
    Diagnosis.AMYLOID: _amyloid,
}
