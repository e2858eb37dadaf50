"""Input channels of a slice: itself, its neighbours, and the opposite moment of the cycle.

Each channel is normalised by itself, so that neither the gain of a slice nor the windowing of an
export matters.
"""

import numpy as np

CHANNELS = 4
F32 = np.float32


def normalised(pictures: np.ndarray) -> np.ndarray:
    """`... h w`: highlights clipped at their 99th percentile, zero mean, unit variance."""
    x = pictures.astype(F32)
    x = np.minimum(x, np.quantile(x, 0.99, axis=(-2, -1), keepdims=True))
    mean = x.mean((-2, -1), keepdims=True)
    sd = x.std((-2, -1), keepdims=True)
    return (x - mean) / np.maximum(sd, 1e-4)


def channels(video: np.ndarray, opposite: np.ndarray) -> np.ndarray:
    """Make channels `p s h w c` of pictures `p s h w`.  `opposite`, `p`: the phase that differs most from each phase.

    A slice without a neighbour has zeros in its place.
    """
    x = normalised(video)
    none = np.zeros_like(x[:, :1])
    before = np.concatenate([none, x[:, :-1]], 1)
    after = np.concatenate([x[:, 1:], none], 1)
    return stacked(x, before, after, x[opposite])


def stacked(own: np.ndarray, before: np.ndarray, after: np.ndarray, opposite: np.ndarray):
    """Stack a slice, its neighbours and the opposite moment as channels, in the network's order."""
    return np.stack([own, before, after, opposite], -1)


def opposites(video: np.ndarray) -> np.ndarray:
    """For each phase of `p s h w` the phase whose pictures differ most from it."""
    x = normalised(video).reshape(len(video), -1)
    squares = (x**2).sum(1)
    away = squares[:, None] + squares[None] - 2 * x @ x.T
    return away.argmax(1)
