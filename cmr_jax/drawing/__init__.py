"""Pictures of a run for people: curves of what it wrote down, and what training does to pictures."""

import pathlib

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure

INK, MUTED, PALE = "#1b2733", "#6b7883", "#c9d1d8"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # told apart by all
ACCENT = COLOURS[0]


def save(figure: Figure, path: pathlib.Path) -> pathlib.Path:
    """Writes a PNG, its folder too; gives its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=110, facecolor="white", metadata={"Software": None})
    return path
