"""What a run would cost, as text: parameters, bytes, FLOPs, exchanges, times, and whether it fits."""

import collections
import math
from collections.abc import Iterable
from typing import NamedTuple

import jax

from cmr_jax import config, sharding
from cmr_jax.planner import chips, compilation, flops, program, roofline
from cmr_jax.planner import memory as memories
from cmr_jax.planner.memory import Memory
from cmr_jax.planner.program import Work
from cmr_jax.planner.roofline import Roofline
from cmr_jax.sharding import path_of
from cmr_jax.types import TrainState


class Plan(NamedTuple):
    """The report, and its verdict."""

    text: str
    fits: bool


def describe(cfg: config.Experiment, mesh: jax.sharding.Mesh) -> Plan:
    """Compiles the step for the devices of a mesh, which need not be here, and reports on it."""
    compiled = compilation.compile_step(cfg, mesh)
    chip = chips.of_kind(mesh.devices.flat[0].device_kind)
    ways = sharding.batch_ways(mesh)
    found = memories.memory(compiled, chip, mesh.size)
    step = flops.training_flops(cfg)
    parts = [
        _run(cfg, mesh, chip),
        _parameters(compiled.state),
        _shardings(compiled.state, mesh),
        _bytes(found),
    ]
    text = compiled.compiled.as_text() if compiled.compiled else None
    work = program.measure(text) if text else None
    parts.append(_flops(step, work, mesh.size))
    if work:
        parts.append(_exchanges(work))
        parts.append(
            _times(
                roofline.roofline(work, chip, roofline.layout_of(mesh, chip), step.model),
                cfg.data.batch,
                mesh.size,
            )
            if chip
            else ["times            no published figures for this kind of device"]
        )
    parts.append([memories.verdict(cfg, ways, found)])
    return Plan("\n\n".join("\n".join(lines) for lines in parts), found.fits)


def _run(cfg: config.Experiment, mesh: jax.sharding.Mesh, chip: chips.Chip | None) -> list[str]:
    ways = sharding.batch_ways(mesh)
    kind = mesh.devices.flat[0].device_kind
    lines = [
        f"devices          {mesh.size} x {chip.name if chip else kind}, mesh "
        + " x ".join(f"{axis} {n}" for axis, n in mesh.shape.items()),
        f"batch            {cfg.data.batch:,} exams, {cfg.data.batch // ways} per device, "
        f"clips of {cfg.data.clip.frames} frames",
    ]
    if 0 < cfg.data.micro_batch < cfg.data.batch:
        lines.append(f"                 {cfg.data.micro_batch:,} through the towers at once")
    return lines + ([f"figures          {chip.source}"] if chip else [])


def _parameters(state: TrainState) -> list[str]:
    """How many, by module."""
    counts: collections.Counter[str] = collections.Counter()
    for keys, leaf in jax.tree_util.tree_leaves_with_path(state.params):
        counts["/".join(path_of(keys).split("/")[:2])] += math.prod(leaf.shape)
    total = counts.total()
    rows = [(name, f"{n:,}", f"{n / total:.1%}") for name, n in counts.most_common()]
    return [f"parameters       {total:,}", *_table(rows)]


def _shardings(state: TrainState, mesh: jax.sharding.Mesh) -> list[str]:
    """Every parameter; one line where none is split."""
    if mesh.shape["fsdp"] * mesh.shape["tensor"] == 1:
        return ["shardings        every parameter is whole on every device"]
    rows: list[tuple[str, ...]] = [
        (path_of(keys), "x".join(map(str, leaf.shape)) or "()", str(tuple(leaf.sharding.spec)))
        for keys, leaf in jax.tree_util.tree_leaves_with_path(state.params)
    ]
    return ["shardings", *_table(rows)]


def _bytes(found: Memory) -> list[str]:
    rows = [(name, _bytes_of(size)) for name, size in found.kinds.items()]
    if found.working is not None:
        rows.append(("gradients, activations, temporary", _bytes_of(found.working)))
    if found.needed is not None:
        rows.append(("all", _bytes_of(found.needed)))
    return [f"bytes on one device, of {_bytes_of(found.available)} of {found.place}", *_table(rows)]


def _flops(step: flops.Step, work: Work | None, devices: int) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("model, by formula", scaled(step.model)),
        ("hardware, by formula", scaled(step.hardware)),
    ]
    if work:
        counted = sum(work.flops.values()) * devices
        rows.append(
            ("hardware, in the program", scaled(counted), f"{counted / step.hardware - 1:+.1%}")
        )
        if work.again:
            again = work.again * devices
            rows.append(("of it again, by the compiler, to save memory", scaled(again)))
    lines = ["FLOPs per step", *_table(rows)]
    if work and work.unknown:
        lines.append(f"  loops of unknown length, counted once: {', '.join(sorted(work.unknown))}")
    return lines


def _exchanges(work: Work) -> list[str]:
    """By kind and part of the step: how often, with how many, and how much."""
    times: collections.Counter[tuple[str, str, int]] = collections.Counter()
    sizes: collections.Counter[tuple[str, str, int]] = collections.Counter()
    for one, n in work.collectives.items():
        key = one.kind, one.part, len(one.group)
        times[key] += round(n)
        sizes[key] += round(n * one.bytes)
    if not times:
        return ["exchanges        none"]
    rows: list[tuple[str, ...]] = [
        (
            kind,
            part,
            f"{times[kind, part, n]:,} times",
            f"{n} devices",
            _bytes_of(sizes[kind, part, n]),
        )
        for kind, part, n in sorted(times)
    ]
    return ["exchanges in a step, and the bytes of what is exchanged on one device", *_table(rows)]


def _times(found: Roofline, batch: int, devices: int) -> list[str]:
    here = found.here
    rows: list[tuple[str, ...]] = [
        ("products at peak", f"{here.compute * 1e3:,.1f} ms"),
        ("memory at full bandwidth", f"{here.memory * 1e3:,.1f} ms"),
        ("exchanges at full bandwidth", f"{here.exchange * 1e3:,.1f} ms"),
    ]
    lines = ["a step's least time, by published figures", *_table(rows)]
    apart, together = found.utilisation
    lines.append(
        f"model FLOP utilisation at most {apart:.0%} if nothing overlaps "
        f"({batch / here.apart:,.0f} exams/s), {together:.0%} if everything does "
        f"({batch / here.together:,.0f} exams/s)"
    )
    if found.efficiency:
        apart, together = found.efficiency
        lines.append(
            f"from 8 chips to {devices}, as many exams on each: a chip keeps {apart:.1%} of its speed "
            f"if nothing overlaps, {together:.1%} if everything does"
        )
    return lines


def _bytes_of(size: float) -> str:
    return f"{scaled(size)}B"


def scaled(number: float) -> str:
    """Three digits and a decimal prefix: `2.98 T`."""
    for prefix, unit in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= unit:
            return f"{number / unit:,.2f} {prefix}"
    return f"{number:,.0f} "


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows with their columns under each other: words to the left, figures to the right."""
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows if len(row) > i) for i in range(max(map(len, rows)))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if cell[:1].isdigit() or cell[:1] in "+-(" else cell.ljust(width)
            for cell, width in zip(row, widths, strict=False)
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines
