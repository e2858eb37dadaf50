"""Softmax cross-entropy of a row of scores against the positives in it (Radford 2021, Fig. 3).

With several texts per exam, or equal texts of several exams, a row has several positives; the
target is then uniform over them (Khosla 2020, arXiv:2004.11362, L_out with soft targets).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from cmr_jax.losses.pairs import Logits, Which
from cmr_jax.types import Array, Float, Int

HIDDEN = -1e9  # logit of what is not there: exp gives 0, and gradients stay finite


class Known(NamedTuple):
    """Of each line so far: its largest logit, the sum of exp above it, and its positives."""

    top: Float[Array, " n"]
    total: Float[Array, " n"]
    right: Float[Array, " n"]  # sum of the positives' logits
    count: Int[Array, " n"]


class Softmax:
    """See the module; a `Kind`."""

    needs_positive = True
    biased = False  # a constant cancels: its gradient would be noise, which Adam scales up

    def line(self, logits: Logits, positive: Which, there: Which) -> Float[Array, " n"]:
        """Cross-entropy against a uniform target over the positives of each row; 0 without any."""
        log_p = jax.nn.log_softmax(jnp.where(there, logits, HIDDEN), axis=-1)
        count = positive.sum(-1)
        return -jnp.where(positive, log_p, 0.0).sum(-1) / jnp.maximum(count, 1)

    def start(self, lines: int) -> Known:
        """Nothing seen."""
        zeros = jnp.zeros(lines, jnp.float32)
        return Known(zeros + HIDDEN, zeros, zeros, jnp.zeros(lines, jnp.int32))

    def see(self, known: Known, logits: Logits, positive: Which, there: Which) -> Known:
        """The sum of exp follows the largest logit (Milakov 2018, arXiv:1805.02867, Alg. 3)."""
        logits = jnp.where(there, logits, HIDDEN)
        top = jnp.maximum(known.top, logits.max(-1))
        total = known.total * jnp.exp(known.top - top)
        return Known(
            top,
            total + jnp.where(there, jnp.exp(logits - top[:, None]), 0.0).sum(-1),
            known.right + jnp.where(positive, logits, 0.0).sum(-1),
            known.count + positive.sum(-1, dtype=jnp.int32),
        )

    def finish(self, known: Known) -> Float[Array, " n"]:
        """logsumexp minus the mean logit of the positives."""
        loss = _log_total(known) - known.right / jnp.maximum(known.count, 1)
        return jnp.where(known.count > 0, loss, 0.0)

    def slope(self, known: Known, logits: Logits, positive: Which, there: Which) -> Logits:
        """Probability minus target, where a line has a positive at all."""
        p = jnp.where(there, jnp.exp(logits - _log_total(known)[:, None]), 0.0)
        target = positive / jnp.maximum(known.count, 1)[:, None]
        return jnp.where((known.count > 0)[:, None], p - target, 0.0)


def _log_total(known: Known) -> Float[Array, " n"]:
    # A line of which nothing is there has no total; it has no positive either.
    return known.top + jnp.log(jnp.maximum(known.total, jnp.finfo(jnp.float32).tiny))
