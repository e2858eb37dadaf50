"""Options of the two towers and of the space they share."""

import dataclasses
import enum


class Remat(enum.Enum):
    """What the backward pass computes again to save memory."""

    NONE = "none"
    DOTS = "dots"  # all but products of matrices: cheap arithmetic is done twice
    FULL = "full"
    OFFLOAD = "offload"  # products of matrices wait in the host's memory


class AttentionKind(enum.Enum):
    """Which program attends; all give the same but for rounding."""

    AUTO = "auto"  # by the device at hand: see cmr_jax/models/attending.py
    PLAIN = "plain"
    XLA = "xla"
    CUDNN = "cudnn"  # NVIDIA, bfloat16 only


class Precision(enum.Enum):
    """Number format of the towers' arithmetic; parameters, softmax and loss stay float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Activation(enum.Enum):
    """Between the two layers of an MLP (Hendrycks 2016, arXiv:1606.08415)."""

    GELU = "gelu"  # exact, by the error function
    GELU_TANH = "gelu_tanh"  # its approximation, cheaper


class Stem(enum.Enum):
    """How a patch becomes a token."""

    LINEAR = "linear"  # one projection, as in ViT
    HIERARCHICAL = "hierarchical"  # smaller patches first (Touvron 2022, arXiv:2203.09795)


class Residual(enum.Enum):
    """What attention within a frame adds to."""

    DIVIDED = "divided"  # what attention over frames made (Bertasius 2021, arXiv:2102.05095)
    FROZEN_IN_TIME = "frozen_in_time"  # the block's input; time only informs it (Bain 2021)


class TimeMixing(enum.Enum):
    """How a patch position learns of other frames."""

    ATTENTION = "attention"
    MEAN = "mean"  # uniform weights: exact where queries and keys are zero, at a quarter less work


class TimeInit(enum.Enum):
    """How attention over frames starts."""

    IDENTITY = "identity"  # its output layer at zero: adds nothing yet, and everything can learn
    RANDOM = "random"
    ZEROS = "zeros"  # as CMR-CLIP: queries and keys at zero, where they stay


class Pool(enum.Enum):
    """How tokens become one vector."""

    PLACES = "places"  # the mean over frames, as a whole and by place
    VIEWS = "views"  # attention to tokens of each stack by itself, then over stacks
    CLS = "cls"  # one token for the clip, which sees all others


class FrameCode(enum.Enum):
    """How a frame is told apart from the others."""

    COORDINATES = "coordinates"  # by what the scanner knew of it
    INDEX = "index"  # by its number in the clip


class Padding(enum.Enum):
    """What frames are that are not there."""

    HIDDEN = "hidden"  # attention and means do not see them
    GREY = "grey"  # pictures of the mean colour, seen as any other


class NormPlace(enum.Enum):
    """Where a block of the text tower normalises."""

    PRE = "pre"
    POST = "post"  # after the residual, as BERT; token embeddings are normalised too


class Head(enum.Enum):
    """From a tower's vector to the shared space."""

    LINEAR = "linear"
    RELU_LINEAR = "relu_linear"  # with a bias, as CMR-CLIP


@dataclasses.dataclass
class VideoTower:
    """Divided space-time transformer over frames with coordinates."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    patch: int = 16
    stem: Stem = Stem.LINEAR
    residual: Residual = Residual.DIVIDED
    time: TimeMixing = TimeMixing.ATTENTION
    time_init: TimeInit = TimeInit.IDENTITY
    pool: Pool = Pool.PLACES
    place_width: int = 16  # numbers kept of each patch position when frames are averaged
    frame_code: FrameCode = FrameCode.COORDINATES
    registers: int = 0  # tokens of each frame beside its patches, for what is of no place
    coordinate_frequencies: int = 6
    index_frames: int = 64  # rows of the table of frame numbers
    padding: Padding = Padding.HIDDEN
    activation: Activation = Activation.GELU_TANH
    epsilon: float = 1e-6  # of LayerNorm
    # Grey values of stored frames as 0..1, one number per channel that the stem reads: the
    # middle and spread after percentile scaling.
    pixel_mean: tuple[float, ...] = (0.35,)
    pixel_spread: tuple[float, ...] = (0.3,)
    restores: bool = False  # a layer tells pixels of hidden patches, for objective=masked_frames
    dropout: float = 0.0
    # Shares that training leaves out of each exam, other ones each time: less to compute.
    frame_dropout: float = 0.0
    patch_dropout: float = 0.0  # the same places in every frame


@dataclasses.dataclass
class TextTower:
    """Transformer encoder over tokens."""

    width: int = 512
    depth: int = 8
    heads: int = 8
    mlp_ratio: float = 4.0
    vocabulary: int = 2048
    length: int = 128  # tokens of a text; the rest is cut
    positions: int = 0  # rows of the table of positions; 0: as many as `length`
    segments: int = 0  # rows of BERT's table of segments; only the first is ever read
    pooler: bool = False  # carry BERT's pooler along: nothing reads it, its file has it
    norm: NormPlace = NormPlace.PRE
    activation: Activation = Activation.GELU_TANH
    epsilon: float = 1e-6  # of LayerNorm
    dropout: float = 0.0
    attention_dropout: float = 0.0


@dataclasses.dataclass
class Model:
    """Two towers and the space they share."""

    video: VideoTower = dataclasses.field(default_factory=VideoTower)
    text: TextTower = dataclasses.field(default_factory=TextTower)
    embedding: int = 512
    head: Head = Head.LINEAR
    outputs: tuple[str, ...] = ()  # findings that a layer on the exam's embedding tells, in logits
    numbers: tuple[str, ...] = ()  # measurements of cmr_jax/wording/numbers.py that another tells
    initial_scale: float = 14.3  # 1 / 0.07 (Radford 2021)
    largest_scale: float = 100.0
    initial_bias: float = 0.0  # of the sigmoid loss, which wants -10 (Zhai 2023); others ignore it
    precision: Precision = Precision.FLOAT32
    remat: Remat = Remat.NONE
    attention: AttentionKind = AttentionKind.AUTO
    unroll: int = 1  # layers that a turn of the loop over layers holds; 0: all, no loop
