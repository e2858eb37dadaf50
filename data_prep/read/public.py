"""Exams of a public set as a source: NIfTI files, stacks put together from several, and DICOM.

What the files leave unsaid (patient, view, sequence, place in the cardiac cycle) travels as a sidecar.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable, Iterator

import cv2
import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from data_prep import public
from data_prep.public.exam import CYCLE_POSITIONS, Problem, PublicExam, Volume
from data_prep.read import archive, nifti
from data_prep.read.files import LocalFiles
from data_prep.read.head import Head
from data_prep.read.nifti import CYCLE_PERCENT, CYCLE_POSITION, NOMINAL_SPACING, spaced_affine
from data_prep.read.reject import Reject, Why
from data_prep.read.tree import FILES_PER_UNIT, PART, TreeSource

OTHER_FILES = ""  # the unit of files that belong to no exam
ASSEMBLED = "!"  # between an exam and its stack that is put together from several files
WHY = {
    Problem.MISSING: Why.INCOMPLETE,
    Problem.UNKNOWN_SPACING: Why.UNKNOWN_SPACING,
    Problem.NO_IMAGE: Why.INCOMPLETE,
    Problem.SINGLE_MOMENT: Why.INCOMPLETE,
}


@dataclasses.dataclass(frozen=True)
class PublicSource:
    """A unit is an exam; one more holds the files that belong to none."""

    spec: str

    def units(self) -> list[str]:
        """The exams, and the rest of the files."""
        return [OTHER_FILES, *public.units(self.spec)]

    def heads(self, unit: str) -> Iterator[Head | Reject]:
        """Everything that is read of an exam, and a reject for each of its other files."""
        if unit == OTHER_FILES:
            for path in public.other_files(self.spec):
                packed = archive.is_archive(path)
                yield Reject(Why.PACKED if packed else _why(path), path)
            return
        try:
            exam, names = public.exam(self.spec, unit), public.owned(self.spec, unit)
        except (OSError, ValueError, StopIteration) as error:
            yield Reject(Why.IO_ERROR, unit, f"folder: {type(error).__name__}")
            return
        yield from _rejects(exam, names)
        for volume in exam.volumes:
            yield self._head(unit, volume, exam.patient)
        for folder in exam.dicom:
            yield from self._dicom(folder, exam)

    def load(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The wanted files, whole."""
        for where in wheres:
            try:
                yield where, self._whole(where)
            except (OSError, ValueError, ImageFileError):
                continue  # the caller counts what did not come

    def _dicom(self, folder: str, exam: PublicExam) -> Iterator[Head | Reject]:
        """Heads of the DICOM files of one folder."""
        tree = TreeSource(LocalFiles(public.root_of(self.spec)))
        gaps = exam.attributes | exam.folder_attributes.get(folder, {})
        beside = json.dumps(gaps | {"PatientID": exam.patient}).encode()
        skip = {mask.path for mask in exam.masks}
        count = len(tree.files.names(folder))
        for part in range(-(-count // FILES_PER_UNIT)):
            for found in tree.heads(f"{folder}{PART}{part}"):
                if os.path.normpath(found.where) not in skip:
                    is_head = isinstance(found, Head)
                    yield dataclasses.replace(found, beside=beside) if is_head else found

    def _head(self, unit: str, volume: Volume, patient: str) -> Head | Reject:
        where = f"{unit}{ASSEMBLED}{volume.name}.nii" if volume.assembled else volume.files[0]
        try:
            whole = self._whole(where)
        except (OSError, ValueError, ImageFileError) as error:
            return Reject(Why.IO_ERROR, where, type(error).__name__)
        sidecar = volume.attributes | {"PatientID": patient, "StudyInstanceUID": f"nifti:{unit}"}
        if volume.moments == 2:
            sidecar[CYCLE_POSITION] = list(CYCLE_POSITIONS)
        if volume.phases:
            sidecar[CYCLE_PERCENT] = [100 * phase for phase in volume.phases]
        if volume.spacing_mm:
            sidecar[NOMINAL_SPACING] = "YES"
        return Head(where, whole, len(whole), beside=json.dumps(sidecar).encode())

    def _whole(self, where: str) -> bytes:
        unit, mark, name = where.rpartition(ASSEMBLED)
        if not mark or self._path(where).is_file():
            return self._path(where).read_bytes()
        exam = public.exam(self.spec, unit)
        volume = next((v for v in exam.volumes if name == f"{v.name}.nii"), None)
        if volume is None:
            raise FileNotFoundError(where)
        paths = [self._path(file) for file in volume.files]
        return (_pictures if volume.spacing_mm else _moments)(paths, volume).to_bytes()

    def _path(self, where: str) -> pathlib.Path:
        return pathlib.Path(public.root_of(self.spec), where)


def _rejects(exam: PublicExam, names: list[str]) -> Iterator[Reject]:
    """A reason for each file of an exam that is not read."""
    read = {file for volume in exam.volumes for file in volume.files}
    problems = dict(exam.problems)
    masks = {mask.path for mask in exam.masks}
    for path in names:
        if path in read or path in problems:
            continue
        if path in exam.duplicates:
            yield Reject(Why.DUPLICATE, path, "a phase of the other volume")
        elif path in masks:
            yield Reject(Why.NOT_MR, path, "a mask")
        elif not any(os.path.dirname(path) == folder for folder in exam.dicom):
            yield Reject(_why(path), path)
    for path, problem in exam.problems:
        yield Reject(WHY[problem], path, problem.value)


def _why(path: str) -> Why:
    """Why a file that no layout names is not read."""
    return Why.NOT_MR if nifti.is_nifti(path) else Why.NOT_DICOM


def _moments(paths: list[pathlib.Path], _: Volume) -> nibabel.Nifti1Image:
    """Volumes of one shape as a volume over time; a ValueError where shapes differ."""
    images = [nibabel.Nifti1Image.from_filename(path) for path in paths]
    volume = np.stack([np.asanyarray(image.dataobj) for image in images], -1)
    return nibabel.Nifti1Image(volume, spaced_affine(images[0]))


def _pictures(paths: list[pathlib.Path], volume: Volume) -> nibabel.Nifti1Image:
    """Grey pictures of one size as a volume, over time where the stack has two moments."""
    grey = []
    for path in paths:
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise ValueError("not a picture")
        grey.append(picture.T)  # NIfTI counts columns first
    stacked = np.stack(grey, -1)
    if volume.moments > 1:
        stacked = stacked.reshape(*stacked.shape[:2], -1, volume.moments)
    assert volume.spacing_mm is not None
    return nibabel.Nifti1Image(stacked, np.diag([*volume.spacing_mm, 1.0]))
