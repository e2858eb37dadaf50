"""Every pair as a question of its own: does this text belong to this exam?  (Zhai 2023,
arXiv:2303.15343, Alg. 1.)

A row costs the sum over its pairs, so a pair does not depend on what else is in the batch; the
learned bias starts where most pairs are negatives.  Any number of a row's pairs may be positives.
"""

import jax
import jax.numpy as jnp

from cmr_jax.losses.pairs import Logits, Which
from cmr_jax.types import Array, Float


class Sigmoid:
    """See the module; a `Kind`."""

    biased = True
    needs_positive = False

    def line(self, logits: Logits, positive: Which, there: Which) -> Float[Array, " n"]:
        """Minus log sigmoid of the logit, or of its negative where the pair is not one."""
        pairs = -jax.nn.log_sigmoid(jnp.where(positive, logits, -logits))
        return jnp.where(there, pairs, 0.0).sum(-1)

    def start(self, lines: int) -> Float[Array, " n"]:
        """Nothing seen."""
        return jnp.zeros(lines, jnp.float32)

    def see(self, known, logits: Logits, positive: Which, there: Which) -> Float[Array, " n"]:
        """The sum goes on."""
        return known + self.line(logits, positive, there)

    def finish(self, known) -> Float[Array, " n"]:
        """The sum."""
        return known

    def slope(self, known, logits: Logits, positive: Which, there: Which) -> Logits:
        """Probability minus target."""
        del known
        return jnp.where(there, jax.nn.sigmoid(logits) - positive, 0.0)
