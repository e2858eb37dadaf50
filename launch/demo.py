"""See it learn: phantom exams -> shards -> training -> evaluation -> export, and where to look.

Every step is the command line a user would type; this file only calls them in order.
"""

import argparse
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

SHARDS = "--spacing-mm 2.0 --size 64 --vocabulary 768"
PREP = f"{SHARDS} --splits train=0.735,val=0.085,test=0.18"
PREP_ELSEWHERE = f"{SHARDS} --splits test=1.0"

# XLA on a CPU asks the kernel for its scratch memory anew in every step; in large pages that is
# a fifth faster.
LARGE_PAGES = "glibc.malloc.hugetlb=1"


class Stages:
    """Runs commands, times them, remembers."""

    def __init__(self, cache: pathlib.Path) -> None:
        self.minutes: list[tuple[str, float]] = []
        self.env = os.environ | {
            # The same model is compiled once, not in every command.
            "JAX_COMPILATION_CACHE_DIR": str(cache.absolute()),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
            "GLIBC_TUNABLES": LARGE_PAGES,
        }

    def run(self, title: str, command: str) -> None:
        """One command; the demo ends where it fails."""
        print(f"\n== {title}\n   python -m {command}", flush=True)
        began = time.monotonic()
        code = subprocess.run(
            [sys.executable, "-m", *command.split()], env=self.env, check=False
        ).returncode
        if code:
            sys.exit(f"the demo stopped: {title} ended with exit code {code}")
        self.minutes.append((title, (time.monotonic() - began) / 60))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser("python -m launch.demo", description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/demo"))
    parser.add_argument("--short", action="store_true", help="a few minutes, for a quick check")
    args = parser.parse_args()
    out = args.out
    if out.exists():
        shutil.rmtree(out)
    phantom, config = (
        ("demo-short", "configs/smoke.py:short") if args.short else ("demo", "configs/smoke.py")
    )
    train = f"cmr_jax.train --config={config} --config.data.path={out}/data"
    # A control that must learn nothing: short runs are enough, one alone would be luck.
    repeats = 2 if args.short else 4
    stages = Stages(out / "compiled")
    stages.run(
        "some phantom exams as DICOM files, for the eye",
        f"data_prep.phantom --out {out}/phantom --profile demo --exams 4",
    )
    stages.run(
        "DICOM and reports to shards",
        f"data_prep.build --dicom phantom:{phantom} --site demo --out {out}/data {PREP}",
    )
    elsewhere = "phantom:elsewhere" + (":exams=60" if args.short else "")
    stages.run(
        "another hospital's exams, none of them to train on",
        f"data_prep.build --dicom {elsewhere} --site elsewhere --out {out}/elsewhere {PREP_ELSEWHERE}",
    )
    stages.run("training", f"{train} --workdir={out}/run")
    control = (
        f"--config.data.permute_reports --repeats={repeats} --config.run.seed=1 "
        "--config.data.batch=16 --config.optim.steps=30 --config.optim.warmup_steps=10"
    )
    stages.run(
        f"a control: {repeats} short runs on permuted reports",
        f"{train} {control} --workdir={out}/permuted",
    )
    stages.run(
        "evaluation on patients it never saw",
        f"cmr_jax.evaluate --weights={out}/run --data={out}/data --out={out}/eval "
        f"--permuted_weights={out}/permuted --external=elsewhere={out}/elsewhere",
    )
    stages.run(
        "export", f"cmr_jax.export --weights={out}/run --out={out}/export --format=safetensors"
    )
    print("\n== minutes by stage")
    for title, minutes in stages.minutes:
        print(f"   {minutes:5.1f}  {title}")
    print(f"   {sum(m for _, m in stages.minutes):5.1f}  in all")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"   {peak:5.1f}  GB of memory at the most, in one process")
    print(f"""
== look
   {out}/data/qc.html             what the preparation made of the exams
   {out}/eval/report.html         how good, how sure, for whom, and where it fails
   {out}/eval/results.json        the same as numbers
   {out}/phantom/dicom            a few of the exams as DICOM files, with their reports.csv

== try next
   python -m cmr_jax.train --config={config} --config.data.path={out}/data --workdir={out}/mine --config.optim.lr=3e-3
   python -m data_prep.build --help     your own exams and reports
""")


if __name__ == "__main__":
    main()
