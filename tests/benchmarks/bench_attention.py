"""Attention at the shapes of a base-size exam, each way: `python tests/benchmarks/bench_attention.py`.

Time forward and backward, and the scratch memory that the compiler planned, of two exams; ratios
are against the way that AUTO takes there (cmr_jax/models/attending.py).  Where a way does not run
on a device, its line says why.
"""

import sys

import jax
import jax.numpy as jnp
import timing

from cmr_jax.config import AttentionKind
from cmr_jax.models import attending

EXAMS, HEADS, WIDTH = 2, 12, 64
# Of one exam: groups, tokens of a group, whether some are hidden.
SHAPES = {
    "space": (64, 196, False),
    "space with cls": (64, 197, False),
    "time": (196, 64, True),
    "time with cls": (196, 65, True),
    "text": (2, 128, True),
}


def main() -> None:
    """Every shape, number format and way."""
    platform = jax.default_backend()
    for dtype in (jnp.bfloat16, jnp.float32):
        chosen = attending.choose(AttentionKind.AUTO, platform, jnp.dtype(dtype), WIDTH)
        for name, (groups, tokens, hides) in SHAPES.items():
            found = {}
            for kind in attending.KINDS:
                try:
                    found[kind] = measure(kind, groups * EXAMS, tokens, hides, dtype)
                except (RuntimeError, ValueError, NotImplementedError) as error:
                    why = " ".join(str(error).split())[:100]
                    timing.line("attention", shape=name, kind=kind.value, skipped=why)
            for kind, (time, scratch) in found.items():
                timing.line(
                    "attention",
                    shape=name,
                    dtype=jnp.dtype(dtype).name,
                    kind=kind.value,
                    ms=1000 * time,
                    scratch_mb=scratch / 1e6,
                    time_by_auto=time / found[chosen][0],
                    memory_by_auto=scratch / max(found[chosen][1], 1),
                )


def measure(kind: AttentionKind, groups: int, tokens: int, hides: bool, dtype):
    """Seconds, and bytes of scratch memory."""
    keys = jax.random.split(jax.random.key(0), 3)
    q, k, v = (jax.random.normal(key, (groups, tokens, HEADS, WIDTH), dtype) for key in keys)
    mask = jnp.arange(tokens)[None] < tokens - jnp.arange(groups)[:, None] % 5 if hides else None

    def loss(q, k, v):
        return attending.attend(q, k, v, mask, kind).astype(jnp.float32).sum()

    program = jax.jit(jax.grad(loss, (0, 1, 2))).lower(q, k, v).compile()
    rounds = 3 if jax.default_backend() == "cpu" else 30
    scratch = program.memory_analysis().temp_size_in_bytes
    return timing.seconds(lambda: program(q, k, v), rounds), scratch


if __name__ == "__main__":
    sys.exit(main())
