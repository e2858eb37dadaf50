"""The same loss in pieces: texts travel around the devices, and no device ever holds more than a
few columns of the logits.

Each device keeps its exams.  A block of texts visits every device in turn, takes along what is
known of its columns, and comes home complete: each pair of the global batch is scored once for
both directions.  The gradient goes around once more with the finished sums, as attention does in
pieces (Dao 2022, arXiv:2205.14135, Alg. 4; ring: Liu 2023, arXiv:2310.01889).  Memory is local
embeddings and `b x chunk` logits, whatever the global batch.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cmr_jax.config import Contrast
from cmr_jax.losses.pairs import (
    ABSENT,
    Counting,
    Kind,
    Parts,
    Sides,
    Sums,
    both_ways,
    counted,
    relate,
    score,
    summed,
)
from cmr_jax.sharding import BATCH, ROWS, WHOLE, batch_ways
from cmr_jax.types import Array, Bool, Float, Int


class Texts(NamedTuple):
    """A block of texts, in chunks; absent ones fill the last."""

    text: Float[Array, "k chunk e"]
    group: Int[Array, "k chunk"]
    says: Int[Array, "k chunk"]
    whole: Bool[Array, "k chunk"]


class Best(NamedTuple):
    """Of each exam, the best score of a whole report, and whether it is the right one."""

    score: Float[Array, " b"]
    right: Bool[Array, " b"]


def ring(
    kind: Kind, batch: Sides, scale, bias, contrast: Contrast, mesh: jax.sharding.Mesh
) -> tuple[Float[Array, ""], Parts]:
    """`plain` over a batch that lies across the mesh, in pieces; equal in value and gradient."""
    score_all = _scorer(kind, contrast, mesh)
    loss, parts = score_all(batch.video, batch.text, scale, bias, batch)
    return loss, jax.lax.stop_gradient(parts)


def _scorer(kind: Kind, contrast: Contrast, mesh: jax.sharding.Mesh):
    """The loss as one function with a gradient of its own."""
    spread = functools.partial(jax.shard_map, mesh=mesh)
    ways = batch_ways(mesh)
    out = (WHOLE, WHOLE, ROWS, ROWS, WHOLE)
    sums = spread(
        functools.partial(_sums, kind, contrast, ways), in_specs=(ROWS, WHOLE, WHOLE), out_specs=out
    )
    slopes = spread(
        functools.partial(_slopes, kind, contrast, ways),
        in_specs=(ROWS, WHOLE, WHOLE, ROWS, ROWS, WHOLE),
        out_specs=(ROWS, ROWS, WHOLE, WHOLE),
    )

    @jax.custom_vjp
    def loss_of(video, text, scale, bias, batch: Sides):
        return forward(video, text, scale, bias, batch)[0]

    def forward(video, text, scale, bias, batch: Sides):
        batch = batch._replace(video=video, text=text)
        loss, parts, rows, columns, total = sums(batch, scale, bias)
        return (loss, parts), (batch, scale, bias, rows, columns, total)

    def backward(kept, given):
        d_video, d_text, d_scale, d_bias = (given[0] * d for d in slopes(*kept))
        return d_video, d_text, d_scale, d_bias, None

    loss_of.defvjp(forward, backward)
    return loss_of


def _sums(kind: Kind, contrast: Contrast, ways: int, own: Sides, scale, bias):
    """Once around for the sums of all lines: loss, parts, the lines, and the sums of all."""
    texts = _chunks(own, contrast.chunk)
    b, size = own.video.shape[0], texts.group.shape

    def piece(carry, visiting):
        rows, best = carry
        texts, columns = visiting
        logits, right, there = _piece(kind, own, texts, scale, bias, contrast)
        rows = kind.see(rows, logits, right, there)
        columns = kind.see(columns, logits.T, right.T, there.T)
        whole = jnp.where(texts.whole, logits, -jnp.inf)
        top = whole.argmax(-1)[:, None]
        here = Best(*(jnp.take_along_axis(x, top, 1)[:, 0] for x in (whole, right)))
        better = here.score > best.score
        best = Best(*(jnp.where(better, new, old) for new, old in zip(here, best, strict=True)))
        return (rows, best), columns

    def hop(carry, _):
        known, texts, columns = carry
        coming = _pass_on(texts, ways)  # on its way while this block is scored
        known, columns = jax.lax.scan(piece, known, (texts, columns))
        return (known, coming, _pass_on(columns, ways)), None

    columns = jax.tree.map(lambda x: x.reshape(*size, *x.shape[1:]), kind.start(math.prod(size)))
    best = Best(jnp.full(b, -jnp.inf), jnp.zeros(b, bool))
    known, columns = _varying(((kind.start(b), best), columns))
    ((rows, best), _, columns), _ = jax.lax.scan(hop, (known, texts, columns), length=ways)
    columns = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), columns)
    n = own.text.shape[0]
    lines = kind.finish(rows), kind.finish(columns)[:n]
    counting = _counting(kind, own, rows, columns)
    total = jax.lax.psum(summed(counting, *lines, best.right), BATCH)
    return *both_ways(total, contrast), rows, columns, total


def _slopes(
    kind: Kind, contrast: Contrast, ways: int, own: Sides, scale, bias, rows, columns, total: Sums
):
    """Once more around with finished sums: gradients to exams, texts, scale and bias."""
    texts = _chunks(own, contrast.chunk)
    size, n = texts.group.shape, own.text.shape[0]
    exams, counts = _counting(kind, own, rows, columns)
    columns = jax.tree.map(lambda x: x.reshape(*size, *x.shape[1:]), columns)
    half = 1 if contrast.sum_directions else 2
    row_weight = (exams / (half * jnp.maximum(total.exams, 1)))[:, None]
    counts = jnp.pad(counts, (0, math.prod(size) - n)).reshape(size)
    column_weights = counts / (half * jnp.maximum(total.texts, 1))

    def piece(carry, visiting):
        d_video, d_scale, d_bias = carry
        texts, (columns, column_weight), d_text = visiting
        logits, right, there = _piece(kind, own, texts, scale, bias, contrast)
        slope = row_weight * kind.slope(rows, logits, right, there)
        slope += column_weight[None] * kind.slope(columns, logits.T, right.T, there.T).T
        pull = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
        towards = pull("bn,ne->be", slope, texts.text)
        carry = (
            d_video + scale * towards,
            d_scale + (towards * own.video).sum(),
            d_bias + (slope.sum() if kind.biased else 0.0),
        )
        return carry, d_text + scale * pull("bn,be->ne", slope, own.video)

    def hop(carry, _):
        sums, texts, columns, d_text = carry
        coming = _pass_on((texts, columns), ways)
        sums, d_text = jax.lax.scan(piece, sums, (texts, columns, d_text))
        return (sums, *coming, _pass_on(d_text, ways)), None

    d_scale, d_bias = _varying((jnp.zeros((), jnp.float32),) * 2)
    sums, d_text = (jnp.zeros_like(own.video), d_scale, d_bias), jnp.zeros_like(texts.text)
    lines = (columns, column_weights)
    (sums, _, _, d_text), _ = jax.lax.scan(hop, (sums, texts, lines, d_text), length=ways)
    d_video, d_scale, d_bias = sums
    d_text = d_text.reshape(-1, d_text.shape[-1])[:n]
    return d_video, d_text, jax.lax.psum(d_scale, BATCH), jax.lax.psum(d_bias, BATCH)


def _counting(kind: Kind, own: Sides, rows: Any, columns: Any) -> Counting:
    """Select the rows that count from their finished sums."""
    n = own.text.shape[0]
    if kind.needs_positive:
        return counted(kind, own, rows.count > 0, columns.count[:n] > 0)
    return counted(kind, own, None, None)


def _piece(kind: Kind, own: Sides, texts: Texts, scale, bias, contrast: Contrast):
    """Scores of this device's exams against a chunk, which are positives, which are there."""
    right, there = relate(own, texts.group, texts.says, contrast)
    return score(kind, own.video, texts.text, scale, bias), right, there


def _chunks(own: Sides, chunk: int) -> Texts:
    """This device's texts as the first block that is scored."""
    n = own.of_text.shape[0]
    chunk = min(chunk, n)
    more = -n % chunk

    def cut(x, filler):
        x = jnp.pad(x, ((0, more), *((0, 0),) * (x.ndim - 1)), constant_values=filler)
        return x.reshape(-1, chunk, *x.shape[1:])

    return Texts(
        cut(own.text, 0.0),
        cut(own.of_text, ABSENT),
        cut(own.text_says, 0),
        cut(own.whole, False),
    )


def _pass_on(tree: Any, ways: int) -> Any:
    """To the next device of the ring."""
    if ways == 1:
        return tree
    to_next = [(i, (i + 1) % ways) for i in range(ways)]
    return jax.tree.map(lambda x: jax.lax.ppermute(x, BATCH, to_next), tree)


def _varying(tree: Any) -> Any:
    """Says that each device will have its own; a carry may not change that on the way."""
    return jax.tree.map(lambda x: jax.lax.pcast(x, BATCH, to="varying"), tree)
