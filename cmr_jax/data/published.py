"""The clip of the published CMR-CLIP: six arrays end to end, sampled, cropped, resized.

What is odd here is so in the published code, and kept for the sake of its numbers: one slice of
each cine, each long-axis LGE picture as often as the short axis has slices, frames "at random" that
are nearly the same ones, a picture enlarged before it is made smaller, hearts that are flipped.
"""

import dataclasses
import functools

import grain
import numpy as np

from cmr_jax.config import Clip
from cmr_jax.data.sites import Source
from cmr_jax.data.source import Exam
from cmr_jax.data.transforms import Record, clip_arrays
from cmr_jax.schema import Sequence, Stack, View

LGE = (Sequence.LGE_PSIR, Sequence.LGE_MAG)
# The order of the six arrays: cine_lax, cine_sa, lge_sa, lge_lax, lge_2ch, lge_3ch.
ARRAYS = (
    (View.CH4, (Sequence.CINE,)),
    (View.SAX, (Sequence.CINE,)),
    (View.SAX, LGE),
    (View.CH4, LGE),
    (View.CH2, LGE),
    (View.CH3, LGE),
)
# Of torchvision's RandomResizedCrop as published: shares of the area, and of the aspect.
CROP_AREA, CROP_ASPECT, CROP_TRIES = (0.5, 1.0), (3 / 4, 4 / 3), 10
FLIP = 0.5

Frame = tuple[Stack, int, int]  # stack, slice, phase


def stacks_of(exam: Exam) -> list[Stack | None]:
    """The exam's best stack for each of the six arrays; None for what it does not have."""
    chosen: list[Stack | None] = []
    for view, wanted in ARRAYS:
        found = [s for s in exam.stacks if s.view is view and s.sequence in wanted]
        order = max(found, key=lambda s: (-wanted.index(s.sequence), s.confidence), default=None)
        chosen.append(order)
    return chosen


def is_complete(exam: Exam) -> bool:
    """Whether it has all six: the published code drops any other exam."""
    return None not in stacks_of(exam)


def frames_of(exam: Exam) -> list[Frame]:
    """The clip before sampling.  What is not there is left out, and so is the clip shorter."""
    frames: list[Frame] = []
    repeats = 1
    for (view, wanted), stack in zip(ARRAYS, stacks_of(exam), strict=True):
        if stack is None:
            continue
        slices = len(stack.slice_mm)
        if Sequence.CINE in wanted:
            middle = slices // 2
            frames += [(stack, middle, t) for t in range(len(stack.phases[middle]))]
        elif view is View.SAX:
            repeats = slices
            frames += [(stack, i, 0) for i in range(slices)]
        else:
            frames += [(stack, slices // 2, 0)] * repeats
    return frames


def sample(wanted: int, length: int, rng: np.random.Generator | None) -> np.ndarray:
    """Indices of `wanted` frames of a clip, or of all where there are fewer.

    The clip is cut into equal parts; without `rng` the middle frame of each is taken, with it a
    random one that is never the part's last (sic), so that a clip under twice as long as wanted has
    nothing to choose from.
    """
    bounds = np.linspace(0, length, min(wanted, length) + 1).astype(int)
    low, high = bounds[:-1], bounds[1:] - 1
    if rng is None:
        return (low + high) // 2
    return np.where(low >= high, low, rng.integers(low, np.maximum(high, low + 1)))


@dataclasses.dataclass(frozen=True)
class ReadPublished(grain.transforms.RandomMap):
    """Reads the published clip: uint8 pictures as stored, of any size."""

    source: Source
    clip: Clip
    train: bool

    def random_map(self, element: int, rng: np.random.Generator) -> Record:
        """Index -> record."""
        exam = self.source[element]
        frames = frames_of(exam)
        chosen = [
            frames[i] for i in sample(self.clip.sampled, len(frames), rng if self.train else None)
        ]
        slices = {(s.first_frame, i): (s, i) for s, i, _ in chosen}
        videos = {key: self.source.frames(s, i, exam.exam_id) for key, (s, i) in slices.items()}
        pictures = [(s, i, t, videos[s.first_frame, i][t]) for s, i, t in chosen]
        size = pictures[0][3].shape[0] if pictures else self.clip.size
        return {"index": element, "exam": exam} | clip_arrays(pictures, self.clip.frames, size)


@dataclasses.dataclass(frozen=True)
class ResizePublished(grain.transforms.RandomMap):
    """Pictures of the size that the model reads, float 0..1: one draw for the whole clip."""

    clip: Clip
    train: bool

    def random_map(self, element: Record, rng: np.random.Generator) -> Record:
        """Crop, perhaps flip, and resize in training; enlarge, cut the middle out, resize after."""
        video = element["video"][..., 0].astype(np.float32) / 255
        if self.train:
            made = crop(video, random_crop(video.shape[1:], rng), self.clip.size)
            made = made[..., ::-1] if rng.random() < FLIP else made
        else:
            made = enlarge_and_shrink(video, self.clip.enlarged, self.clip.size)
        return element | {"video": np.ascontiguousarray(made, np.float32)[..., None]}


Box = tuple[int, int, int, int]  # top, left, height, width


def random_crop(shape: tuple[int, ...], rng: np.random.Generator) -> Box:
    """A box of random area and aspect; the middle of the picture where ten tries do not fit."""
    height, width = shape
    for _ in range(CROP_TRIES):
        area = height * width * rng.uniform(*CROP_AREA)
        aspect = np.exp(rng.uniform(*np.log(CROP_ASPECT)))
        w, h = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
            return int(top), int(left), h, w
    w, h = (round(min(a, b * c)) for a, b, c in ((width, height, 4 / 3), (height, width, 4 / 3)))
    return (height - h) // 2, (width - w) // 2, h, w


def crop(video: np.ndarray, box: Box, size: int) -> np.ndarray:
    """The box of every picture (..., rows, columns), resized to a square."""
    top, left, h, w = box
    return resize(video[..., top : top + h, left : left + w], size, size)


def enlarge_and_shrink(video: np.ndarray, enlarged: int, size: int) -> np.ndarray:
    """Resized so that the shorter side is `enlarged`, its middle square, resized to `size`."""
    h, w = video.shape[-2:]
    tall, wide = (enlarged, enlarged * w // h) if h <= w else (enlarged * h // w, enlarged)
    top, left = round((tall - enlarged) / 2), round((wide - enlarged) / 2)
    rows = weights(h, tall)[top : top + enlarged]
    columns = weights(w, wide)[left : left + enlarged]
    last = weights(enlarged, size)
    # Each step is linear and apart for rows and columns: two matrices do all of it.
    return (last @ rows) @ video @ (last @ columns).T


def resize(video: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Bilinear with antialias, as torchvision's tensors (..., rows, columns)."""
    return weights(video.shape[-2], rows) @ video @ weights(video.shape[-1], columns).T


@functools.cache
def weights(before: int, after: int) -> np.ndarray:
    """(after, before): a triangle around the middle of each new pixel, wider where it shrinks."""
    scale = before / after
    centre = (np.arange(after)[:, None] + 0.5) * scale
    distance = np.abs(np.arange(before)[None] + 0.5 - centre)
    triangle = np.maximum(0, 1 - distance / max(scale, 1.0))
    return (triangle / triangle.sum(1, keepdims=True)).astype(np.float32)
