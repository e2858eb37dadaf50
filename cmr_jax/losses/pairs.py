"""Every exam against every text: unit vectors, which pairs are positives, and a loss of each row.

A kind of loss (softmax, sigmoid) says what a row of scores costs; what a row is, and that both
directions count alike, is said here once.  `own` are the rows of one device, `all_` everybody's.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from cmr_jax.config import Contrast
from cmr_jax.types import Array, Bool, Embeddings, Float, Int, Pairing
from cmr_jax.wording import findings

LEAST_LENGTH = 1e-8
ABSENT = -1  # a group that no text has
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
    needs_positive: bool  # whether a row without a positive costs nothing

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
    of_exam: Int[Array, "b r"]  # groups of an exam's own texts
    exam_says: Int[Array, " b"]
    of_text: Int[Array, " n"]  # group of each text; negative: not there
    text_says: Int[Array, " n"]
    whole: Bool[Array, " n"]  # an exam's first text: its impression


def sides(embeddings: Embeddings, pairing: Pairing, contrast: Contrast) -> Sides:
    """Normalises where the config says so.  Raises ValueError without both towers."""
    if embeddings.video is None or embeddings.text is None:
        raise ValueError("a contrastive loss needs both towers")
    length = normalise if contrast.normalise else lambda x: x.astype(jnp.float32)
    b, r, e = embeddings.text.shape
    group, untrue = pairing.group, pairing.untrue
    none = jnp.zeros_like(group)
    return Sides(
        length(embeddings.video),
        length(embeddings.text).reshape(b * r, e),
        group if untrue is None else jnp.where(untrue, ABSENT, group),
        none[:, 0] if pairing.exam_says is None else jnp.asarray(pairing.exam_says),
        group.reshape(b * r),
        (none if pairing.says is None else jnp.asarray(pairing.says)).reshape(b * r),
        jnp.tile(jnp.arange(r) == 0, b) & (pairing.group.reshape(b * r) >= 0),
    )


def normalise(x: Float[Array, "*batch e"]) -> Float[Array, "*batch e"]:
    """Unit length in float32; a zero vector stays zero, and its gradient finite."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.maximum((x * x).sum(-1, keepdims=True), LEAST_LENGTH**2))


def relation(
    of_exam: Int[Array, "b r"],
    exam_says: Int[Array, " b"],
    of_text: Int[Array, " n"],
    text_says: Int[Array, " n"],
    contrast: Contrast,
) -> tuple[Bool[Array, "b n"], Bool[Array, "b n"]]:
    """Whether a text counts as an exam's own, and whether the pair counts at all.

    Its own: any text of the exam has its group, or it says something, and nothing that the exam's
    impression does not say.  With `contrast.ignore_unsaid`, a text that neither is that nor says
    the opposite of anything does not count: nobody knows whether it is true.
    """
    there = jnp.broadcast_to((of_text >= 0)[None], (of_exam.shape[0], of_text.shape[0]))
    same = (of_exam[:, None, :] == of_text[None, :, None]).any(-1)
    told, known = text_says[None], exam_says[:, None]
    right = (same | ((told != 0) & (told & ~known == 0))) & there
    if contrast.ignore_unsaid:
        there = there & (right | (told == 0) | (findings.opposite(told) & known != 0))
    return right, there


def relate(exams: Sides, of_text: Int[Array, " n"], text_says: Int[Array, " n"], contrast):
    """`relation` of these exams to texts."""
    return relation(exams.of_exam, exams.exam_says, of_text, text_says, contrast)


def score(kind: Kind, video, text, scale, bias) -> Float[Array, "b n"]:
    """Logits of exams against texts."""
    logits = scale * jnp.einsum("be,ne->bn", video, text, precision=EXACT)
    return logits + bias if kind.biased else logits


class Sums(NamedTuple):
    """Sums over rows and how many they are; of disjoint rows they add up."""

    video: Float[Array, ""]
    text: Float[Array, ""]
    right: Float[Array, ""]  # exams whose best impression is a positive
    exams: Float[Array, ""]
    texts: Float[Array, ""]


def rows_loss(kind: Kind, own: Sides, all_: Sides, scale, bias, contrast: Contrast) -> Sums:
    """The loss of the rows `own`, both ways; rows that do not count are left out (`counted`)."""
    to_text = score(kind, own.video, all_.text, scale, bias)
    right, there = relate(own, all_.of_text, all_.text_says, contrast)
    video_rows = kind.line(to_text, right, there)
    to_video = score(kind, all_.video, own.text, scale, bias)
    ours, count = relate(all_, own.of_text, own.text_says, contrast)
    text_rows = kind.line(to_video.T, ours.T, count.T)
    best = jnp.where(all_.whole, to_text, -jnp.inf).argmax(-1)
    found = jnp.take_along_axis(right, best[:, None], 1)[:, 0]
    counting = counted(kind, own, right.any(-1), ours.any(0))
    return summed(counting, video_rows, text_rows, found)


Counting = tuple[Bool[Array, " b"], Bool[Array, " n"]]


def counted(kind: Kind, own: Sides, exams_positive, texts_positive) -> Counting:
    """Select the rows of exams and of texts that count: those with a positive, where a row needs one; else all
    texts that exist, and exams that have any."""
    if kind.needs_positive:
        return exams_positive, texts_positive
    return (jnp.asarray(own.of_exam) >= 0).any(-1), jnp.asarray(own.of_text) >= 0


def summed(counting: Counting, video_rows, text_rows, found) -> Sums:
    """Sums of rows that count."""
    exams, texts = counting
    return Sums(
        jnp.where(exams, video_rows, 0).sum(),
        jnp.where(texts, text_rows, 0).sum(),
        (exams & found).sum().astype(jnp.float32),
        exams.sum().astype(jnp.float32),
        texts.sum().astype(jnp.float32),
    )


def both_ways(sums: Sums, contrast: Contrast) -> tuple[Float[Array, ""], Parts]:
    """The loss of both directions: their mean, or their sum (CMR-CLIP)."""
    exams, texts = jnp.maximum(sums.exams, 1), jnp.maximum(sums.texts, 1)
    video_loss, text_loss = sums.video / exams, sums.text / texts
    loss = (video_loss + text_loss) / (1 if contrast.sum_directions else 2)
    return loss, {
        "video_loss": video_loss,
        "text_loss": text_loss,
        "accuracy": sums.right / exams,
    }
