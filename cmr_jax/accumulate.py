"""The gradient of a batch that does not fit the towers at once, exactly as if it did.

A contrastive loss couples every exam with every other, so gradients of parts of a batch, each
scored alone, do not add up to the gradient of the batch.  But the loss reaches the parameters
through embeddings alone: embed all parts, take the loss's gradient to the embeddings, then pull
each part's share of it back through the towers (Gao 2021, arXiv:2101.06983).  The towers run
forward twice; random draws depend on the step and the exam, so the second time repeats the first.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from cmr_jax.sharding import BATCH
from cmr_jax.types import Batch, Embeddings, Params

Embed = Callable[[Params, Batch], Embeddings]
Score = Callable[[Embeddings, Batch], tuple[jax.Array, dict[str, jax.Array]]]


def value_and_grad(embed: Embed, score: Score, parts: int, mesh: jax.sharding.Mesh) -> Callable:
    """`(params, batch) -> ((loss, aux), grads)` of `score(embed(params, batch), batch)`.

    The batch goes through the towers in `parts` equal parts, of which every device has its share.
    """

    def whole(params: Params, batch: Batch) -> Any:
        return score(embed(params, batch), batch)

    def in_parts(params: Params, batch: Batch) -> Any:
        split = jax.tree.map(lambda x: _split(x, parts, mesh), batch)

        def forward(_: None, part: Batch) -> tuple[None, Embeddings]:
            return None, embed(params, part)

        _, made = jax.lax.scan(forward, None, split)
        embeddings = Embeddings(
            _join(made.video, mesh), _join(made.text, mesh), made.scale[0], made.bias[0]
        )
        value, slope = jax.value_and_grad(score, has_aux=True)(embeddings, batch)
        slopes = Embeddings(
            _split(slope.video, parts, mesh),
            _split(slope.text, parts, mesh),
            # Every part pulls at the temperature and the bias, together as often as the batch.
            jnp.full(parts, slope.scale / parts),
            jnp.full(parts, slope.bias / parts),
        )

        def backward(grads: Params, part: tuple[Batch, Embeddings]) -> tuple[Params, None]:
            batch, pull = part
            _, back = jax.vjp(lambda params: embed(params, batch), params)
            return jax.tree.map(jnp.add, grads, back(pull)[0]), None

        grads, _ = jax.lax.scan(backward, jax.tree.map(jnp.zeros_like, params), (split, slopes))
        return value, grads

    return jax.value_and_grad(whole, has_aux=True) if parts == 1 else in_parts


def _split(x: Any, parts: int, mesh: jax.sharding.Mesh) -> jax.Array:
    """`b ...` to `parts b/parts ...`: of each device's rows an equal share, so that none moves."""
    ways = mesh.shape["data"] * mesh.shape["fsdp"]
    x = jnp.reshape(x, (ways, parts, -1, *x.shape[1:]))
    x = jnp.swapaxes(x, 0, 1).reshape(parts, -1, *x.shape[3:])
    return _lying(x, PartitionSpec(None, BATCH), mesh)


def _join(x: jax.Array, mesh: jax.sharding.Mesh) -> jax.Array:
    """The inverse of `_split`."""
    ways = mesh.shape["data"] * mesh.shape["fsdp"]
    x = x.reshape(x.shape[0], ways, -1, *x.shape[2:])
    x = jnp.swapaxes(x, 0, 1).reshape(-1, *x.shape[3:])
    return _lying(x, PartitionSpec(BATCH), mesh)


def _lying(x: jax.Array, spec: PartitionSpec, mesh: jax.sharding.Mesh) -> jax.Array:
    return jax.lax.with_sharding_constraint(x, jax.NamedSharding(mesh, spec))
