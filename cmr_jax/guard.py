"""Sizes of gradients and updates by group of parameters, and what to do where they are no numbers."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from cmr_jax.sharding import path_of
from cmr_jax.types import Array, Bool, Float

DEPTH = 3  # parts of a path that name a group: video/blocks/mlp, text/token/embedding, logit_scale
TOWERS = ("video", "text")


class Groups(NamedTuple):
    """Which group each array of a tree belongs to."""

    names: tuple[str, ...]  # sorted
    of_leaf: tuple[int, ...]

    @classmethod
    def of(cls, tree: Any) -> "Groups":
        """The groups of a tree of parameters, or of anything of its shape."""
        paths = [path_of(keys) for keys, _ in jax.tree_util.tree_leaves_with_path(tree)]
        own = ["/".join(path.split("/")[:DEPTH]) for path in paths]
        names = tuple(sorted(set(own)))
        return cls(names, tuple(names.index(name) for name in own))

    def squares(self, tree: Any) -> Float[Array, " groups"]:
        """The sum of squares of each group, in float32.

        It is no number where any of the group is none, or so large that its square is not.
        """
        sums = [jnp.sum(jnp.square(x.astype(jnp.float32))) for x in jax.tree.leaves(tree)]
        return jax.ops.segment_sum(jnp.stack(sums), jnp.array(self.of_leaf), len(self.names))

    def norms(self, squares: Float[Array, " groups"], name: str) -> dict[str, Any]:
        """`name` of all parameters, and of each tower's; what is in neither is `shared`."""
        towers = [group.split("/")[0] for group in self.names]
        parts = {name: jnp.sqrt(squares.sum())}
        for tower in (*TOWERS, "shared"):
            own = [t == tower if tower in TOWERS else t not in TOWERS for t in towers]
            parts[f"{name}/{tower}"] = jnp.sqrt(jnp.where(jnp.array(own), squares, 0.0).sum())
        return parts

    def broken(self, finite: Bool[Array, " groups"]) -> list[str]:
        """The names of those that are not finite."""
        return [name for name, fine in zip(self.names, finite, strict=True) if not fine]


def keep_where(fine: Bool[Array, ""], new: Any, old: Any) -> Any:
    """`new` where all was fine, else `old`: moments and their count too, as optax.apply_if_finite.

    Schedules alone go on: the learning rate goes by the step of the run.
    """

    def is_schedule(x: Any) -> bool:
        return isinstance(x, optax.ScaleByScheduleState)

    def one(a: Any, b: Any) -> Any:
        return a if is_schedule(a) else jnp.where(fine, a, b)

    return jax.tree.map(one, new, old, is_leaf=is_schedule)
