"""What a command costs: CPU and memory of its whole tree of processes, and what follows."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parent.parent.parent
SAMPLE_S = 0.1
PAGES = "pages"  # a step of the plain loop


@dataclasses.dataclass(frozen=True)
class Run:
    """What one command took.  `told` are the CPU seconds of its steps, where it tells them."""

    cpu_s: float
    wall_s: float
    mib: float  # most that the tree held at once, shared pages counted once
    told: dict[str, float]


def measure(command: list[str], cores: str) -> Run:
    """Runs a command to its end on some cores."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "DEVICE_NAME": "bench"}
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            ["taskset", "-c", cores, *command],
            stdout=said,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
        peak = 0.0
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            peak = max(peak, held_mib(process.pid))
            time.sleep(SAMPLE_S)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = said.read().decode(errors="replace").splitlines()
    if process.returncode:
        sys.exit("\n".join([*lines[-20:], f"failed: {' '.join(command)}"]))
    told = [line for line in lines if line.startswith("{") and line.endswith("}")]
    steps = json.loads(told[-1]) if told and "prep_plain" in command[1] else {}
    return Run(usage.ru_utime + usage.ru_stime, wall, peak, steps)


def held_mib(session: int) -> float:
    """Memory of all processes of a session; what they share counts once."""
    total = 0
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) != session:
                continue
            total += int((folder / "smaps_rollup").read_text().split("Pss:")[1].split()[0])
        except (OSError, IndexError):
            continue  # it has just ended
    return total / 1024


class Costs:
    """Figures by side: the least of the turns, which the rest of the machine disturbed least."""

    def __init__(self, runs: dict[tuple[str, bool], list[Run]], exams: int):
        self._runs, self._exams = runs, exams
        self.names = [name for name, whole in runs if whole]

    def each(self, name: str, what: str, whole: bool = True) -> list[float]:
        """A figure in every turn."""
        return [getattr(run, what) for run in self._runs[name, whole]]

    def least(self, name: str, what: str, whole: bool = True) -> float:
        """The least of the turns."""
        return min(self.each(name, what, whole))

    def more(self, name: str, what: str = "cpu_s") -> float:
        """What one more exam costs."""
        rest = self._exams - 1
        return (self.least(name, what) - self.least(name, what, whole=False)) / rest

    def steps(self) -> dict[str, float]:
        """CPU seconds that one more exam takes in each step of the plain loop."""
        name = "ours, no Beam"
        best = [min(self._runs[name, w], key=lambda r: r.cpu_s).told for w in (True, False)]
        return {k: (best[0][k] - best[1].get(k, 0)) / (self._exams - 1) for k in best[0]}
