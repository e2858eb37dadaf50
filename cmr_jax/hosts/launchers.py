"""Which process of how many this is, and who the others are: read from what a launcher has set.

Looks at the environment, and on a TPU machine through JAX at Google's metadata; meets nobody.
"""

import itertools
import logging
import os
import re
import socket
from typing import NamedTuple

log = logging.getLogger(__name__)

FLAGS = "--coordinator=HOST:PORT --processes=N --process=I"


class Place(NamedTuple):
    """This process among all; `names` are hosts by process, None where nothing tells."""

    coordinator: str  # HOST:PORT of process 0
    processes: int
    process: int
    names: tuple[str | None, ...]
    devices: str  # how JAX finds this process's own devices: a cluster_detection_method


def find(
    coordinator: str | None, processes: int | None, process: int | None, timeout_s: float
) -> Place | None:
    """The place of this process; None where it is the only one."""
    given = (coordinator, processes, process)
    if any(value is not None for value in given):
        return _from_flags(*given)
    return _from_slurm() or _from_jax(timeout_s)


def _checked(coordinator: str, said_by: str) -> str:
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"{said_by}={coordinator} is not HOST:PORT.")
    return coordinator


def _told() -> str | None:
    """What JAX's own variable says."""
    said = os.environ.get("JAX_COORDINATOR_ADDRESS")
    return _checked(said, "JAX_COORDINATOR_ADDRESS") if said else None


def _from_flags(coordinator: str | None, processes: int | None, process: int | None) -> Place:
    if coordinator is None or processes is None or process is None:
        raise ValueError(f"many processes need all three of {FLAGS}.")
    host = _checked(coordinator, "--coordinator").rpartition(":")[0]
    if not 0 <= process < processes:
        raise ValueError(f"--process={process} is not one of 0 to {processes - 1}.")
    names = _numbered(host, processes, process)
    return Place(coordinator, processes, process, names, _slurm_devices())


def _numbered(host: str, processes: int, process: int) -> tuple[str | None, ...]:
    """Names as a JobSet gives them, NAME-0.DOMAIN, NAME-1.DOMAIN, if our own is so made."""
    first, dot, domain = host.partition(".")
    if first.endswith("-0") and socket.gethostname().split(".")[0] == f"{first[:-1]}{process}":
        return tuple(f"{first[:-1]}{i}{dot}{domain}" for i in range(processes))
    return (host, *[None] * (processes - 1))


def _slurm_tasks() -> int:
    # Not SLURM_NTASKS: it speaks of the allocation, and is there (as are the ranks that JAX looks
    # for) in the one shell of `salloc` and in the script of `sbatch`, which are alone.
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))


def _slurm_devices() -> str:
    """One GPU for each task, by its rank on the node; if only one is in sight, that one."""
    alone = "," not in os.environ.get("CUDA_VISIBLE_DEVICES", ",")
    return "deactivate" if alone or _slurm_tasks() == 1 else "slurm"


def _from_slurm() -> Place | None:
    """A task of `srun` with several."""
    processes = _slurm_tasks()
    if processes == 1:
        return None
    job, step, process, nodes = (
        os.environ[f"SLURM_{name}"] for name in ("JOB_ID", "STEP_ID", "PROCID", "STEP_NODELIST")
    )
    hosts = expand_nodes(nodes)
    counts = expand_counts(os.environ.get("SLURM_STEP_TASKS_PER_NODE", ""))
    names: tuple[str | None, ...] = (hosts[0], *[None] * (processes - 1))
    # Tasks fill one node after the other, unless the user has asked for something else.
    by_block = os.environ.get("SLURM_DISTRIBUTION", "block").startswith("block")
    if by_block and sum(counts) == processes and len(counts) == len(hosts):
        names = tuple(h for h, count in zip(hosts, counts, strict=True) for _ in range(count))
    # Above the ports that the kernel hands out; another for each step of a job.
    port = os.environ.get("JAX_COORDINATOR_PORT") or 61440 + (int(job) + int(step)) % 4096
    coordinator = _told() or f"{hosts[0]}:{port}"
    return Place(coordinator, processes, int(process), names, _slurm_devices())


def expand_nodes(text: str) -> list[str]:
    """`a[08-10,12],b` is a08 a09 a10 a12 b."""
    names = []
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", text):
        pieces = re.split(r"\[([^\]]*)\]", part)  # every second one stood in brackets
        choices = [_numbers(p) if i % 2 else [p] for i, p in enumerate(pieces)]
        names += ["".join(choice) for choice in itertools.product(*choices)]
    return names


def _numbers(ranges: str) -> list[str]:
    found = []
    for one in ranges.split(","):
        low, _, high = one.partition("-")
        found += [f"{n:0{len(low)}d}" for n in range(int(low), int(high or low) + 1)]
    return found


def expand_counts(text: str) -> list[int]:
    """`4(x2),1` is 4 4 1."""
    found = re.findall(r"(\d+)(?:\(x(\d+)\))?", text)
    return [int(count) for count, times in found for _ in range(int(times or 1))]


def _from_jax(timeout_s: float) -> Place | None:
    """Open MPI, and TPUs under GKE or on Google's machines, as JAX itself finds them."""
    # Public JAX says who we are only after all have come: too late to name one that did not.
    try:
        from jax._src import clusters
    except ImportError:  # private: another version of JAX may have it elsewhere
        log.warning(
            "this version of JAX does not say what cluster it runs in. Under Open MPI or on a TPU pod, "
            "give %s.",
            FLAGS,
        )
        return None

    for kind, devices in (
        ("OmpiCluster", "ompi"),
        ("GkeTpuCluster", "deactivate"),
        ("GceTpuCluster", "deactivate"),
    ):
        cluster = getattr(clusters, kind, None)
        if cluster is None or not cluster.is_env_present():
            continue
        processes = cluster.get_process_count()
        if processes == 1:
            return None
        coordinator = cluster.get_coordinator_address(
            timeout_secs=timeout_s, override_coordinator_port=os.environ.get("JAX_COORDINATOR_PORT")
        )
        listed = getattr(cluster, "_get_worker_list_in_slice", list)()
        # Of several slices, this one's names are known.
        names: list[str | None] = [None] * processes
        process = cluster.get_process_id()
        if listed:
            start = process // len(listed) * len(listed)
            names[start : start + len(listed)] = listed
        coordinator = _told() or coordinator
        return Place(coordinator, processes, process, tuple(names), devices)
    return None
