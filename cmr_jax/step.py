"""One training step: embed, score over the global batch, pull back, update.

The three parts are apart so that each can be replaced: how towers embed, what the loss is, and
what an optimiser does with the gradient.
"""

import functools
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax

from cmr_jax import config, losses, optim, sharding
from cmr_jax.config import Objective, Positives
from cmr_jax.models import dual_encoder
from cmr_jax.types import Array, Batch, Key, Pairing, Params, TrainState

Parts = dict[str, jax.Array]


def pairing_of(batch: Batch, positives: Positives) -> Pairing:
    """Which texts belong to which exams of the global batch."""
    group = jnp.asarray(batch.report_group)
    if positives is Positives.GROUP:
        return Pairing(group)
    own = jnp.arange(group.shape[0])[:, None]
    return Pairing(jnp.where(group < 0, group, own))


def contrastive(
    cfg: config.Experiment, mesh: jax.sharding.Mesh, params: Any, batch: Batch, key: jax.Array
) -> tuple[jax.Array, Parts]:
    """The contrastive objective over the global batch."""
    embeddings = dual_encoder.apply(cfg.model, params, batch, train=True, key=key)
    pairing = pairing_of(batch, cfg.positives)
    loss, parts = losses.contrastive(cfg.loss, embeddings, pairing, cfg.contrast, mesh)
    return loss, parts | {"scale": embeddings.scale}


OBJECTIVES: dict[Objective, Callable[..., tuple[jax.Array, Parts]]] = {
    Objective.CONTRASTIVE: contrastive
}


def init_state(cfg: config.Experiment, mesh: jax.sharding.Mesh, example: Batch) -> TrainState:
    """A fresh state, every array born where it will live."""

    def fresh(key: Key[Array, ""]) -> TrainState:
        params = dual_encoder.init(cfg.model, example, key)
        return TrainState(jnp.zeros((), jnp.int32), params, optim.make(cfg.optim).init(params))

    key = jax.random.key(cfg.run.seed)
    shardings = sharding.tree_shardings(jax.eval_shape(fresh, key), mesh)
    return jax.jit(fresh, out_shardings=shardings)(key)


def parameter_shapes(cfg: config.Experiment, example: Batch) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter, by path."""
    params = jax.eval_shape(lambda: dual_encoder.init(cfg.model, example, jax.random.key(0)))
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {sharding.path_of(keys): leaf.shape for keys, leaf in leaves}


def with_parameters(state: TrainState, given: dict[str, np.ndarray]) -> TrainState:
    """The state with these arrays in place of the parameters at their paths."""

    def one(keys: tuple, leaf: jax.Array) -> jax.Array:
        value = given.get(sharding.path_of(keys))
        if value is None:
            return leaf
        own = np.asarray(value, leaf.dtype)
        return jax.make_array_from_callback(leaf.shape, leaf.sharding, lambda index: own[index])

    return state._replace(params=jax.tree_util.tree_map_with_path(one, state.params))


def make_step(
    cfg: config.Experiment, mesh: jax.sharding.Mesh
) -> Callable[[TrainState, Batch, Key[Array, ""]], tuple[TrainState, Parts]]:
    """The jitted step, given the key of the run: runs that differ in their seed share one program.

    The state it is given is donated: use the one that comes back.
    """
    optimizer = optim.make(cfg.optim)
    rate = optim.schedule(cfg.optim)
    objective = functools.partial(OBJECTIVES[cfg.objective], cfg, mesh)

    def step(state: TrainState, batch: Batch, key: Key[Array, ""]) -> tuple[TrainState, Parts]:
        # Keys are derived from the step, not carried: resuming needs nothing more.
        own = jax.random.fold_in(key, state.step)
        (loss, parts), grads = jax.value_and_grad(objective, has_aux=True)(state.params, batch, own)
        updates, optimizer_state = optimizer.update(grads, state.optimizer, state.params)
        params = cast(Params, optax.apply_updates(state.params, updates))
        parts = parts | {
            "loss": loss,
            "grad_norm": optax.tree.norm(grads),
            "lr": rate(state.step),
        }
        return TrainState(state.step + 1, params, optimizer_state), parts

    return jax.jit(step, donate_argnums=0)
