"""What preparing an exam costs, beside the published toolkit and dcm2niix, on the same files.

    python tests/benchmarks/prep.py --peer CMR_TOOLKIT_CHECKOUT --peer-python VENV/bin/python

Every side works on all exams and on one of them, in turns and each on one core; what one more
exam costs is the difference over the number of exams between, so that start-up is told apart.
Seconds are of CPU (user and system, of the whole tree of processes): the machine may be busy.
The jobs are not the same: ours crops 224 pixels around the heart at 1.25 mm, de-identifies and
writes ArrayRecord, the toolkit writes HDF5 of 360 pixels, dcm2niix whole NIfTI files.  The
toolkit runs from a copy of its scripts; without --peer ours and dcm2niix are measured alone.
Every file was just written, so reading comes from memory.  Linux only: taskset and /proc.
"""

import argparse
import functools
import json
import os
import pathlib
import secrets
import shutil
import sys
import tempfile

import prep_exams
from prep_costs import PAGES, ROOT, Costs, Run, measure

TARGET_CPU_S = 0.4  # an exam of 300 images
PROJECTIONS = ((13_000, 64), (1_000_000, 1_000))  # exams, cores
BUILD_OPTIONS = ["--keep", "all", "--keep-unpaired", "--site", "bench"]
BUILD_OPTIONS += ["--size", "224", "--spacing-mm", "1.25"]
PEER_CONFIG = """bench:
  tmp_dir: {}
global_settings:
  bucket_name: none
"""
PYDICOM = """import pathlib, sys, pydicom
from data_prep.read import attributes
for file in pathlib.Path(sys.argv[1]).rglob("*.dcm"):
    dataset = pydicom.dcmread(file, stop_before_pixels=True)
    [dataset.get(keyword) for keyword in attributes.KEYWORDS]
"""


class Sides:
    """The commands, by name; each is given whether all exams are meant, and a folder to fill."""

    def __init__(self, args: argparse.Namespace, work: pathlib.Path):
        self._args, self._work = args, work
        self._dicom, self._archives = work / "dicom", work / "archives"
        prep_exams.write(self._dicom, args.exams, self._archives)
        self._key = work / "key"
        self._key.write_bytes(secrets.token_bytes(32))
        self._key.chmod(0o600)
        first = min(self._archives.iterdir())
        self._one = work / "one"
        self._one.mkdir()
        os.link(first, self._one / first.name)
        self.made = {"ours": self._ours, "ours, no Beam": self._plain}
        self.made |= {"ours, from .tgz": self._packed, "ours, small shards": self._small}
        self.made |= {"ours, two workers": self._two, "pydicom, headers only": self._pydicom}
        if shutil.which("dcm2niix"):
            self.made["dcm2niix"] = self._dcm2niix
        if args.peer:
            self._copy_peer()
            self.made["cmr_toolkit, grey"] = functools.partial(self._peer, "grey")
        if args.peer and args.peer_rgb:
            self.made["cmr_toolkit, rgb"] = functools.partial(self._peer, "rgb")

    def megabytes(self) -> float:
        """Of DICOM, per exam."""
        sizes = [p.stat().st_size for p in self._dicom.rglob("*.dcm")]
        return sum(sizes) / self._args.exams / 1e6

    def _tree(self, whole: bool) -> str:
        return str(self._dicom if whole else min(self._dicom.iterdir()))

    def _build(self, start: list[str], source: str, out: pathlib.Path, workers: int = 1):
        options = ["--dicom", source, "--key-file", str(self._key), "--workers", str(workers)]
        return [sys.executable, *start, *options, *BUILD_OPTIONS, "--out", str(out / "data")]

    def _ours(self, whole: bool, out: pathlib.Path) -> list[str]:
        return self._build(["-m", "data_prep.build"], self._tree(whole), out)

    def _plain(self, whole: bool, out: pathlib.Path) -> list[str]:
        return self._build([str(ROOT / "tests/benchmarks/prep_plain.py")], self._tree(whole), out)

    def _packed(self, whole: bool, out: pathlib.Path) -> list[str]:
        return self._build(
            ["-m", "data_prep.build"], str(self._archives if whole else self._one), out
        )

    def _small(self, whole: bool, out: pathlib.Path) -> list[str]:
        return [*self._ours(whole, out), "--exams-per-shard", "1"]

    def _two(self, whole: bool, out: pathlib.Path) -> list[str]:
        command = self._build(["-m", "data_prep.build"], self._tree(whole), out, workers=2)
        return [*command, "--exams-per-shard", "1"]  # else there is nothing to share out

    def _pydicom(self, whole: bool, out: pathlib.Path) -> list[str]:
        return [sys.executable, "-c", PYDICOM, self._tree(whole)]

    def _dcm2niix(self, whole: bool, out: pathlib.Path) -> list[str]:
        return ["dcm2niix", "-z", "n", "-o", str(out), self._tree(whole)]

    def _peer(self, channels: str, whole: bool, out: pathlib.Path) -> list[str]:
        script = self._work / "peer/utils/preprocess_mri.py"
        folder = self._archives if whole else self._one
        command = [self._args.peer_python, str(script), "-r", str(folder), "-o", str(out)]
        return [*command, "-c", "1", "-i", "stanford", "--channels", channels]

    def _copy_peer(self) -> None:
        """Its settings lie beside its scripts, and the checkout is not ours to write to."""
        home = self._work / "peer"
        shutil.copytree(self._args.peer / "utils", home / "utils")
        (home / "tmp").mkdir()
        (home / "local_config.yaml").write_text(PEER_CONFIG.format(home / "tmp"))


def main() -> None:
    """Measures every side, all turns, and prints what follows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", type=pathlib.Path, help="checkout of cmr_toolkit")
    parser.add_argument("--peer-python", default=sys.executable, help="Python with what it needs")
    parser.add_argument("--peer-rgb", action="store_true", help="its default mode too: slow")
    parser.add_argument("--exams", type=int, default=8, help="at least 2")
    parser.add_argument("--turns", type=int, default=2)
    args = parser.parse_args()
    if args.exams < 2:
        parser.error("--exams: at least 2, start-up is told apart by one exam against the others")
    with tempfile.TemporaryDirectory() as folder:
        sides = Sides(args, pathlib.Path(folder))
        print(f"{args.exams} exams of {prep_exams.IMAGES} images, {sides.megabytes():.0f} MB each")
        runs: dict[tuple[str, bool], list[Run]] = {}
        for turn in range(args.turns):
            load = ", ".join(f"{v:.1f}" for v in os.getloadavg())
            print(f"turn {turn + 1}: load {load} on {os.cpu_count()} cores", flush=True)
            for name, command in sides.made.items():
                for whole in (True, False):
                    out = pathlib.Path(folder, "out")
                    out.mkdir()
                    cores = "0,1" if name == "ours, two workers" else "0"
                    run = measure(command(whole, out), cores)
                    check(name, out, args.exams if whole else 1)
                    shutil.rmtree(out)
                    runs.setdefault((name, whole), []).append(run)
        report(Costs(runs, args.exams), sides.megabytes())


def check(name: str, out: pathlib.Path, exams: int) -> None:
    """A side that did not do its work is not measured."""
    if name.startswith("ours"):
        manifest = json.loads((out / "data/manifest.json").read_text())
        made = manifest["account"]["exams_written"]
    elif name.startswith("cmr_toolkit"):
        made = len(list(out.rglob("*.h5")))
    elif name == "dcm2niix":
        made = len(list(out.glob("*.nii"))) // prep_exams.SERIES
    else:
        return
    if made != exams:
        sys.exit(f"{name} wrote {made} of {exams} exams")


def report(costs: Costs, megabytes: float) -> None:
    """The table, ratios and projections."""
    one, steps = costs.more("ours"), costs.steps()
    lasting = one - steps[PAGES]
    print(
        f"{'':22}{'CPU-s: all':>11}{'one':>7}{'one more':>10}{'vs ours':>9}{'MiB':>6}"
        f"{'wall s':>8}   CPU-s of all, each turn"
    )
    for name in costs.names:
        turns = " ".join(f"{v:.1f}" for v in costs.each(name, "cpu_s"))
        print(
            f"{name:22}{costs.least(name, 'cpu_s'):11.1f}{costs.least(name, 'cpu_s', False):7.1f}"
            f"{costs.more(name):10.3f}{costs.more(name) / one:9.2f}"
            f"{max(costs.each(name, 'mib')):6.0f}{costs.least(name, 'wall_s'):8.1f}   {turns}"
        )
    print(f"\nours, one more exam: {one:.3f} CPU-s, {one / TARGET_CPU_S:.2f} of the target")
    shares = ", ".join(f"{k} {v:.3f}" for k, v in steps.items() if v >= 0.0005)
    beam = one - costs.more("ours, no Beam")
    print(f"its steps: {shares}; Beam {beam:+.3f} ({beam / one:+.0%})")
    print(f"past the first dozen, which the pages show: {lasting:.3f} CPU-s")
    for name in costs.names:
        if name.startswith(("cmr_toolkit", "dcm2niix")):
            whole = costs.least("ours", "cpu_s") / costs.least(name, "cpu_s")
            print(f"ours / {name}: {one / costs.more(name):.2f}, with start-up {whole:.2f}")
    ratio = costs.more("pydicom, headers only") / steps["Headers"]
    print(f"headers: pydicom alone takes {ratio:.1f} times as long")
    two, single = "ours, two workers", "ours, small shards"
    print(
        f"two workers, wall against one: {costs.least(two, 'wall_s') / costs.least(single, 'wall_s'):.2f}, "
        f"one more exam {costs.more(two, 'wall_s') / costs.more(single, 'wall_s'):.2f} "
        "(means little on a busy machine, or where there are few exams)"
    )
    print(
        f"memory: {max(costs.each('ours', 'mib')):.0f} MiB with one worker, "
        f"{max(costs.each(two, 'mib')):.0f} with two and the process that leads them"
    )
    for exams, cores in PROJECTIONS:
        print(
            f"projection from {lasting:.3f} CPU-s alone: {exams:,} exams on {cores:,} cores "
            f"{exams * lasting / cores / 60:.1f} min, reading {cores / lasting * megabytes / 1e3:.0f} GB/s"
        )


if __name__ == "__main__":
    main()
