"""How a heart lies in its pictures: a turn, a zoom and a shift, as two scans of it differ.

Never a flip: left and right are anatomy.  One draw moves all pictures of an exam alike.

Rows are resampled first, then columns (Catmull 1980), by linear interpolation written as products
of matrices: those every accelerator is made for, where picking pixels one by one is slow on some.
"""

import jax
import jax.numpy as jnp

from cmr_jax.config import Data
from cmr_jax.types import Array, Float, Key

OPTIONS = ("rotate_deg", "zoom", "shift")  # of config.Data
LINES = 16  # of each picture at once: their weights, 16 x 224 x 224, are small beside activations


def moved(data: Data, x: Float[Array, "t h w c"], key: Key[Array, ""]) -> Float[Array, "t h w c"]:
    """An exam's pictures, drawn to lie elsewhere; an edge is repeated beyond itself."""
    # A key for each, so that one draws the same whatever else is on.
    turned, zoomed, shifted = jax.random.split(key, 3)
    turn = jnp.deg2rad(data.rotate_deg) * jax.random.uniform(turned, minval=-1)
    zoom = 1 + data.zoom * jax.random.uniform(zoomed, minval=-1)
    shift = data.shift * jax.random.uniform(shifted, (2,), minval=-1)
    across = jnp.array([[jnp.cos(turn), -jnp.sin(turn)], [jnp.sin(turn), jnp.cos(turn)]]) / zoom
    return resampled(x, across, shift)


def resampled(
    x: Float[Array, "t h w c"], across: Float[Array, "2 2"], shift: Float[Array, "2"]
) -> Float[Array, "t h w c"]:
    """Pictures that show at p what was at `across @ p - shift`: (row, column) from the middle.

    `across[0, 0]` must not be near 0: turns stay well below a quarter.
    """
    _, h, w, _ = x.shape
    row, column = jnp.arange(h)[:, None] - (h - 1) / 2, jnp.arange(w)[None] - (w - 1) / 2
    # Of a stored row, what the second pass will look for there: it knows the new column, and so
    # which new row asks.
    asks = (row + shift[0] - across[0, 1] * column) / across[0, 0]
    at = across[1, 0] * asks + across[1, 1] * column - shift[1]
    x = _along(x.transpose(1, 0, 3, 2), at + (w - 1) / 2)  # h t c w
    at = across[0, 0] * row.T + across[0, 1] * column.T - shift[0]
    x = _along(x.transpose(3, 1, 2, 0), at + (h - 1) / 2)  # w t c h
    return x.transpose(1, 3, 0, 2)


def _along(
    lines: Float[Array, "lines t c n"], at: Float[Array, "lines new"]
) -> Float[Array, "lines t c new"]:
    """Each line at places of its own, between its pixels too."""
    n = lines.shape[-1]

    def one(of: tuple[jax.Array, jax.Array]) -> jax.Array:
        line, at = of
        apart = jnp.arange(n)[:, None] - jnp.clip(at, 0, n - 1)[None]
        weights = jnp.maximum(1 - jnp.abs(apart), 0)
        # Pixels have 8 bits, as bfloat16 has; what is between them needs more.
        return jnp.matmul(line, weights, precision=jax.lax.Precision.HIGHEST)

    return jax.lax.map(one, (lines, at), batch_size=LINES)
