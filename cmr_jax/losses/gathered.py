"""The loss with each device holding its rows: embeddings are gathered, logits are not.

Under `shard_map` every device scores its own rows against everybody's embeddings, so the
negatives are the global batch while a device keeps only its slice of the logits.
"""

import jax

from cmr_jax.config import Contrast
from cmr_jax.losses.pairs import Kind, Parts, Sides, both_ways, rows_loss
from cmr_jax.sharding import BATCH, ROWS, WHOLE
from cmr_jax.types import Array, Float


def plain(
    kind: Kind, batch: Sides, scale, bias, contrast: Contrast, mesh: jax.sharding.Mesh
) -> tuple[Float[Array, ""], Parts]:
    """By the formula, for one device, or under jit over the whole batch."""
    del mesh
    return both_ways(rows_loss(kind, batch, batch, scale, bias, contrast), contrast)


def gathered(
    kind: Kind, batch: Sides, scale, bias, contrast: Contrast, mesh: jax.sharding.Mesh
) -> tuple[Float[Array, ""], Parts]:
    """`plain` over a batch that lies across the mesh; equal in value and gradient."""

    def local(own: Sides, scale, bias):
        everyone = Sides(*(jax.lax.all_gather(x, BATCH, tiled=True) for x in own))
        sums = rows_loss(kind, own, everyone, scale, bias, contrast)
        return both_ways(jax.lax.psum(sums, BATCH), contrast)

    specs = Sides(*[ROWS] * len(Sides._fields)), WHOLE, WHOLE  # type: ignore[arg-type]
    spread = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=(WHOLE, WHOLE))
    return spread(batch, scale, bias)
