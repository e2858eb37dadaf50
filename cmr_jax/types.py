"""What flows through a run, with the shape alphabet.

`b` exams in the global batch · `t` frames · `h w` pixels · `c` channels (1) · `n` video tokens of
a frame · `r` texts per exam · `l` text tokens · `s` any sequence · `d` tower width · `k` heads ·
`m` head width · `e` shared embedding · `o` outputs.  Masks are bool, True where data is real.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, Key, UInt8, UInt32

Params = dict[str, Any]
Array = jax.Array | np.ndarray


class Coordinates(NamedTuple):
    """Where and when each frame was taken."""

    view: Int[Array, "b t"]
    sequence: Int[Array, "b t"]
    stack: Int[Array, "b t"]
    slice_mm: Float[Array, "b t"]
    phase: Float[Array, "b t"]
    is_cine: Bool[Array, "b t"]
    spacing_mm: Float[Array, "b t"]


class Batch(NamedTuple):
    """Exams and their texts.  `report_group` is equal for texts that say the same; `row` is an exam's
    place in the global batch, which random draws depend on.  What texts say, in bits as
    `wording.findings.bits` has them, is there where a config asks for it.

    Pictures are stored grey values (uint8), or float in 0..1 where they were resized after that.
    """

    video: UInt8[Array, "b t h w c"] | Float[Array, "b t h w c"]
    coordinates: Coordinates
    frame_mask: Bool[Array, "b t"]
    tokens: Int[Array, "b r l"]
    text_mask: Bool[Array, "b r l"]
    report_group: Int[Array, "b r"]
    row: Int[Array, " b"]
    exam_key: Int[Array, " b"]  # equal for one exam that is in the batch twice; below 2**30
    targets: dict[str, Float[Array, " b"]] | None = None
    says: Int[Array, "b r"] | None = None  # each text
    exam_says: Int[Array, " b"] | None = None  # the whole impression
    untrue: Bool[Array, "b r"] | None = None  # texts that were changed to say what is not so


class Embeddings(NamedTuple):
    """Raw embeddings; losses and metrics normalise.  None for a tower not asked for."""

    video: Float[Array, "b e"] | None
    text: Float[Array, "b r e"] | None
    scale: Float[Array, ""]
    bias: Float[Array, ""]
    outputs: Float[Array, "b o"] | None = None  # logits of findings, of a model that has a head
    numbers: Float[Array, "b o"] | None = None  # of measurements, how far from usual
    # Of hidden patches: pixels as the model tells them (b t n p), and then the error of each exam.
    restored: Float[Array, "b ..."] | None = None


class Pairing(NamedTuple):
    """Which texts belong to which exams: text k of exam j is a positive of exam i where any text
    of i has the same group, or where the text says something and the exam says all of it.  A
    negative group marks a text that is not there."""

    group: Int[Array, "b r"]
    untrue: Bool[Array, "b r"] | None = None  # these are nothing of the exam that they stand with
    says: Int[Array, "b r"] | None = None
    exam_says: Int[Array, " b"] | None = None


class TrainState(NamedTuple):
    """Everything that a step changes."""

    step: Int[Array, ""]
    params: Params
    optimizer: Any
    ema: Params | None = None  # a running mean of the parameters, where a config asks for one


__all__ = [
    "Array",
    "Batch",
    "Bool",
    "Coordinates",
    "Embeddings",
    "Float",
    "Int",
    "Key",
    "Pairing",
    "Params",
    "TrainState",
    "UInt8",
    "UInt32",
]
