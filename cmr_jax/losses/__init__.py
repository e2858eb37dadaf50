"""Contrastive losses over the global batch: what a row costs, and how rows lie over devices.

`contrastive(loss, embeddings, pairing, contrast, mesh) -> scalar, parts`; every form of a loss has
the same value and the same gradient.
"""

from collections.abc import Callable

import jax

from cmr_jax.config import Contrast, Form, Loss
from cmr_jax.losses.gathered import gathered, plain
from cmr_jax.losses.heads import findings, numbers
from cmr_jax.losses.pairs import Kind, Parts, sides
from cmr_jax.losses.ring import ring
from cmr_jax.losses.sigmoid import Sigmoid
from cmr_jax.losses.softmax import Softmax
from cmr_jax.types import Array, Embeddings, Float, Pairing

KINDS: dict[Loss, Kind] = {Loss.SOFTMAX: Softmax(), Loss.SIGMOID: Sigmoid()}
FORMS: dict[Form, Callable[..., tuple[Float[Array, ""], Parts]]] = {
    Form.PLAIN: plain,
    Form.GATHERED: gathered,
    Form.RING: ring,
}


def contrastive(
    loss: Loss,
    embeddings: Embeddings,
    pairing: Pairing,
    contrast: Contrast,
    mesh: jax.sharding.Mesh,
) -> tuple[Float[Array, ""], Parts]:
    """The loss, and its parts: of exams' rows, of texts' rows, and how often the best is right.

    Each direction is a mean over its rows; their mean is the loss.  Raises ValueError without
    both towers.
    """
    batch = sides(embeddings, pairing, contrast)
    return FORMS[contrast.form](
        KINDS[loss], batch, embeddings.scale, embeddings.bias, contrast, mesh
    )


__all__ = ["FORMS", "KINDS", "contrastive", "findings", "numbers"]
