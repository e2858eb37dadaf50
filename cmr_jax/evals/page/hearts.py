"""Exams as small moving pictures, so that a page needs nothing beside it."""

import base64
import io

import numpy as np
from PIL import Image

from cmr_jax.data.sites import Source
from cmr_jax.data.source import Exam
from cmr_jax.schema import Sequence, View

FRAME_MS = 90.0
SHOWN = ((View.SAX, True), (View.CH4, True), (View.SAX, False), (View.CH4, False))


def data_url(mime: str, data: bytes) -> str:
    """A `data:` URL."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def heart(source: Source, exam: Exam, zoom: int = 2) -> str | None:
    """One exam side by side as a moving WebP: short axis, four chambers, and their LGE."""
    columns = [
        video for view, cine in SHOWN if (video := _video(source, exam, view, cine)) is not None
    ]
    if not columns:
        return None
    length = max(len(video) for video in columns)
    size = max(video.shape[1] for video in columns)
    zoom = max(1, min(zoom, 256 // size))
    pictures = []
    for t in range(length):
        row = [
            np.pad(v[t * len(v) // length], ((0, size - v.shape[1]), (0, size - v.shape[2])))
            for v in columns
        ]
        picture = Image.fromarray(np.concatenate(row, 1))
        pictures.append(
            picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.BICUBIC)
        )
    return data_url("image/webp", webp(pictures, FRAME_MS))


def webp(pictures: list[Image.Image], frame_ms: float) -> bytes:
    """Moving pictures that go round and round; of one, a still."""
    out = io.BytesIO()
    pictures[0].save(
        out,
        "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=round(frame_ms),
        loop=0,
        quality=70,
    )
    return out.getvalue()


def _video(source: Source, exam: Exam, view: View, cine: bool) -> np.ndarray | None:
    wanted = (Sequence.CINE,) if cine else (Sequence.LGE_PSIR, Sequence.LGE_MAG)
    stacks = [s for s in exam.stacks if s.view is view and s.sequence in wanted]
    if not stacks:
        return None
    return source.frames(stacks[0], len(stacks[0].slice_mm) // 2)
