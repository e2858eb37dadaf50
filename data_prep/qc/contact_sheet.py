"""A picture of the first exams of a build: one row each, end-diastole, mid-cycle, stills."""

import pathlib
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw

from cmr_jax import schema
from cmr_jax.schema import EXAMS, FRAMES, Sequence, View

MARGIN, CAPTION = 2, 12
COLUMNS = [  # view, sequence is LGE, share of the cycle
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


def write(out: pathlib.Path, split: str, rows: int = 12) -> pathlib.Path | None:
    """Writes OUT/contact_sheet.png from the shards of a split; None where it has no exam."""
    # TFDS decorates its methods past type checkers.
    exams_builder: Any = tfds.builder_from_directory(str(out / EXAMS))
    frames_builder: Any = tfds.builder_from_directory(str(out / FRAMES))
    exams = exams_builder.as_data_source(split)
    frames = frames_builder.as_data_source(split)
    lengths = frames_builder.info.splits[split].shard_lengths
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
    count = min(rows, len(exams))
    if not count:
        return None
    tiles = []
    for index in range(count):
        record = exams[index]
        stacks = schema.load_stacks(schema.as_text(record["stacks"]))
        start = int(starts[int(record["shard"])])
        tiles.append([_tile(stacks, frames, start, *column) for column in COLUMNS])
    size = next(t.shape[0] for row in tiles for t in row if t is not None)
    sheet = Image.new("L", (len(COLUMNS) * (size + MARGIN), CAPTION + count * (size + MARGIN)))
    draw = ImageDraw.Draw(sheet)
    for x, (view, late, phase) in enumerate(COLUMNS):
        name = f"{view.name} {'LGE' if late else f'{phase:.0%}'}"
        draw.text((x * (size + MARGIN) + 2, 0), name, fill=255)
        for y, row in enumerate(tiles):
            if (tile := row[x]) is not None:
                sheet.paste(
                    Image.fromarray(tile), (x * (size + MARGIN), CAPTION + y * (size + MARGIN))
                )
    path = out / "contact_sheet.png"
    sheet.save(path)
    return path


def _tile(stacks, frames, start: int, view: View, late: bool, phase: float) -> np.ndarray | None:
    wanted = [s for s in stacks if s.view is view and (s.sequence in LGE) == late]
    if not wanted:
        return None
    stack = wanted[0]
    middle = len(stack.slice_mm) // 2
    video = schema.load_frames(frames[start + stack.first_frame + middle])
    return video[int(phase * len(video))]
