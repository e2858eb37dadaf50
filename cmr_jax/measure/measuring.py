"""One short-axis cine -> numbers, how sure they are, and why some are not."""

import dataclasses

import numpy as np

from cmr_jax.measure import cleaning, cycle, quality, volumes, wall
from cmr_jax.measure.volumes import Function
from cmr_jax.phantom.tissue import Mask
from cmr_jax.segmentation.grid import Grid
from cmr_jax.segmentation.predict import Predictor

F32 = np.float32
FINE = 2  # contours are drawn at this many times the network's resolution
MARGIN = 2  # pixels around the cleaned heart within which probabilities count


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Measurements of one stack.  `spread` is the standard deviation over the members of the ensemble;
    `doubts` are reasons not to rely on the numbers, `right_doubts` on the right ventricle's alone."""

    function: Function
    phases: tuple[int, int]  # end diastole and end systole
    spread: dict[str, float]
    thickness_mm: np.ndarray  # of segments 1 to 16 at end diastole
    largest_mm: float  # thickness of the thickest part of the wall there
    labels: np.ndarray  # 2 s h w of `Mask`, at both moments, on `grid`
    grid: Grid
    doubts: tuple[str, ...]
    right_doubts: tuple[str, ...]


def measure(
    video: np.ndarray, pixel_mm: tuple[float, float], slice_mm: np.ndarray, predictor: Predictor
) -> Measurement:
    """Measure a cine `p s h w` with pixels of `pixel_mm` (rows, columns) and slices at `slice_mm`.

    Volumes are expected ones: each pixel counts by its probability, so that an edge that the networks are
    unsure of moves them by half.  Contours are where the likeliest label changes.

    Raises a ValueError if there is nothing to be measured: one slice, one phase, no heart.
    """
    quality.check(video, slice_mm)
    heights = volumes.disc_heights(slice_mm)
    coarse, grid = predictor.coarse(video, pixel_mm)
    lv = _volume(coarse, heights, (Mask.LV,))
    if not lv.any():
        raise ValueError("no left ventricle was seen in this stack.")
    two = np.array([lv.argmax(), lv.argmin()]) if lv.min() < lv.max() else np.array([0, 1])
    probability = predictor.ensemble(video[two], pixel_mm, grid)
    # The ensemble knows better which moment is which, by both ventricles: one may be taken for the other.
    blood = _volume(probability.mean(0), heights, (Mask.LV, Mask.RV))
    if blood[0] < blood[1]:
        two, probability = two[::-1], probability[:, ::-1]
    probability = cycle.contracted(probability, grid.spacing_mm)
    mean = probability.mean(0)
    heart = cleaning.labels(mean) > 0
    area = grid.spacing_mm**2
    curves = volumes.expected(_near(mean, heart), area, heights)
    each = [
        volumes.function(volumes.expected(_near(p, cleaning.labels(p) > 0), area, heights))
        for p in probability
    ]
    labels = fine(_within(mean, heart)).argmax(-1).astype(np.uint8)
    grid = dataclasses.replace(grid, size=grid.size * FINE, spacing_mm=grid.spacing_mm / FINE)
    found = volumes.function(curves)
    spread = {
        n: float(np.std([getattr(e, n) for e in each], ddof=1)) if len(each) > 1 else 0.0
        for n in volumes.NUMBERS
    }
    return Measurement(
        function=found,
        phases=(int(two[0]), int(two[1])),
        spread=spread,
        thickness_mm=wall.segment_thickness(labels[0], grid.spacing_mm, _base_first(slice_mm)),
        largest_mm=wall.largest_thickness(labels[0], grid.spacing_mm),
        labels=labels,
        grid=grid,
        doubts=quality.doubts(labels, found, spread, slice_mm, grid),
        right_doubts=quality.right_doubts(labels, found, spread, grid),
    )


def _volume(probability: np.ndarray, heights: np.ndarray, of: tuple[Mask, ...]) -> np.ndarray:
    """Volumes `p` of some masks together in probabilities `p s h w k`: pixels times mm."""
    return np.isin(cleaning.labels(probability), of).sum((-2, -1)) @ heights


def _base_first(slice_mm: np.ndarray) -> bool:
    """Positions along the axis are greater towards the base."""
    return bool(slice_mm[0] > slice_mm[-1])


def _near(probability: np.ndarray, heart: np.ndarray) -> np.ndarray:
    """Keep probabilities `p s h w k` up to a margin around the heart `p s h w`."""
    return _within(probability, cleaning.widened(heart, MARGIN))


def _within(probability: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Keep probabilities `p s h w k` inside `where`; outside all is background."""
    kept = np.where(where[..., None], probability, 0)
    kept[..., Mask.BACKGROUND] = np.where(where, probability[..., Mask.BACKGROUND], 1)
    return kept


def fine(probability: np.ndarray) -> np.ndarray:
    """`... h w k` at twice the resolution, linearly; the same place in the world."""
    p = probability
    for axis in (-3, -2):
        p = np.moveaxis(p, axis, 0)
        before, after = np.concatenate([p[:1], p[:-1]]), np.concatenate([p[1:], p[-1:]])
        pair = np.stack([0.75 * p + 0.25 * before, 0.75 * p + 0.25 * after], 1)
        p = np.moveaxis(pair.reshape(-1, *p.shape[1:]), 0, axis)
    return p
