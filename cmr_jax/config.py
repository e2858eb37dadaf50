"""Every option of a run, as typed dataclasses with the one default of each.

`configs/*.py` return an `Experiment`; `--config.model.video.depth=4` overrides by type, and an
unknown key is an error.  `validate` checks what types cannot, before anything starts.
"""

import dataclasses
import enum
import json
from typing import Any

from cmr_jax.schema import Sequence, View


class Objective(enum.Enum):
    """What is learned."""

    CONTRASTIVE = "contrastive"


class Loss(enum.Enum):
    """How pairs are scored against each other."""

    SOFTMAX = "softmax"


class Positives(enum.Enum):
    """Which texts count as an exam's own."""

    SELF = "self"  # its own alone, as in CLIP
    GROUP = "group"  # also word-for-word equal texts of others: most normals are


class Remat(enum.Enum):
    """What the backward pass computes again to save memory."""

    NONE = "none"
    FULL = "full"


class Precision(enum.Enum):
    """Number format of the towers' arithmetic; parameters, softmax and loss stay float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Stem(enum.Enum):
    """How a patch becomes a token."""

    LINEAR = "linear"  # one projection, as in ViT
    HIERARCHICAL = "hierarchical"  # smaller patches first (Touvron 2022, arXiv:2203.09795)


@dataclasses.dataclass
class VideoTower:
    """Divided space-time transformer over frames with coordinates."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    patch: int = 16
    stem: Stem = Stem.LINEAR
    coordinate_frequencies: int = 6
    place_width: int = 16  # numbers kept of each patch position when frames are averaged
    dropout: float = 0.0


@dataclasses.dataclass
class TextTower:
    """Transformer encoder over SentencePiece tokens."""

    width: int = 512
    depth: int = 8
    heads: int = 8
    mlp_ratio: float = 4.0
    vocabulary: int = 2048
    length: int = 128  # tokens of a text; the rest is cut
    dropout: float = 0.0


@dataclasses.dataclass
class Model:
    """Two towers and the space they share."""

    video: VideoTower = dataclasses.field(default_factory=VideoTower)
    text: TextTower = dataclasses.field(default_factory=TextTower)
    embedding: int = 512
    initial_scale: float = 14.3  # 1 / 0.07 (Radford 2021)
    largest_scale: float = 100.0
    precision: Precision = Precision.FLOAT32
    remat: Remat = Remat.NONE


@dataclasses.dataclass
class Clip:
    """Which frames of an exam the model sees: slices per view, phases per slice."""

    sax_slices: int = 6
    phases: int = 6
    lge_slices: int = 4
    views: tuple[str, ...] = ("SAX", "CH4", "CH2", "CH3")
    size: int = 224

    @property
    def frames(self) -> int:
        """Length of a clip; exams with less are padded and masked."""
        lax = sum(view != "SAX" for view in self.views)
        sax = "SAX" in self.views
        return (self.sax_slices * sax + lax) * self.phases + self.lge_slices * sax + lax


@dataclasses.dataclass
class Data:
    """Where exams come from and how they become a batch."""

    path: str = ""
    batch: int = 64  # exams over all devices
    clip: Clip = dataclasses.field(default_factory=Clip)
    texts: int = 1  # per exam: the impression first, then sentences of it
    augment: bool = True
    permute_reports: bool = False  # a control: reports permuted among exams, by run.seed
    workers: int = 0  # processes that read ahead
    shift: int = 4  # pixels of random shift
    rotate_deg: float = 10.0  # of random turn in the plane: pictures lie differently by site
    zoom: float = 0.04  # share of random zoom: below measurement error, so size stays true


@dataclasses.dataclass
class Optim:
    """AdamW under a warm-up and a cosine."""

    lr: float = 1e-3
    warmup_steps: int = 100
    steps: int = 1000
    weight_decay: float = 0.05
    b1: float = 0.9
    b2: float = 0.98
    eps: float = 1e-8
    clip_norm: float = 1.0


@dataclasses.dataclass
class Mesh:
    """Devices along each axis; -1 takes what is left."""

    data: int = -1
    fsdp: int = 1
    tensor: int = 1


@dataclasses.dataclass
class Run:
    """How often things happen."""

    seed: int = 0
    log_every: int = 10
    save_every: int = 100
    keep: int = 2
    stop_after: int = 0  # leave after this many steps in all, as if interrupted; 0: never


@dataclasses.dataclass
class Experiment:
    """One run."""

    model: Model = dataclasses.field(default_factory=Model)
    data: Data = dataclasses.field(default_factory=Data)
    optim: Optim = dataclasses.field(default_factory=Optim)
    mesh: Mesh = dataclasses.field(default_factory=Mesh)
    run: Run = dataclasses.field(default_factory=Run)
    objective: Objective = Objective.CONTRASTIVE
    loss: Loss = Loss.SOFTMAX
    positives: Positives = Positives.GROUP


def validate(config: Experiment) -> None:
    """Raises ValueError with the option, the reason and the way out."""
    video, text, clip = config.model.video, config.model.text, config.data.clip
    for name, tower in (("video", video), ("text", text)):
        if tower.width % tower.heads:
            raise ValueError(
                f"model.{name}.width {tower.width} does not divide by its {tower.heads} heads."
            )
    if clip.size % video.patch:
        raise ValueError(
            f"data.clip.size {clip.size} does not divide by model.video.patch {video.patch}."
        )
    unknown = [v for v in clip.views if v not in View.__members__]
    if unknown:
        raise ValueError(
            f"data.clip.views has {unknown}. There are: {', '.join(View.__members__)}."
        )
    positive = {
        "data.batch": config.data.batch,
        "data.texts": config.data.texts,
        "optim.steps": config.optim.steps,
        "run.log_every": config.run.log_every,
        "run.save_every": config.run.save_every,
        "data.clip.frames": clip.frames,
    }
    for name, value in positive.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1.")
    if config.data.batch < 2:
        raise ValueError("data.batch is 1: a contrastive batch needs at least 2 exams.")


def to_json(config: Experiment) -> dict[str, Any]:
    """Plain values; enums by value."""
    return json.loads(json.dumps(dataclasses.asdict(config), default=lambda e: e.value))


def from_json(plain: dict[str, Any]) -> Experiment:
    """The inverse of `to_json`; an unknown key is an error."""
    return _build(Experiment, plain, "")


def _build(kind: type, plain: dict[str, Any], where: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := set(plain) - set(fields):
        raise ValueError(
            f"the stored config has unknown keys {sorted(unknown)} in {where or 'its root'}"
        )
    values = {}
    for name, value in plain.items():
        kind_of = fields[name].type
        if dataclasses.is_dataclass(kind_of) and isinstance(kind_of, type):
            values[name] = _build(kind_of, value, f"{where}{name}.")
        elif isinstance(kind_of, type) and issubclass(kind_of, enum.Enum):
            values[name] = kind_of(value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


# Stacks that a clip may hold, in the order in which they are laid out.
CLIP_SEQUENCES = (Sequence.CINE, Sequence.LGE_PSIR, Sequence.LGE_MAG)
