"""Two towers, one space: `apply(params, batch) -> Embeddings`.  Start reading the model here."""

from typing import Any, cast

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp

from cmr_jax import sharding
from cmr_jax.config import Model
from cmr_jax.config import TextTower as TextTowerConfig
from cmr_jax.config import VideoTower as VideoTowerConfig
from cmr_jax.models import attending
from cmr_jax.models.layers import How
from cmr_jax.models.text_tower import TextTower
from cmr_jax.models.video_tower import VideoTower
from cmr_jax.types import Array, Batch, Bool, Embeddings, Key, Params

# A head starts by saying nothing, so that a tower that was trained is not shaken by it.
NOTHING = nn.initializers.zeros


class DualEncoder(nn.Module):
    """Embeds the exams and the texts of a batch; a tower that is not asked for gives None."""

    config: Model

    @nn.compact
    def __call__(
        self,
        batch: Batch,
        *,
        train: bool = False,
        video: bool = True,
        text: bool = True,
        hidden: Bool[Array, "b n"] | None = None,
    ) -> Embeddings:
        c = self.config
        b, r, _ = batch.tokens.shape
        z_video = z_text = outputs = numbers = restored = None
        if video:
            tower = VideoTower(c.video, c.embedding, c.head, _how(c, c.video), name="video")
            given = (batch.video, batch.coordinates, batch.frame_mask, batch.row)
            z_video, restored = tower(*given, train=train, hidden=hidden)
            if c.outputs:
                outputs = nn.Dense(len(c.outputs), kernel_init=NOTHING, name="outputs")(z_video)
            if c.numbers:
                numbers = nn.Dense(len(c.numbers), kernel_init=NOTHING, name="numbers")(z_video)
        if text:
            tower = TextTower(c.text, c.embedding, c.head, _how(c, c.text), name="text")
            tokens = einops.rearrange(batch.tokens, "b r l -> (b r) l")
            mask = einops.rearrange(batch.text_mask, "b r l -> (b r) l")
            rows = einops.rearrange(batch.row[:, None] * r + jnp.arange(r)[None], "b r -> (b r)")
            made = tower(tokens, mask, rows, train=train)
            z_text = einops.rearrange(made, "(b r) e -> b r e", b=b)
        log_scale = self.param(
            "logit_scale", nn.initializers.constant(jnp.log(c.initial_scale)), ()
        )
        bias = self.param("logit_bias", nn.initializers.constant(c.initial_bias), ())
        # Training caps the parameter itself (optim.capped); weights of before are capped here,
        # with the gradient that they would have without.
        log_cap = jnp.minimum(log_scale, jnp.log(c.largest_scale))
        scale = jnp.exp(log_scale + jax.lax.stop_gradient(log_cap - log_scale))
        return Embeddings(z_video, z_text, scale, bias, outputs, numbers, restored)


def _how(c: Model, tower: VideoTowerConfig | TextTowerConfig) -> How:
    dtype, width = jnp.dtype(c.precision.value), tower.width // tower.heads
    return How(
        dtype, attending.choose(c.attention, sharding.platform(), dtype, width), c.remat, c.unroll
    )


def init(config: Model, batch: Batch, key: Key[Array, ""]) -> Params:
    """Fresh parameters as a plain nested dict; `batch` gives the shapes."""
    return cast(Params, DualEncoder(config).init(cast(Any, {"params": key}), batch)["params"])


def apply(
    config: Model,
    params: Params,
    batch: Batch,
    *,
    train: bool = False,
    key: Key[Array, ""] | None = None,
    video: bool = True,
    text: bool = True,
    hidden: Bool[Array, "b n"] | None = None,
) -> Embeddings:
    """Embeddings of a batch.  `key` feeds dropout and is needed only where that is on; `hidden` are
    places that a model which can tell them is not shown."""
    rngs: dict[str, Any] = {} if key is None else {"dropout": key}
    made = DualEncoder(config).apply(
        {"params": params}, batch, train=train, video=video, text=text, hidden=hidden, rngs=rngs
    )
    return cast(Embeddings, made)
