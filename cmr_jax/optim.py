"""The optimiser: AdamW with a warm-up and a cosine; what decays or rests is decided by path.

The tables of paths are total: a parameter without a rule is an error that names it.
"""

import enum
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from cmr_jax import config
from cmr_jax.config import Optimizer
from cmr_jax.sharding import path_of
from cmr_jax.types import Array, Int, Params

# Weight decay pulls kernels towards zero: not vectors that shift or scale, embeddings, tokens of
# their own (CLS, register, mask), the queries of pooling, or temperatures.
DECAYED = (
    (r".*/kernel", True),
    (r".*/(bias|scale|position|embedding|segment|index|cls|cls_position)", False),
    (r".*/(register|hidden)|.*/pool/(stack|exam)/query", False),
    (r"logit_(scale|bias)", False),
)


class Depth(enum.Enum):
    """Where in its tower a parameter lies."""

    EMBED = "embed"  # below the layers
    BLOCKS = "blocks"  # the layers, stacked
    LAST = "last"  # a layer apart, the topmost
    HEAD = "head"  # above the layers


DEPTHS = (
    (r"(video|text)/blocks/.*", Depth.BLOCKS),
    (r"video/last/.*", Depth.LAST),
    (r"(video|text)/(stem|frame|token|norm_token)/.*", Depth.EMBED),
    (r"(video|text)/(position|segment|cls|cls_position|register|hidden)", Depth.EMBED),
    (r"(video|text)/(norm|pool|pooler|places|project|pixels)/.*", Depth.HEAD),
    (r"(outputs|numbers)/.*|logit_(scale|bias)", Depth.HEAD),
)


def schedule(c: config.Optim) -> optax.Schedule:
    """Learning rate by step: linear up, cosine down at `steps`, new every `hold` steps."""
    last = max(c.steps // c.hold, 1)
    warmup = min(c.warmup_steps // c.hold, last - 1)
    rate = optax.warmup_cosine_decay_schedule(c.lr_start, c.lr, warmup, last, c.lr_end)
    return lambda step: rate(jnp.asarray(step) // c.hold)


def decayed(params: Params) -> Params:
    """True where weight decay applies."""
    return _by_path(params, lambda path: _rule(DECAYED, path, "weight decay"))


def capped(params: Params, largest_scale: float) -> Params:
    """The parameters with the scale of the logits at most `largest_scale` (Radford 2021, 2.5).

    A cap in the loss itself would have no gradient above it, and the scale would never come back.
    """
    top = np.log(largest_scale)
    return jax.tree_util.tree_map_with_path(
        lambda keys, p: jnp.minimum(p, top) if path_of(keys) == "logit_scale" else p, params
    )


def make(c: config.Optim) -> optax.GradientTransformation:
    """The whole chain: clip by global norm, AdamW; what is frozen gets neither step nor decay."""
    rate, mask = schedule(c), None if c.decay_all else decayed
    chain = {
        Optimizer.ADAMW: lambda: optax.adamw(
            rate, b1=c.b1, b2=c.b2, eps=c.eps, weight_decay=c.weight_decay, mask=mask
        ),
        Optimizer.TRANSFORMERS: lambda: optax.chain(
            scale_by_uncorrected_adam(c.b1, c.b2, c.eps),
            optax.scale_by_learning_rate(rate),
            decay_afterwards(rate, c.weight_decay, mask),
        ),
    }[c.kind]()
    if c.clip_norm:
        chain = optax.chain(optax.clip_by_global_norm(c.clip_norm), chain)
    if c.frozen:
        rests = re.compile(c.frozen)
        chain = optax.partition(
            {"learns": chain, "rests": optax.set_to_zero()},
            lambda params: _by_path(
                params, lambda path: "rests" if rests.fullmatch(path) else "learns"
            ),
        )
    # Last: layers are counted over all parameters, frozen ones too.
    return optax.chain(chain, scale_by_layer(c.layer_decay)) if c.layer_decay < 1 else chain


def resting(c: config.Optim, params: Params) -> Params:
    """The parameters, the frozen ones as constants: what only they would need is not computed."""
    if not c.frozen:
        return params
    rests = re.compile(c.frozen)
    return jax.tree_util.tree_map_with_path(
        lambda keys, p: jax.lax.stop_gradient(p) if rests.fullmatch(path_of(keys)) else p, params
    )


def averaged(c: config.Optim, mean: Params | None, params: Params, step: Any) -> Params | None:
    """The running mean after a step (Polyak 1992); it starts short, and forgets its beginning."""
    if mean is None:
        return None
    of = re.compile(c.averaged)
    keep = jnp.minimum(c.ema, (1 + step) / (10 + step))

    def one(keys: tuple, old: Any, new: Any) -> Any:
        return keep * old + (1 - keep) * new if of.fullmatch(path_of(keys)) else new

    return jax.tree_util.tree_map_with_path(one, mean, params)


def scale_by_layer(decay: float) -> optax.GradientTransformation:
    """Steps of a tower's lower layers are smaller (Clark 2020, arXiv:2003.10555): by `decay` for
    each layer above, what embeds below all of them, what projects above them."""

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        leaves = jax.tree_util.tree_leaves_with_path(updates)
        shapes = {path_of(keys): jnp.shape(leaf) for keys, leaf in leaves}
        scaled = jax.tree_util.tree_map_with_path(
            lambda keys, u: u * _layer_scale(path_of(keys), shapes, decay), updates
        )
        return scaled, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _layer_scale(path: str, shapes: dict[str, tuple[int, ...]], decay: float) -> Any:
    """The factor of a parameter's step: a number, or one for each layer of a scan."""
    tower = path.split("/")[0]
    top = int(any(p.startswith(f"{tower}/last/") for p in shapes))
    inside = [s[0] for p, s in shapes.items() if p.startswith(f"{tower}/blocks/") and s]
    layers = max(inside, default=0) + top
    depth = _rule(DEPTHS, path, "layer decay")
    if depth is Depth.BLOCKS:
        powers = layers - jnp.arange(shapes[path][0])
        return (decay**powers).reshape(-1, *[1] * (len(shapes[path]) - 1))
    return {Depth.LAST: decay, Depth.HEAD: 1.0, Depth.EMBED: decay ** (layers + 1)}[depth]


def _rule(table: tuple[tuple[str, Any], ...], path: str, name: str) -> Any:
    """The first rule whose pattern matches the whole path; a ValueError if there is none."""
    for pattern, value in table:
        if re.fullmatch(pattern, path):
            return value
    raise ValueError(f"no rule of {name} in cmr_jax/optim.py names the parameter {path}.")


class Moments(NamedTuple):
    """Running means of the gradient and of its square."""

    count: Int[Array, ""]
    mu: Params
    nu: Params


def scale_by_uncorrected_adam(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    """Adam as transformers 4 has it: epsilon is added to the square root before its bias is
    corrected (optax adds it after), so that it weighs more in the first steps."""

    def init(params: Any) -> Moments:
        mu, nu = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        return Moments(jnp.zeros((), jnp.int32), mu, nu)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        count = state.count + 1
        mu = optax.tree.update_moment(updates, state.mu, b1, 1)
        nu = optax.tree.update_moment(updates, state.nu, b2, 2)
        size = jnp.sqrt(1 - b2**count) / (1 - b1**count)
        step = jax.tree.map(lambda m, v: size * m / (jnp.sqrt(v) + eps), mu, nu)
        return step, Moments(count, mu, nu)

    return optax.GradientTransformation(init, update)


def decay_afterwards(
    rate: optax.Schedule, weight_decay: float, mask
) -> optax.GradientTransformation:
    """Decay of the parameters as the step leaves them: p + u -> (p + u)(1 - rate decay)."""

    def init(params: Any) -> optax.ScaleByScheduleState:
        del params
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        keep = 1 - rate(state.count) * weight_decay
        decays = jax.tree.map(lambda _: True, params) if mask is None else mask(params)
        updates = jax.tree.map(
            lambda u, p, yes: keep * u - (1 - keep) * p if yes else u, updates, params, decays
        )
        return updates, optax.ScaleByScheduleState(state.count + 1)

    return optax.GradientTransformation(init, update)


def _by_path(params: Params, what) -> Params:
    return jax.tree_util.tree_map_with_path(lambda keys, _: what(path_of(keys)), params)
