"""A picture of some exams of a build: one row each, end-diastole, mid-cycle, stills."""

import itertools
import pathlib

import numpy as np
from PIL import Image, ImageDraw

from cmr_jax.schema import Sequence, Stack, View
from data_prep.qc.shards import Exam, Shards
from data_prep.qc.survey import Survey

FILE = "contact_sheet.png"
MARGIN, CAPTION = 2, 12
COLUMNS = [  # view, LGE instead of a cine, share of the cycle
    (View.SAX, False, 0.0),
    (View.SAX, False, 0.4),
    (View.CH4, False, 0.0),
    (View.CH4, False, 0.4),
    (View.CH2, False, 0.0),
    (View.CH3, False, 0.0),
    (View.SAX, True, 0.0),
    (View.CH4, True, 0.0),
    (View.OTHER, False, 0.0),
]
LGE = (Sequence.LGE_MAG, Sequence.LGE_PSIR)


def choose(shards: Shards, survey: Survey, first: int = 6, unsure: int = 6) -> list[Exam]:
    """The first exams of each split in turn (their order is by pseudonym), then the least sure."""
    chosen = list(itertools.islice(shards.in_turn(), first))
    there = {exam.exam_id for exam in chosen}
    doubts = [d for d in survey.least_sure(first + unsure) if d.exam_id not in there]
    return chosen + [shards.exam(doubt.split, doubt.index) for doubt in doubts[:unsure]]


def write(out: pathlib.Path, shards: Shards, exams: list[Exam]) -> None:
    """Writes OUT/contact_sheet.png, a row for each exam; nothing where there is none."""
    rows = [tiles(shards, exam) for exam in exams]
    size = max((t.shape[0] for row in rows for t in row if t is not None), default=0)
    if not size:
        return
    step = size + MARGIN
    sheet = Image.new("L", (len(COLUMNS) * step, CAPTION + len(rows) * step))
    draw = ImageDraw.Draw(sheet)
    for x in range(len(COLUMNS)):
        draw.text((x * step + 2, 0), column_name(x), fill=255)
        for y, row in enumerate(rows):
            if (tile := row[x]) is not None:
                sheet.paste(Image.fromarray(tile), (x * step, CAPTION + y * step))
    # Noise hardly packs: a fifth larger, in a third of the time.
    sheet.save(out / FILE, compress_level=1)


def column_name(column: int) -> str:
    """What a column shows, for people."""
    view, late, phase = COLUMNS[column]
    return f"{view.name} {'LGE' if late else f'{phase:.0%}'}"


def tiles(shards: Shards, exam: Exam) -> list[np.ndarray | None]:
    """One picture for each column, uint8 (rows, columns); None where the exam has no such stack."""
    return [_tile(shards, exam, *column) for column in COLUMNS]


def _tile(shards: Shards, exam: Exam, view: View, late: bool, phase: float) -> np.ndarray | None:
    wanted = [s for s in exam.stacks if s.view is view and _is_shown(s, late)]
    if not wanted:
        return None
    video = shards.middle(exam, wanted[0])
    return video[int(phase * len(video))]


def _is_shown(stack: Stack, late: bool) -> bool:
    """Of a view that nobody knows anything is worth a look; else perfusion or maps are no cine."""
    if late:
        return stack.sequence in LGE
    return stack.is_cine or stack.view is View.OTHER
