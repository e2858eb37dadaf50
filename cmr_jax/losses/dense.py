"""The loss of dense labels: cross-entropy and soft Dice (Milletari 2016, arXiv:1606.04797)."""

import jax
import jax.numpy as jnp
import optax

from cmr_jax.types import Array, Float


def dense_loss(logits: Float[Array, "b h w k"], masks: Float[Array, "b h w k"]) -> Float[Array, ""]:
    """Mean cross-entropy against soft masks, plus 1 - Dice, mean over classes but the background.

    Dice is taken over the whole batch, so that slices without a class do not dominate it.
    """
    masks = masks.astype(jnp.float32)
    entropy = optax.softmax_cross_entropy(logits, masks).mean()
    probability = jax.nn.softmax(logits)
    over = (0, 1, 2)
    shared = (probability * masks).sum(over)
    total = probability.sum(over) + masks.sum(over)
    dice = (2 * shared + 1) / (total + 1)
    return entropy + 1 - dice[1:].mean()
