"""Random exams by index: `Source(seed)[i]` is the same on any machine, in any order."""

import dataclasses
from typing import NamedTuple

import numpy as np
import scipy.interpolate

from cmr_jax.phantom import appearance, heart
from cmr_jax.phantom.appearance import Greys
from cmr_jax.phantom.shapes import Planes
from cmr_jax.phantom.tissue import MASK_OF, Mask, Painter


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
    phases: int = 2  # end diastole and end systole, or a whole cycle


class PhantomExam(NamedTuple):
    """A short-axis cine and what is true of it."""

    video: np.ndarray  # p s h w, float32, myocardium around 1
    masks: np.ndarray  # p s h w m, float16: share of each voxel, by `Mask`
    spacing_mm: float
    pitch_mm: float  # from slice to slice
    heart: heart.Heart
    volumes_ml: np.ndarray  # p m


class Drawn(NamedTuple):
    """An exam before it is painted."""

    heart: heart.Heart
    planes: Planes
    contraction: np.ndarray  # p
    rng: np.random.Generator  # which the painter goes on with


class Source:
    """Exams without end.  Consecutive indices share an anatomy (`Variant.pictures`)."""

    def __init__(self, seed: int = 0, variant: Variant = Variant()):
        self.seed, self.variant = seed, variant
        self._last: tuple[int, Drawn, np.ndarray] | None = None

    def __getitem__(self, index: int) -> PhantomExam:
        body = index // self.variant.pictures
        if self._last is None or self._last[0] != body:
            drawn = self.drawn(index)
            v, heart = self.variant, drawn.heart
            painter = Painter(
                heart, drawn.planes, drawn.contraction, v.wide_shapes, v.clutter, v.turn, drawn.rng
            )
            self._last = body, drawn, painter.paint()
        _, drawn, tissue = self._last
        rng = np.random.default_rng([self.seed, 1, index])
        video = appearance.render(tissue, self.variant.greys, self.variant.texture, rng)
        labels = MASK_OF[tissue]
        counts = [
            sum((labels[:, :, k] == m).astype(np.uint8) for k in range(labels.shape[2]))
            for m in Mask
        ]
        masks = np.stack(counts, -1).astype(np.float32) / labels.shape[2]
        voxel = self.variant.spacing**2 * drawn.planes.pitch / 1000
        return PhantomExam(
            video,
            masks.astype(np.float16),
            self.variant.spacing,
            drawn.planes.pitch,
            drawn.heart,
            masks.sum((1, 2, 3)) * voxel,
        )

    def drawn(self, index: int) -> "Drawn":
        """Draw the heart and the stack of an exam; nothing is painted yet."""
        v, rng = self.variant, np.random.default_rng([self.seed, 0, index // self.variant.pictures])
        chosen = heart.sample(rng)
        wide = v.wide_shapes
        pitch = rng.choice([10.0, 10.0, 8.0, rng.uniform(6, 12)]) if wide else 10.0
        # Most stacks begin at the mitral plane, some well above it.
        first = rng.uniform(*rng.choice([(-8, 6), (-22, 5)], p=[0.65, 0.35])) if wide else 5.0
        last = chosen.length + (rng.uniform(-8, 22) if wide else 0)
        slices = int(np.clip(round((last - first) / pitch) + 1, 5, 13))
        # A narrower or wider heart: slices stay where they are.
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
        if v.phases > 2:
            contraction = cycle(v.phases, rng)
        elif wide and rng.random() < 0.3:
            contraction = np.array([rng.uniform(0, 0.3), rng.uniform(0.5, 1)])
        return Drawn(chosen, planes, contraction, rng)


def cycle(phases: int, rng: np.random.Generator) -> np.ndarray:
    """Contraction at `phases` even times from end diastole: ejection, early and late filling.

    End systole comes after 30 to 50 % of the cycle; 45 to 75 % of filling is early (systolic intervals:
    Boudoulas 1981, Chest 80:613).
    """
    systole, early = rng.uniform(0.3, 0.5), rng.uniform(0.45, 0.75)
    times = [0, systole, systole + 0.08, systole + 0.3, 0.86, 1]
    values = [0.0, 1.0, 1.0, 1 - early, 0.95 * (1 - early), 0.0]
    curve = scipy.interpolate.PchipInterpolator(times, values)
    return curve(np.arange(phases) / phases)
