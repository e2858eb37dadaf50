"""The records on disk: the contract between the preparation and everything that reads it.

Two tables per split, both TFDS data sets of ArrayRecord files: `exams`, one record per exam, and
`frames`, one record per slice of a stack, which a training clip reads one by one.
Nothing but numpy and the standard library is imported here.
"""

import dataclasses
import enum
import json
from typing import Any

import numpy as np

SCHEMA_VERSION = 2
SPLITS = ("train", "val", "test")
EXAMS, FRAMES = "exams", "frames"
TOKENIZER_FILE = "tokenizer.model"
MANIFEST_FILE = "manifest.json"
LABELS_FILE = "labels.csv"  # only evaluation opens it
MEASUREMENTS_FILE = "measurements.csv"  # what is measured, for the reading room


class View(enum.IntEnum):
    """The plane of a stack (SCMR standard views)."""

    OTHER = 0
    SAX = 1
    CH2 = 2
    CH3 = 3
    CH4 = 4
    LVOT = 5
    RVOT = 6
    RV2CH = 7
    AXIAL = 8


class Sequence(enum.IntEnum):
    """What a stack shows."""

    OTHER = 0
    CINE = 1
    LGE_MAG = 2
    LGE_PSIR = 3
    PERFUSION = 4
    T2W = 5
    T1MAP = 6
    T2MAP = 7
    T2STAR = 8
    FLOW = 9
    TAGGING = 10
    LOCALIZER = 11
    DERIVED = 12  # made from other images: results, contours drawn in, projections


# Fields of a record, in TFDS terms: name -> kind, one of text, bytes, float, int, texts.
EXAM_FIELDS = {
    "exam_id": "text",
    "patient_id": "text",
    "site": "text",
    "vendor": "text",
    "field_strength_t": "float",
    "sex": "text",
    "age_band": "text",
    "days_since_first": "int",
    "impression": "text",
    "sentences": "texts",
    "stacks": "text",  # JSON list of Stack
    "shard": "int",  # the frames of an exam lie in the shard of the same number
}
FRAME_FIELDS = {"exam_id": "text", "pixels": "bytes", "shape": "text", "codec": "text"}


@dataclasses.dataclass(frozen=True)
class Stack:
    """One stack of an exam.  Lengths in mm, times in ms; one entry per slice where plural."""

    view: View
    sequence: Sequence
    confidence: float
    evidence: tuple[str, ...]
    first_frame: int  # index of its first slice among the frame records of the exam's shard
    slice_mm: tuple[float, ...]  # along the stack's normal, 0 in the middle, base positive
    phases: tuple[tuple[float, ...], ...]  # position in the cardiac cycle, 0..1
    trigger_ms: tuple[tuple[float, ...], ...]  # as acquired; NaN where the scanner gave none
    spacing_mm: float  # of the stored pixels, rows and columns alike
    row: tuple[float, ...]  # direction of increasing column index, LPS
    column: tuple[float, ...]
    origins_mm: tuple[tuple[float, ...], ...]  # LPS centre of the first stored pixel
    rr_ms: float
    intensity_low: float  # modality values of stored 0 and 255
    intensity_high: float
    flags: tuple[str, ...] = ()  # fixed words; "two moments": end diastole, then end systole
    intensity_unit: str = ""  # "ms" of a relaxation map, "cm/s" of flow; "" where arbitrary

    @property
    def is_cine(self) -> bool:
        """Whether the frames of a slice are moments of one cycle."""
        return self.sequence is Sequence.CINE

    def to_json(self) -> dict[str, Any]:
        """Plain values; enums by name."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return plain | {"view": self.view.name, "sequence": self.sequence.name}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Stack":
        """The inverse of `to_json`."""
        nested = ("phases", "trigger_ms", "origins_mm")
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()
        }
        values |= {k: tuple(map(tuple, plain[k])) for k in nested}
        values |= {"view": View[plain["view"]], "sequence": Sequence[plain["sequence"]]}
        return cls(**values)


def dump_stacks(stacks: list[Stack]) -> str:
    """Stacks as the text that an exam record holds."""
    return json.dumps([stack.to_json() for stack in stacks], separators=(",", ":"))


def load_stacks(text: str) -> list[Stack]:
    """The inverse of `dump_stacks`."""
    return [Stack.from_json(plain) for plain in json.loads(text)]


def dump_frames(exam_id: str, video: np.ndarray) -> dict[str, Any]:
    """A frame record of one slice, uint8 (time, rows, columns)."""
    if video.dtype != np.uint8 or video.ndim != 3:
        raise ValueError(f"frames are uint8 (time, rows, columns), not {video.dtype} {video.shape}")
    shape = "x".join(map(str, video.shape))
    return {"exam_id": exam_id, "pixels": video.tobytes(), "shape": shape, "codec": "raw"}


def load_frames(record: dict[str, Any]) -> np.ndarray:
    """The inverse of `dump_frames`; read-only."""
    if as_text(record["codec"]) != "raw":
        raise ValueError(f"codec {record['codec']!r} is not known to this version")
    shape = [int(n) for n in as_text(record["shape"]).split("x")]
    return np.frombuffer(record["pixels"], np.uint8).reshape(shape)


def as_text(value: bytes | str) -> str:
    """TFDS gives text back as bytes."""
    return value.decode() if isinstance(value, bytes) else value


def check_version(found: int) -> None:
    """Readers accept their own version and the one before."""
    if found not in (SCHEMA_VERSION, SCHEMA_VERSION - 1):
        raise ValueError(
            f"the data has schema version {found}, this program reads {SCHEMA_VERSION} and the one "
            "before. Prepare the data again, or use the program version that wrote it."
        )
