"""What heads tell, beside what is known: over what is there, and nothing else."""

import jax.numpy as jnp
import optax

from cmr_jax.types import Array, Float


def findings(
    logits: Float[Array, "b o"], labels: Float[Array, "b o"]
) -> tuple[Float[Array, ""], dict[str, Array]]:
    """The mean over all labels of the global batch, which are 0, 1, or NaN where nobody said; and
    the share of them that is on the right side."""
    known = ~jnp.isnan(labels)
    truth = jnp.where(known, labels, 0)
    each = optax.sigmoid_binary_cross_entropy(logits, truth)
    count = jnp.maximum(known.sum(), 1)
    right = ((logits > 0) == (truth > 0.5)) & known
    loss = jnp.where(known, each, 0).sum() / count
    return loss, {"accuracy": right.sum() / count}


def numbers(found: Float[Array, "b o"], stated: Float[Array, "b o"]) -> Float[Array, ""]:
    """Huber's loss (1964), the mean over what is stated; NaN where nobody said."""
    known = ~jnp.isnan(stated)
    each = optax.huber_loss(found, jnp.where(known, stated, 0))
    return jnp.where(known, each, 0).sum() / jnp.maximum(known.sum(), 1)
