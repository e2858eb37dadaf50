"""What the benchmarks of training share: a timed call, the memory it took, one line of JSON."""

import json
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax


def seconds(call: Callable[[], Any], rounds: int) -> float:
    """Median wall time of a call, after one that is not counted."""
    jax.block_until_ready(call())
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def peak_bytes() -> int:
    """Of the first device since the process began; on a CPU, of the process."""
    found = jax.local_devices()[0].memory_stats() or {}
    return found.get("peak_bytes_in_use", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def line(bench: str, **values: Any) -> None:
    """One JSON object, floats to four digits."""
    device = jax.devices()[0]
    where = {"device": device.device_kind, "devices": jax.device_count(), "jax": jax.__version__}
    short = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in values.items()}
    print(json.dumps({"bench": bench, **where, **short}), flush=True)
