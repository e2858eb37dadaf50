"""Symmetric softmax cross-entropy between exams and texts (Radford 2021, Fig. 3).

With several texts per exam, or equal texts of several exams, a row has several positives; the
target is then uniform over them (Khosla 2020, arXiv:2004.11362, L_out with soft targets).
"""

import jax
import jax.numpy as jnp

from cmr_jax.config import Contrast
from cmr_jax.types import Array, Bool, Embeddings, Float, Pairing

LEAST_LENGTH = 1e-8
HIDDEN = -1e9  # logit of what is not there: exp gives 0, and gradients stay finite


def normalise(x: Float[Array, "*batch e"]) -> Float[Array, "*batch e"]:
    """Unit length in float32; a zero vector stays zero, and its gradient finite."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.maximum((x * x).sum(-1, keepdims=True), LEAST_LENGTH**2))


def positives(own: Pairing, all_: Pairing) -> Bool[Array, "b g r"]:
    """positives[i, j, k]: whether text k of exam j counts as a positive of exam i."""
    same = own.group[:, None, :, None] == all_.group[None, :, None, :]
    there = (own.group >= 0)[:, None, :, None] & (all_.group >= 0)[None, :, None, :]
    return (same & there).any(2)


def cross_entropy(logits: Float[Array, "n m"], target: Bool[Array, "n m"]) -> Float[Array, " n"]:
    """Cross-entropy against a uniform target over the positives of each row; 0 without any."""
    log_p = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)
    count = target.sum(-1)
    return -jnp.where(target, log_p, 0.0).sum(-1) / jnp.maximum(count, 1)


def softmax_loss(
    embeddings: Embeddings, pairing: Pairing, contrast: Contrast
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """The plain form, for one device or under jit over the whole batch.

    Each direction is a mean over its rows; their mean is the loss, or their sum (CMR-CLIP).
    """
    return rows_loss(embeddings, pairing, embeddings, pairing, contrast)


def rows_loss(
    own: Embeddings,
    own_pairing: Pairing,
    all_: Embeddings,
    all_pairing: Pairing,
    contrast: Contrast,
):
    """The loss of the rows `own` against all exams and texts; over disjoint rows it averages.

    A text that is not there is a row of loss 0, so that every device has as many rows.
    """
    if own.video is None or own.text is None or all_.video is None or all_.text is None:
        raise ValueError("a contrastive loss needs both towers")
    length = normalise if contrast.normalise else lambda x: x.astype(jnp.float32)
    video, text = length(own.video), length(own.text)
    every_video, every_text = length(all_.video), length(all_.text)
    b, r = own_pairing.group.shape
    g = every_video.shape[0]
    to_text = (own.scale * jnp.einsum("be,gre->bgr", video, every_text)).reshape(b, g * r)
    to_video = (own.scale * jnp.einsum("bre,ge->brg", text, every_video)).reshape(b * r, g)
    absent = (all_pairing.group < 0).reshape(1, g * r)
    to_text = jnp.where(absent, HIDDEN, to_text)
    video_rows = cross_entropy(to_text, positives(own_pairing, all_pairing).reshape(b, g * r))
    # Text k of exam i belongs to every exam that has a text of the same group.
    same = own_pairing.group[:, :, None, None] == all_pairing.group[None, None, :, :]
    text_target = (same & (own_pairing.group >= 0)[:, :, None, None]).any(-1).reshape(b * r, g)
    text_rows = cross_entropy(to_video, text_target)
    video_loss, text_loss = video_rows.mean(), text_rows.mean()
    best = to_text.reshape(b, g, r)[:, :, 0].argmax(-1)
    right = jnp.take_along_axis(
        positives(own_pairing, all_pairing)[:, :, 0], best[:, None], 1
    ).mean()
    loss = (video_loss + text_loss) / (1 if contrast.sum_directions else 2)
    return loss, {"video_loss": video_loss, "text_loss": text_loss, "accuracy": right}
