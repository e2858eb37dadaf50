"""One exam of a public set: its image files, its masks, and what the set says about it."""

import dataclasses
import enum
from typing import Any

CYCLE_POSITIONS = ("END_DIASTOLE", "END_SYSTOLE")  # values of CardiacCyclePosition (0018,9236)


class Problem(enum.Enum):
    """Why files of an exam are not used although the set has them."""

    MISSING = "a file that the layout of the set has is missing"
    UNKNOWN_SPACING = "no pixel spacing"
    NO_IMAGE = "the image of this file is missing"
    SINGLE_MOMENT = "a slice with one moment of two"


@dataclasses.dataclass(frozen=True)
class Parts:
    """Mask values of each structure; () where the mask does not outline it."""

    lv: tuple[int, ...] = ()  # cavity of the left ventricle
    myocardium: tuple[int, ...] = ()  # of the left ventricle, injured or not
    rv: tuple[int, ...] = ()
    infarct: tuple[int, ...] = ()  # with no-reflow, which lies inside it
    no_reflow: tuple[int, ...] = ()
    edema: tuple[int, ...] = ()  # beside the infarct
    epicardium: tuple[int, ...] = ()  # cavity and myocardium as one region


@dataclasses.dataclass(frozen=True)
class Mask:
    """One segmentation file, for evaluation only.

    Attributes:
        path: NIfTI, PNG or contour text (x y of each vertex in pixels, value 1 inside), below the root.
        parts: meaning of its values.
        image: the image file that it outlines, below the root.
        moment: END_DIASTOLE or END_SYSTOLE; "" for stills.
        volume: index along time, where `path` is a volume over time.
    """

    path: str
    parts: Parts
    image: str
    moment: str = ""
    volume: int | None = None


@dataclasses.dataclass(frozen=True)
class Volume:
    """Image files that make one stack.

    Attributes:
        files: paths below the root: one NIfTI file; NIfTI files of end diastole and end systole; or
            pictures of all slices, the moments of each slice one after the other.
        attributes: DICOM attributes of the stack by keyword, as in a BIDS sidecar.
        name: of the stack that several files make.
        phases: positions in the cardiac cycle, 0..1, of two moments, where known.
        moments: 2 for end diastole and end systole; 1 otherwise.
        spacing_mm: columns, rows, slices; for pictures, which have no header.
    """

    files: tuple[str, ...]
    attributes: dict[str, Any]
    name: str = ""
    phases: tuple[float, ...] = ()
    moments: int = 1
    spacing_mm: tuple[float, float, float] | None = None

    @property
    def assembled(self) -> bool:
        """True if the stack is put together from several files."""
        return bool(self.name)


@dataclasses.dataclass(frozen=True)
class PublicExam:
    """Files and facts of one exam of a set.

    Attributes:
        patient: the set's name of the patient.
        split: train, val or test, by the authors; "" where they gave none.
        volumes: image files to read.
        dicom: folders of DICOM files to read, below the root.
        attributes: DICOM attributes that fill gaps of the headers; PatientID replaces theirs.
        folder_attributes: the same for single folders of `dicom`.
        duplicates: image files that repeat a part of `volumes`.
        masks: segmentations.
        problems: (path, why) of files that cannot be used.
    """

    patient: str
    split: str = ""
    volumes: tuple[Volume, ...] = ()
    dicom: tuple[str, ...] = ()
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)
    folder_attributes: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    duplicates: tuple[str, ...] = ()
    masks: tuple[Mask, ...] = ()
    problems: tuple[tuple[str, Problem], ...] = ()
