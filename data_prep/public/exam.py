"""An exam of a public set, and what its segmentations measure."""

import dataclasses
import math
import os
import pathlib
import re
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

MYOCARDIUM_G_PER_ML = 1.05
# Limits of the findings that follow from a measurement (EACVI: Petersen 2019, EHJCI 20:1321).
LEAST_LV_EF, LEAST_RV_EF = 50, 45


@dataclasses.dataclass(frozen=True)
class PublicExam:
    """Paths are below the set's root."""

    patient: str
    split: str
    cine: str = ""  # a volume over time
    moments: tuple[str, ...] = ()  # volumes at end diastole and end systole
    phases: tuple[float, ...] = ()  # positions of those moments in the cycle, 0..1, where known
    said: dict[str, Any] = dataclasses.field(default_factory=dict)  # DICOM's names, of a sidecar
    labels: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Parts:
    """What numbers of a segmentation stand for."""

    lv: int
    myocardium: int
    rv: int


def split_of(root: str, folder: str) -> str:
    """By the name of a folder above, the root's included: training, validation or testing; "" where
    none of them says."""
    above = (pathlib.Path(root).absolute().name, *pathlib.PurePath(folder).parts)
    for name in reversed(above):
        for prefix, split in (("train", "train"), ("valid", "val"), ("test", "test")):
            if name.lower().startswith(prefix):
                return split
    return ""


def walk(root: str, wanted: re.Pattern) -> list[str]:
    """Folders that hold a file by such a name, below the root."""
    found = []
    for folder, _, names in os.walk(root):
        if any(wanted.fullmatch(name) for name in names):
            found.append(os.path.relpath(folder, root))
    return sorted(found)


def measured(
    diastole: pathlib.Path, systole: pathlib.Path, parts: Parts, at: tuple[int, int] | None = None
) -> dict[str, str]:
    """Volumes, ejection fractions and mass of segmentations of both moments; {} where one is absent.

    `at` are the moments where both are in one volume over time.
    """
    try:
        ed, es = (
            _milliliters(p, parts, t)
            for p, t in zip((diastole, systole), at or (None,) * 2, strict=True)
        )
    except (OSError, ValueError, LookupError, ImageFileError):
        return {}
    if not all(0 < es[part] <= ed[part] for part in ("lv", "rv")):
        return {}  # a moment without a segmentation, or the two of them mixed up
    lv_ef, rv_ef = (100 * (1 - es[part] / ed[part]) for part in ("lv", "rv"))
    values = {
        "lv_edv_ml": ed["lv"],
        "lv_esv_ml": es["lv"],
        "lv_ef_percent": lv_ef,
        "lv_mass_g": ed["myocardium"] * MYOCARDIUM_G_PER_ML,
        "rv_edv_ml": ed["rv"],
        "rv_esv_ml": es["rv"],
        "rv_ef_percent": rv_ef,
    }
    findings = {"lv_dysfunction": lv_ef < LEAST_LV_EF, "rv_dysfunction": rv_ef < LEAST_RV_EF}
    return {k: f"{v:.1f}" for k, v in values.items()} | {
        k: str(int(v)) for k, v in findings.items()
    }


def _milliliters(path: pathlib.Path, parts: Parts, at: int | None) -> dict[str, float]:
    image = nibabel.Nifti1Image.from_filename(path)
    voxel = float(np.prod(image.header.get_zooms()[:3])) / 1000
    mask = np.asanyarray(image.dataobj)
    mask = mask if at is None else mask[..., at]
    return {name: voxel * float((mask == n).sum()) for name, n in dataclasses.asdict(parts).items()}


def number(text: str) -> float | None:
    """A finite number of a table; None where the cell is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def one_hot(group: str, findings: dict[str, str]) -> dict[str, str]:
    """A disease as findings of yes and no, by the names of the prompts where they have one."""
    if not group:
        return {}
    return {"diagnosis": group} | {f: str(int(group == g)) for g, f in findings.items()}
