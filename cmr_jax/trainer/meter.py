"""How fast a run is, what it waits for and how much memory it holds."""

import contextlib
import os
import pathlib
import time
from collections.abc import Iterator

import jax

from cmr_jax import config
from cmr_jax.planner import chips, flops

MEGA = 1e6


class Meter:
    """Speed of training between two reports, evaluations and saves left out."""

    def __init__(self, cfg: config.Experiment, mesh: jax.sharding.Mesh):
        self._batch = cfg.data.batch
        chip = chips.of_kind(jax.local_devices()[0].device_kind)
        # Model FLOP utilisation (Chowdhery 2022): what is published of a chip is all there is.
        self._flops = flops.training_flops(cfg).model if chip else 0.0
        self._peak = chip.peak * mesh.size if chip else 0.0
        self._step, self._time, self._waited = 0, time.monotonic(), 0.0

    def begin(self, step: int, waited: float) -> None:
        """Start from here: after the first step, which compiles."""
        self._step, self._time, self._waited = step, time.monotonic(), waited

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the time of the block out: that of an evaluation or a save."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._time += time.monotonic() - begun

    def report(self, step: int, waited: float) -> dict[str, float]:
        """Figures since the last report; no speed where no step was made."""
        steps, now = step - self._step, time.monotonic()
        values = memory()
        if steps > 0 and (seconds := now - self._time) > 0:
            values["time/exams_per_s"] = steps * self._batch / seconds
            values["time/wait_share"] = min(1.0, (waited - self._waited) / seconds)
            if self._peak:
                values["time/mfu"] = steps * self._flops / seconds / self._peak
        self.begin(step, waited)
        return values


def memory() -> dict[str, float]:
    """Megabytes that this process holds now, and the most that a device of it has held."""
    values = {}
    pages = pathlib.Path("/proc/self/statm")
    if pages.exists():
        values["memory/host_mb"] = (
            int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEGA
        )
    held = [device.memory_stats() or {} for device in jax.local_devices()]
    if peaks := [stats["peak_bytes_in_use"] for stats in held if "peak_bytes_in_use" in stats]:
        values["memory/device_mb"] = max(peaks) / MEGA
    return values
