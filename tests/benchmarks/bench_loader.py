"""How fast batches come: `python tests/benchmarks/bench_loader.py [--reference PATH_TO_CHECKOUT]`.

A base-size model on one H200 would eat about 48 exams (3,100 frames of 224 x 224) a second; one
core should give twice that.  Frames here are the phantom's, prepared at 224 pixels.  Beside our
loader: a plain copy of a clip's bytes, and the published data path (github.com/Makiya11/CMRCLIP:
mp4 by decord, torchvision's transforms), whose Python, `--reference-python`, needs torch,
torchvision, decord and av.  All take turns, and medians of the rounds are told: CPU seconds are
those of a process with its readers.
"""

import argparse
import importlib.util
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

ROOT = pathlib.Path(__file__).parents[2]
EXAMS, BATCH, ROUNDS, BATCHES = 12, 4, 7, 24
COPIES = 50  # of each exam's record, all with the same frames
AHEAD = 8  # batches that are not counted: readers had time to fill their buffers before
WANTED_FRAMES_PER_S = 6200
FPS = 15  # of the reference's mp4 files; nothing reads it


class Took(NamedTuple):
    """What came in one turn, and in what time."""

    frames: int
    clips: int
    cpu: float
    wall: float


Side = Callable[[], Took]


def timed(take: Callable[[], int], clips: int, cpu: Callable[[], float]) -> Took:
    """Some batches of so many clips by one clock of CPU seconds; `take` says how many frames."""
    began, wall = cpu(), time.monotonic()
    frames = sum(take() for _ in range(BATCHES))
    return Took(frames, clips * BATCHES, cpu() - began, time.monotonic() - wall)


def line(name: str, turns: list[Took]) -> str:
    """A row of the table: medians."""
    cpu = statistics.median(t.frames / t.cpu for t in turns)
    wall = statistics.median(t.frames / t.wall for t in turns)
    frames = turns[0].frames / turns[0].clips
    return (
        f"{name:32}{cpu:14,.0f}{cpu / frames:9.1f}{wall:12,.0f}{wall / frames:9.1f}"
        f"{cpu / WANTED_FRAMES_PER_S:11.2f}"
    )


def ratio(turns: list[dict[str, Took]]) -> float:
    """One thread of ours by theirs, which has one, turn by turn: the machine's speed changes."""
    first, *_, last = turns[0]
    speeds = [[turn[side].frames / turn[side].cpu for side in (first, last)] for turn in turns]
    return statistics.median(ours / theirs for ours, theirs in speeds)


def main() -> None:
    """Prepares a few exams and reads them in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=pathlib.Path)
    parser.add_argument("--reference-python", default=sys.executable)
    parser.add_argument("--side", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        serve(args.reference, args.side)
        return
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "data")
        prepare(data)
        grow(data)
        clips = pathlib.Path(folder, "clips")
        write_clips(data, clips)
        sides: dict[str, Side] = {
            "ours, one thread": ours(data, threads=1),
            "ours, two threads": ours(data, threads=2),
            "ours, two workers": ours(data, threads=1, workers=2),
        }
        sides["a copy of the clips"] = copies()
        if args.reference:
            sides["published: decord, torchvision"] = theirs(args, clips)
        turns = [{name: side() for name, side in sides.items()} for _ in range(ROUNDS)]
        print(
            f"{'':32}{'frames/CPU-s':>14}{'clips':>9}{'frames/s':>12}{'clips':>9}{'of wanted':>11}"
        )
        for name in sides:
            print(line(name, [turn[name] for turn in turns]))
        if args.reference:
            print(f"ours beside the published, for a CPU second: {ratio(turns):.1f} times")
        sizes(data, clips)


def prepare(data: pathlib.Path) -> None:
    """Phantom exams as training data."""
    command = ["-m", "data_prep.build", "--dicom", f"phantom:clinical:exams={EXAMS}"]
    command += ["--site", "bench", "--out", str(data), "--splits", "train=1"]
    quiet = subprocess.DEVNULL
    subprocess.run([sys.executable, *command], check=True, stdout=quiet, stderr=quiet)


def grow(data: pathlib.Path) -> None:
    """As many exams as a site has: Grain takes 2 ms to draw one of a dozen, 30 us of a thousand."""
    folder = data / "exams"
    (shard,) = folder.glob("*.array_record*")
    stem = shard.name.removesuffix("-00000-of-00001")
    for number in range(COPIES):
        shutil.copy(shard, folder / f"{stem}-{number:05}-of-{COPIES:05}")
    shard.unlink()
    info = folder / "dataset_info.json"
    said = json.loads(info.read_text())
    said["splits"][0]["shardLengths"] *= COPIES
    info.write_text(json.dumps(said))


def ours(data: pathlib.Path, threads: int, workers: int = 0) -> Side:
    """Batches of configs/base.py; nobody else's readers run meanwhile."""
    from cmr_jax.data.pipeline import TrainBatches
    from cmr_jax.tokenizer import Tokenizer
    from configs import base

    cfg = base.get_config()
    cfg.data.path, cfg.data.batch = str(data), BATCH
    cfg.data.threads, cfg.data.workers = threads, workers

    def turn() -> Took:
        batches = TrainBatches(cfg, Tokenizer.load(data))
        for _ in range(AHEAD):
            next(batches)
        took = timed(lambda: int(next(batches).batch.frame_mask.sum()), BATCH, with_children)
        batches.close()
        return took

    return turn


def copies() -> Side:
    """Clips of the same size from one place in memory to another."""
    stored, placed = (np.full((BATCH, 64, 224, 224), fill, np.uint8) for fill in (1, 2))

    def copy() -> int:
        np.copyto(placed, stored)
        return BATCH * 64

    return lambda: timed(copy, BATCH, time.process_time)


def with_children() -> float:
    """CPU seconds of this process and those that it started."""
    import psutil

    here = psutil.Process()
    times = [p.cpu_times() for p in (here, *here.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def write_clips(data: pathlib.Path, out: pathlib.Path) -> None:
    """The published clip of each exam as the published preparation writes it."""
    import cv2

    from cmr_jax.data import published
    from cmr_jax.data.source import ExamSource

    out.mkdir()
    source = ExamSource(str(data), "train")
    for index in range(EXAMS):
        videos = [source.frames(s, i)[t] for s, i, t in published.frames_of(source[index])]
        codec = cv2.VideoWriter_fourcc(*"mp4v")  # pyright: ignore[reportAttributeAccessIssue]
        writer = cv2.VideoWriter(str(out / f"{index}.mp4"), codec, FPS, videos[0].shape[::-1])
        for picture in videos:
            writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
        writer.release()


def theirs(args: argparse.Namespace, clips: pathlib.Path) -> Side:
    """Their reading and transforms in a process of their own, which counts its own CPU."""
    command = [args.reference_python, __file__, "--reference", str(args.reference)]
    process = subprocess.Popen(
        [*command, "--side", str(clips)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    out, back = process.stdin, process.stdout
    told = {"cpu": 0.0}

    def take() -> int:
        out.write("\n")
        out.flush()
        told.update(json.loads(back.readline()))
        return int(told["frames"])

    take()  # and warm
    return lambda: timed(take, 1, lambda: told["cpu"])


def serve(reference: pathlib.Path, clips: pathlib.Path) -> None:
    """Runs in their Python: a clip for each line that comes."""

    def module(name: str):
        spec = importlib.util.spec_from_file_location(name, reference / f"{name}.py")
        assert spec
        assert spec.loader
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        return made

    import torch

    torch.set_num_threads(1)
    read = module("base/base_dataset").read_frames_decord
    transform = module("data_loader/transforms").init_transform_dict()["train"]
    paths = sorted(clips.glob("*.mp4"))
    for turn, _ in enumerate(sys.stdin):
        frames, _ = read(str(paths[turn % len(paths)]), 64)
        made = torch.zeros([64, 3, 224, 224])  # as their __getitem__ does
        made[: len(frames)] = transform(frames)
        print(json.dumps({"frames": len(frames), "cpu": time.process_time()}), flush=True)


def sizes(data: pathlib.Path, clips: pathlib.Path) -> None:
    """What an exam takes on disk, and would take otherwise."""
    import zstandard

    from cmr_jax.data.source import ExamSource

    source = ExamSource(str(data), "train")
    pack, raw, packed, frames = zstandard.ZstdCompressor(1), 0, 0, 0
    for exam in (source[i] for i in range(EXAMS)):
        for stack in exam.stacks:
            for i in range(len(stack.slice_mm)):
                video = source.frames(stack, i)
                raw, frames = raw + video.nbytes, frames + len(video)
                packed += len(pack.compress(video.tobytes()))
    shards = sum(p.stat().st_size for p in (data / "frames").glob("*array_record*"))
    films = sum(p.stat().st_size for p in clips.glob("*.mp4"))
    mib = 1 / EXAMS / (1 << 20)
    print(
        f"on disk, an exam of {frames / EXAMS:.0f} frames: {shards * mib:.1f} MiB "
        f"({raw * mib:.1f} of pixels as they are: any phase of a slice without decoding), "
        f"by zstd-1 {packed * mib:.1f}; the published clip of an exam as mp4 {films * mib:.2f}, "
        "which is lossy and has one slice of each cine"
    )


if __name__ == "__main__":
    main()
