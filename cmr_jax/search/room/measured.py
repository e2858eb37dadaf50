"""Measurements of exams for the room, from a folder that `cmr_jax.measure --out` wrote."""

import csv
import math
import pathlib
from typing import Any

from cmr_jax.schema import MEASUREMENTS_FILE
from cmr_jax.search.places import Absent

TITLES = {
    "lv_edv_ml": ("LV end-diastolic volume", "ml"),
    "lv_esv_ml": ("LV end-systolic volume", "ml"),
    "lv_ef_percent": ("LV ejection fraction", "%"),
    "lv_mass_g": ("LV mass", "g"),
    "rv_edv_ml": ("RV end-diastolic volume", "ml"),
    "rv_esv_ml": ("RV end-systolic volume", "ml"),
    "rv_ef_percent": ("RV ejection fraction", "%"),
}
DOUBTS = {"unsure": "", "right_ventricle_unsure": "right ventricle: "}


class Measured:
    """Reads a folder of measurements; a ValueError if it is none."""

    def __init__(self, folder: pathlib.Path):
        table = folder / MEASUREMENTS_FILE
        if not table.is_file():
            raise ValueError(
                f"--measurements {folder}: no {MEASUREMENTS_FILE}. Give the folder that "
                "`python -m cmr_jax.measure --data=... --out=FOLDER` wrote."
            )
        try:
            with table.open(newline="", encoding="utf-8-sig") as file:
                rows = list(csv.DictReader(file))
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{table} cannot be read: {error}") from None
        if rows and "exam_id" not in rows[0]:
            raise ValueError(f"{table} has no column exam_id.")
        self._rows = {row["exam_id"]: row for row in rows}
        if len(self._rows) < len(rows):
            raise ValueError(f"{table} has {len(rows) - len(self._rows)} exams in several rows.")
        self._folder = folder

    def tell(self, exam_id: str) -> dict[str, Any] | None:
        """Return numbers with their 95 % intervals, doubts, and why an exam was not measured."""
        row = self._rows.get(exam_id)
        if row is None:
            return None
        numbers = [n for name in TITLES if (n := _number(row, name))]
        doubts = [word + row[column] for column, word in DOUBTS.items() if row.get(column)]
        return {
            "numbers": numbers,
            "doubts": doubts,
            "error": row.get("error") or "",
            "contours": self._picture(row) is not None,
        }

    def contours(self, exam_id: str) -> bytes:
        """Return the picture with contours as PNG."""
        file = self._picture(self._rows.get(exam_id, {}))
        if file is None:
            raise Absent("there are no contours of that exam")
        return file.read_bytes()

    def _picture(self, row: dict[str, str]) -> pathlib.Path | None:
        """The file beside the table, and nowhere else."""
        name = pathlib.PurePath(row.get("picture") or "").name
        file = self._folder / name
        return file if name.endswith(".png") and file.is_file() else None


def _number(row: dict[str, str], name: str) -> dict[str, Any] | None:
    """A number with its interval; None where the row has none."""
    ends = {"value": name, "low": f"{name}_low", "high": f"{name}_high"}
    try:
        found = {part: float(row.get(column) or "nan") for part, column in ends.items()}
    except ValueError:
        return None
    title, unit = TITLES[name]
    return (
        {"title": title, "unit": unit} | found if all(map(math.isfinite, found.values())) else None
    )
