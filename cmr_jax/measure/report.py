"""Measures the exams of a source, prints them, and writes tables and pictures."""

import csv
import json
import pathlib
import re
from typing import Any

import cv2
import numpy as np

from cmr_jax.data.broken import BrokenRecord
from cmr_jax.data.source import ExamSource
from cmr_jax.measure import learning, page, picture, volumes
from cmr_jax.measure.exams import short_axis_cine
from cmr_jax.measure.measuring import measure
from cmr_jax.schema import MEASUREMENTS_FILE
from cmr_jax.segmentation.predict import Predictor
from cmr_jax.segmentation.weights import MeasuringModel

FLAGS = {
    "spacing unknown": "the size of a pixel is unknown: volumes, mass and thickness are guesses"
}


def run(source: ExamSource, model: MeasuringModel, out: pathlib.Path | None, as_json: bool) -> None:
    """Measures each exam; with `out` also writes measurements.csv, index.html and a PNG for each exam."""
    predictor, rows = model.predictor(), []
    if out:
        out.mkdir(parents=True, exist_ok=True)
    for index in range(len(source)):
        row = _row(source, index, model, predictor, out)
        rows.append(row)
        print(json.dumps(row) if as_json else _line(row), flush=True)
    if out:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        with (out / MEASUREMENTS_FILE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        page.write(out, rows, model)
    failed = sum("error" in row for row in rows)
    if not as_json:
        print(
            f"{len(rows) - failed} of {len(rows)} exams measured" + (f"; see {out}" if out else "")
        )


def _row(
    source: ExamSource,
    index: int,
    model: MeasuringModel,
    predictor: Predictor,
    out: pathlib.Path | None,
) -> dict[str, Any]:
    """One exam: numbers with the ends of their intervals, or `error`."""
    try:
        exam = source[index]
    except BrokenRecord as error:
        return {"exam_id": source.name(index), "error": str(error)}
    try:
        cine = short_axis_cine(source, exam)
        pixel_mm = (cine.spacing_mm, cine.spacing_mm)
        found = measure(cine.video, pixel_mm, cine.slice_mm, predictor)
    except (BrokenRecord, ValueError) as error:
        return {"exam_id": exam.exam_id, "error": str(error)}
    row: dict[str, Any] = {"exam_id": exam.exam_id}
    for name in volumes.NUMBERS:
        low, high = learning.interval(model, found, name)
        row[name] = round(getattr(found.function, name), 1)
        row[f"{name}_low"], row[f"{name}_high"] = round(low, 1), round(high, 1)
    row["largest_wall_mm"] = round(found.largest_mm, 1)
    for number, mm in enumerate(found.thickness_mm, 1):
        row[f"wall_segment_{number}_mm"] = round(float(mm), 1) if np.isfinite(mm) else None
    row["end_diastole"], row["end_systole"] = (
        round(float(cine.phases[p]), 3) for p in found.phases
    )
    doubts = [*found.doubts, *(text for flag, text in FLAGS.items() if flag in cine.flags)]
    row["unsure"] = "; ".join(doubts)
    row["right_ventricle_unsure"] = "; ".join(found.right_doubts)
    if out:
        drawn = picture.overlay(cine.video[list(found.phases)], pixel_mm, found.labels, found.grid)
        row["picture"] = re.sub(r"[^\w-]", "_", exam.exam_id) + ".png"
        cv2.imwrite(str(out / row["picture"]), drawn)
    return row


def _line(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{row['exam_id']}: not measured: {row['error']}"
    numbers = ", ".join(
        f"{title} {row[n]:.0f} ({row[f'{n}_low']:.0f} to {row[f'{n}_high']:.0f}) {volumes.unit(n)}"
        for n, title in volumes.TITLES.items()
    )
    marks = {"unsure": row["unsure"], "right ventricle unsure": row["right_ventricle_unsure"]}
    doubts = "".join(f"\n  {mark}: {reasons}" for mark, reasons in marks.items() if reasons)
    return f"{row['exam_id']}: {numbers}{doubts}"
