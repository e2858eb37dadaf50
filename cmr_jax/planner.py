"""What a run would cost before it starts: parameters, where they lie, FLOPs and bytes."""

import jax
import numpy as np

from cmr_jax import config, sharding, step
from cmr_jax.config import Pool, TimeMixing
from cmr_jax.data import pipeline
from cmr_jax.models.frames import stem_plan
from cmr_jax.sharding import path_of


def forward_flops(cfg: config.Experiment) -> dict[str, float]:
    """FLOPs of one exam's forward pass by formula (a multiply and an add are two)."""
    v, t, clip = cfg.model.video, cfg.model.text, cfg.data.clip
    n, frames, d = (clip.size // v.patch) ** 2, clip.frames, v.width
    patches, cls = n * frames, int(v.pool is Pool.CLS)
    tokens, attends = patches + cls, v.time is TimeMixing.ATTENTION
    # Layers of attention over frames, within a frame, and of the MLP.  A mean has next to none.
    linear = tokens * d * d * (8 * attends + 8 + 4 * v.mlp_ratio)
    # A patch attends to its group and to the clip's token, that token to all.
    scores = attends * (patches * (frames + cls) + cls * tokens)
    attention = 4 * d * (scores + patches * (n + cls) + cls * tokens)
    stem, pixels, channels = 0.0, patches * v.patch**2, len(v.pixel_mean)
    for side, width in stem_plan(v.stem, v.patch, d):
        stem += 2 * pixels * channels * width
        pixels, channels = pixels // side**2, width
    length = t.length * cfg.data.texts
    text = t.depth * (length * t.width**2 * (8 + 4 * t.mlp_ratio) + 4 * t.width * length * t.length)
    return {"video": v.depth * (linear + attention) + stem, "text": text}


def describe(cfg: config.Experiment, mesh: jax.sharding.Mesh) -> str:
    """A table of parameters and shardings, FLOPs, and bytes per device from the compiled step."""
    ways = mesh.shape["data"] * mesh.shape["fsdp"]
    with jax.set_mesh(mesh):
        state = jax.eval_shape(
            lambda: step.init_state(cfg, mesh, pipeline.example_batch(cfg, ways))
        )
        places = sharding.tree_shardings(state, mesh)
        lines = [f"{'parameter':58} {'shape':>20}  sharding"]
        leaves = jax.tree_util.tree_leaves_with_path(state.params)
        for (keys, leaf), place in zip(leaves, jax.tree.leaves(places.params), strict=True):
            lines.append(f"{path_of(keys):58} {leaf.shape!s:>20}  {place.spec}")
        given = jax.tree.map(
            lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), state, places
        )
        batch = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(
                x.shape, x.dtype, sharding=sharding.batch_sharding(mesh)
            ),
            jax.eval_shape(
                lambda: jax.tree.map(np.asarray, pipeline.example_batch(cfg, cfg.data.batch))
            ),
        )
        memory = (
            step.make_step(cfg, mesh)
            .lower(given, batch, jax.random.key(0))
            .compile()
            .memory_analysis()
        )
    flops = forward_flops(cfg)
    total = sum(flops.values())
    lines += [
        "",
        f"parameters     {sum(leaf.size for _, leaf in leaves):,}",
        f"mesh           {dict(mesh.shape)}",
        f"batch          {cfg.data.batch} exams, {cfg.data.batch // ways} per device, "
        f"clips of {cfg.data.clip.frames} frames",
        f"FLOPs          {total / 1e9:,.2f} G forward per exam ({flops['video'] / total:.0%} video), "
        f"{3 * total * cfg.data.batch / 1e12:,.2f} T per training step",
    ]
    if memory is not None:
        lines.append(
            f"per device     {memory.argument_size_in_bytes / 1e9:.3f} GB state and batch, "
            f"{memory.temp_size_in_bytes / 1e9:.3f} GB while working"
        )
    return "\n".join(lines)
