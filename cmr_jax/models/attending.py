"""Softmax attention, several ways: the same numbers, another program.

`AUTO` says which is taken where.  On a CPU it was timed (tests/benchmarks/bench_attention.py); for GPUs
and TPUs it rests on the memory and the traffic of programs compiled for an H100 and a v5e, not on a
clock.
"""

from collections.abc import Callable

import einops
import jax
import jax.numpy as jnp

from cmr_jax.config import AttentionKind
from cmr_jax.types import Array, Bool, Float

HIDDEN = -1e30  # logit of what is not there: its weight is 0 in float32, and never NaN


def plain(q, k, v, mask, drop: Callable[[Array], Array] | None = None):
    """Heads before tokens, and the sum of the weights divides the output, not the weights: one
    way less over the largest array, and on a CPU a third of the time of
    jax.nn.dot_product_attention.  `drop` changes the weights."""
    q, k, v = (einops.rearrange(x, "g s k m -> g k s m") for x in (scaled(q), k, v))
    logits = jnp.einsum("gksm,gkzm->gksz", q, k, preferred_element_type=jnp.float32)
    if mask is not None:
        logits = jnp.where(mask[:, None, None], logits, HIDDEN)
    weights = jnp.exp(logits - jax.lax.stop_gradient(logits.max(-1, keepdims=True)))
    dropped = weights if drop is None else drop(weights)
    out = jnp.einsum("gksz,gkzm->gksm", dropped.astype(v.dtype), v)
    out = (out / weights.sum(-1, keepdims=True)).astype(v.dtype)
    return einops.rearrange(out, "g k s m -> g s k m")


def xla(q, k, v, mask):
    """jax.nn.dot_product_attention as XLA compiles it: no heads are moved by hand."""
    mask = None if mask is None else mask[:, None, None]
    return jax.nn.dot_product_attention(q, k, v, mask=mask, implementation="xla")


def in_place(
    q: Float[Array, "b t n k m"],
    k: Float[Array, "b t n k m"],
    v: Float[Array, "b t n k m"],
    over: str,
    mask: Bool[Array, "b t"] | None = None,
) -> Float[Array, "b t n k m"]:
    """Attention over one axis of a clip, `t` or `n`, whose tokens stay where they lie.

    On a TPU v5e that is 7 % (over frames) and 19 % (over patches) less traffic with the main memory
    than gathering groups first, forward and backward, counted in the compiled programs.
    """
    scores, sums = {
        "t": ("btnkm,bsnkm->bnkts", "bnkts,bsnkm->btnkm"),
        "n": ("btnkm,btskm->btkns", "btkns,btskm->btnkm"),
    }[over]
    logits = jnp.einsum(scores, scaled(q), k, preferred_element_type=jnp.float32)
    if mask is not None:
        logits = jnp.where(mask[:, None, None, None], logits, HIDDEN)
    return jnp.einsum(sums, jax.nn.softmax(logits, axis=-1).astype(v.dtype), v)


def cudnn(q, k, v, mask):
    """cuDNN's fused kernel: 16-bit floats on NVIDIA only; weights are never stored.

    Its backward pass refuses odd lengths, so a token is added that nothing sees; and it wants a
    mask for every query.
    """
    (queries, keys), length = (q.shape[1], k.shape[1]), None
    q, k, v = (jnp.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, 0), (0, 0))) for x in (q, k, v))
    if mask is not None:
        mask = jnp.pad(mask, ((0, 0), (0, keys % 2)))[:, None, None]
        mask = jnp.broadcast_to(mask, (q.shape[0], 1, q.shape[1], k.shape[1]))
    elif keys % 2:
        length = jnp.full(k.shape[0], keys, jnp.int32)
    whole = None if length is None else jnp.full(q.shape[0], q.shape[1], jnp.int32)
    out = jax.nn.dot_product_attention(
        q,
        k,
        v,
        mask=mask,
        query_seq_lengths=whole,
        key_value_seq_lengths=length,
        implementation="cudnn",
    )
    return out[:, :queries]


KINDS: dict[AttentionKind, Callable] = {
    AttentionKind.PLAIN: plain,
    AttentionKind.XLA: xla,
    AttentionKind.CUDNN: cudnn,
}
# What AUTO means, by platform and whether numbers have 16 bits.  Forward and backward of four exams
# on an H100, scratch memory over patches and over frames: cuDNN 157 and 169 MB, XLA 1,183 and 388.
AUTO = {
    ("cpu", False): AttentionKind.PLAIN,
    ("cpu", True): AttentionKind.PLAIN,
    ("gpu", False): AttentionKind.XLA,
    ("gpu", True): AttentionKind.CUDNN,
    ("tpu", False): AttentionKind.XLA,
    ("tpu", True): AttentionKind.XLA,
}


def choose(kind: AttentionKind, platform: str, dtype: jnp.dtype, head_width: int) -> AttentionKind:
    """What AUTO means there; anything else is itself."""
    if kind is not AttentionKind.AUTO:
        return kind
    best = AUTO[platform, dtype.itemsize == 2]
    refused = best is AttentionKind.CUDNN and (head_width % 8 or head_width > 128)
    return AttentionKind.XLA if refused else best


def attend(
    q: Float[Array, "g s k m"],
    k: Float[Array, "g z k m"],
    v: Float[Array, "g z k m"],
    mask: Bool[Array, "g z"] | None = None,
    kind: AttentionKind = AttentionKind.PLAIN,
    drop: Callable[[Array], Array] | None = None,
) -> Float[Array, "g s k m"]:
    """Softmax attention over `z`; float32 inside.  Weights can be dropped by the plain way only."""
    if drop is not None:
        return plain(q, k, v, mask, drop)
    return KINDS[kind](q, k, v, mask)


def scaled(q: Float[Array, "*g m"]) -> Float[Array, "*g m"]:
    """Queries, so that products with keys have unit spread (Vaswani 2017, 3.2.1)."""
    return q * q.shape[-1] ** -0.5


def softmax(logits: Float[Array, "*g s"], mask: Bool[Array, "*h s"]) -> Float[Array, "*g s"]:
    """Weights in float32; what is hidden has none."""
    return jax.nn.softmax(jnp.where(mask, logits.astype(jnp.float32), HIDDEN), axis=-1)
