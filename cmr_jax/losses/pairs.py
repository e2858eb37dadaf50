"""Every exam against every text: unit vectors, which pairs are positives, and a loss of each row.

A kind of loss (softmax, sigmoid) says what a row of scores costs; what a row is, and that both
directions count alike, is said here once.  `own` are the rows of one device, `all_` everybody's.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from cmr_jax.config import Contrast
from cmr_jax.types import Array, Bool, Embeddings, Float, Int, Pairing

LEAST_LENGTH = 1e-8
# Scores of float32 products on any hardware: at a scale of 100, the eleven bits that GPUs and TPUs
# keep by default lose the ranking among near-duplicates.
EXACT = jax.lax.Precision.HIGHEST

Parts = dict[str, Float[Array, ""]]
Logits = Float[Array, "n m"]
Which = Bool[Array, "n m"]


@runtime_checkable
class Kind(Protocol):
    """What scores cost.  Rows are along the last axis in `line`; `Online` is its form in pieces."""

    biased: bool  # whether a constant added to all scores matters

    def line(self, logits: Logits, positive: Which, there: Which) -> Float[Array, " n"]:
        """The loss of each row, by the formula."""
        ...

    def start(self, lines: int) -> Any:
        """What is known of lines of which nothing was seen yet."""
        ...

    def see(self, known: Any, logits: Logits, positive: Which, there: Which) -> Any:
        """Goes on along rows by one piece of them."""
        ...

    def finish(self, known: Any) -> Float[Array, " n"]:
        """The loss of each line, once everything was seen."""
        ...

    def slope(self, known: Any, logits: Logits, positive: Which, there: Which) -> Logits:
        """The gradient of `finish` to a piece of the rows, knowing the whole of them."""
        ...


class Sides(NamedTuple):
    """Embeddings ready to be scored: float32, texts in one row after another."""

    video: Float[Array, "b e"]
    text: Float[Array, "n e"]
    of_exam: Int[Array, "b r"]  # groups of an exam's texts
    of_text: Int[Array, " n"]  # group of each text; negative: not there
    whole: Bool[Array, " n"]  # an exam's first text: its impression


def sides(embeddings: Embeddings, pairing: Pairing, contrast: Contrast) -> Sides:
    """Normalises where the config says so.  Raises ValueError without both towers."""
    if embeddings.video is None or embeddings.text is None:
        raise ValueError("a contrastive loss needs both towers")
    length = normalise if contrast.normalise else lambda x: x.astype(jnp.float32)
    b, r, e = embeddings.text.shape
    return Sides(
        length(embeddings.video),
        length(embeddings.text).reshape(b * r, e),
        pairing.group,
        pairing.group.reshape(b * r),
        jnp.tile(jnp.arange(r) == 0, b) & (pairing.group.reshape(b * r) >= 0),
    )


def normalise(x: Float[Array, "*batch e"]) -> Float[Array, "*batch e"]:
    """Unit length in float32; a zero vector stays zero, and its gradient finite."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.maximum((x * x).sum(-1, keepdims=True), LEAST_LENGTH**2))


def positives(of_exam: Int[Array, "b r"], of_text: Int[Array, " n"]) -> Bool[Array, "b n"]:
    """Whether a text counts as an exam's own: where any text of the exam has its group."""
    same = (of_exam[:, None, :] == of_text[None, :, None]).any(-1)
    return same & (of_text >= 0)[None]


def score(kind: Kind, video, text, scale, bias) -> Float[Array, "b n"]:
    """Logits of exams against texts."""
    logits = scale * jnp.einsum("be,ne->bn", video, text, precision=EXACT)
    return logits + bias if kind.biased else logits


def rows_loss(
    kind: Kind, own: Sides, all_: Sides, scale, bias, contrast: Contrast
) -> tuple[Float[Array, ""], Parts]:
    """The loss of the rows `own`, both ways; over disjoint rows of equal number it averages.

    A text that is not there is a row of loss 0, so that every device has as many rows.
    """
    to_text = score(kind, own.video, all_.text, scale, bias)
    right = positives(own.of_exam, all_.of_text)
    video_rows = kind.line(to_text, right, jnp.broadcast_to(all_.of_text >= 0, right.shape))
    to_video = score(kind, all_.video, own.text, scale, bias).T
    ours = positives(all_.of_exam, own.of_text).T
    there = jnp.broadcast_to((own.of_text >= 0)[:, None], ours.shape)
    text_rows = kind.line(to_video, ours, there)
    best = jnp.where(all_.whole, to_text, -jnp.inf).argmax(-1)
    accuracy = jnp.take_along_axis(right, best[:, None], 1).mean()
    return both_ways(video_rows.mean(), text_rows.mean(), accuracy, contrast)


def both_ways(video_loss, text_loss, accuracy, contrast: Contrast):
    """The loss of both directions: their mean, or their sum (CMR-CLIP)."""
    loss = (video_loss + text_loss) / (1 if contrast.sum_directions else 2)
    return loss, {"video_loss": video_loss, "text_loss": text_loss, "accuracy": accuracy}
