"""Bytes on one device by kind, against what it has."""

import math
import os
from typing import NamedTuple

from cmr_jax import config
from cmr_jax.config import Precision, Remat
from cmr_jax.planner import compilation
from cmr_jax.planner.chips import Chip
from cmr_jax.planner.compilation import Program


class Memory(NamedTuple):
    """Bytes on one device.  `needed` is None where only the compiler knows, and did not say."""

    kinds: dict[str, float]  # what lies there between steps
    working: float | None  # on top of it during a step: gradients, activations, what is temporary
    needed: float | None
    available: float
    place: str  # what that is a memory of
    refused: bool = False  # by the compiler, which keeps a little for itself

    @property
    def fits(self) -> bool:
        """Whether a step can run."""
        return not self.refused and self.needed is not None and self.needed <= self.available


def memory(program: Program, chip: Chip | None, local_devices: int) -> Memory:
    """What a compiled step takes on one device.

    The compiler's peak counts what lives at the same time; what it calls temporary is the sum of
    its areas, and more.  A CPU's peak leaves areas out (jaxlib 0.10), so there the sum is taken.
    Devices of a CPU share the host's memory.
    """
    kinds = {name: compilation.per_device(part) for name, part in program.state._asdict().items()}
    kinds = {name: size for name, size in kinds.items() if name != "step"}
    kinds["batch"] = compilation.per_device(program.batch)
    base = sum(kinds.values())
    available, place = (chip.memory, f"a {chip.name}") if chip else host_share(local_devices)
    if program.compiled is None:
        working = None if program.needed is None else program.needed - base
        return Memory(kinds, working, program.needed, available, place, refused=True)
    stats = program.compiled.memory_analysis()
    if stats is None:
        return Memory(kinds, None, None, available, place)
    peak = float(getattr(stats, "peak_memory_in_bytes", 0)) if chip else 0.0
    whole = stats.argument_size_in_bytes + stats.temp_size_in_bytes
    whole += stats.output_size_in_bytes - stats.alias_size_in_bytes
    needed = (peak or whole) + stats.generated_code_size_in_bytes
    return Memory(kinds, needed - base, needed, available, place)


def host_share(local_devices: int) -> tuple[float, str]:
    """A device's share of this host's memory, in bytes."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return total / local_devices, "this host" + f", shared by {local_devices} devices" * (
        local_devices > 1
    )


def verdict(cfg: config.Experiment, ways: int, found: Memory) -> str:
    """One line: it fits, or what to turn that is not turned yet.  `ways` share the batch."""
    of = f"{found.available / 1e9:.2f} GB of {found.place}"
    if found.fits and found.needed is not None:
        return f"fits: needs {found.needed / 1e9:.2f} of {of}"
    needs = "more" if found.needed is None else f"{found.needed / 1e9:.2f}"
    of += ", of which the compiler keeps a little" * found.refused
    turn = ", ".join(knobs(cfg, ways, found)) or "more devices, or a smaller model or batch"
    return f"does not fit: needs {needs} of {of}; turn: {turn}"


def knobs(cfg: config.Experiment, ways: int, found: Memory) -> list[str]:
    """Options that would take less memory, as one would write them."""
    made, now = [], cfg.data.micro_batch or cfg.data.batch
    micro = ways * _exams_at_once(now // ways, found)
    if micro < now:
        made.append(f"data.micro_batch={micro}")
    if cfg.model.remat is not Remat.FULL:
        made.append("model.remat=full")
    if cfg.model.precision is Precision.FLOAT32:
        made.append("model.precision=bfloat16")
    if cfg.mesh.fsdp == 1 and ways > 1:
        made.append(f"mesh.fsdp={math.gcd(ways, 8)}")
    return made


def _exams_at_once(each: int, found: Memory) -> int:
    """The most exams of a device's share that should fit: what a step needs grows with them."""
    room = found.available - sum(found.kinds.values())
    share = room / found.working if found.working else 0.0
    fit = max(1, int(each * share))
    return max(n for n in range(1, each + 1) if each % n == 0 and (n <= fit or n == 1))
