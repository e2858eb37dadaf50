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

from cmr_jax.sharding import BATCH, ROWS, WHOLE, batch_ways
from cmr_jax.types import Batch, Embeddings, Params

PARTS = PartitionSpec(None, BATCH)  # part after part, each lying as a batch does
Embed = Callable[[Params, Batch], Embeddings]
Score = Callable[[Embeddings, Batch], tuple[Any, dict[str, Any]]]


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
        rows = {n: _join(x, mesh) for n, x in _of_rows(made).items()}
        embeddings = made._replace(scale=made.scale[0], bias=made.bias[0], **rows)
        value, slope = jax.value_and_grad(score, has_aux=True)(embeddings, batch)
        pulls = {n: _split(x, parts, mesh) for n, x in _of_rows(slope).items()}
        # Every part, on every device that adds up for itself, pulls at the temperature and the
        # bias: together once.
        times = parts * (mesh.size if _is_data_alone(mesh) else 1)
        pulls |= {n: jnp.full(times, getattr(slope, n) / times) for n in ("scale", "bias")}
        return value, _pull_back(embed, mesh)(params, split, slope._replace(**pulls))

    return jax.value_and_grad(whole, has_aux=True) if parts == 1 else in_parts


def _pull_back(embed: Embed, mesh: jax.sharding.Mesh) -> Callable:
    """`(params, parts of the batch, slopes of their embeddings) -> grads`."""

    def backward(params: Params, split: Batch, slopes: Embeddings) -> Params:
        def one(grads: Params, part: tuple[Batch, Embeddings]) -> tuple[Params, None]:
            batch, pull = part
            _, back = jax.vjp(lambda params: embed(params, batch), params)
            return jax.tree.map(jnp.add, grads, back(pull)[0]), None

        return jax.lax.scan(one, jax.tree.map(jnp.zeros_like, params), (split, slopes))[0]

    if not _is_data_alone(mesh):
        return backward

    def alone(params: Params, split: Batch, slopes: Embeddings) -> Params:
        own = jax.tree.map(lambda p: jax.lax.pcast(p, BATCH, to="varying"), params)
        return jax.lax.psum(backward(own, split, slopes), BATCH)

    def pull_back(params: Params, split: Batch, slopes: Embeddings) -> Params:
        lie = slopes._replace(scale=ROWS, bias=ROWS, **dict.fromkeys(_of_rows(slopes), PARTS))  # type: ignore[arg-type]
        laid = jax.shard_map(alone, mesh=mesh, in_specs=(WHOLE, PARTS, lie), out_specs=WHOLE)
        return laid(params, split, slopes)

    return pull_back


def _of_rows(made: Embeddings) -> dict[str, Any]:
    """What there is of exams: embeddings of either tower, what heads tell."""
    fields = {
        name: getattr(made, name) for name in ("video", "text", "outputs", "numbers", "restored")
    }
    return {name: x for name, x in fields.items() if x is not None}


def _is_data_alone(mesh: jax.sharding.Mesh) -> bool:
    """Whether each device holds all parameters.  Then it adds up its own parts, and devices meet
    once at the end: left to itself, XLA lets them meet after every part.  (Parameters that are
    split must be gathered and their gradients scattered in every part anyway.)"""
    return mesh.shape["data"] == mesh.size


def _split(x: Any, parts: int, mesh: jax.sharding.Mesh) -> jax.Array:
    """`b ...` to `parts b/parts ...`: of each device's rows an equal share, so that none moves."""
    ways = batch_ways(mesh)
    x = jnp.reshape(x, (ways, parts, -1, *x.shape[1:]))
    x = jnp.swapaxes(x, 0, 1).reshape(parts, -1, *x.shape[3:])
    return _lying(x, PARTS, mesh)


def _join(x: Any, mesh: jax.sharding.Mesh) -> jax.Array:
    """The inverse of `_split`."""
    ways = batch_ways(mesh)
    x = x.reshape(x.shape[0], ways, -1, *x.shape[2:])
    x = jnp.swapaxes(x, 0, 1).reshape(-1, *x.shape[3:])
    return _lying(x, ROWS, mesh)


def _lying(x: jax.Array, spec: PartitionSpec, mesh: jax.sharding.Mesh) -> jax.Array:
    return jax.lax.with_sharding_constraint(x, jax.NamedSharding(mesh, spec))
