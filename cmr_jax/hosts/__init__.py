"""Several processes as one run: they join, meet at barriers, and end together.

    with hosts.together():
        hosts.join()
        ...
        hosts.barrier("workdir made")

Without a launcher of several processes there is one process, nothing to wait for and no network.
What is computed together is JAX's; this says who is missing, and what ended the run.
"""

import contextlib
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator

import jax
from jax.experimental import multihost_utils

from cmr_jax.hosts import launchers, leader
from cmr_jax.hosts.leaving import EXIT_CODE, Leaving, told, watched
from cmr_jax.hosts.member import Member

__all__ = ["EXIT_CODE", "Leaving", "asked", "barrier", "is_first", "join", "together", "watched"]

BARRIER_S = 600.0
JOIN_S = 300.0
_GRACE_S = 2.0

_member: Member | None = None


def join(
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    timeout_s: float = JOIN_S,
) -> None:
    """Meets the other processes of this run, before the first look at a device.

    Who they are is told by the arguments (HOST:PORT of process 0, how many, which of them this
    is), or else by Slurm, Open MPI or the TPU's environment.  A TimeoutError names who did not
    come.
    """
    global _member
    place = launchers.find(coordinator, processes, process, timeout_s)
    if place is None or place.processes == 1:
        return
    member = Member(place, timeout_s)
    host, _, port = member.coordinator.rpartition(":")
    _past_proxies(host)
    # It would take SIGTERM for itself, and fixes the step to leave at before a run knows its own.
    jax.config.update("jax_enable_preemption_service", False)
    jax.distributed.initialize(
        member.coordinator,
        place.processes,
        place.process,
        initialization_timeout=int(timeout_s) + 1,
        cluster_detection_method=place.devices,
        coordinator_bind_address=f"127.0.0.1:{port}" if host in leader.LOOPBACK else None,
    )
    _member = member
    if place.process:
        _only_warnings(place.process)


def is_first() -> bool:
    """Whether this process speaks and writes for all."""
    return jax.process_index() == 0


def barrier(name: str, timeout_s: float = BARRIER_S) -> None:
    """Waits until all processes are here.  A TimeoutError names the hosts that did not come."""
    if _member:
        _member.barrier(name, timeout_s)
    elif jax.process_count() > 1:  # joined by somebody else's jax.distributed.initialize
        multihost_utils.sync_global_devices(name)


def asked() -> bool:
    """Whether to leave now: at one and the same call in all processes, and at every later one.

    All call it equally often, under `watched`.  Any of them may have been asked.
    """
    if _member:
        return _member.leaves(told())
    # Joined by somebody else's jax.distributed.initialize, they have no line to agree on it.
    return told() and jax.process_count() == 1


@contextlib.contextmanager
def together() -> Iterator[None]:
    """The whole of a program: what ends one process ends all, with a word and a non-zero code."""
    try:
        yield
    except SystemExit as error:
        if error.code == EXIT_CODE:  # all leave, at the same step
            _part()
        elif _member and error.code:
            _end(_member, error)
        raise
    except BaseException as error:
        if _member:
            _end(_member, error)
        raise
    _part()


def _part() -> None:
    """The orderly end: all have come this far."""
    global _member
    if _member:
        _member.leave(BARRIER_S)
        jax.distributed.shutdown()
        _member.close()
        _member = None


def _end(member: Member, error: BaseException) -> None:
    """Leaves at once: on the usual way out JAX would wait minutes for processes that cannot come."""
    told = isinstance(error, SystemExit)  # the command line has said it in one line
    if not told:
        time.sleep(_GRACE_S)  # a broken collective is news of another's end: let that be the word
        traceback.print_exception(error)
    cause = error.__context__ if told and error.__context__ else error
    member.fail(f"failed ({' '.join(f'{type(cause).__name__}: {cause}'.split())[:300]})")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1)


def _past_proxies(host: str) -> None:
    """The line to process 0 is inside the cluster: a proxy for the world outside is not asked."""
    known = [os.environ.get(name, "") for name in ("no_grpc_proxy", "no_proxy", "NO_PROXY")]
    os.environ["no_grpc_proxy"] = ",".join([host, *filter(None, known)])  # noqa: SIM112
    jax.config.update("jax_check_proxy_envs", False)


def _only_warnings(process: int) -> None:
    for handler in logging.getLogger().handlers:
        handler.setFormatter(logging.Formatter(f"process {process}: %(message)s"))
    logging.getLogger("cmr_jax").setLevel(logging.WARNING)
