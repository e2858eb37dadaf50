"""Every option of a run but the model's, as typed dataclasses with the one default of each."""

import dataclasses
import enum

from cmr_jax.config.model import Model
from cmr_jax.schema import Sequence


class Objective(enum.Enum):
    """What is learned."""

    CONTRASTIVE = "contrastive"  # which report belongs to which exam
    MASKED_FRAMES = (
        "masked_frames"  # hidden places of pictures, from the rest; no reports, no labels
    )
    SUPERVISED = "supervised"  # model.outputs, from the columns of data.labels by those names


class Loss(enum.Enum):
    """How pairs are scored against each other."""

    SOFTMAX = "softmax"  # each exam chooses among all texts, each text among all exams
    SIGMOID = "sigmoid"  # each pair for itself; start with model.initial_scale=10, initial_bias=-10


class Form(enum.Enum):
    """How scores of a batch that lies over devices are made; value and gradient are the same."""

    PLAIN = "plain"  # the whole matrix in one formula: XLA decides
    GATHERED = "gathered"  # embeddings of all on each device, logits of its own rows
    RING = "ring"  # texts travel: a few columns of the logits at a time, for very large batches


class Positives(enum.Enum):
    """Which texts count as an exam's own."""

    SELF = "self"  # its own alone, as in CLIP
    # Also texts of others that say the same in other order, case or numbering (most normals do),
    # and impressions of one group of data.groups.
    GROUP = "group"
    # Also texts of others of which each finding, as rules read it (cmr_jax/wording), is in the exam's
    # own impression.
    SAID = "said"
    SENTENCES = "sentences"  # so of sentences; a whole impression is as in GROUP, to be found again

    @property
    def reads_reports(self) -> bool:
        """Whether rules must read what texts say."""
        return self in (Positives.SAID, Positives.SENTENCES)


class Layout(enum.Enum):
    """How an exam becomes a clip."""

    STACKS = "stacks"  # chosen slices and phases of each view, as stored
    PUBLISHED = "published"  # CMR-CLIP: six arrays end to end, sampled, resized


class Moments(enum.Enum):
    """Which phases of a cine a clip has."""

    EVEN = "even"  # equally far apart
    SYSTOLE = "systole"  # end-diastole and end-systole always, the others between them


@dataclasses.dataclass
class Clip:
    """Which frames of an exam the model sees: slices per view, phases per slice."""

    layout: Layout = Layout.STACKS
    sax_slices: int = 6
    phases: int = 6
    moments: Moments = Moments.EVEN
    vary: bool = True  # in training: other slices and moments each time
    lge_slices: int = 4
    views: tuple[str, ...] = ("SAX", "CH4", "CH2", "CH3")
    size: int = 224
    sampled: int = 64  # frames of a clip of the published layout
    enlarged: int = 256  # its pictures are resized to this first, then to `size`

    @property
    def frames(self) -> int:
        """Length of a clip; exams with less are padded and masked."""
        if self.layout is Layout.PUBLISHED:
            return self.sampled
        lax = sum(view != "SAX" for view in self.views)
        sax = "SAX" in self.views
        return (self.sax_slices * sax + lax) * self.phases + self.lge_slices * sax + lax


@dataclasses.dataclass
class Data:
    """Where exams come from and how they become a batch."""

    path: str = ""
    batch: int = 64  # exams over all devices
    micro_batch: int = 0  # exams that go through the towers at once over all devices; 0: all
    clip: Clip = dataclasses.field(default_factory=Clip)
    texts: int = 1  # per exam: the impression first, then sentences of it
    shuffle_sentences: bool = True  # of impressions in training: clinicians order them differently
    drop_sentences: float = 0.0  # the chance of each to be left out of an impression in training
    rephrase: float = 0.0  # the chance of a sentence to be said in other words (cmr_jax/wording)
    untrue_text: bool = False  # one text more: the impression with one sentence turned untrue
    groups: str = ""  # a CSV of exam_id,group: impressions of a group are positives of each other
    augment: bool = True
    labels: str = (
        ""  # a CSV of exam_id and columns of 0 or 1: opened for objective=supervised alone
    )
    vocabulary: str = ""  # a tokenizer or vocabulary file; without one, the data's own
    permute_reports: bool = False  # a control: reports permuted among exams, by run.seed
    # Processes that read ahead.  Each holds a batch of each of its threads, and one more.
    workers: int = 0
    threads: int = 2  # of each process: more, where storage is slow to answer
    hidden: float = 0.6  # of each exam's places, of objective=masked_frames
    view_dropout: float = 0.0  # the chance of each stack to be hidden in training, but for one
    # What training does to pictures, on the device (cmr_jax/augment), drawn for each exam; 0: none.
    shift: int = 4  # up to so many pixels, along rows and along columns
    rotate_deg: float = 10.0  # of random turn in the plane: pictures lie differently by site
    zoom: float = 0.04  # share of random zoom: below measurement error, so size stays true
    gain: float = 0.15  # a scanner's arbitrary scale: times 1 minus to 1 plus this
    offset: float = 0.05  # window level: up or down by this share of the full range
    bias_field: float = 0.2  # coil sensitivity, smooth over the picture: exp of minus to plus this
    noise: float = 0.02  # up to this sigma, as a share of the full range; Rician
    paths: tuple[str, ...] = ()  # of several sites: --config.data.paths="('A', 'B')", no data.path
    shares: tuple[float, ...] = ()  # of each batch from each path; (): by their numbers of exams
    most_exams: int = 0  # to learn from; 0: all.  Fewer are some of those that more would be
    complete_only: bool = False  # leave out exams that lack one of CMR-CLIP's six arrays
    broken_share: float = 0.01  # of exams that may be unreadable, and are replaced by the next


class Optimizer(enum.Enum):
    """Which AdamW (Loshchilov 2019, arXiv:1711.05101)."""

    ADAMW = "adamw"  # optax's: epsilon after the correction of bias
    TRANSFORMERS = "transformers"  # of transformers 4: epsilon before it, decay after the step


@dataclasses.dataclass
class Optim:
    """AdamW under a warm-up and a cosine."""

    kind: Optimizer = Optimizer.ADAMW
    lr: float = 1e-3
    lr_start: float = 0.0  # the warm-up starts here
    lr_end: float = 0.0  # the cosine ends here
    warmup_steps: int = 100
    steps: int = 1000
    hold: int = 1  # steps for which a rate is held: of an epoch, where rates go by epoch
    weight_decay: float = 0.05
    decay_all: bool = False  # also what shifts, scales or embeds
    frozen: str = (
        ""  # a regular expression: parameters whose whole path it matches stay as they are
    )
    b1: float = 0.9
    b2: float = 0.98
    eps: float = 1e-8
    clip_norm: float = 1.0  # of the gradient; 0: never
    layer_decay: float = 1.0  # the rate of a layer, as a share of that of the layer above
    ema: float = 0.0  # share that a running mean of parameters keeps each step; 0: no mean
    averaged: str = ".*"  # a regular expression: what the mean is of; the rest follows at once


@dataclasses.dataclass
class Mesh:
    """Devices along each axis; -1 takes what is left."""

    data: int = -1
    fsdp: int = 1
    tensor: int = 1


@dataclasses.dataclass
class Run:
    """How often things happen, and what may go wrong."""

    seed: int = 0
    log_every: int = 10
    save_every: int = 100
    keep: int = 2  # newest checkpoints
    keep_best: int = 1  # beside them: those with the best val/mrr (supervised: val/auc)
    eval_every: int = 0  # steps between looks at exams of the val split; 0: never
    eval_exams: int = 1024  # of them, at most
    skip_nonfinite: int = 0  # such steps in a row that change nothing but are counted; 0: stop
    record_exams: bool = False  # of every step, in exams-0.jsonl (-1, ...: by process)
    stop_after: int = 0  # leave after this many steps in all, as if interrupted; 0: never


@dataclasses.dataclass
class Contrast:
    """What a contrastive loss makes of embeddings."""

    normalise: bool = True  # to unit length; CMR-CLIP's ClipLoss forgets to
    sum_directions: bool = False  # the sum of both directions instead of their mean
    form: Form = Form.GATHERED
    chunk: int = 1024  # texts that are scored at a time in a ring
    # Weights of heads that tell what the report states (model.outputs, model.numbers).
    findings: float = 0.1
    numbers: float = 0.1
    ignore_unsaid: bool = False  # texts that an impression neither says nor denies


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
    contrast: Contrast = dataclasses.field(default_factory=Contrast)
    positives: Positives = Positives.GROUP


# Stacks that a clip may hold, in the order in which they are laid out.
CLIP_SEQUENCES = (Sequence.CINE, Sequence.LGE_PSIR, Sequence.LGE_MAG)
