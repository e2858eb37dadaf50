"""FLOPs by formula: of a forward pass, and of a training step as a model and as hardware sees it.

A multiply and an add are two; products of matrices alone are counted.  A program's own products are
counted in `dots`; a test holds both together.
"""

import re
from typing import NamedTuple

from cmr_jax import config
from cmr_jax.config import Pool, Remat, TimeMixing
from cmr_jax.models.dropping import kept
from cmr_jax.models.frames import stem_plan


class Blocks(NamedTuple):
    """FLOPs of one or several blocks for one exam, forward."""

    linear: float
    attention: float  # scores and weighted means
    down: float  # the last layer of every MLP, part of `linear`

    @property
    def all(self) -> float:
        """What a forward pass costs."""
        return self.linear + self.attention


class Step(NamedTuple):
    """FLOPs of one training step over the whole batch."""

    model: float
    hardware: float


def forward_flops(cfg: config.Experiment, unread: bool = True) -> dict[str, float]:
    """FLOPs of one exam's forward pass, by tower.

    `unread`: with what the last block makes of patches although only the clip's token is read, as
    PyTorch's counter has it; our towers leave it out.  What is as small as projections to the
    shared space and coordinates of frames is left out.
    """
    return _forward(cfg, _size(cfg), unread)


def training_flops(cfg: config.Experiment) -> Step:
    """FLOPs of a training step.

    Model: three times the forward pass (the gradients of inputs and of weights cost one each), the
    number that model FLOP utilisation counts (Chowdhery 2022, arXiv:2204.02311, appendix B).  Of
    what training drops, nothing counts; of a tower that is frozen, the forward pass alone.

    Hardware: less the gradient of pixels, which nobody asks for.  On top, the blocks of a scan
    forward again where `model.remat` says so, less what nobody reads again (the last layer of each
    MLP; with DOTS all but attention); and the towers forward once more where micro-batches are
    embedded before the loss is known (Gao 2021, arXiv:2101.06983).
    """
    size, video = _size(cfg, training=True), cfg.model.video
    forward = _forward(cfg, size, unread=False)
    block, _ = _blocks(cfg, size, unread=False)
    scanned = video.depth - (video.pool is Pool.CLS)  # the last stands apart where there is a token
    again = {
        "video": scanned * _again(block, cfg.model.remat) - _stem(cfg, size)[0],
        "text": _again(_text(cfg), cfg.model.remat),
    }
    model = hardware = 0.0
    early = 0 < cfg.data.micro_batch < cfg.data.batch
    for tower, flops in forward.items():
        passes = _passes(cfg.optim.frozen, tower)
        model += passes * flops
        hardware += passes * flops + (again[tower] + early * flops if passes > 1 else 0.0)
    return Step(model * cfg.data.batch, hardware * cfg.data.batch)


def _passes(frozen: str, tower: str) -> int:
    """What a tower costs, in forward passes: its blocks may rest, and all below them too."""
    below = {"video": "stem/stem_0/kernel", "text": "token/embedding"}[tower]
    rests = [
        bool(frozen and re.fullmatch(frozen, f"{tower}/{inside}"))
        for inside in ("blocks/mlp/up/kernel", below)
    ]
    return 3 - rests[0] - all(rests)


class Size(NamedTuple):
    """Of an exam: frames, and places of each, that are read."""

    frames: int
    places: int


def _size(cfg: config.Experiment, training: bool = False) -> Size:
    frames, places = cfg.data.clip.frames, (cfg.data.clip.size // cfg.model.video.patch) ** 2
    if not training:
        return Size(frames, places)
    v = cfg.model.video
    return Size(kept(frames, 1 - v.frame_dropout), kept(places, 1 - v.patch_dropout))


def _forward(cfg: config.Experiment, size: Size, unread: bool) -> dict[str, float]:
    block, last = _blocks(cfg, size, unread)
    video = (cfg.model.video.depth - 1) * block.all + last.all + sum(_stem(cfg, size))
    return {"video": video, "text": _text(cfg).all}


def _again(blocks: Blocks, remat: Remat) -> float:
    """What the backward pass computes again of blocks."""
    table = {
        Remat.NONE: 0.0,
        Remat.DOTS: blocks.attention,
        Remat.OFFLOAD: blocks.attention,
        Remat.FULL: blocks.all - blocks.down,
    }
    return table[remat]


def _blocks(cfg: config.Experiment, size: Size, unread: bool) -> tuple[Blocks, Blocks]:
    """One block of the video tower, and its last one."""
    v, (frames, n) = cfg.model.video, size
    n += v.registers
    patches, d, cls = frames * n, v.width, int(v.pool is Pool.CLS)
    tokens, attends = patches + cls, v.time is TimeMixing.ATTENTION
    # Layers of attention over frames, within a frame, and of the MLP.  A mean has next to none.
    linear = tokens * d * d * (8 * attends + 8 + 4 * v.mlp_ratio)
    # A patch attends to its group and to the clip's token, that token to all.
    over_frames = attends * (patches * (frames + cls) + cls * tokens)
    within = patches * (n + cls) + cls * tokens
    down = tokens * d * d * 2 * v.mlp_ratio
    block = Blocks(linear, 4.0 * d * (over_frames + within), down)
    if unread or not cls:
        return block, block
    # Of the last block's patches: queries, output and scores within a frame, and the MLP.
    last = Blocks(
        linear - patches * d * d * (4 + 4 * v.mlp_ratio),
        block.attention - 4.0 * d * patches * (n + cls),
        down - patches * d * d * 2 * v.mlp_ratio,
    )
    return block, last


def _text(cfg: config.Experiment) -> Blocks:
    """All blocks of the text tower."""
    t, tokens = cfg.model.text, cfg.model.text.length * (cfg.data.texts + cfg.data.untrue_text)
    square = t.depth * tokens * t.width**2
    return Blocks(
        square * (8 + 4 * t.mlp_ratio),
        4.0 * t.depth * t.width * tokens * t.length,
        square * 2 * t.mlp_ratio,
    )


def _stem(cfg: config.Experiment, size: Size) -> list[float]:
    """Each stage of the stem.  Places are dropped after it, frames before."""
    v = cfg.model.video
    pixels = size.frames * _size(cfg).places * v.patch**2
    channels, stages = len(v.pixel_mean), []
    for side, width in stem_plan(v.stem, v.patch, v.width):
        stages.append(2.0 * pixels * channels * width)
        pixels, channels = pixels // side**2, width
    return stages
