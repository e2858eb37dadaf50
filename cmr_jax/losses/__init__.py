"""Contrastive losses over the global batch: `loss(embeddings, pairing, contrast, mesh) ->
scalar, parts`."""

from collections.abc import Callable

from cmr_jax.config import Loss
from cmr_jax.losses.distributed import gathered_softmax_loss

LOSSES: dict[Loss, Callable] = {Loss.SOFTMAX: gathered_softmax_loss}
