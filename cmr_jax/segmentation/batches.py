"""Batches of slices of random hearts, endless and the same for the same seed."""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from cmr_jax.phantom import PhantomExam
from cmr_jax.segmentation import inputs

F32 = np.float32


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How slices are drawn."""

    batch: int = 32
    size: int = 64  # rows and columns of a crop
    shift: float = 10.0  # pixels by which a crop may miss the heart's middle
    held: int = 64  # exams that slices are drawn from
    turned: bool = False  # quarter turns and mirrored pictures too
    empty: tuple[int, ...] = ()  # channels that are left empty, for ablations


def batches(
    exams: Iterable[PhantomExam], sampling: Sampling, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures `b h w c` and masks `b h w k`.  One exam is replaced in each batch.

    Exams have two moments, which are each other's opposite; a ValueError if not.
    """
    rng = np.random.default_rng([seed, 2, 0])
    held: list[tuple[PhantomExam, np.ndarray]] = []
    for number, exam in enumerate(exams):
        if len(exam.video) != 2:
            raise ValueError(f"exams of two moments are needed; this one has {len(exam.video)}.")
        if len(held) < min(sampling.held, 8 + 2 * number):
            held.append(_with_middle(exam))
        else:
            held[int(rng.integers(len(held)))] = _with_middle(exam)
        if len(held) < 8:
            continue
        drawn = [
            crop(*held[int(rng.integers(len(held)))], sampling, rng) for _ in range(sampling.batch)
        ]
        pictures, masks = zip(*drawn, strict=True)
        yield np.stack(pictures), np.stack(masks)


def crop(exam: PhantomExam, heart: np.ndarray, sampling: Sampling, rng: np.random.Generator):
    """Cut one slice and its context out around the heart's middle; pictures `h w c`, masks `h w k`."""
    p, s, n, _ = exam.video.shape
    phase, at = int(rng.integers(p)), int(rng.integers(s))
    size = sampling.size
    middle = heart + rng.uniform(-sampling.shift, sampling.shift, 2) - size / 2
    row, column = np.clip(np.round(middle), 0, n - size).astype(int)
    window = (..., slice(row, row + size), slice(column, column + size))
    reverse = rng.random() < 0.5  # whether the stack runs from apex to base
    order = [at, at - 1, at + 1] if reverse else [at, at + 1, at - 1]
    frames = [
        exam.video[phase, i][window] if 0 <= i < s else np.zeros((size, size), F32) for i in order
    ]
    frames.append(exam.video[p - 1 - phase, at][window])
    picture = inputs.stacked(*(inputs.normalised(f) for f in frames))
    picture[..., list(sampling.empty)] = 0
    mask = exam.masks[phase, at, row : row + size, column : column + size]
    if sampling.turned:
        turns, mirror = int(rng.integers(4)), rng.random() < 0.5
        picture, mask = (np.rot90(a, turns) for a in (picture, mask))
        if mirror:
            picture, mask = picture[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(picture), np.ascontiguousarray(mask)


def _with_middle(exam: PhantomExam) -> tuple[PhantomExam, np.ndarray]:
    """Return the exam with the row and column of the middle of both ventricles."""
    heart = (exam.masks[..., 0] < 1).sum((0, 1)).astype(F32)
    total = max(float(heart.sum()), 1e-6)
    at = np.arange(len(heart), dtype=F32) + F32(0.5)
    middle = np.array([(heart.sum(1) * at).sum(), (heart.sum(0) * at).sum()]) / total
    return exam, middle
