"""Tissue probabilities of a short-axis stack."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import jax
import numpy as np

from cmr_jax.phantom.tissue import Mask
from cmr_jax.segmentation import inputs, networks
from cmr_jax.segmentation.grid import Grid, centre_of_motion
from cmr_jax.segmentation.networks import Architecture
from cmr_jax.types import Params

F32 = np.float32
EVEN = (1.0,) * len(Mask)


class Pose(NamedTuple):
    """How the pictures that a network sees are turned and magnified."""

    degrees: float = 0.0
    zoom: float = 1.0

    def affines(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """To this pose around the middle of a square picture, and back."""
        middle = (size - 1) / 2
        there = cv2.getRotationMatrix2D((middle, middle), self.degrees, self.zoom)
        return there, cv2.invertAffineTransform(there)


AS_IT_IS = (Pose(),)
# Test-time augmentation takes the mean over these.
POSES = (Pose(), Pose(degrees=12), Pose(degrees=-12), Pose(zoom=0.93), Pose(zoom=1.07))


@dataclasses.dataclass(frozen=True)
class Network:
    """One trained network."""

    params: Params
    widths: tuple[int, ...]
    size: int = 64
    spacing_mm: float = 2.0
    architecture: Architecture = Architecture.UNET


class Predictor:
    """Predicts with an ensemble; slices of a whole stack go through as one batch of fixed size."""

    def __init__(
        self,
        members: Sequence[Network],
        poses: Sequence[Pose] = POSES,
        batch: int = 32,
        localise: bool = True,
        odds: Sequence[float] = EVEN,
    ):
        """`poses`: how each network sees the pictures; the mean over them counts.  At least one.

        `localise`: look for the heart; else it is taken to be in the middle of the picture.

        `odds`: by which the probability of each mask is weighed.
        """
        if not members or not poses:
            raise ValueError("a prediction needs at least one network and one pose.")
        self._networks, self._poses, self._batch = members, poses, batch
        self._localise, self._odds = localise, np.array(odds, F32)
        first = members[0]
        labeller = networks.make(first.architecture, first.widths)
        self._apply = jax.jit(lambda params, x: jax.nn.softmax(labeller.apply(params, x)))
        self.size, self.spacing_mm = first.size, first.spacing_mm

    def coarse(self, video: np.ndarray, pixel_mm: tuple[float, float]) -> tuple[np.ndarray, Grid]:
        """Probabilities `p s h w k` of all phases by the first network alone, and their grid.

        The grid is laid around what moves, then around the heart that is seen there.
        """
        shape = video.shape[-2:]
        size = max(n * mm for n, mm in zip(shape, pixel_mm, strict=True)) / self.spacing_mm
        centre = ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
        whole = Grid(centre, self.spacing_mm, int(np.ceil(size)))
        seen = whole.sample(video, pixel_mm)
        opposite = inputs.opposites(seen)
        grid, network = dataclasses.replace(whole, size=self.size), self._networks[0]
        if self._localise:
            row, column = centre_of_motion(seen, self.spacing_mm)
            middle = (whole.size - 1) / 2
            grid = grid.moved(row - middle, column - middle, pixel_mm)
        two = [0, int(opposite[0])]
        for _ in range(2 * self._localise):
            found = self._predict(network, grid.sample(video[two], pixel_mm), np.array([1, 0]))
            moved = _middle(found)
            if moved is None:
                break
            grid = grid.moved(*moved, pixel_mm)
        return self._predict(network, grid.sample(video, pixel_mm), opposite), grid

    def ensemble(self, two: np.ndarray, pixel_mm: tuple[float, float], grid: Grid) -> np.ndarray:
        """Probabilities `m 2 s h w k` of two phases: of each network, averaged over the poses."""
        sampled, opposite = grid.sample(two, pixel_mm), np.array([1, 0])
        return np.stack([self._predict(n, sampled, opposite, self._poses) for n in self._networks])

    def _predict(self, network: Network, video, opposite, poses=AS_IT_IS) -> np.ndarray:
        x = inputs.channels(video, opposite)
        flat = x.reshape(-1, *x.shape[2:])
        total = np.zeros((*flat.shape[:-1], len(Mask)), F32)
        for pose in poses:
            there, back = pose.affines(self.size)
            total += warped(self._batched(network.params, warped(flat, there)), back)
        total *= self._odds
        total /= total.sum(-1, keepdims=True)
        return total.reshape(*x.shape[:-1], -1)

    def _batched(self, params, x: np.ndarray) -> np.ndarray:
        made = []
        for at in range(0, len(x), self._batch):
            part = x[at : at + self._batch]
            padded = np.zeros((self._batch, *x.shape[1:]), F32)
            padded[: len(part)] = part
            made.append(np.asarray(self._apply(params, padded))[: len(part)])
        return np.concatenate(made)


def warped(pictures: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Pictures `n h w c`, interpolated linearly; beyond their edges they are mirrored."""
    if np.array_equal(affine, np.eye(2, 3)):
        return pictures
    size, border = pictures.shape[2:0:-1], cv2.BORDER_REFLECT
    moved = [cv2.warpAffine(x, affine, size, borderMode=border) for x in pictures]
    return np.stack(moved).reshape(pictures.shape)  # OpenCV drops a single channel


def _middle(probability: np.ndarray) -> tuple[float, float] | None:
    """How far the middle of both ventricles is from that of the grid; None where none is seen."""
    heart = probability[..., 1:].sum(-1)
    heart = np.where(heart > 0.5, heart, 0).sum((0, 1))
    if heart.sum() < 30:
        return None
    at = np.arange(len(heart)) - (len(heart) - 1) / 2
    return float((heart.sum(1) * at).sum() / heart.sum()), float(
        (heart.sum(0) * at).sum() / heart.sum()
    )
