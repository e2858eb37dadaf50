"""Contoured frames of Sunnybrook Cardiac Data as 8-bit pictures (see `sunnybrook` for the set).

`images/SC-HF-I-01-IM-0001-0048.dcm.png` at end diastole and end systole, with filled contours of the
same name in `i_labels` (endocardium) and `o_labels` (epicardium).  Images are numbered from 1 through
the 20 phases of each slice.  The moment with the larger sum of cavities is end-diastolic.

Pixel spacing is lost: a stack needs `DIR?spacing_mm=COLUMNS,ROWS,SLICES`, and is then flagged "spacing
unknown".  Ejection fractions need none, volumes are not reported.  Tested on 23 real patients.
"""

import os
import pathlib
import re
from collections import defaultdict

import cv2
import numpy as np

from data_prep.public import measure
from data_prep.public.exam import CYCLE_POSITIONS, Mask, Parts, Problem, PublicExam, Volume
from data_prep.public.sunnybrook import group_labels

PICTURES = True  # without a header: `exam` takes a spacing
PHASES = 20
NAME = re.compile(r"(SC-(?:HF-I|HF-NI|HYP|N)-\d+)-IM-\d+-(\d+)\.dcm\.png")
ENDOCARDIUM, EPICARDIUM = Parts(lv=(255,)), Parts(epicardium=(255,))
FOLDERS = {"i_labels": ENDOCARDIUM, "o_labels": EPICARDIUM}


def units(root: str) -> list[str]:
    """Patients that have pictures."""
    return sorted({m[1] for name in _names(root, "images") if (m := NAME.fullmatch(name))})


def owned(root: str, unit: str) -> list[str]:
    """Pictures and masks of one patient."""
    folders = ("images", *FOLDERS)
    return [
        f"{f}/{name}" for f in folders for name in _names(root, f) if name.startswith(unit + "-")
    ]


def exam(root: str, unit: str, spacing: tuple[float, float, float] | None) -> PublicExam:
    """The frames of both moments as a cine of two phases; slices with one moment are not used."""
    images = {
        path: divmod(_number(path) - 1, PHASES) for path in owned(root, unit) if "images/" in path
    }
    masks, phases = _masks(root, unit, images)
    by_slice: dict[int, dict[int, str]] = defaultdict(dict)
    for path, (place, phase) in images.items():
        by_slice[place][phase] = path
    whole = {k: v for k, v in by_slice.items() if len(phases) == 2 and set(phases) <= set(v)}
    used = tuple(slot[phase] for _, slot in sorted(whole.items()) for phase in phases)
    problems = [(path, Problem.SINGLE_MOMENT) for path in images if path not in used]
    volumes: tuple[Volume, ...] = ()
    if spacing is None:
        problems += [(path, Problem.UNKNOWN_SPACING) for path in used]
    elif used:
        places = tuple(phase / PHASES for phase in phases)
        attributes = {"SeriesDescription": "cine SAX", "Manufacturer": "GE MEDICAL SYSTEMS"}
        volumes = (Volume(used, attributes, "ed_and_es", places, 2, spacing),)
    return PublicExam(unit, volumes=volumes, masks=masks, problems=tuple(problems))


def labels(root: str, unit: str, found: PublicExam) -> dict[str, str]:
    """Group, and the ejection fraction from the areas of all contoured slices."""
    areas: dict[str, dict[int, int]] = defaultdict(dict)
    for mask in found.masks:
        if mask.parts is ENDOCARDIUM and mask.moment:
            place = (_number(mask.path) - 1) // PHASES
            areas[mask.moment][place] = area(root, mask.path)
    ed, es = ({"lv": float(sum(areas[moment].values()))} for moment in CYCLE_POSITIONS)
    function = measure.function_labels(ed, es)
    free = {k: v for k, v in function.items() if k in ("lv_ef_percent", "lv_dysfunction")}
    return group_labels(unit) | free


def area(root: str, path: str) -> int:
    """Pixels inside a filled contour; 0 where it cannot be read."""
    data = np.fromfile(pathlib.Path(root, path), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    return 0 if picture is None else int((picture > 127).sum())


def _masks(root: str, unit: str, images: dict) -> tuple[tuple[Mask, ...], tuple[int, ...]]:
    """Masks with their moments, and the phases of end diastole and end systole."""
    outlined = [path for path in owned(root, unit) if "images/" not in path]
    cavities: dict[int, list[int]] = defaultdict(list)
    for path in outlined:
        if path.startswith("i_labels"):
            cavities[(_number(path) - 1) % PHASES].append(area(root, path))
    usual = sorted(cavities, key=lambda phase: -len(cavities[phase]))[:2]
    phases = sorted(usual, key=lambda phase: -sum(cavities[phase]))
    moments = dict(zip(phases, CYCLE_POSITIONS, strict=False))
    masks = tuple(
        Mask(path, FOLDERS[folder], f"images/{name}", moments.get((_number(path) - 1) % PHASES, ""))
        for path in outlined
        for folder, name in [os.path.split(path)]
        if f"images/{name}" in images
    )
    return masks, tuple(phases)


def _names(root: str, folder: str) -> list[str]:
    where = pathlib.Path(root, folder)
    return sorted(p.name for p in where.iterdir()) if where.is_dir() else []


def _number(path: str) -> int:
    match = NAME.fullmatch(os.path.basename(path))
    return int(match[2]) if match else 0
