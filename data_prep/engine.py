"""The Beam runner for a job of some size: worker processes on this machine unless told otherwise."""

import contextlib
import dataclasses
import os
import pathlib
import shlex
import sys
import traceback
from collections.abc import Iterator

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment


class WorkerError(RuntimeError):
    """A worker failed; the message holds where, and no word of what it was working on."""


@contextlib.contextmanager
def withheld() -> Iterator[None]:
    """Turns what workers raise into where they raised it: messages may quote a header."""
    try:
        yield
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f for f in frames if "data_prep" in f.filename] or frames
        at = f"{pathlib.Path(ours[-1].filename).name}:{ours[-1].lineno}"
        raise WorkerError(f"{type(error).__name__} at {at}") from None


Engine = tuple[PipelineOptions, str | PipelineRunner]


@dataclasses.dataclass(frozen=True)
class Engines:
    """What the command line says of the engine: how many workers (0: as many as serve), and the
    options that are Beam's own."""

    workers: int
    rest: tuple[str, ...]

    def for_jobs(self, jobs: int, worth_a_worker: int) -> Engine:
        """Options and runner for some jobs; a worker process takes seconds to start, so that each
        must have enough to do (`worth_a_worker` jobs) to be worth it."""
        rest = list(self.rest)
        named = [a for a in rest if a.startswith("--runner")]
        runner: str | PipelineRunner = named[0].partition("=")[2] if named else "FnApiRunner"
        workers = self.workers or min(os.cpu_count() or 1, 1 + jobs // worth_a_worker)
        if not named and workers > 1:
            command = f"{shlex.quote(sys.executable)} -m data_prep.worker"
            runner = FnApiRunner(SubprocessSDKEnvironment.from_command_string(command))
            rest.append(f"--direct_num_workers={workers}")
        if runner == "DaskRunner":  # Beam has it, but not among the names it knows
            from apache_beam.runners.dask.dask_runner import DaskRunner

            runner = DaskRunner()
        # Workers elsewhere would log every start and stop, and elements that fail, which hold
        # headers.
        rest = [a for a in rest if a not in named] + ["--default_sdk_harness_log_level=ERROR"]
        return PipelineOptions(rest, pickle_library="cloudpickle"), runner
