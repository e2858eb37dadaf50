"""The same losses with each device holding its rows: embeddings are gathered, logits are not.

Under `shard_map` every device scores its own rows against everybody's embeddings, so the
negatives are the global batch while a device keeps only its slice of the logits.
"""

from typing import Any

import jax
from jax.sharding import PartitionSpec

from cmr_jax.config import Contrast
from cmr_jax.losses.softmax import rows_loss
from cmr_jax.sharding import BATCH
from cmr_jax.types import Embeddings, Pairing


def gathered_softmax_loss(
    embeddings: Embeddings, pairing: Pairing, contrast: Contrast, mesh: jax.sharding.Mesh
):
    """`softmax_loss` over a batch that lies across the mesh; equal in value and gradient."""
    rows, whole = PartitionSpec(BATCH), PartitionSpec()

    def local(own: Embeddings, own_pairing: Pairing) -> Any:
        def gather(x):
            return jax.lax.all_gather(x, BATCH, tiled=True)

        everyone = own._replace(video=gather(own.video), text=gather(own.text))
        all_pairing = Pairing(gather(own_pairing.group))
        loss, parts = rows_loss(own, own_pairing, everyone, all_pairing, contrast)
        # Every device has as many rows: the mean of means is the mean.
        return jax.lax.pmean((loss, parts), BATCH)

    specs: Any = Embeddings(rows, rows, whole, whole), Pairing(rows)  # type: ignore[arg-type]
    return jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=(whole, whole))(
        embeddings, pairing
    )
