"""How long a step must take: products, memory and exchanges at the published speeds of a chip.

Two bounds (Williams 2009, "Roofline"): with nothing at the same time the three add up, with
everything at the same time the longest remains.  Neither is a measurement: real kernels stay below
the peak, and latency, which counts for many small exchanges, is left out.
"""

import dataclasses
import itertools
import math
from typing import NamedTuple

import jax

from cmr_jax.planner.chips import Chip
from cmr_jax.planner.collectives import LOSS, Collective
from cmr_jax.planner.program import Work

REFERENCE = 8  # chips that scaling is compared with


class Times(NamedTuple):
    """Seconds of one step."""

    compute: float
    memory: float
    exchange: float

    @property
    def apart(self) -> float:
        """One after the other."""
        return sum(self)

    @property
    def together(self) -> float:
        """All at the same time."""
        return max(self)


class Layout(NamedTuple):
    """Where the chips of a mesh are: places in a torus by number in the mesh, and its shape."""

    shape: tuple[int, ...]
    places: tuple[tuple[int, ...], ...]


def layout_of(mesh: jax.sharding.Mesh, chip: Chip) -> Layout:
    """Of the devices of a mesh, in its order; on a line where there is no torus."""
    devices = list(mesh.devices.flat)
    if not chip.axes:
        return box((len(devices),))
    places = tuple(tuple(d.coords[: chip.axes]) for d in devices)
    return Layout(tuple(len({p[axis] for p in places}) for axis in range(chip.axes)), places)


def box(shape: tuple[int, ...]) -> Layout:
    """Chips of a slice, in order."""
    return Layout(shape, tuple(itertools.product(*(range(n) for n in shape))))


def times(work: Work, chip: Chip, layout: Layout) -> Times:
    """Seconds of a step's three parts on one chip of a slice."""
    return Times(
        sum(work.flops.values()) / chip.peak,
        sum(work.traffic.values()) / chip.bandwidth,
        sum(n * seconds(one, chip, layout) for one, n in work.collectives.items()),
    )


def seconds(one: Collective, chip: Chip, layout: Layout) -> float:
    """Least seconds of an exchange among n chips, by the busiest link.

    A reduction to all takes 2 (n - 1) / n of its bytes through every chip, a gathering or a
    scattering sum (n - 1) / n (Patarasu 2009, "Bandwidth optimal all-reduce algorithms").  On a
    torus they use every link at once: two along an axis that closes to a ring, one along an open
    one (jax-ml.github.io/scaling-book/sharding).  A neighbour is one link away.  All to all is held
    up by the links across the middle of the longest axis of k chips: k / 8 of a chip's bytes each
    way on a ring, k / 4 on an open one.
    """
    n = len(one.group)
    if one.kind == "collective-permute":
        return one.bytes / (chip.link if n <= chip.domain or chip.axes else chip.network)
    lengths = [
        len({layout.places[d][axis] for d in one.group}) for axis in range(len(layout.shape))
    ]
    rings = chip.rings(layout.shape)
    if one.kind.endswith("all-to-all") and chip.axes:
        longest = max(range(len(lengths)), key=lambda axis: lengths[axis])
        return one.bytes * max(lengths[longest] / (8 if rings[longest] else 4), 0.5) / chip.link
    factor = (2 if one.kind == "all-reduce" else 1) * (n - 1) / n
    return factor * one.bytes / _bandwidth(n, lengths, rings, chip, layout)


def _bandwidth(
    n: int, lengths: list[int], rings: tuple[bool, ...], chip: Chip, layout: Layout
) -> float:
    """Bytes/s one way that a chip has for a group which spans these lengths along the axes."""
    if not chip.axes:
        return chip.link if n <= chip.domain else chip.network
    links = 0
    for length, whole, ring in zip(lengths, layout.shape, rings, strict=True):
        if length > 1:
            links += 2 if ring and length == whole else 1
    return links * chip.link


def on_eight(work: Work, chips: int) -> Work:
    """What the same step does on eight chips, as many exams on each (weak scaling).

    Gradients are as large as before.  What the loss exchanges and compares grows with the batch, so
    there it shrinks in proportion.
    """
    shrunk = Work(again=work.again)
    share = REFERENCE / chips
    for mine, theirs in ((shrunk.flops, work.flops), (shrunk.traffic, work.traffic)):
        for part, value in theirs.items():
            mine[part] = value * (share if part == LOSS else 1)
    for one, n in work.collectives.items():
        group = tuple(range(min(len(one.group), REFERENCE)))
        size = math.ceil(one.bytes * (share if one.part == LOSS else 1))
        shrunk.collectives[one._replace(group=group, bytes=size)] += n
    return shrunk


@dataclasses.dataclass(frozen=True)
class Roofline:
    """Times of a step on its chips and on eight, and what they mean."""

    here: Times
    eight: Times | None  # None where there are no more than eight
    model_flops: float  # of one chip
    peak: float

    @property
    def utilisation(self) -> tuple[float, float]:
        """Model FLOP utilisation (Chowdhery 2022), nothing and everything at the same time."""
        ideal = self.model_flops / self.peak
        return ideal / self.here.apart, ideal / self.here.together

    @property
    def efficiency(self) -> tuple[float, float] | None:
        """Speed of a chip beside one of eight, nothing and everything at the same time."""
        if self.eight is None:
            return None
        return self.eight.apart / self.here.apart, self.eight.together / self.here.together


def roofline(work: Work, chip: Chip, layout: Layout, model_flops: float) -> Roofline:
    """`model_flops` are those of the whole step."""
    n = len(layout.places)
    eight = None
    if n > REFERENCE:
        eight = times(on_eight(work, n), chip, box(chip.eight))
    return Roofline(times(work, chip, layout), eight, model_flops / n, chip.peak)
