"""Bytes between a device and its main memory, instruction by instruction.

A fusion reads its operands and writes its result once; what happens inside stays on the chip.  Of
an array that is only sliced, only the slice is read, and an update in place writes only itself: a
scan over layers would else seem to move all layers for each.  Caches are not modelled.  Source:
xla/service/hlo_cost_analysis.cc, which counts the same way.
"""

from cmr_jax.planner.hlo import Array, Computation, Instruction, Module

FREE = {  # names for bytes that lie somewhere already, and instructions that count inside
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"),
    *("while", "conditional", "call", "opt-barrier", "optimization-barrier"),
    *("partition-id", "replica-id", "async-start", "async-update"),
}
SAME = {"bitcast", "reshape", "convert", "copy"}  # inside a fusion: the same values, passed on


def traffic(made: Instruction, of: Computation, module: Module) -> float:
    """Bytes that one instruction reads from and writes to the device's main memory."""
    if made.opcode in FREE or made.opcode.endswith("-done") or "ConcatBitcast" in made.attributes:
        return 0.0
    if made.opcode == "fusion":
        inner = module.computations[made.names("calls")[0]]
        reads = sum(
            _read(inner, parameter, of.operand(made, number).arrays, module)
            for number, parameter in _parameters(inner)
        )
        return reads + _written(inner, inner.instructions[inner.root], made.arrays)
    given = [stored(of.instructions[name].arrays) for name in made.operands]
    if made.opcode in ("dynamic-slice", "slice", "gather"):
        return 2.0 * stored(made.arrays)
    if made.opcode in ("dynamic-update-slice", "scatter"):
        return 2.0 * sum(given[1:])
    if made.opcode in ("copy-start", "slice-start"):  # (source, destination, context), either first
        moved = _moved(made)
        return float(sum(array.stored and min(array.stored, moved) for array in made.arrays[:2]))
    if made.opcode.endswith("-start"):
        return float(2 * sum(given))
    return float(sum(given) + stored(made.arrays))


def stored(arrays: tuple[Array, ...]) -> int:
    """Bytes of several arrays in the device's main memory."""
    return sum(array.stored for array in arrays)


def _moved(made: Instruction) -> int:
    """Bytes of the smaller of both ends of a copy."""
    return min(array._replace(space=0).stored for array in made.arrays[:2])


def _parameters(of: Computation) -> list[tuple[int, Instruction]]:
    return [(int(i.literal), i) for i in of.instructions.values() if i.opcode == "parameter"]


def _read(of: Computation, value: Instruction, whole: tuple[Array, ...], module: Module) -> float:
    """What a computation reads of a value that lies in main memory as `whole`."""
    most, total = float(stored(whole)), 0.0
    if not most:
        return 0.0
    for user in of.instructions.values():
        if value.name not in user.operands:
            continue
        first = user.operands[0] == value.name
        if user.opcode in SAME:
            total += _read(of, user, whole, module)
        elif first and user.opcode in ("dynamic-slice", "slice", "gather"):
            total += _share(most, user.arrays[0], value.arrays[0])
        elif first and user.opcode == "dynamic-update-slice":
            continue  # written over in place
        elif user.opcode == "fusion":
            inner = module.computations[user.names("calls")[0]]
            inside = [p for n, p in _parameters(inner) if user.operands[n] == value.name]
            total += sum(_read(inner, parameter, whole, module) for parameter in inside)
        else:
            return most
    return min(total, most)


def _written(of: Computation, root: Instruction, result: tuple[Array, ...]) -> float:
    """What a computation writes of its result."""
    if root.opcode == "tuple" and len(root.operands) == len(result):
        parts = zip(root.operands, result, strict=True)
        return sum(_written(of, of.instructions[name], (array,)) for name, array in parts)
    made = root
    while made.opcode in SAME:
        made = of.operand(made, 0)
    if made.opcode == "dynamic-update-slice":
        return _share(float(stored(result)), of.operand(made, 1).arrays[0], made.arrays[0])
    return float(stored(result))


def _share(most: float, part: Array, whole: Array) -> float:
    """The bytes of a part, given those of the whole."""
    return most * part.size / max(whole.size, 1)
