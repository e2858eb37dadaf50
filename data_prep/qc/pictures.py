"""Stills and moving hearts as data URLs, so that the page needs nothing beside it."""

import base64
import io
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from cmr_jax.schema import Sequence, Stack, View
from data_prep.qc.shards import Exam, Shards

HEARTS = 8
HEARTS_BYTES = 1_500_000  # of the page, all moving hearts together
# Pixels of a panel and quality, from fine to coarse: the first that is small enough is taken.
LADDER = ((192, 70), (160, 55), (128, 45), (96, 35), (64, 25))
HEART_MM = 170  # so much is shown
TILE = 112  # pixels of a still
BEAT_MS = 900  # where the scanner gave no RR interval


class Heart(NamedTuple):
    """One exam that moves: data URLs of the moving picture and of its first moment."""

    exam: Exam
    short_axis: Stack
    moving: str
    still: str


def hearts(shards: Shards) -> list[Heart]:
    """A few exams of all splits, short axis and four chambers side by side, at their own pace."""
    found: list[Heart] = []
    for exam in shards.in_turn():
        if len(found) == HEARTS:
            break
        short, long = _cine(exam, View.SAX), _cine(exam, View.CH4)
        if short is None or long is None:
            continue
        videos = [_centre(shards.middle(exam, s), s.spacing_mm) for s in (short, long)]
        beat_ms = short.rr_ms if short.rr_ms > 0 else BEAT_MS
        if (moving := _moving(videos, beat_ms / len(videos[0]))) is not None:
            found.append(Heart(exam, short, moving, still(videos[0][0])))
    return found


def still(frame: np.ndarray, size: int = TILE) -> str:
    """A data URL of one uint8 frame (rows, columns), `size` pixels wide."""
    return _webp([_panel(frame, size)], quality=70)


def _cine(exam: Exam, view: View) -> Stack | None:
    wanted = [s for s in exam.stacks if s.view is view and s.sequence is Sequence.CINE]
    return max(wanted, key=lambda s: s.confidence, default=None)


def _moving(videos: list[np.ndarray], pace_ms: float) -> str | None:
    """The videos side by side, in as many pixels as a heart's share of the page allows."""
    length = len(videos[0])
    for size, quality in LADDER:
        pictures = [
            Image.fromarray(
                np.concatenate(
                    [np.asarray(_panel(v[t * len(v) // length], size)) for v in videos], 1
                )
            )
            for t in range(length)
        ]
        url = _webp(pictures, quality, duration=round(min(max(pace_ms, 20), 200)), loop=0)
        if len(url) <= HEARTS_BYTES // HEARTS:
            return url
    return None


def _centre(video: np.ndarray, spacing_mm: float) -> np.ndarray:
    """The middle of every frame, where the heart is."""
    size = video.shape[1]
    kept = min(size, max(16, round(HEART_MM / spacing_mm)))
    edge = (size - kept) // 2
    return video[:, edge : edge + kept, edge : edge + kept]


def _panel(frame: np.ndarray, size: int) -> Image.Image:
    return Image.fromarray(frame).resize((size, size), Image.Resampling.BICUBIC)


def _webp(pictures: list[Image.Image], quality: int, **motion: Any) -> str:
    out = io.BytesIO()
    if len(pictures) > 1:
        # Nobody seeks in it: only the first frame must stand alone.
        motion |= {"save_all": True, "append_images": pictures[1:], "kmin": 0, "kmax": 0}
    pictures[0].save(out, "WEBP", quality=quality, **motion)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"
