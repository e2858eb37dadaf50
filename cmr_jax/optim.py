"""The optimiser: AdamW with a warm-up and a cosine; what decays is decided by path."""

import re

import jax
import optax

from cmr_jax import config
from cmr_jax.sharding import path_of
from cmr_jax.types import Params

# Vectors that shift or scale, embeddings and temperatures are not pulled towards zero.
NOT_DECAYED = re.compile(r".*/(bias|scale|position|embedding)|logit_(scale|bias)")


def schedule(c: config.Optim) -> optax.Schedule:
    """Learning rate by step: linear up, cosine down to zero at `steps`."""
    warmup = min(c.warmup_steps, max(c.steps - 1, 0))
    return optax.warmup_cosine_decay_schedule(0.0, c.lr, warmup, c.steps)


def decayed(params: Params) -> Params:
    """True where weight decay applies."""
    return jax.tree_util.tree_map_with_path(
        lambda keys, _: not NOT_DECAYED.fullmatch(path_of(keys)), params
    )


def make(c: config.Optim) -> optax.GradientTransformation:
    """The whole chain: clip by global norm, AdamW."""
    return optax.chain(
        optax.clip_by_global_norm(c.clip_norm),
        optax.adamw(
            schedule(c), b1=c.b1, b2=c.b2, eps=c.eps, weight_decay=c.weight_decay, mask=decayed
        ),
    )
