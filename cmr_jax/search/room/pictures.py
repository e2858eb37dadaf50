"""Pictures of exams for the room: small moving hearts, and the frames of a slice as they are stored."""

import collections
import threading
from collections.abc import Callable, Hashable

import numpy as np
from PIL import Image

from cmr_jax.data.broken import BrokenRecord
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.evals.page.hearts import webp
from cmr_jax.evals.trust.missing import LATE
from cmr_jax.schema import Sequence, Stack, View

SIDE = 160  # pixels of a small picture
FRAMES = 20  # of a small heart, at most
USUAL_RR_MS = 900.0
KEPT = 512  # small hearts in memory
MOVING = (View.SAX, View.CH4)


class Cache:
    """The last things that were made, so that flat memory holds many visitors."""

    def __init__(self, most: int):
        self._most, self._lock = most, threading.Lock()
        self._known: collections.OrderedDict[Hashable, bytes] = collections.OrderedDict()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """What is known under a key, or what is made now."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        made = make()
        with self._lock:
            self._known[key] = made
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return made


def small(source: ExamSource, exam: Exam, still: bool = False) -> bytes:
    """A WebP of the short axis and four chambers side by side, beating at the heart's own rate, and late
    enhancement beside them; or its first frame alone."""
    shown = [s for v in MOVING if (s := _best(exam, v, (Sequence.CINE,)))]
    late = _best(exam, View.SAX, LATE) or next((s for s in exam.stacks if s.sequence in LATE), None)
    stacks = [*shown, *([late] if late else [])] or list(exam.stacks[:1])
    videos = [video for stack in stacks if (video := _middle(source, exam, stack)) is not None]
    if not videos:
        return webp([Image.new("L", (SIDE, SIDE))], USUAL_RR_MS)
    length = 1 if still else min(max(map(len, videos)), FRAMES)
    rr_ms = next((s.rr_ms for s in shown if s.rr_ms > 0), USUAL_RR_MS)
    pictures = [
        Image.fromarray(np.concatenate([_square(v[t * len(v) // length]) for v in videos], 1))
        for t in range(length)
    ]
    return webp(pictures, rr_ms / length)


def _best(exam: Exam, view: View, sequences: tuple[Sequence, ...]) -> Stack | None:
    found = [s for s in exam.stacks if s.view is view and s.sequence in sequences]
    return max(found, key=lambda s: s.confidence, default=None)


def _middle(source: ExamSource, exam: Exam, stack: Stack) -> np.ndarray | None:
    try:
        return source.frames(stack, len(stack.slice_mm) // 2, exam.exam_id)
    except BrokenRecord:
        return None


def _square(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
