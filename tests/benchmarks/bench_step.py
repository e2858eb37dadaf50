"""Training steps of a config on the devices at hand, on a batch of zeros:

    python tests/benchmarks/bench_step.py                          # smoke on a CPU, base elsewhere
    python tests/benchmarks/bench_step.py --config=base --micro_batch=8 --batch=64 --remat=dots
    python tests/benchmarks/bench_step.py --config=base --largest  # doubles the micro-batch until full
    python tests/benchmarks/bench_step.py --devices=1,2,4,8        # as many exams per device
    python tests/benchmarks/bench_step.py --against=CHECKOUT       # beside another commit, in turns
    python tests/benchmarks/bench_step.py --profile=DIR            # a trace for TensorBoard or Perfetto

One line of JSON each.  Model FLOP utilisation counts what the model needs, not what is computed
twice to save memory, against the published peak of the chip; on a CPU there is none.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import jax
import timing

from cmr_jax import step, trainer
from cmr_jax.data import pipeline
from cmr_jax.trainer import loop
from configs import base, smoke

CONFIGS = {"base": base, "smoke": smoke}
WANTED_MFU = 0.45  # of one H100 or H200


def main() -> None:
    """What the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = "smoke" if jax.default_backend() == "cpu" else "base"
    parser.add_argument("--config", choices=CONFIGS, default=here)
    parser.add_argument("--batch", type=int, default=0, help="exams over all devices")
    parser.add_argument("--micro_batch", type=int, default=0)
    parser.add_argument("--attention", help="a value of config.AttentionKind")
    parser.add_argument("--remat", help="a value of config.Remat")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--largest", action="store_true")
    parser.add_argument("--devices", default="")
    parser.add_argument("--against", type=pathlib.Path)
    parser.add_argument("--profile")
    parser.add_argument("--raw", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.against:
        beside(args)
    elif args.largest:
        grow(args)
    elif args.devices:
        scale(args)
    else:
        measure(args)


def measure(args: argparse.Namespace, devices: list | None = None) -> float:
    """Times steps and tells of them; gives exams a second."""
    cfg = CONFIGS[args.config].get_config()
    cfg.data.batch = args.batch or cfg.data.batch
    if args.micro_batch:
        cfg.data.micro_batch = args.micro_batch
    for name in ("attention", "remat"):
        if value := getattr(args, name):
            setattr(cfg.model, name, type(getattr(cfg.model, name))(value))
    mesh = trainer.prepare(cfg, devices)
    with jax.set_mesh(mesh):
        state = step.init_state(cfg, mesh, pipeline.example_batch(cfg, mesh.size))
        batch = loop.to_device(pipeline.example_batch(cfg, cfg.data.batch), mesh)
        key, began = jax.random.key(0), time.perf_counter()
        program = step.make_step(cfg, mesh).lower(state, batch, key).compile()
        compile_s = time.perf_counter() - began

        def once():
            nonlocal state
            state, parts = program(state, batch, key)
            return parts

        step_s = timing.seconds(once, args.steps)
        if args.profile:
            with jax.profiler.trace(args.profile):
                jax.block_until_ready(once())
    rate = cfg.data.batch / step_s
    told = {"step_s": step_s, "exams_per_s": rate, "compile_s": compile_s}
    told["peak_gb"] = timing.peak_bytes() / 1e9
    if not args.raw:  # what an older commit may not have
        told |= {
            "micro_batch": cfg.data.micro_batch or cfg.data.batch,
            "remat": cfg.model.remat.value,
        }
        told |= {"attention": cfg.model.attention.value} | utilisation(cfg, rate, mesh)
    timing.line("step", config=args.config, batch=cfg.data.batch, **told)
    return rate


def utilisation(cfg, rate: float, mesh: jax.sharding.Mesh) -> dict[str, float]:
    """Model FLOP utilisation, and as a share of what is wanted; nothing for an unknown chip."""
    from cmr_jax.planner import chips, flops

    chip = chips.of_kind(mesh.devices.flat[0].device_kind)
    if chip is None:
        return {}
    used = rate * flops.training_flops(cfg).model / cfg.data.batch / (chip.peak * mesh.size)
    return {"mfu": used, "mfu_by_wanted": used / WANTED_MFU}


def grow(args: argparse.Namespace) -> None:
    """The micro-batch doubles until the device is full; each in a process of its own."""
    size, fits = args.micro_batch or jax.device_count(), 0
    while True:
        again = [
            sys.executable,
            __file__,
            *passed_on(args, "config", "steps", "attention", "remat"),
        ]
        again += [f"--batch={2 * size}", f"--micro_batch={size}"]
        done = subprocess.run(again, capture_output=True, text=True, check=False)
        if done.returncode:
            if "RESOURCE_EXHAUSTED" not in done.stderr:
                raise SystemExit(done.stderr)
            timing.line("largest", config=args.config, fits=fits, full=size)
            return
        print(done.stdout, end="", flush=True)
        fits, size = size, 2 * size


def passed_on(args: argparse.Namespace, *names: str) -> list[str]:
    """Options that were given, for another process."""
    return [f"--{name}={getattr(args, name)}" for name in names if getattr(args, name)]


def scale(args: argparse.Namespace) -> None:
    """More devices, as many exams for each; efficiency is against the first number.

    `--batch` and `--micro_batch` are of one device here.
    """
    alone, each, part = None, args.batch or 8, args.micro_batch
    for count in map(int, args.devices.split(",")):
        args.batch, args.micro_batch = each * count, part * count
        rate = measure(args, jax.devices()[:count]) / count
        alone = alone or rate
        timing.line("scaling", config=args.config, used=count, efficiency=rate / alone)


def beside(args: argparse.Namespace) -> None:
    """This commit and another in turns; medians of three, ours over theirs."""
    ours, found = pathlib.Path(__file__).parents[2], {}
    for _ in range(3):
        for root in (ours, args.against.absolute()):
            command = [sys.executable, __file__, "--raw"]
            command += passed_on(args, "config", "steps", "batch", "attention", "remat")
            env = os.environ | {"PYTHONPATH": f"{root}:{pathlib.Path(__file__).parent}"}
            done = subprocess.run(
                command, cwd=root, env=env, stdout=subprocess.PIPE, text=True, check=True
            )
            found.setdefault(root, []).append(json.loads(done.stdout.splitlines()[-1]))
    names = ("step_s", "compile_s", "peak_gb")
    middle = {
        root: {n: sorted(turn[n] for turn in turns)[1] for n in names}
        for root, turns in found.items()
    }
    theirs = middle[args.against.absolute()]
    ratios = {f"{n}_by_other": middle[ours][n] / theirs[n] for n in names}
    timing.line("beside", config=args.config, **middle[ours], **ratios)


if __name__ == "__main__":
    main()
