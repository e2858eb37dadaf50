"""What is true of a subject: measurements and findings, the labels of the phantom."""

import dataclasses

from data_prep.phantom.population import Diagnosis, Scar, Subject


@dataclasses.dataclass(frozen=True)
class Truth:
    """What is true of one exam: measurements in the units of their names, and findings."""

    measurements: dict[str, float]
    findings: dict[str, bool]


def truth(subject: Subject, lv_volumes_ml: tuple[float, float], lv_mass_g: float) -> Truth:
    """Measurements and findings; limits are those of EACVI (Petersen 2019) where it has one."""
    s = subject
    edv, esv = lv_volumes_ml
    ef = 100 * (1 - esv / edv)
    edvi, rvedvi = edv / s.bsa_m2, s.rv_edv_ml / s.bsa_m2
    wall = s.lv_wall_mm * 1.06 + s.septal_extra_mm
    ischemic = s.scar in (Scar.SUBENDOCARDIAL, Scar.TRANSMURAL)
    return Truth(
        measurements={
            "lv_edv_ml": edv,
            "lv_esv_ml": esv,
            "lv_ef_percent": ef,
            "lv_mass_g": lv_mass_g,
            "lv_max_wall_mm": wall,
            "rv_edv_ml": s.rv_edv_ml,
            "rv_ef_percent": s.rv_ef_percent,
            "la_max_ml": s.la_max_ml,
            "aortic_root_mm": s.aortic_root_mm,
            "effusion_mm": s.effusion_mm,
        },
        findings={
            "lv_dilation": edvi > (105 if s.male else 96),
            "lv_dysfunction": ef < 50,
            "lv_hypertrophy": wall >= 12.5,
            "rv_dilation": rvedvi > (121 if s.male else 112),
            "rv_dysfunction": s.rv_ef_percent < 45,
            "aortic_dilation": s.aortic_root_mm >= 40,
            "pericardial_effusion": s.effusion_mm >= 5,
            "lge": s.scar is not Scar.NONE,
            "infarct": ischemic,
            "nonischemic_lge": s.scar in (Scar.MIDWALL, Scar.PATCHY),
            "amyloidosis": s.diagnosis is Diagnosis.AMYLOID,
            "hcm": s.diagnosis is Diagnosis.HCM,
            "dcm": s.diagnosis is Diagnosis.DCM,
        },
    )
