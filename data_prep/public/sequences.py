"""Shared layout of MS-CMRSeg 2019 and MyoPS 2020: one stack of each sequence of a patient.

C0 is a balanced SSFP still of the short axis (no cine: one moment of it), LGE or DE late enhancement by
inversion recovery, read as magnitude, and T2 a black-blood T2-weighted image.
"""

import collections
import re

from data_prep.public import files
from data_prep.public.exam import Mask, Parts, Problem, PublicExam, Volume
from data_prep.public.files import NIFTI

DESCRIPTIONS = {
    "C0": "SAX still",
    "LGE": "LGE SAX",
    "DE": "LGE SAX",
    "T2": "T2W SAX",
}


def patients(root: str, stem: str) -> list[str]:
    """Names of the patients who have an image, wherever below the root."""
    form = re.compile(rf"({stem})_(?:{'|'.join(DESCRIPTIONS)}){NIFTI}")
    names = (path.rpartition("/")[2] for path in files.all_files(root))
    return sorted({match[1] for name in names if (match := form.fullmatch(name))})


def owned(root: str, patient: str) -> list[str]:
    """Images and masks of one patient."""
    return [
        path for path in files.all_files(root) if path.rpartition("/")[2].startswith(patient + "_")
    ]


def exam(
    root: str,
    patient: str,
    split: str,
    sequences: tuple[str, ...],
    masks: dict[str, str],
    parts: Parts,
) -> PublicExam:
    """The stacks of one patient.

    Args:
        root: folder of the set.
        patient: start of the names of all files.
        split: train, val, test or "".
        sequences: ends of the images' names.
        masks: end of the image's name by the end of its mask's name.
        parts: meaning of mask values.
    """
    names = owned(root, patient)
    by_end = collections.defaultdict(list)
    for path in names:
        if match := re.fullmatch(rf"{re.escape(patient)}_(\w+){NIFTI}", path.rpartition("/")[2]):
            by_end[match[1]].append(path)
    first = {end: paths[0] for end, paths in by_end.items()}
    return PublicExam(
        patient,
        split,
        volumes=tuple(
            Volume((first[end],), {"SeriesDescription": DESCRIPTIONS[end]})
            for end in sequences
            if end in first
        ),
        duplicates=tuple(path for paths in by_end.values() for path in paths[1:]),
        masks=tuple(
            Mask(first[end], parts, first[image])
            for end, image in masks.items()
            if end in first and image in first
        ),
        problems=tuple(
            (f"{patient}_{end}.nii.gz", Problem.MISSING) for end in sequences if end not in first
        ),
    )
