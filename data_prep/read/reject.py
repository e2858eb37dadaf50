"""What becomes of an input that cannot be used: it is counted, with a reason and a way out."""

import dataclasses
import enum


class Why(enum.Enum):
    """Reasons, each with what a person can do about it.  IGNORED ones are no fault of the input."""

    NOT_DICOM = ("ignored", "not a DICOM file; nothing to do")
    DICOMDIR = ("ignored", "an index of files; they are found without it")
    NOT_MR = ("ignored", "not an MR image object; export MR Image Storage")
    REPEAT = ("ignored", "the same slice and moment scanned again; the latest is kept")
    DUPLICATE = ("ignored", "the same object was read before")
    NOT_KEPT = ("ignored", "a sequence that --keep leaves out")
    ALREADY_THERE = ("ignored", "in this build already")
    EMPTY_FILE = ("rejected", "zero bytes; export it again")
    TRUNCATED = ("rejected", "the file ends early; export it again")
    UNREADABLE = ("rejected", "the header cannot be parsed; see the local list of paths")
    TOO_LARGE = ("rejected", "larger than any real exam; may be made to exhaust memory")
    PACKED = ("rejected", "packed inside another file; unpack it first")
    UNSAFE_ARCHIVE = (
        "rejected",
        "a member that links, climbs out or inflates without end; unpack it by hand and look",
    )
    IO_ERROR = ("rejected", "the file cannot be read; check permissions and the disk")
    NO_GEOMETRY = ("rejected", "no position, orientation or spacing; the frame cannot be placed")
    BAD_GEOMETRY = ("rejected", "orientation not orthonormal or spacing out of range")
    BAD_PIXELS = ("rejected", "pixel module contradicts itself or the pixel data's length")
    INCOMPLETE = ("rejected", "a public set without all files of its layout; unpack it again")
    UNKNOWN_SPACING = (
        "rejected",
        "pictures without pixel spacing; vouch for one with DIR?spacing_mm=COLUMNS,ROWS,SLICES",
    )
    MOSAIC = ("rejected", "many slices tiled in one picture (Siemens mosaic); export single slices")
    BURNED_IN = ("rejected", "BurnedInAnnotation YES: text in the pixels may identify a patient")
    NO_IDENTIFIER = ("rejected", "no StudyInstanceUID, SeriesInstanceUID or PatientID")
    DUPLICATE_CONFLICT = (
        "rejected",
        "one SOPInstanceUID, different objects; find out which is true",
    )
    PATIENT_CONFLICT = ("rejected", "one study, two PatientIDs; find out whose it is")
    DECODE_FAILED = ("rejected", "the pixels cannot be decoded")
    CONSTANT_IMAGE = ("rejected", "every pixel of the stack is the same")
    NO_REPORT = ("rejected", "no report joins this exam; see --keep-unpaired")
    NO_IMPRESSION = ("rejected", "the report has no impression section")
    REFERS_ELSEWHERE = (
        "rejected",
        "the impression only points to other text; nothing of it can be learned from",
    )
    ENDLESS_IMPRESSION = ("rejected", "the impression runs on; see which heading ends it")
    REPORT_UNREADABLE = ("rejected", "the report is no text or is broken; export it as text")
    PHI_SUSPECT = (
        "rejected",
        "what looks like an identifier survived in the text; look at the report",
    )
    NO_EXAM = ("rejected", "no exam joins this report")
    NO_KEY = ("rejected", "the row has no patient, study or accession")
    KEY_CONFLICT = ("rejected", "the row's keys name different exams; find out which is true")
    SEVERAL_EXAMS = ("rejected", "several exams fit the row; give its study, accession or date")
    LABEL_CONFLICT = ("rejected", "two rows of labels differ on one exam; find out which is true")
    SUPERSEDED = ("ignored", "another version of a report; the latest final one is used")
    WITHDRAWN = ("ignored", "the report was cancelled or entered in error")
    ADDENDUM = ("ignored", "an addendum; its impression, if any, went to the report it amends")
    LINKED_ORDER = ("ignored", "another order of a report that was used")
    NOT_A_REPORT = ("ignored", "a message or resource that is no report; nothing to do")

    @property
    def ignored(self) -> bool:
        """True where nothing is wrong and nothing is lost."""
        return self.value[0] == "ignored"

    @property
    def way_out(self) -> str:
        """What a person can do."""
        return self.value[1]


@dataclasses.dataclass(frozen=True)
class Reject:
    """One input that was not used.  `where` is a path or key: local, never for the output."""

    why: Why
    where: str
    detail: str = ""
    count: int = 1
