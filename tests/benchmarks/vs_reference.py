"""Ours beside the published PyTorch code, on the same weights, inputs and machine, in one run.

    python tests/benchmarks/vs_reference.py --reference PATH_TO_CHECKOUT [--reference-python PYTHON]

The checkout is yours (github.com/Makiya11/CMRCLIP); its Python needs torch, transformers 4.25, timm
0.4.12 and safetensors.  Each side is a process of its own with the base model (ViT-B/16, BERT-base,
427 tensors of random numbers).  They take turns, A B A B, first checked to agree; what is printed
is ours over theirs: median time, CPU time, and peak memory above the loaded model.  32-bit floats,
2 threads, large pages.
"""

import argparse
import ctypes
import gc
import importlib.abc
import importlib.machinery
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import types
from unittest import mock

import numpy as np

ROOT = pathlib.Path(__file__).parents[2]
THREADS, TOKENS, AGREE = 2, 128, 5e-5


def main() -> None:
    """Runs both sides, or is one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=pathlib.Path, required=True)
    parser.add_argument("--reference-python", default=sys.executable)
    parser.add_argument("--frames", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ours-only", action="store_true", help="for looking into one side")
    parser.add_argument("--side", choices=sorted(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        serve(SIDES[args.side](args))
    else:
        compare(args)


def compare(args: argparse.Namespace) -> None:
    """Starts both sides and has them take turns."""
    with tempfile.TemporaryDirectory() as folder:
        make_weights(pathlib.Path(folder))
        pythons = {"ours": sys.executable, "theirs": args.reference_python}
        if args.ours_only:
            del pythons["theirs"]
        sides = {name: Side(name, python, folder) for name, python in pythons.items()}
        for name, side in sides.items():
            print(
                f"{name:7} loaded in {side.told['seconds']:.1f} s, {side.told['about']}", flush=True
            )
        head = f"{'':28}{'ours s':>9}{'theirs s':>10}{'time':>7}{'CPU':>7}{'memory':>8}   MiB"
        print(head, flush=True)
        for frames in args.frames:
            for task in ("forward", "backward"):
                row(task, frames, args, sides)
        for side in sides.values():
            side.close()


def row(task: str, frames: int, args: argparse.Namespace, sides: dict[str, "Side"]) -> None:
    """One line of the table."""
    job = {"task": task, "frames": frames, "batch": args.batch}
    made = {name: side.ask(job | {"check": True}) for name, side in sides.items()}  # and warm
    if len(made) == 2:
        for key in ("video", "text"):
            a, b = (np.array(made[n][key]) for n in ("ours", "theirs"))
            apart = np.abs(a - b).max() / np.abs(b).max()
            if not apart <= AGREE:
                sys.exit(f"{task}, {frames} frames: {key} differs by {apart:.1e}")
    times: dict[str, list[dict]] = {name: [] for name in sides}
    for _ in range(args.rounds):
        for name, side in sides.items():
            times[name].append(side.ask(job))
    wall, cpu, peak = (
        {n: statistics.median(t[key] for t in ts) for n, ts in times.items()}
        for key in ("wall", "cpu", "peak")
    )
    held = {n: ts[-1]["held"] for n, ts in times.items()}
    label = f"{task}, {frames} frames, batch {args.batch}"
    if args.ours_only:
        print(f"{label:28}{wall['ours']:9.2f}   {peak['ours']:.0f} MiB", flush=True)
        return
    ratios = (x["ours"] / x["theirs"] for x in (wall, cpu, peak))
    print(
        f"{label:28}{wall['ours']:9.2f}{wall['theirs']:10.2f}"
        + "{:7.2f}{:7.2f}{:8.2f}".format(*ratios)
        + f"   {peak['ours']:.0f} / {peak['theirs']:.0f} above {held['ours']:.0f} / {held['theirs']:.0f}"
        f"   apart {apart:.0e}",
        flush=True,
    )


class Side:
    """A process that does as it is asked, a line at a time."""

    def __init__(self, name: str, python: str, folder: str):
        limit = {k: str(THREADS) for k in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        # Large pages for both: one side asks the kernel for half a gigabyte at once, the other
        # for many small pieces, and small pages would be what is measured.
        limit["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
        self._process = subprocess.Popen(
            [python, __file__, *sys.argv[1:], "--side", name, "--weights", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | limit | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)},
        )
        self.told = self._read()

    def ask(self, job: dict) -> dict:
        """One job, done."""
        print(json.dumps(job), file=self._process.stdin, flush=True)
        return self._read()

    def close(self) -> None:
        """Lets it end."""
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> dict:
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        sys.exit("one side ended; its errors are above")


def serve(side) -> None:
    """Does jobs from standard input, tells times and memory.

    A job's memory is its peak above what the side holds between jobs: the model, its compiled
    programs and whatever its libraries keep.
    """
    print(json.dumps(side.about), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        inputs = make_inputs(job["frames"], job["batch"])
        run = side.forward if job["task"] == "forward" else side.backward
        # Once for nothing: memory that lay free while the other side worked comes back slowly (a
        # virtual machine lends it out), which steps that follow each other never see.
        run(inputs)
        side.forget()
        gc.collect()
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        held = memory("VmRSS")
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        wall, cpu = time.perf_counter(), time.process_time()
        video, text = run(inputs)
        told = {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "peak": memory("VmHWM") - held,
            "held": held,
        }
        if job.get("check"):
            told |= {"video": np.asarray(video).tolist(), "text": np.asarray(text).tolist()}
        print(json.dumps(told), flush=True)


def memory(what: str) -> float:
    """MiB, from the kernel's account of this process."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) / 1024


def make_inputs(frames: int, batch: int) -> dict[str, np.ndarray]:
    """Grey pictures and tokens: the same for both sides."""
    rng = np.random.default_rng(frames)
    return {
        "grey": rng.random((batch, frames, 224, 224, 1)).astype(np.float32),
        "tokens": rng.integers(1000, 28_000, (batch, TOKENS)).astype(np.int32),
        "mask": np.arange(TOKENS)[None] < np.full((batch, 1), TOKENS - 9),
    }


def make_weights(folder: pathlib.Path) -> None:
    """All 427 tensors, random, with a spread that keeps activations in range."""
    import safetensors.numpy

    from cmr_jax.config import published
    from cmr_jax.weights import published as names

    rng = np.random.default_rng(0)
    made = {}
    for entry in names.entries_of(published.experiment(1)):
        if not entry.places:
            made[entry.name] = entry.join(())
        elif "norm" in entry.name.lower() and entry.name.endswith("weight"):
            made[entry.name] = rng.normal(1, 0.1, entry.shape).astype(np.float32)
        else:
            made[entry.name] = rng.normal(0, 0.03, entry.shape).astype(np.float32)
    safetensors.numpy.save_file(made, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"video_params": {"num_frames": 64}}))
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n")


class Ours:
    """The reference config through the one door for weights."""

    def __init__(self, args: argparse.Namespace):
        import jax

        from cmr_jax import weights
        from cmr_jax.models import dual_encoder
        from cmr_jax.types import Batch, Coordinates

        before, began = memory("VmRSS"), time.perf_counter()
        loaded = weights.load(str(args.weights))
        seconds, peak = time.perf_counter() - began, memory("VmHWM") - before
        size = sum(f.stat().st_size for f in args.weights.glob("*.safetensors")) / 2**20
        self.about = {
            "seconds": seconds,
            "about": f"peak {peak:.0f} MiB for a file of {size:.0f} ({peak / size:.2f} times), "
            f"jax {jax.__version__}",
        }
        self.params = jax.device_put(loaded.params)
        model = loaded.config.model
        del loaded

        def batch(inputs: dict) -> Batch:
            b, t = inputs["grey"].shape[:2]
            whole, real = np.zeros((b, t), np.int32), np.zeros((b, t), np.float32)
            where = Coordinates(whole, whole, whole, real, real, real > 0, real + 1)
            return Batch(
                inputs["grey"],
                where,
                real == 0,
                inputs["tokens"][:, None],
                inputs["mask"][:, None],
                whole[:, :1],
                np.arange(b, dtype=np.int32),
                np.arange(b, dtype=np.int32),
            )

        def embed(params, inputs):
            e = dual_encoder.apply(model, params, batch(inputs))
            return e.video, e.text[:, 0]

        def loss(params, inputs):
            video, text = embed(params, inputs)
            return (video**2).sum() + (text**2).sum(), (video, text)

        self._embed = jax.jit(embed)
        self._pull = jax.jit(jax.value_and_grad(loss, has_aux=True))
        self._wait = jax.block_until_ready

    def forget(self) -> None:
        """Gradients are not kept."""

    def forward(self, inputs: dict):
        """Embeddings."""
        return self._wait(self._embed(self.params, inputs))

    def backward(self, inputs: dict):
        """Embeddings, and the gradient of every parameter."""
        (_, embedded), _ = self._wait(self._pull(self.params, inputs))
        return embedded


class Theirs:
    """The published code, unmodified; what it imports and does not need here is a stand-in."""

    def __init__(self, args: argparse.Namespace):
        sys.meta_path.append(_StandIns())
        sys.path.insert(0, str(args.reference))
        import timm
        import torch
        import transformers
        from safetensors.torch import load_file

        torch.set_num_threads(THREADS)
        bert = transformers.BertConfig(vocab_size=28_996)
        vit = timm.models.vision_transformer.vit_base_patch16_224
        began = time.perf_counter()
        # No downloads: both are built with random weights, and then given those of the file.
        with (
            mock.patch.object(
                transformers.AutoModel, "from_pretrained", return_value=transformers.BertModel(bert)
            ),
            mock.patch.object(
                timm.models.vision_transformer,
                "vit_base_patch16_224",
                return_value=vit(pretrained=False),
            ),
        ):
            from model.cmrclip import CMRCLIP

            self.model = CMRCLIP(
                {"model": "x", "num_frames": 64, "time_init": "rand", "pretrained": True},
                {"model": "bert"},
            )
        state = load_file(args.weights / "model.safetensors")
        known = self.model.state_dict()
        missing = [k for k in known if k not in state]
        if missing:
            sys.exit(f"their model has {missing[:3]}, which ours does not write")
        self.model.load_state_dict({k: v for k, v in state.items() if k in known}, strict=True)
        del state
        self.model.eval()
        self.torch = torch
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
        self.about = {
            "seconds": time.perf_counter() - began,
            "about": f"peak {peak:.0f} MiB of the whole process, {versions}",
        }

    def _batch(self, inputs: dict) -> dict:
        mean, spread = (
            np.array(v, np.float32) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        )
        video = np.moveaxis((inputs["grey"] - mean) / spread, -1, 2)
        tensor = self.torch.from_numpy
        text = {
            "input_ids": tensor(inputs["tokens"]).long(),
            "attention_mask": tensor(inputs["mask"]).long(),
        }
        return {"video": tensor(np.ascontiguousarray(video)), "text": text}

    def forget(self) -> None:
        """Gradients of the job before."""
        self.model.zero_grad(set_to_none=True)

    def forward(self, inputs: dict):
        """Embeddings."""
        with self.torch.no_grad():
            text, video = self.model(self._batch(inputs))
        return video, text

    def backward(self, inputs: dict):
        """Embeddings, and the gradient of every parameter."""
        text, video = self.model(self._batch(inputs))
        ((video**2).sum() + (text**2).sum()).backward()
        return video.detach(), text.detach()


class _StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules that are not installed, as objects that take anything."""

    # The published code takes negations out of a list of stop words as it is imported.
    STEMS = "are ai could did does do had has have is might must need sha should was were wo would"
    NAMES = ("nltk", "av", "cv2", "decord", "humanize", "psutil", "torchvision", "PIL", "dominate")

    def find_spec(self, fullname, path=None, target=None):
        """Only for what the published code imports at its top."""
        if fullname.split(".")[0] in self.NAMES:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        """A module whose every name is there."""
        module = types.ModuleType(spec.name)
        module.__path__ = []
        module.__getattr__ = lambda name: mock.MagicMock(name=name)
        if spec.name == "nltk":
            stems = self.STEMS.split()
            words = [f"{stem}n{end}" for stem in stems for end in ("", "'t")]
            words += ["no", "nor", "not"]
            module.corpus = mock.MagicMock()
            module.corpus.stopwords.words.return_value = words
        return module

    def exec_module(self, module):
        """Nothing to run."""


SIDES = {"ours": Ours, "theirs": Theirs}

if __name__ == "__main__":
    main()
