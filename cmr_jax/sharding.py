"""Which device holds what: a mesh of (data, fsdp, tensor) and a table from paths to axes.

The table is total: a parameter without a rule is an error that names it.
"""

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from cmr_jax import config as configs

AXES = ("data", "fsdp", "tensor")
BATCH = ("data", "fsdp")  # the batch lies over both
ROWS, WHOLE = PartitionSpec(BATCH), PartitionSpec()  # an exam on one device, all on each

# Parameter path -> what its dimensions mean; first match wins.
DIMS = (
    (r".*/(query|key|value)/kernel", "embed heads head_dim"),
    (r".*/(query|key|value)/bias", "heads head_dim"),
    (r".*/attention_out/kernel", "heads head_dim embed"),
    (r".*/mlp/up/kernel", "embed mlp"),
    (r".*/mlp/up/bias", "mlp"),
    (r".*/mlp/down/kernel", "mlp embed"),
    (r".*/stem.*/kernel", "pixels embed"),
    (r".*/token/embedding", "vocab embed"),
    (r".*/(view|sequence)/embedding", "table embed"),
    (r".*/coordinates_(one|two)/kernel", "table embed"),
    (r".*/(position|segment|index|register)", "table embed"),
    (r".*/pool/(stack|exam)/query", "heads head_dim"),
    (r".*/(cls(_position)?|hidden)", "embed"),
    (r".*/pooler/kernel", "embed table"),
    (r".*/(places|pixels)/kernel", "embed table"),
    (r".*/project/kernel", "table shared"),
    (r"(.*/)?(outputs|numbers)/kernel", "shared table"),
    (r".*/(scale|bias)", "replicated"),
    (r"logit_(scale|bias)", "replicated"),
)
# What a dimension means -> the mesh axis that splits it.
PLACES = {"embed": "fsdp", "heads": "tensor", "mlp": "tensor", "vocab": "tensor"}
# What a dimension of an activation means -> the mesh axes that split it.  Without being told, XLA
# may split a batch that lies over `fsdp` anew at every layer, by the width of its parameters.
FLOWS = {"batch": BATCH, "heads": ("tensor",), "mlp": ("tensor",)}


def make_mesh(sizes: configs.Mesh, devices: list[Any] | None = None) -> jax.sharding.Mesh:
    """The mesh; one axis may be -1 and takes the devices that are left."""
    devices = jax.devices() if devices is None else devices
    shape = [getattr(sizes, axis) for axis in AXES]
    known = int(np.prod([n for n in shape if n != -1]))
    if shape.count(-1) > 1 or min(shape) < -1 or 0 in shape or len(devices) % known:
        raise ValueError(
            f"mesh data={sizes.data} fsdp={sizes.fsdp} tensor={sizes.tensor} does not fit "
            f"{len(devices)} devices. Use divisors of {len(devices)}, and -1 at most once."
        )
    shape = [len(devices) // known if n == -1 else n for n in shape]
    if int(np.prod(shape)) != len(devices):
        raise ValueError(
            f"mesh {shape} has {int(np.prod(shape))} places for {len(devices)} devices."
        )
    return jax.make_mesh(shape, AXES, axis_types=(AxisType.Auto,) * len(AXES), devices=devices)


def check_batch(data: configs.Data, mesh: jax.sharding.Mesh) -> None:
    """The batch, and the part of it that the towers take, must divide over the devices."""
    ways = batch_ways(mesh)
    for name, exams in (("batch", data.batch), ("micro_batch", data.micro_batch)):
        if exams % ways:
            lower = exams // ways * ways
            options = " or ".join(str(n) for n in (lower, lower + ways) if n)
            raise ValueError(
                f"data.{name} {exams} does not divide over {ways} devices. Use {options}."
            )


def batch_sharding(mesh: jax.sharding.Mesh) -> NamedSharding:
    """First dimension over the devices, the rest whole."""
    return NamedSharding(mesh, ROWS)


def batch_ways(mesh: jax.sharding.Mesh) -> int:
    """Among how many devices the batch is divided; those along `tensor` hold the same rows."""
    return mesh.shape["data"] * mesh.shape["fsdp"]


def constrain(x: Any, words: str) -> Any:
    """`x`, told to lie over the mesh of the program as the words of its dimensions say.

    Without a mesh, or where a dimension does not divide, it stays as it is.
    """
    mesh = jax.sharding.get_abstract_mesh()
    # Within a shard_map, everything is a device's own already.
    if mesh.empty or not set(AXES) <= set(mesh.axis_names) or mesh.manual_axes:
        return x
    return jax.lax.with_sharding_constraint(x, _spec(words.split(), x.shape, FLOWS, mesh))


def _spec(words: Sequence[str], shape: tuple[int, ...], table: Mapping, mesh: Any) -> PartitionSpec:
    """Where dimensions lie by a table of their words.  What does not divide stays whole; small
    things gain nothing from being split."""
    spec = []
    for word, size in zip(words, shape, strict=True):
        axes = table.get(word)
        names = (axes,) if isinstance(axes, str) else axes or ()
        ways = math.prod(mesh.shape[axis] for axis in names)
        spec.append(axes if axes and size % ways == 0 else None)
    return PartitionSpec(*spec)


def platform() -> str:
    """cpu, gpu or tpu: of the mesh that a program is being made for, else of the devices here."""
    device = jax.sharding.get_abstract_mesh().abstract_device
    return jax.default_backend() if device is None else device.platform


class Share(NamedTuple):
    """Part `index` of `count` equal parts of the batch, in its order."""

    index: int
    count: int


@functools.lru_cache  # asked with every batch
def share_of(mesh: jax.sharding.Mesh, process: int) -> Share:
    """The part of the batch that the devices of a process hold, and so the part it must load.

    Processes across which `tensor` lies hold the same part.  A ValueError where the rows of a
    process are not one such part, or not as many as those of others.
    """
    rows = np.arange(batch_ways(mesh))
    held: dict[int, set[int]] = {}
    # Positions along (data, fsdp), as in `batch_sharding`, with the devices that hold each.
    for row, devices in zip(rows, mesh.devices.reshape(rows.size, -1), strict=True):
        for device in devices:
            held.setdefault(device.process_index, set()).add(int(row))
    size = len(held[process])
    for which, own in sorted(held.items()):
        first = min(own)
        whole = own == set(range(first, first + size))
        if not whole or first % size or rows.size % size:
            raise ValueError(
                f"mesh {dict(mesh.shape)}: process {which} would hold parts {sorted(own)} of "
                f"{rows.size} of the batch, which no reader can load as one. Let mesh.tensor divide "
                "the devices of a process, or be a multiple of them."
            )
    return Share(min(held[process]) // size, rows.size // size)


def path_of(keys: tuple) -> str:
    """`video/blocks/mlp/up/kernel` from a key path of jax.tree_util."""
    return "/".join(
        str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in keys
    )


def dims(path: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """What the dimensions of a parameter mean."""
    for pattern, meaning in DIMS:
        if re.fullmatch(pattern, path):
            words = () if meaning == "replicated" else tuple(meaning.split())
            if (
                words and "/blocks/" in path
            ):  # of a scan: the same of every layer, one after another
                words = ("layers", *words)
            if words and len(words) != len(shape):
                raise ValueError(
                    f"{path} has shape {shape}, but its sharding rule says {meaning!r}"
                )
            return words
    raise ValueError(
        f"no sharding rule for parameter {path} {shape}: add one to cmr_jax.sharding.DIMS"
    )


def tree_shardings(tree: Any, mesh: jax.sharding.Mesh) -> Any:
    """A sharding for every array of a tree whose paths end in parameter paths."""

    def one(keys: tuple, leaf: Any) -> NamedSharding:
        words = dims(_parameter(path_of(keys)), leaf.shape) if leaf.ndim else ()
        # What is replicated has no words.
        return NamedSharding(mesh, _spec(words, leaf.shape[: len(words)], PLACES, mesh))

    return jax.tree_util.tree_map_with_path(one, tree)


def _parameter(path: str) -> str:
    """The parameter path inside a path of the optimiser's state."""
    for root in ("video/", "text/", "logit_"):
        if (at := path.find(root)) >= 0:
            return path[at:]
    return path
