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
from cmr_jax.config import AttentionKind, Remat
from cmr_jax.data import pipeline
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
    parser.add_argument("--attention", choices=[k.value for k in AttentionKind])
    parser.add_argument("--remat", choices=[r.value for r in Remat])
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
    if args.attention:
        cfg.model.attention = AttentionKind(args.attention)
    if args.remat:
        cfg.model.remat = Remat(args.remat)
    mesh = trainer.prepare(cfg, devices)
    with jax.set_mesh(mesh):
        state = step.init_state(cfg, mesh, pipeline.example_batch(cfg, mesh.size))
        batch = trainer.to_device(pipeline.example_batch(cfg, cfg.data.batch), mesh)
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
    size = args.micro_batch or jax.device_count()
    rest = [f"--config={args.config}", f"--steps={args.steps}"]
    rest += [
        f"--{name}={value}" for name in ("attention", "remat") if (value := getattr(args, name))
    ]
    while True:
        again = [sys.executable, __file__, *rest, f"--batch={2 * size}", f"--micro_batch={size}"]
        done = subprocess.run(again, capture_output=True, text=True, check=False)
        if done.returncode:
            why = done.stderr.strip().splitlines()[-1][:200]
            timing.line("largest", config=args.config, fits=size // 2, failed=why)
            return
        print(done.stdout, end="", flush=True)
        size *= 2


def scale(args: argparse.Namespace) -> None:
    """More devices, as many exams for each; efficiency is against the first number."""
    alone, each = None, args.batch or 8
    for count in map(int, args.devices.split(",")):
        args.batch = each * count
        rate = measure(args, jax.devices()[:count]) / count
        alone = alone or rate
        timing.line("scaling", config=args.config, used=count, efficiency=rate / alone)


def beside(args: argparse.Namespace) -> None:
    """This commit and another in turns; medians of three, ours over theirs."""
    ours, found = pathlib.Path(__file__).parents[2], {}
    for _ in range(3):
        for root in (ours, args.against.absolute()):
            command = [sys.executable, __file__, "--raw", f"--config={args.config}"]
            command += [f"--steps={args.steps}", *([f"--batch={args.batch}"] if args.batch else [])]
            env = os.environ | {"PYTHONPATH": f"{root}:{pathlib.Path(__file__).parent}"}
            done = subprocess.run(
                command, cwd=root, env=env, capture_output=True, text=True, check=True
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
