"""What one run of a compiled program does on a device: products, bytes of memory, exchanges.

It walks from the entry into everything that is called, and counts the body of a loop as often as
the loop turns: XLA's own cost analysis counts it once, which a scan over layers makes useless.
"""

import collections
import dataclasses
import re
from typing import Any

from cmr_jax.planner import dots, hlo
from cmr_jax.planner.collectives import Collective, collective, origin, part_of
from cmr_jax.planner.traffic import traffic


def _sums() -> Any:
    return collections.defaultdict(float)


@dataclasses.dataclass
class Work:
    """Per device: FLOPs of products and bytes of memory by part, and how often each exchange."""

    flops: dict[str, float] = dataclasses.field(default_factory=_sums)
    traffic: dict[str, float] = dataclasses.field(default_factory=_sums)
    collectives: dict[Collective, float] = dataclasses.field(default_factory=_sums)
    again: float = 0.0  # of the FLOPs: what the compiler itself computes twice to save memory
    unknown: set[str] = dataclasses.field(default_factory=set)  # loops counted once

    def add(self, other: "Work", times: float = 1.0, memory: bool = True) -> None:
        """Takes in what something does that is called `times` times."""
        _take(self.flops, other.flops, times)
        _take(self.collectives, other.collectives, times)
        if memory:
            _take(self.traffic, other.traffic, times)
        self.again += other.again * times
        self.unknown |= other.unknown

    @property
    def weight(self) -> tuple[float, float]:
        """For comparing branches: the heavier is the one that is counted."""
        return sum(self.flops.values()), sum(self.traffic.values())


def _take(mine: dict[Any, float], theirs: dict[Any, float], times: float) -> None:
    for key, value in theirs.items():
        mine[key] += value * times


def measure(text: str) -> Work:
    """What the program in an optimised HLO text does, once, on one device."""
    module = hlo.parse(text)
    return _computation(module, module.entry, {})


def _computation(module: hlo.Module, name: str, known: dict[str, Work]) -> Work:
    if name in known:
        return known[name]
    work, here = Work(), module.computations[name]
    for made in here.instructions.values():
        called = [_computation(module, n, known) for n in _called(made)]
        if made.opcode == "while":
            turns = trips(made, module)
            work.unknown |= set() if turns is not None else {made.name}
            for inner in called:
                work.add(inner, 1.0 if turns is None else float(turns))
        elif made.opcode == "conditional":
            work.add(max(called, key=lambda branch: branch.weight))
        else:  # a fusion keeps its values on the chip
            for inner in called:
                work.add(inner, memory=made.opcode != "fusion")
        part = part_of(origin(made, here))
        products = dots.flops(made, here)
        if products:
            work.flops[part] += products
        if ".remat" in made.name:
            work.again += products + sum(inner.weight[0] - inner.again for inner in called)
        if moved := traffic(made, here, module):
            work.traffic[part] += moved
        if exchange := collective(made, here, module):
            work.collectives[exchange] += 1
    known[name] = work
    return work


def _called(made: hlo.Instruction) -> tuple[str, ...]:
    """Computations that an instruction runs.  What is applied to single numbers does not count."""
    keys = {
        "while": ("body", "condition"),
        "conditional": ("branch_computations", "true_computation", "false_computation"),
        "call": ("to_apply",),
        "fusion": ("calls",),
        "async-start": ("calls",),
    }.get(made.opcode, ())
    return tuple(name for key in keys for name in made.names(key))


def trips(loop: hlo.Instruction, module: hlo.Module) -> int | None:
    """How often a loop turns: as the compiler says, or the bound that its condition compares with.

    The bound counts from zero by ones, as every scan of JAX does.  None if there is no single one.
    """
    if said := re.search(r'"known_trip_count":\{"n":"(\d+)"\}', loop.attributes):
        return int(said[1])
    bounds = _bounds(module, loop.names("condition")[0])
    return bounds.pop() if len(bounds) == 1 else None


def _bounds(module: hlo.Module, condition: str) -> set[int]:
    here, found = module.computations[condition], set()
    for made in here.instructions.values():
        whole = made.opcode == "constant" and made.arrays[0].dtype in ("s32", "u32", "s64")
        if whole and not made.arrays[0].shape:
            found.add(int(made.literal))
        for name in _called(made):
            found |= _bounds(module, name)
    return found
