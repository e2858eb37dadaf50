"""FLOPs of products in a program: a multiply and an add are two.  Other arithmetic is not counted.

TPU compilers write products of matrices as convolutions whose windows run over heads or layers, so
a window counts only where it meets a value: not padding, not the holes of a dilated input.  Source:
openxla.org/xla/operation_semantics, "Dot" and "Conv", and xla/service/hlo_cost_analysis.cc.
"""

import math
import re

import numpy as np

from cmr_jax.planner.hlo import Array, Computation, Instruction

# Libraries that take a product of matrices by name, on GPU and CPU.
PRODUCTS = ("__cublas$gemm", "__cublas$lt$matmul", "__onednn$matmul")


def flops(made: Instruction, of: Computation) -> float:
    """FLOPs of one instruction by itself."""
    if made.opcode == "dot":
        return _dot(made, of, "lhs_contracting_dims={")
    if made.opcode == "convolution":
        return _convolution(made, of)
    if made.opcode == "custom-call" and any(name in made.attributes for name in PRODUCTS):
        return _dot(made, of, '"lhs_contracting_dimensions":[')
    return 0.0


def _dot(made: Instruction, of: Computation, key: str) -> float:
    at = made.attributes.find(key)
    found = re.match(r'[\d,"]*', made.attributes[at + len(key) :]) if at >= 0 else None
    left = of.operand(made, 0).arrays[0].shape
    contracted = math.prod(left[int(d)] for d in re.findall(r"\d+", found[0])) if found else 1
    return 2.0 * math.prod(made.arrays[0].shape) * contracted


def _convolution(made: Instruction, of: Computation) -> float:
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", made.attributes)
    if not labels:
        return 0.0
    inputs, kernel, outputs = labels.groups()
    left, right = (of.operand(made, i).arrays[0] for i in (0, 1))
    window = dict(re.findall(r"(\w+)=([\d_x\-]+)", _window(made.attributes)))
    total = 2.0 * _along(made.arrays[0], outputs, "bf") * _along(right, kernel, "i")
    for d in range(len(inputs) - 2):
        size, taps = _along(left, inputs, str(d)), _along(right, kernel, str(d))
        stride, dilate, holes = (
            _of(window, key, d) for key in ("stride", "rhs_dilate", "lhs_dilate")
        )
        low = int(window["pad"].split("x")[d].split("_")[0]) if "pad" in window else 0
        at = _touched(_along(made.arrays[0], outputs, str(d)), taps, stride, dilate) - low
        total *= int(((at >= 0) & (at % holes == 0) & (at // holes < size)).sum())
    return total


def _touched(outputs: int, taps: int, stride: int, dilate: int) -> np.ndarray:
    """Where every tap of the window lies for every output along a dimension."""
    return np.arange(outputs)[:, None] * stride + np.arange(taps)[None] * dilate


def _window(attributes: str) -> str:
    found = re.search(r"window=\{([^}]*)\}", attributes)
    return found[1] if found else ""


def _of(window: dict[str, str], key: str, d: int) -> int:
    return int(window[key].split("x")[d]) if key in window else 1


def _along(array: Array, names: str, wanted: str) -> int:
    return math.prod(array.shape[names.index(label)] for label in wanted)
