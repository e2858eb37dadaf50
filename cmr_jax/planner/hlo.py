"""The text of an HLO module as computations of instructions.

It reads what `compiled.as_text()` gives on CPU, GPU and TPU, and `lowered.as_text("hlo")`, and says
what is written there; what a program costs is counted elsewhere.  Source: openxla.org/xla, "HLO" and
"Shapes and layout".
"""

import functools
import math
import re
from typing import NamedTuple

BITS = {"pred": 8, "token": 0, "opaque": 0, "bf16": 16, "c64": 64, "c128": 128}
_ARRAY = re.compile(r"([a-z]\w*)\[([\d,<=]*)\](?:\{([^{}]*)\})?")
_HEADER = re.compile(r"(ENTRY )?%?([\w.\-]+) (?:\(.*)?\{$")
_INSTRUCTION = re.compile(r"  (ROOT )?%?([\w.\-]+) = (.*)$")
_NAME = re.compile(r"%([\w.\-]+)")
_BARE = re.compile(r"(?:^|, )([a-zA-Z_][\w.\-]*)")  # as names stand before a program is compiled


class Array(NamedTuple):
    """One array of a result: what it holds, and how it lies in memory."""

    dtype: str
    shape: tuple[int, ...]
    order: tuple[int, ...] = ()  # dimensions, the fastest first
    tile: tuple[int, ...] = ()  # the last dimensions are padded to multiples of this
    space: int = 0  # 0 is the device's main memory; others are on the chip, or the host's

    @property
    def size(self) -> int:
        """Bytes of the values alone."""
        return math.prod(self.shape) * bits(self.dtype) // 8

    @property
    def stored(self) -> int:
        """Bytes in the device's main memory, padding included; 0 where it lies elsewhere."""
        if self.space:
            return 0
        shape = [self.shape[d] for d in reversed(self.order)] or list(self.shape)
        for i, t in zip(range(len(shape)), reversed(self.tile), strict=False):
            shape[-1 - i] = -(-shape[-1 - i] // t) * t
        return math.prod(shape) * bits(self.dtype) // 8

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


def bits(dtype: str) -> int:
    """Bits of one value: `f8e4m3fn` has 8, `s4` has 4."""
    if dtype in BITS:
        return BITS[dtype]
    return int(re.findall(r"\d+", dtype)[0])


class Instruction(NamedTuple):
    """`name = arrays opcode(operands), attributes`; a tuple's arrays are laid flat."""

    name: str
    arrays: tuple[Array, ...]
    opcode: str
    operands: tuple[str, ...]
    literal: str  # what stands between the brackets
    attributes: str

    def names(self, attribute: str) -> tuple[str, ...]:
        """Computations that an attribute names: `calls=%f`, `branch_computations={%f, %g}`."""
        found = re.search(rf"\b{attribute}=(\{{[^}}]*\}}|%?[\w.\-]+)", self.attributes)
        return tuple(re.findall(r"%?([\w.\-]+)", found[1].strip("{}"))) if found else ()

    @property
    def op_name(self) -> str:
        """Where in the Python program it comes from."""
        found = re.search(r'op_name="([^"]*)"', self.attributes)
        return found[1] if found else ""


class Computation(NamedTuple):
    """Instructions by name, in the order of the text; operands come first."""

    name: str
    instructions: dict[str, Instruction]
    root: str

    def operand(self, of: Instruction, number: int) -> Instruction:
        """The instruction that makes an operand."""
        return self.instructions[of.operands[number]]


class Module(NamedTuple):
    """A program: what every device runs."""

    computations: dict[str, Computation]
    entry: str
    devices: int


def parse(text: str) -> Module:
    """Reads a module; ValueError where it has no entry."""
    computations: dict[str, Computation] = {}
    entry, here, root = "", None, ""
    instructions: dict[str, Instruction] = {}
    for line in text.splitlines():
        if here is None:
            if header := _HEADER.match(line):
                here, root, instructions = header[2], "", {}
                entry = here if header[1] else entry
        elif line.startswith("}"):
            computations[here] = Computation(here, instructions, root)
            here = None
        elif found := _INSTRUCTION.match(line):
            instructions[found[2]] = _instruction(found[2], found[3])
            root = found[2] if found[1] else root
    if entry not in computations:
        raise ValueError("this is not the text of an HLO module: it has no ENTRY computation.")
    head = text.split("\n", 1)[0]
    counts = [re.search(rf"{key}=(\d+)", head) for key in ("num_partitions", "replica_count")]
    return Module(computations, entry, math.prod(int(c[1]) for c in counts if c))


def _instruction(name: str, text: str) -> Instruction:
    end = _closing(text, 0) + 1 if text.startswith("(") else text.index(" ")
    opcode, _, rest = text[end:].lstrip().partition("(")
    close = _closing(rest, -1)
    inside = rest[:close]
    names = () if opcode == "constant" else _NAME.findall(inside) or _BARE.findall(inside)
    return Instruction(name, arrays(text[:end]), opcode, tuple(names), inside, rest[close + 1 :])


def _closing(text: str, start: int) -> int:
    """Where the bracket closes that opens at `start` (-1: before the text)."""
    depth = 0 if start >= 0 else 1
    for found in re.compile(r"[()]").finditer(text, max(start, 0)):
        depth += 1 if found[0] == "(" else -1
        if not depth:
            return found.start()
    raise ValueError(f"an HLO instruction does not close its bracket: {text[:80]}")


@functools.lru_cache(maxsize=20_000)
def arrays(text: str) -> tuple[Array, ...]:
    """The arrays of a shape: `f32[8,128]{1,0:T(8,128)S(1)}`, or a tuple of such."""
    return tuple(_array(*found) for found in _ARRAY.findall(text))


def _array(dtype: str, shape: str, layout: str) -> Array:
    order, _, rest = layout.partition(":")
    tile, space = re.search(r"T\(([\d,]+)\)", rest), re.search(r"S\((\d+)\)", rest)
    return Array(
        dtype,
        _integers(shape),
        _integers(order),
        _integers(tile[1]) if tile else (),
        int(space[1]) if space else 0,
    )


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", text))
