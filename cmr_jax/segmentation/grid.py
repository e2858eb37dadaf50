"""Stacks of any pixel size on the grid that the network was trained on, and back.

A grid is square, has a fixed spacing and lies around a point of the picture; rows, columns and their
spacing are all that is read of a header, so that nothing else in it can matter.
"""

import dataclasses

import cv2
import numpy as np
import scipy.ndimage

F32 = np.float32


@dataclasses.dataclass(frozen=True)
class Grid:
    """Where the pixels of a square grid lie in a picture.  `centre` is a row and a column of it."""

    centre: tuple[float, float]
    spacing_mm: float
    size: int

    def _affine(self, pixel_mm: tuple[float, float]) -> np.ndarray:
        """From grid (x, y) to picture (x, y)."""
        scale = [self.spacing_mm / mm for mm in pixel_mm]
        middle = (self.size - 1) / 2
        (row, column), (down, right) = self.centre, scale
        return np.array([[right, 0, column - right * middle], [0, down, row - down * middle]], F32)

    def sample(self, pictures: np.ndarray, pixel_mm: tuple[float, float]) -> np.ndarray:
        """`... h w` on the grid, low-passed where the grid is coarser; zeros outside the picture."""
        affine = self._affine(pixel_mm)
        sigma = [
            0.35 * np.sqrt(max((self.spacing_mm / mm) ** 2 - 1, 0))
            for mm in (pixel_mm[1], pixel_mm[0])
        ]
        flat = pictures.reshape(-1, *pictures.shape[-2:]).astype(F32)
        made = [self._warp(_low_passed(x, sigma), affine) for x in flat]
        return np.stack(made).reshape(*pictures.shape[:-2], self.size, self.size)

    def _warp(self, picture: np.ndarray, affine: np.ndarray) -> np.ndarray:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(picture, affine, (self.size, self.size), flags=flags)

    def back(
        self, values: np.ndarray, shape: tuple[int, int], pixel_mm: tuple[float, float]
    ) -> np.ndarray:
        """`... h w` of the grid in the picture's pixels; zeros outside the grid."""
        affine = self._affine(pixel_mm)
        flat = values.reshape(-1, *values.shape[-2:]).astype(F32)
        made = [cv2.warpAffine(x, affine, shape[::-1], flags=cv2.INTER_LINEAR) for x in flat]
        return np.stack(made).reshape(*values.shape[:-2], *shape)

    def moved(self, row: float, column: float, pixel_mm: tuple[float, float]) -> "Grid":
        """The same grid, its centre moved by so many pixels of its own."""
        at = [
            c + d * self.spacing_mm / mm
            for c, d, mm in zip(self.centre, (row, column), pixel_mm, strict=True)
        ]
        return dataclasses.replace(self, centre=(at[0], at[1]))


def _low_passed(picture: np.ndarray, sigma: list[float]) -> np.ndarray:
    if max(sigma) < 0.1:
        return picture
    return cv2.GaussianBlur(picture, (0, 0), max(sigma[0], 1e-3), sigmaY=max(sigma[1], 1e-3))


def centre_of_motion(pictures: np.ndarray, spacing_mm: float) -> tuple[float, float]:
    """Row and column around which `p s h w` changes most over the cycle.

    The heart moves and little else does: no learning takes part.
    """
    scale = np.quantile(pictures, 0.99, axis=(0, 2, 3), keepdims=True) + 1e-6
    x = np.minimum(pictures / scale, 1)
    fine = scipy.ndimage.gaussian_filter(x, (0, 0, 2 / spacing_mm, 2 / spacing_mm))
    change = fine.max(0) - fine.min(0)
    blur = 4 / spacing_mm
    change = scipy.ndimage.gaussian_filter(change, (0, blur, blur))
    energy = (change.mean(0) + np.median(change, 0)) / 2
    coarse = scipy.ndimage.gaussian_filter(energy, 18 / spacing_mm)
    at = np.array(np.unravel_index(coarse.argmax(), coarse.shape), float)
    rows, columns = np.indices(energy.shape)
    for _ in range(4):
        away = (rows - at[0]) ** 2 + (columns - at[1]) ** 2
        weight = energy * np.exp(-away / (2 * (28 / spacing_mm) ** 2))
        at = np.array([(weight * rows).sum(), (weight * columns).sum()]) / max(weight.sum(), 1e-9)
    return float(at[0]), float(at[1])
