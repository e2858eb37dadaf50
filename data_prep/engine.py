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

    def _options(self, *more: str) -> PipelineOptions:
        """Beam's options; workers elsewhere would else log elements that fail, which hold headers."""
        rest = [a for a in self.rest if not a.startswith("--runner")]
        quiet = "--default_sdk_harness_log_level=ERROR"
        return PipelineOptions([*rest, *more, quiet], pickle_library="cloudpickle")

    def for_jobs(self, jobs: int, worth_a_worker: int) -> Engine:
        """Options and runner for some jobs; a worker process takes seconds to start, so that each
        must have enough to do (`worth_a_worker` jobs) to be worth it."""
        named = next((a for a in self.rest if a.startswith("--runner")), "")
        if runner := named.partition("=")[2]:
            if runner != "DaskRunner":
                return self._options(), runner
            # Beam has it, but not among the names it knows.
            from apache_beam.runners.dask.dask_runner import DaskRunner

            return self._options(), DaskRunner()
        workers = self.workers or min(os.cpu_count() or 1, 1 + jobs // worth_a_worker)
        if workers == 1:
            return self._options(), FnApiRunner()
        command = f"{shlex.quote(sys.executable)} -m data_prep.worker"
        several = FnApiRunner(SubprocessSDKEnvironment.from_command_string(command))
        return self._options(f"--direct_num_workers={workers}"), several
