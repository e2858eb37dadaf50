"""What chips can do, as their makers publish it.

Bytes are decimal unless the page says GiB.  A link's bandwidth is one way.  Of a TPU's interconnect
Google states either Gbps, the sum of all links one way, or GBps "bidirectional", twice that: 1,600
Gbps and 400 GBps of a v5e are both 4 links of 50 GB/s each way.
"""

import dataclasses
import math
import re

GB, GIB, TERA = 1e9, 2.0**30, 1e12


@dataclasses.dataclass(frozen=True)
class Chip:
    """One kind of chip and how chips of it are joined.

    `axes` is 2 or 3 for a torus of so many dimensions, with a link each way along each; 0 for a
    switch, through which `domain` chips reach each other at `link`, and more at `network`.
    """

    name: str
    kinds: tuple[str, ...]  # how jax's device_kind starts
    peak: float  # FLOP/s of dense products in bfloat16
    memory: float  # bytes
    bandwidth: float  # of that memory, bytes/s
    link: float  # bytes/s, one way
    source: str  # the page, and what it says
    axes: int = 0
    wraps: int = 1  # a torus axis is a ring where its length is a multiple of this
    eight: tuple[int, ...] = (8,)  # how eight chips are laid out
    domain: int = 0
    network: float = 0.0

    def rings(self, shape: tuple[int, ...]) -> tuple[bool, ...]:
        """Which axes of a slice of this shape close to a ring; a cube does so as a whole."""
        closed = [n % self.wraps == 0 for n in shape]
        return tuple(closed) if self.axes == 2 else (all(closed),) * len(shape)


CHIPS = (
    Chip(
        name="v4",
        kinds=("TPU v4",),
        peak=275 * TERA,
        memory=32 * GIB,
        bandwidth=1200 * GB,
        link=50 * GB,
        axes=3,
        wraps=4,
        eight=(2, 2, 2),
        source="cloud.google.com/tpu/docs/v4: 275 teraflops bf16, 32 GiB, 1200 GBps, a 3D torus "
        "where each dimension is a multiple of 4. Links (Jouppi 2023, arXiv:2304.01433): 6 of 50 GB/s",
    ),
    Chip(
        name="v5e",
        kinds=("TPU v5 lite", "TPU v5e"),
        peak=197 * TERA,
        memory=16 * GIB,
        bandwidth=819 * GB,
        link=50 * GB,
        axes=2,
        wraps=16,
        eight=(2, 4),
        source="cloud.google.com/tpu/docs/v5e: 197 TFLOPs bf16, 16 GB, 819 GBps, 400 GBps of "
        "interconnect both ways (1600 Gbps) over 4 ports, a 2D torus of 256 chips",
    ),
    Chip(
        name="v5p",
        kinds=("TPU v5p", "TPU v5"),
        peak=459 * TERA,
        memory=95 * GIB,
        bandwidth=2765 * GB,
        link=100 * GB,
        axes=3,
        wraps=4,
        eight=(2, 2, 2),
        source="cloud.google.com/tpu/docs/v5p: 459 TFLOPs bf16, 95 GiB, 2765 GBps, 1200 GBps of "
        "interconnect both ways (4800 Gbps), a 3D torus",
    ),
    Chip(
        name="v6e",
        kinds=("TPU v6 lite", "TPU v6e"),
        peak=918 * TERA,
        memory=32 * GIB,
        bandwidth=1600 * GB,
        link=100 * GB,
        axes=2,
        wraps=16,
        eight=(2, 4),
        source="cloud.google.com/tpu/docs/v6e: 918 TFLOPs bf16, 32 GB, 1600 GBps, 3200 Gbps of "
        "interconnect over 4 ports, a 2D torus of 256 chips",
    ),
    Chip(
        name="h100",
        kinds=("NVIDIA H100 80GB HBM3",),
        peak=989.5 * TERA,
        memory=80 * GB,
        bandwidth=3350 * GB,
        link=450 * GB,
        domain=8,
        network=50 * GB,
        source="nvidia.com/en-us/data-center/h100 (SXM): 1,979 teraFLOPS bf16 with sparsity, half of "
        "that without; 80 GB, 3.35 TB/s, NVLink 900 GB/s both ways; DGX H100: 400 Gb/s per GPU",
    ),
    Chip(
        name="h200",
        kinds=("NVIDIA H200",),
        peak=989.5 * TERA,
        memory=141 * GB,
        bandwidth=4800 * GB,
        link=450 * GB,
        domain=8,
        network=50 * GB,
        source="nvidia.com/en-us/data-center/h200 (SXM): 1,979 teraFLOPS bf16 with sparsity, half of "
        "that without; 141 GB, 4.8 TB/s, NVLink 900 GB/s both ways; DGX H200: 400 Gb/s per GPU",
    ),
)


def of_kind(kind: str) -> Chip | None:
    """The chip that jax calls so; None for one that is not in the table, as a CPU."""
    for chip in CHIPS:
        # "TPU v5" is a v5p, "TPU v5 lite" a v5e: the longer name comes first in the table.
        if kind.startswith(chip.kinds):
            return chip
    return None


def of_topology(name: str) -> tuple[Chip, int]:
    """The chip of a topology such as `v5e:16x16`, and how many of them."""
    family, _, shape = name.partition(":")
    tpus = {chip.name: chip for chip in CHIPS if chip.axes}
    if family not in tpus or not re.fullmatch(r"\d+(x\d+)+", shape):
        raise ValueError(
            f"--topology={name}: say the chip and its layout, as v5e:16x16 or v5p:4x4x4. "
            f"Chips: {', '.join(tpus)}."
        )
    return tpus[family], math.prod(int(n) for n in shape.split("x"))
