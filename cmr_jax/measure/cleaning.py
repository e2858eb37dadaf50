"""From probabilities to one heart: what is left of other bright rings is taken away."""

from typing import Any

import numpy as np
import scipy.ndimage

from cmr_jax.phantom.tissue import Mask

# How far the wall of a ventricle moves in a cycle, at most: pixels of 2 mm, and slices.
MOVES_PIXELS, MOVES_SLICES = 5, 2
ALONG = np.ones((3, 1, 1), bool)


def labels(probability: np.ndarray) -> np.ndarray:
    """`p s h w k` -> `p s h w` uint8 of `Mask`.

    The left ventricle is the largest object that has both a cavity and a wall, over all phases
    together; the right ventricle is what touches it.
    """
    found = probability.argmax(-1).astype(np.uint8)
    together = probability.mean(0).argmax(-1)
    ever, number = _objects(together >= Mask.MYOCARDIUM)
    if number == 0:
        return np.zeros_like(found)
    cavity, wall = (
        scipy.ndimage.sum_labels(together == m, ever, np.arange(1, number + 1))
        for m in (Mask.LV, Mask.MYOCARDIUM)
    )
    near = _near_the_middle(ever.shape)
    weight = scipy.ndimage.sum_labels(near * (ever > 0), ever, np.arange(1, number + 1))
    best = int((np.sqrt(np.minimum(cavity, wall) + 1) * weight).argmax()) + 1
    grow = scipy.ndimage.generate_binary_structure(3, 1)
    zone = scipy.ndimage.binary_dilation(ever == best, grow, iterations=2)
    _keep_where_it_can_move(found)
    for phase in found:
        _keep_left(phase, zone, grow)
        _keep_right(phase, zone, grow)
        _fill(phase)
    return found


def _keep_where_it_can_move(found: np.ndarray) -> None:
    """Take away what lies further from the smallest left ventricle of the cycle than a wall moves.

    One phase may take a dim right ventricle for the left one; the others do not.
    """
    left = found >= Mask.MYOCARDIUM
    size = left.sum((1, 2, 3))
    if not size.all():
        return
    reach = widened(left[int(size.argmin())], MOVES_PIXELS)
    reach = scipy.ndimage.binary_dilation(reach, ALONG, iterations=MOVES_SLICES)
    found[left & np.logical_not(reach)] = Mask.BACKGROUND


def widened(where: np.ndarray, pixels: int) -> np.ndarray:
    """Dilate `... h w` by so many pixels within each slice."""
    in_plane = np.ones((1,) * (where.ndim - 2) + (3, 3), bool)
    return scipy.ndimage.binary_dilation(where, in_plane, iterations=pixels)


def _objects(where: np.ndarray) -> tuple[np.ndarray, int]:
    """Connected parts, numbered from 1, and how many there are."""
    found: Any = scipy.ndimage.label(where)
    return found[0], int(found[1])


def _near_the_middle(shape: tuple[int, ...], sd: float = 12) -> np.ndarray:
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in shape[-2:])
    return np.exp(-(rows[:, None] ** 2 + columns[None] ** 2) / (2 * sd**2))[None]


def _keep_left(phase: np.ndarray, zone: np.ndarray, grow: np.ndarray) -> None:
    left = phase >= Mask.MYOCARDIUM
    objects, number = _objects(left)
    if number:
        touches = np.zeros(number + 1, bool)
        touches[np.unique(objects[zone])] = True
        allowed = scipy.ndimage.binary_dilation(zone, grow, iterations=2)
        phase[left & ~(touches[objects] & allowed)] = Mask.BACKGROUND


def _keep_right(phase: np.ndarray, zone: np.ndarray, grow: np.ndarray) -> None:
    right = phase == Mask.RV
    objects, number = _objects(right)
    if number == 0:
        return
    beside = scipy.ndimage.binary_dilation(zone, grow, iterations=2)
    size = np.bincount(objects.ravel(), minlength=number + 1).astype(float)
    touching = np.bincount(objects.ravel(), beside.ravel(), number + 1)
    size[touching == 0] = 0
    size[0] = 0
    phase[right & (objects != size.argmax())] = Mask.BACKGROUND


def _fill(phase: np.ndarray) -> None:
    """Holes of the cavity and of the wall's ring, slice by slice."""
    for picture in phase:
        if (picture == Mask.MYOCARDIUM).any():
            inside = scipy.ndimage.binary_fill_holes(picture >= Mask.MYOCARDIUM)
            picture[inside & (picture < Mask.MYOCARDIUM)] = Mask.LV
