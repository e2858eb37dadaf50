"""Tokens of a clip to one vector, by attention to each stack and then over stacks."""

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp

from cmr_jax.models.attention import KERNEL
from cmr_jax.types import Array, Bool, Float, Int

MOST_STACKS = 12  # of a clip; those beyond share the last one's place
QUERY = nn.initializers.truncated_normal(0.02)
HIDDEN = -1e30


class Views(nn.Module):
    """Each stack by learned queries to its own tokens, then the exam by queries to its stacks.

    A stack of few pictures counts as much as one of many: a scar is seen in one of thirty."""

    heads: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b t n d"],
        mask: Bool[Array, "b t"],
        stack: Int[Array, "b t"],
    ) -> Float[Array, "b d"]:
        """The vector of the exam; those of its stacks, (b, s, d), are sown as `stacks`."""
        x = x.astype(jnp.float32)
        number = jnp.minimum(jnp.asarray(stack), MOST_STACKS - 1)
        member = jax.nn.one_hot(number, MOST_STACKS, dtype=bool) & mask[:, :, None]
        stacks = Attended(self.heads, name="stack")(
            einops.rearrange(x, "b t n d -> b (t n) d"),
            einops.repeat(member, "b t s -> b s (t n)", n=x.shape[2]),
        )
        self.sow("intermediates", "stacks", stacks)
        there = member.any(1)
        return Attended(self.heads, name="exam")(stacks, there[:, None])[:, 0]


class Attended(nn.Module):
    """A learned query's mean over some tokens, for each set of them; nothing in a set gives zeros."""

    heads: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s d"], member: Bool[Array, "b g s"]
    ) -> Float[Array, "b g d"]:
        width = x.shape[-1]
        query = self.param("query", QUERY, (self.heads, width // self.heads))
        shape = (self.heads, width // self.heads)
        key = nn.DenseGeneral(shape, kernel_init=KERNEL, name="key")(x)
        value = nn.DenseGeneral(shape, kernel_init=KERNEL, name="value")(x)
        logits = jnp.einsum("km,bskm->bks", query, key)
        logits = jnp.where(member[:, :, None], logits[:, None], HIDDEN)  # b g k s
        weights = jax.nn.softmax(logits, -1) * member[:, :, None]
        found = jnp.einsum("bgks,bskm->bgkm", weights, value)
        out = nn.DenseGeneral(width, axis=(-2, -1), kernel_init=KERNEL, name="attention_out")
        return out(found)
