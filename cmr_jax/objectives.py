"""What is learned: how a batch is embedded for it, and what the loss of the embeddings is."""

import dataclasses
from collections.abc import Callable
from typing import ClassVar, Protocol, cast

import einops
import jax
import jax.numpy as jnp

from cmr_jax import augment, config, losses, optim
from cmr_jax.config import Objective, Positives
from cmr_jax.models import dual_encoder
from cmr_jax.models.dropping import some_of
from cmr_jax.models.frames import grey
from cmr_jax.types import Array, Batch, Bool, Embeddings, Float, Key, Pairing, Params

Parts = dict[str, Array]
HIDING = 0x41DE  # sets the draw of what is hidden apart from others of the same step
FLAT = 1e-4  # variance, of grey values 0 to 1, below which a patch counts as one of no structure


class Learned(Protocol):
    """An objective: embeddings of parts of a batch, and a loss of the whole of it."""

    def embed(self, params: Params, batch: Batch, key: Key[Array, ""]) -> Embeddings:
        """In training, of a batch or of a part of one."""
        ...

    def look(self, params: Params, batch: Batch) -> Embeddings:
        """The same with nothing random, of exams that nothing is learned from."""
        ...

    def score(self, embeddings: Embeddings, batch: Batch) -> tuple[Array, Parts]:
        """The loss of the whole batch, and what to tell of it."""
        ...


def pairing_of(batch: Batch, positives: Positives) -> Pairing:
    """Pair the texts and the exams of the global batch.

    An exam may be in a batch twice: at the end of an epoch, or where its site is drawn more often.
    """
    group = jnp.asarray(batch.report_group)
    if positives is Positives.SELF:
        own = jnp.asarray(batch.exam_key)[:, None]
        if batch.untrue is not None:  # it is nobody's
            own = jnp.where(batch.untrue, 2**30 + own, own)
        group = jnp.where(group < 0, group, own)
    if not positives.reads_reports:
        return Pairing(group, batch.untrue)
    says = jnp.asarray(batch.says)
    if positives is Positives.SENTENCES:
        whole = jnp.arange(says.shape[1])[None] == 0
        says = jnp.where(whole if batch.untrue is None else whole | batch.untrue, 0, says)
    return Pairing(group, batch.untrue, says, batch.exam_says)


@dataclasses.dataclass(frozen=True)
class Towers:
    """Embeds, as most objectives do."""

    cfg: config.Experiment
    mesh: jax.sharding.Mesh

    reads_texts: ClassVar[bool] = True  # in training

    def embed(self, params: Params, batch: Batch, key: Key[Array, ""]) -> Embeddings:
        """What the towers make of a batch, or of a part of one."""
        params, batch = self.in_training(params, batch, key)
        model = self.cfg.model
        return dual_encoder.apply(model, params, batch, train=True, key=key, text=self.reads_texts)

    def look(self, params: Params, batch: Batch) -> Embeddings:
        """What the towers make of exams that nothing is learned from."""
        return dual_encoder.apply(self.cfg.model, params, batch)

    def in_training(
        self, params: Params, batch: Batch, key: Key[Array, ""]
    ) -> tuple[Params, Batch]:
        """Pictures changed, and what is frozen at rest."""
        changed = augment.seen_in_training(self.cfg.data, batch, key)
        return optim.resting(self.cfg.optim, params), changed


class Contrastive(Towers):
    """Exams and texts in one space, scored over the global batch."""

    def score(self, embeddings: Embeddings, batch: Batch) -> tuple[Array, Parts]:
        """The loss of the whole batch, and what to tell of it."""
        cfg, pairing = self.cfg, pairing_of(batch, self.cfg.positives)
        loss, parts = losses.contrastive(cfg.loss, embeddings, pairing, cfg.contrast, self.mesh)
        more, told = self._heads(embeddings, batch)
        return loss + more, parts | {
            **told,
            "scale": embeddings.scale,
            "spread_video": spread(cast(Array, embeddings.video)),
            "spread_text": spread(cast(Array, embeddings.text), batch.report_group >= 0),
        }

    def _heads(self, embeddings: Embeddings, batch: Batch) -> tuple[Array | float, Parts]:
        """What the report states of findings and numbers, where the model has heads for them."""
        model, weigh = self.cfg.model, self.cfg.contrast
        loss, parts = 0.0, {}
        if embeddings.outputs is not None:
            parts["findings_loss"], _ = losses.findings(
                embeddings.outputs, targets_of(batch, model.outputs)
            )
            loss += weigh.findings * parts["findings_loss"]
        if embeddings.numbers is not None:
            parts["numbers_loss"] = losses.numbers(
                embeddings.numbers, targets_of(batch, model.numbers)
            )
            loss += weigh.numbers * parts["numbers_loss"]
        return loss, parts


def targets_of(batch: Batch, names: tuple[str, ...]) -> Float[Array, "b o"]:
    """The targets by these names, NaN where there is none."""
    return jnp.stack([cast(dict, batch.targets)[name] for name in names], 1)


class Supervised(Towers):
    """Findings from labels, by a head on the embedding of an exam; texts are not read."""

    reads_texts = False

    def score(self, embeddings: Embeddings, batch: Batch) -> tuple[Array, Parts]:
        """The loss of the whole batch, and what to tell of it."""
        labels = targets_of(batch, self.cfg.model.outputs)
        loss, parts = losses.findings(cast(Array, embeddings.outputs), labels)
        return loss, parts | {"spread_video": spread(cast(Array, embeddings.video))}


class MaskedFrames(Towers):
    """Pictures from what is left of them: the same places are hidden in every frame of an exam, and
    what was there is told from the rest (He 2022, arXiv:2111.06377; Tong 2022, arXiv:2203.12602;
    mask tokens in the encoder as in Xie 2022, arXiv:2111.09886).  Texts are not read."""

    def embed(self, params: Params, batch: Batch, key: Key[Array, ""]) -> Embeddings:
        """With other places hidden each time."""
        return self._restored(*self.in_training(params, batch, key), key, train=True)

    def look(self, params: Params, batch: Batch) -> Embeddings:
        """With places hidden that are the same each time."""
        return self._restored(params, batch, jax.random.key(0), train=False)

    def score(self, embeddings: Embeddings, batch: Batch) -> tuple[Array, Parts]:
        """Mean squared error over what was hidden; 1 is what a patch's mean is worth."""
        error = cast(Array, embeddings.restored).mean()
        del batch
        return error, {"spread_video": spread(cast(Array, embeddings.video))}

    def _restored(
        self, params: Params, batch: Batch, key: Key[Array, ""], train: bool
    ) -> Embeddings:
        model, data = self.cfg.model, self.cfg.data
        places = (data.clip.size // model.video.patch) ** 2
        rows = jnp.asarray(batch.row)
        everywhere = jnp.ones((rows.shape[0], places), bool)
        chosen = some_of(jax.random.fold_in(key, HIDING), rows, data.hidden, everywhere)
        hidden = jax.nn.one_hot(chosen, places, dtype=bool).any(1)
        made = dual_encoder.apply(
            model, params, batch, train=train, key=key, text=False, hidden=hidden
        )
        there = patches(batch.video, model.video.patch)
        error = jnp.square(cast(Array, made.restored) - there).mean(-1)
        counts = jnp.asarray(batch.frame_mask)[:, :, None] & hidden[:, None]
        each = jnp.where(counts, error, 0).sum((1, 2)) / jnp.maximum(counts.sum((1, 2)), 1)
        return made._replace(restored=each)


def patches(video: Array, side: int) -> Float[Array, "b t n p"]:
    """Pixels of each patch about their mean, by their spread: contrast is not what is asked for."""
    x = einops.rearrange(grey(video), "b t (h p) (w q) c -> b t (h w) (p q c)", p=side, q=side)
    return (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + FLAT)


OBJECTIVES: dict[Objective, Callable[[config.Experiment, jax.sharding.Mesh], Learned]] = {
    Objective.CONTRASTIVE: Contrastive,
    Objective.SUPERVISED: Supervised,
    Objective.MASKED_FRAMES: MaskedFrames,
}


def spread(x: Float[Array, "*n e"], real: Bool[Array, "*n"] | None = None) -> Float[Array, ""]:
    """How far embeddings point apart, 0..1: one less the squared length of their mean direction.

    0 is collapse: all the same.  What is not `real` does not count.
    """
    x = jax.lax.stop_gradient(x)
    unit = x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    weight = jnp.ones(x.shape[:-1]) if real is None else real.astype(x.dtype)
    axes = tuple(range(weight.ndim))
    mean = (unit * weight[..., None]).sum(axes) / jnp.maximum(weight.sum(), 1)
    return 1 - jnp.square(mean).sum()
