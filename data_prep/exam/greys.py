"""Real values as grey ones: one window for a stack, 8 bits.

Values from two percentiles of a stack become 0 and 255; what lies outside saturates.
"""

import cv2
import numpy as np

PERCENTILES = (0.5, 99.5)
# Percentiles are taken of every fourth pixel of every fourth line: a sixteenth of the work, and
# the window moves by less than a grey value.
THIN = 4
SAMPLE = 64  # every so manyth of these tells where the ends begin


def window(pictures: list[np.ndarray]) -> tuple[float, float]:
    """Modality values that become 0 and 255, from pictures (rows, columns, channels) float32.

    Few values lie at either end: a sample tells where the ends begin, and only they are sorted.
    """
    values = np.concatenate([picture[::THIN, ::THIN].ravel() for picture in pictures])
    sample = np.sort(values[::SAMPLE])
    few = int(len(sample) * 4 * PERCENTILES[0] / 100)  # four times as many as will saturate
    lowest, highest = values[values <= sample[few]], values[values >= sample[-1 - few]]
    return (
        _percentile(values, PERCENTILES[0], lowest, 0),
        _percentile(values, PERCENTILES[1], highest, len(values) - len(highest)),
    )


def _percentile(values: np.ndarray, percent: float, end: np.ndarray, below: int) -> float:
    """As numpy's, from one end of the values where it lies in it; `below` values lie under this."""
    at = percent / 100 * (len(values) - 1)
    rank, share = int(at) - below, at % 1
    if rank < 0 or rank + 1 >= len(end):
        end, rank = values, int(at)
    low, high = np.partition(end, (rank, rank + 1))[rank : rank + 2]
    step = float(high - low)
    return float(low) + step * share if share < 0.5 else float(high) - step * (1 - share)


def eight_bits(pictures: list[np.ndarray], low: float, high: float) -> np.ndarray:
    """All channels of some pictures as one video (time, rows, columns) uint8; they are used up."""
    channels = []
    for picture in pictures:
        picture -= np.float32(low)
        picture *= np.float32(255 / max(high - low, 1e-6))
        picture += np.float32(0.5)
        channels += cv2.split(np.clip(picture, 0, 255, out=picture).astype(np.uint8))
    return np.stack(channels)
