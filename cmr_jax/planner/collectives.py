"""What devices tell each other in a program: kind, bytes, who with, and for which part of the step.

It reads single instructions; how often each runs is the walk's business (`program`).
"""

import re
from typing import NamedTuple

import numpy as np

from cmr_jax.planner.hlo import Array, Computation, Instruction, Module

KINDS = (
    *("all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective-permute"),
    *("ragged-all-to-all", "collective-broadcast"),
)
WHOLE_IS_RESULT = ("all-gather", "collective-broadcast")
# Parts of a step, from the names that JAX gives to operations.
TOWERS, GRADIENTS, LOSS, UPDATE = "towers", "gradients", "loss", "update"


class Collective(NamedTuple):
    """One exchange.  `bytes` are those of the whole array that a device gives or ends up with:
    gathered, to be reduced, to be scattered, or sent."""

    kind: str
    shapes: str
    bytes: int
    group: tuple[int, ...]  # devices of the first group, by their number in the mesh
    part: str


def part_of(op_name: str) -> str:
    """Which part of the training step an operation belongs to; GRADIENTS is the way back.

    Compilers join sums over all devices under one of their names: those of the loss (`psum`) are
    single numbers, and what is joined with them are gradients.
    """
    if re.search(r"DualEncoder|/video/|/text/", op_name):
        return GRADIENTS if "transpose(" in op_name else TOWERS
    if "psum" in op_name:
        return GRADIENTS
    return LOSS if "shard_map" in op_name or "loss" in op_name else UPDATE


def origin(made: Instruction, of: Computation) -> str:
    """Where an instruction comes from; compilers forget it for some that they made themselves."""
    while not made.op_name and made.operands:
        made = of.operand(made, 0)
    return made.op_name


def collective(made: Instruction, of: Computation, module: Module) -> Collective | None:
    """What an instruction exchanges; None for one that does not, or with nobody.

    An asynchronous one counts where it starts.  A TPU may spread one over several fusions, each of
    which repeats the instruction: it counts in the fusion that starts it.
    """
    kind = made.opcode.removesuffix("-start")
    if kind not in KINDS:
        return None
    if "async_collective_fusion_config" in made.attributes and not _starts(of):
        return None
    group = _group(made.attributes, module.devices)
    if len(group) < 2:
        return None
    whole = _whole(made, of, kind)
    name = origin(made, of)
    part = LOSS if not name and _is_slice_of_zeros(made, of, module) else part_of(name)
    shapes = " ".join(str(array) for array in whole)
    return Collective(kind, shapes, sum(array.size for array in whole), group, part)


def _is_slice_of_zeros(made: Instruction, of: Computation, module: Module) -> bool:
    """A small gather may be compiled to a sum of arrays of which each device fills its slice."""
    given = of.operand(made, 0)
    if given.opcode == "fusion":
        inner = module.computations[given.names("calls")[0]]
        given = inner.instructions[inner.root]
    return given.opcode == "dynamic-update-slice"


def _starts(of: Computation) -> bool:
    return any("AsyncCollectiveStart" in i.attributes for i in of.instructions.values())


def _whole(made: Instruction, of: Computation, kind: str) -> tuple[Array, ...]:
    given = tuple(array for name in made.operands for array in of.instructions[name].arrays)
    if kind not in WHOLE_IS_RESULT:
        return given
    # Started, an all-gather gives (operands, results): the operands come first.
    start = len(given) if made.opcode.endswith("-start") else 0
    return made.arrays[start : start + len(given)]


def _group(attributes: str, devices: int) -> tuple[int, ...]:
    """The first group of devices that exchange with each other, in any notation of XLA."""
    everyone = tuple(range(devices))
    if pairs := re.search(r"source_target_pairs=\{([{}\d,]*)\}", attributes):
        return _ring(dict(re.findall(r"(\d+),(\d+)", pairs[1])))
    if lists := re.search(r"replica_groups=\{\{([\d,]*)\}", attributes):
        return tuple(int(n) for n in lists[1].split(",") if n) or everyone
    if iota := re.search(
        r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?", attributes
    ):
        groups, sizes, order = ([int(n) for n in (g or "").split(",") if n] for g in iota.groups())
        numbers = np.arange(np.prod(sizes)).reshape(sizes)
        numbers = numbers.transpose(order) if order else numbers
        return tuple(numbers.reshape(groups)[0].tolist())
    named = re.search(r"replica_groups=mesh\[([^\]]*)\] ?\{([^}]*)\}", attributes)
    if not named:
        return everyone
    sizes = {axis: int(n) for axis, n in re.findall(r"'([^']+)'=(\d+)", named[1])}
    wanted = set(re.findall(r"'([^']+)'", named[2]))
    numbers = np.arange(np.prod([*sizes.values()])).reshape([*sizes.values()])
    return tuple(
        numbers[tuple(slice(None) if a in wanted else 0 for a in sizes)].reshape(-1).tolist()
    )


def _ring(follows: dict[str, str]) -> tuple[int, ...]:
    """The devices along which a message goes on from the first."""
    at = next(iter(follows), None)
    ring: dict[int, None] = {}
    while at is not None and int(at) not in ring:
        ring[int(at)] = None
        at = follows.get(at)
    return tuple(ring)
