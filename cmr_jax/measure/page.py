"""A page of measurements: one HTML file beside its pictures, nothing loaded from elsewhere."""

import pathlib
import string
from typing import Any

from cmr_jax.evals.page import markup
from cmr_jax.measure import volumes
from cmr_jax.segmentation.weights import MeasuringModel

PAGE_FILE = "index.html"
PAGE = string.Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Measurements</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1b2733; max-width: 80rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem } .note { color: #55636f }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap } thead th { border-bottom: 1px solid #d6dde3 }
th:first-child, td:first-child { text-align: left } .unsure { color: #a33c00; margin: .2rem 0 }
img { width: 100%; background: #000; display: block; margin-top: .5rem }
</style></head><body>
<h1>Measurements of $count exams</h1>
<p class="note">Numbers with 95 % intervals as they hold on random hearts; on people they hold less often
(docs/real_hearts.md). Contours: end diastole above, end systole below; left ventricle red,
its wall green, right ventricle blue.
Model: $model. Research software. Not a medical device.</p>
$exams
</body></html>
""")


def write(out: pathlib.Path, rows: list[dict[str, Any]], model: MeasuringModel) -> None:
    """Write the page for rows as `report` makes them."""
    trained = model.about.get("trained_on", "unknown")
    text = PAGE.substitute(
        count=len(rows),
        model=markup.text(f"{len(model.networks)} networks, trained on {trained}"),
        exams="\n".join(map(_exam, rows)),
    )
    (out / PAGE_FILE).write_text(text, encoding="utf-8")


def _exam(row: dict[str, Any]) -> str:
    parts = [f"<h2>{markup.text(row['exam_id'])}</h2>"]
    if "error" in row:
        return "\n".join(
            [*parts, f"<p class='unsure'>Not measured: {markup.text(row['error'])}</p>"]
        )
    cells = [
        f"{row[name]:.0f} ({row[f'{name}_low']:.0f} to {row[f'{name}_high']:.0f})"
        for name in volumes.TITLES
    ]
    wall = f"{row['largest_wall_mm']:.0f}"
    head = [f"{title} ({volumes.unit(name)})" for name, title in volumes.TITLES.items()]
    parts.append(markup.table([*head, "largest wall (mm)"], [[*cells, wall]]))
    for column, word in (
        ("unsure", "Unsure"),
        ("right_ventricle_unsure", "Right ventricle unsure"),
    ):
        if row[column]:
            parts.append(f"<p class='unsure'>{word}: {markup.text(row[column])}</p>")
    if "picture" in row:
        alt = "contours at end diastole and end systole"
        parts.append(f'<img src="{markup.text(row["picture"])}" alt="{alt}" loading="lazy">')
    return "\n".join(parts)
