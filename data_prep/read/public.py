"""Exams of a public set, with what their files leave unsaid as a sidecar."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable, Iterator

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from data_prep import public
from data_prep.public.exam import PublicExam
from data_prep.read import nifti
from data_prep.read.head import Head
from data_prep.read.nifti import CYCLE_PERCENT, spaced_affine
from data_prep.read.reject import Reject, Why

BOTH = "ed_and_es.nii"  # a cine of two moments, of a set that has no other


@dataclasses.dataclass(frozen=True)
class PublicSource:
    """A unit is an exam's folder.  Of an exam its cine is read; without one, its volumes at end
    diastole and end systole as a cine of two phases."""

    spec: str

    def units(self) -> list[str]:
        """The exams' folders."""
        return public.folders(self.spec)

    def heads(self, unit: str) -> Iterator[Head | Reject]:
        """The volume to read, and what of the rest it makes needless."""
        try:
            exam = public.exam(self.spec, unit)
            names = sorted(f.name for f in self._path(unit).iterdir() if f.is_file())
        except (OSError, ValueError, StopIteration) as error:
            yield Reject(Why.IO_ERROR, unit, f"folder: {type(error).__name__}")
            return
        used = exam.cine or (f"{unit}/{BOTH}" if len(exam.moments) == 2 else "")
        for name in names:
            where = f"{unit}/{name}"
            if where == exam.cine:
                continue
            if where in exam.moments and used:
                said = "a moment of the cine"
                yield Reject(Why.DUPLICATE, where, said)
            else:
                mask = nifti.is_nifti(where)
                yield Reject(Why.NOT_MR if mask else Why.NOT_DICOM, where)
        if used:
            yield self._head(used, exam)

    def load(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The wanted volumes, whole."""
        for where in wheres:
            try:
                yield where, self._whole(where)
            except (OSError, ValueError):
                continue  # the caller counts what did not come

    def _head(self, where: str, exam: PublicExam) -> Head | Reject:
        said = exam.said | {"PatientID": exam.patient}
        if where.endswith(BOTH) and exam.phases:
            said |= {CYCLE_PERCENT: [100 * phase for phase in exam.phases]}
        beside = json.dumps(said).encode()
        try:
            whole = self._whole(where)
        except (OSError, ValueError, ImageFileError) as error:
            return Reject(Why.IO_ERROR, where, type(error).__name__)
        return Head(where, whole, len(whole), beside=beside)

    def _whole(self, where: str) -> bytes:
        folder, name = os.path.split(where)
        if name != BOTH:
            return self._path(where).read_bytes()
        moments = public.exam(self.spec, folder).moments
        images = [nibabel.Nifti1Image.from_filename(self._path(m)) for m in moments]
        volume = np.stack([np.asanyarray(image.dataobj) for image in images], -1)
        return nibabel.Nifti1Image(volume, spaced_affine(images[0])).to_bytes()

    def _path(self, where: str) -> pathlib.Path:
        return pathlib.Path(public.root_of(self.spec), where)
