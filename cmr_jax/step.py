"""One training step: embed, score over the global batch, pull back, update.

The three parts are apart so that each can be replaced: how towers embed, what the loss is, and
what an optimiser does with the gradient.
"""

import functools
from collections.abc import Callable
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import optax

from cmr_jax import accumulate, config, guard, optim, sharding
from cmr_jax.models import dual_encoder
from cmr_jax.objectives import OBJECTIVES, Parts
from cmr_jax.types import Array, Batch, Embeddings, Key, Params, TrainState

# Of a step's parts: whether each group of parameters had a finite gradient and update, and last,
# the loss.
FINITE = "finite"


def init_state(cfg: config.Experiment, mesh: jax.sharding.Mesh, example: Batch) -> TrainState:
    """A fresh state, every array born where it will live."""

    def fresh(key: Key[Array, ""]) -> TrainState:
        params = dual_encoder.init(cfg.model, example, key)
        mean = jax.tree.map(jnp.copy, params) if cfg.optim.ema else None
        optimizer = optim.make(cfg.optim).init(params)
        return TrainState(jnp.zeros((), jnp.int32), params, optimizer, mean)

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

    # The mean starts where the parameters do, in memory of its own: a step gives both away.
    params = jax.tree_util.tree_map_with_path(one, state.params)
    mean = None if state.ema is None else jax.tree.map(jnp.copy, params)
    return state._replace(params=params, ema=mean)


def make_step(
    cfg: config.Experiment, mesh: jax.sharding.Mesh
) -> Callable[[TrainState, Batch, Key[Array, ""]], tuple[TrainState, Parts]]:
    """The jitted step, given the key of the run: runs that differ in their seed share one program.

    The state it is given is donated: use the one that comes back.
    """
    optimizer = optim.make(cfg.optim)
    rate = optim.schedule(cfg.optim)
    objective = OBJECTIVES[cfg.objective](cfg, mesh)
    parts_of_batch = cfg.data.batch // (cfg.data.micro_batch or cfg.data.batch)

    def step(state: TrainState, batch: Batch, key: Key[Array, ""]) -> tuple[TrainState, Parts]:
        # Keys are derived from the step, not carried: resuming needs nothing more.
        embed = functools.partial(objective.embed, key=jax.random.fold_in(key, state.step))
        pull = accumulate.value_and_grad(embed, objective.score, parts_of_batch, mesh)
        (loss, parts), grads = pull(state.params, batch)
        groups = guard.Groups.of(grads)
        squares = groups.squares(grads)
        updates, optimizer_state = optimizer.update(grads, state.optimizer, state.params)
        moved = groups.squares(updates)
        fine = jnp.append(jnp.isfinite(squares) & jnp.isfinite(moved), jnp.isfinite(loss))
        params = cast(Params, optax.apply_updates(state.params, updates))
        params = optim.capped(params, cfg.model.largest_scale)
        mean = optim.averaged(cfg.optim, state.ema, params, state.step)
        after = TrainState(state.step + 1, params, optimizer_state, mean)
        if cfg.run.skip_nonfinite:
            after = guard.keep_where(fine.all(), after, state)._replace(step=state.step + 1)
        parts = parts | {"loss": loss, "lr": rate(state.step), FINITE: fine}
        parts |= groups.norms(squares, "opt/grad_norm")
        return after, parts | groups.norms(moved, "opt/update_norm")

    return jax.jit(step, donate_argnums=0)


def make_look(
    cfg: config.Experiment, mesh: jax.sharding.Mesh
) -> Callable[[Params, Batch], tuple[Embeddings, Array]]:
    """What the towers make of a batch that nothing is learned from, and its loss; on every device."""
    objective = OBJECTIVES[cfg.objective](cfg, mesh)

    def look(params: Params, batch: Batch) -> tuple[Embeddings, Array]:
        embeddings = objective.look(params, batch)
        return embeddings, objective.score(embeddings, batch)[0]

    return jax.jit(look, out_shardings=jax.NamedSharding(mesh, sharding.WHOLE))
