"""Where an operator lays the planes of an exam: standard views, planned by eye, at real geometry."""

import dataclasses

import numpy as np

from data_prep.phantom.anatomy import Heart

# In-plane direction of each long-axis view, degrees from septum over anterior to lateral:
# 4CH cuts segments 9 and 12, 2CH 7 and 10, 3CH 8 and 11 (AHA 2002).
LAX_DEG = {"4CH": -28.0, "2CH": 88.0, "3CH": 40.0}


@dataclasses.dataclass(frozen=True)
class Plane:
    """One imaging plane: DICOM ImagePositionPatient, orientation and spacing (mm, LPS)."""

    position: np.ndarray  # centre of the first pixel
    row: np.ndarray  # direction of increasing column index
    column: np.ndarray  # direction of increasing row index
    spacing_mm: float
    thickness_mm: float
    matrix: int

    @property
    def normal(self) -> np.ndarray:
        """Unit normal, row x column."""
        return np.cross(self.row, self.column)

    def points(self, through: int) -> np.ndarray:
        """Sample positions (through, matrix * matrix, 3), `through` of them across the slice."""
        index = np.arange(self.matrix) * self.spacing_mm
        in_plane = (
            self.position + index[None, :, None] * self.row + index[:, None, None] * self.column
        ).reshape(-1, 3)
        across = ((np.arange(through) + 0.5) / through - 0.5) * self.thickness_mm
        return in_plane + across[:, None, None] * self.normal


def _centred(centre, row, column, spacing, thickness, matrix) -> Plane:
    half = (matrix - 1) / 2 * spacing
    return Plane(centre - half * (row + column), row, column, spacing, thickness, matrix)


@dataclasses.dataclass(frozen=True)
class Planning:
    """How far an operator's planes are from the ideal ones, in degrees.

    Tilts turn the plane about its own axes, the spin turns the picture in the plane.
    """

    tilt_deg: tuple[float, float]
    spin_deg: float

    def turn(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The directions as they were planned."""
        about_row, about_column = np.deg2rad(self.tilt_deg)
        normal = np.cross(row, column)
        column, normal = (
            np.cos(about_row) * column + np.sin(about_row) * normal,
            np.cos(about_row) * normal - np.sin(about_row) * column,
        )
        row = np.cos(about_column) * row + np.sin(about_column) * normal
        spin = np.deg2rad(self.spin_deg)
        return (
            np.cos(spin) * row + np.sin(spin) * column,
            np.cos(spin) * column - np.sin(spin) * row,
        )


def plan_sax(
    heart: Heart, origin, slices, spacing, thickness, matrix, planning: Planning, shift
) -> tuple[Plane, ...]:
    """A short-axis stack over the whole cavity: each slice stands for an equal share of its length.

    `shift` (slices, 2) is how far each breath-hold moved the heart in the plane.
    """
    septal, anterior, apical = heart.axes
    length = heart.lv.length
    row, column = planning.turn(-septal, -anterior)
    along = np.cross(row, column)
    along = along if along @ apical > 0 else -along
    middle = origin + 14 * septal + length / 2 * apical
    at = ((np.arange(slices) + 0.5) / slices - 0.5) * length
    return tuple(
        _centred(
            middle + z * along + dx * row + dy * column,
            row,
            column,
            spacing,
            min(thickness, length / slices),
            matrix,
        )
        for z, (dx, dy) in zip(at, shift, strict=True)
    )


def plan_body(origin, view, slices, spacing, thickness, matrix) -> tuple[Plane, ...]:
    """Parallel planes of the body, a slice gap apart: "AXIAL", "CORONAL" or "SAGITTAL"."""
    left, back, up = np.eye(3)
    row, column = {"AXIAL": (left, back), "CORONAL": (left, -up), "SAGITTAL": (back, -up)}[view]
    steps = (np.arange(slices) - (slices - 1) / 2) * 3 * thickness
    normal = np.cross(row, column)
    return tuple(
        _centred(origin + z * normal, row, column, spacing, thickness, matrix) for z in steps
    )


def plan_lax(
    heart: Heart, origin, view, spacing, thickness, matrix, planning: Planning
) -> tuple[Plane, ...]:
    """One long-axis plane through apex and mitral valve; the apex is up in the picture."""
    septal, anterior, apical = heart.axes
    angle = np.deg2rad(LAX_DEG[view])
    across = -(np.cos(angle) * septal + np.sin(angle) * anterior)
    row, column = planning.turn(across, -apical)
    middle = origin + 28 * apical + (16 * septal if view == "4CH" else 0)
    return (_centred(middle, row, column, spacing, thickness, matrix),)
