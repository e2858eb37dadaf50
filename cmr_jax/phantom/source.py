"""Random exams by index: `Source(seed)[i]` is the same on any machine, in any order."""

import dataclasses
from typing import NamedTuple

import numpy as np

from cmr_jax.phantom import appearance, heart
from cmr_jax.phantom.appearance import Greys
from cmr_jax.phantom.tissue import MASK_OF, Mask, Painter, Planes


@dataclasses.dataclass(frozen=True)
class Variant:
    """Options of the generator; an ablation switches parts off."""

    wide_shapes: bool = True
    clutter: bool = True
    greys: Greys = Greys.MODERATE
    texture: bool = True
    turn: float = 1.3  # radians by which the right ventricle's direction may differ from the left
    size: int = 96  # rows and columns
    spacing: float = 2.0  # mm
    samples: int = 3  # points seen in each voxel
    pictures: int = 3  # exams that share their anatomy, each with grey values of its own


class PhantomExam(NamedTuple):
    """A short-axis cine and what is true of it."""

    video: np.ndarray  # p s h w, float32, myocardium around 1
    masks: np.ndarray  # p s h w m, float16: share of each voxel, by `Mask`
    spacing_mm: float
    pitch_mm: float  # from slice to slice
    heart: heart.Heart
    volumes_ml: np.ndarray  # p m


class Source:
    """Exams without end.  Consecutive indices share an anatomy (`Variant.pictures`)."""

    def __init__(self, seed: int = 0, variant: Variant = Variant()):
        self.seed, self.variant = seed, variant
        self._last: tuple[int, tuple] | None = None

    def __getitem__(self, index: int) -> PhantomExam:
        body = index // self.variant.pictures
        if self._last is None or self._last[0] != body:
            self._last = body, self._anatomy(body)
        tissue, drawn, planes, nominal = self._last[1]
        rng = np.random.default_rng([self.seed, 1, index])
        video = appearance.render(tissue, self.variant.greys, self.variant.texture, rng)
        labels = MASK_OF[tissue]
        counts = [
            sum((labels[:, :, k] == m).astype(np.uint8) for k in range(labels.shape[2]))
            for m in Mask
        ]
        masks = np.stack(counts, -1).astype(np.float32) / labels.shape[2]
        voxel = nominal**2 * planes.pitch / 1000
        return PhantomExam(
            video,
            masks.astype(np.float16),
            nominal,
            planes.pitch,
            drawn,
            masks.sum((1, 2, 3)) * voxel,
        )

    def _anatomy(self, body: int):
        v, rng = self.variant, np.random.default_rng([self.seed, 0, body])
        drawn = heart.sample(rng)
        wide = v.wide_shapes
        pitch = rng.choice([10.0, 10.0, 8.0, rng.uniform(6, 12)]) if wide else 10.0
        first = rng.uniform(-16, 5) if wide else 5.0
        last = drawn.length + (rng.uniform(-8, 22) if wide else 0)
        slices = int(np.clip(round((last - first) / pitch) + 1, 5, 13))
        # A smaller or larger heart of the same shape.
        zoom = rng.uniform(0.85, 1.2) if wide else 1.0
        planes = Planes(
            first + pitch * np.arange(slices),
            pitch,
            min(pitch, rng.uniform(5, 8)),
            v.spacing * zoom,
            v.size,
            v.samples,
        )
        contraction = np.array([0.0, 1.0])
        if wide and rng.random() < 0.3:
            contraction = np.array([rng.uniform(0, 0.3), rng.uniform(0.5, 1)])
        painter = Painter(drawn, planes, contraction, wide, v.clutter, v.turn, rng)
        return painter.paint(), drawn, planes, v.spacing
