"""One save: state, data position, tokenizer and config together.  Orbax lives here and in export."""

import json
import pathlib
import socket
import time
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from cmr_jax import config
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.types import TrainState

FOLDER = "checkpoints"
CONFIG_FILE = "config.json"


class Checkpoints:
    """The checkpoints of one workdir."""

    def __init__(self, workdir: pathlib.Path, keep: int = 2):
        self.workdir = workdir.absolute()
        self._manager = ocp.CheckpointManager(
            self.workdir / FOLDER,
            options=ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=True),
            item_handlers={
                "state": ocp.StandardCheckpointHandler(),
                "data": ocp.JsonCheckpointHandler(),
                "config": ocp.JsonCheckpointHandler(),
            },
        )

    def save(self, state: TrainState, data: dict[str, Any], cfg: config.Experiment) -> None:
        """Starts a save in the background; a kill during it leaves the one before."""
        self._manager.save(
            int(state.step),
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(_kept(state)),
                data=ocp.args.JsonSave(data),
                config=ocp.args.JsonSave(config.to_json(cfg)),
            ),
        )

    def restore(self, like: TrainState) -> tuple[TrainState, dict[str, Any]] | None:
        """The latest state in the shardings of `like` and the data position; None if there is none."""
        step = self._manager.latest_step()
        if step is None:
            return None
        stored = self._manager.item_metadata(step)["state"]
        if (stored.get("ema") is None) != (like.ema is None):
            has = "has no" if stored.get("ema") is None else "has a"
            raise ValueError(
                f"{self.workdir} {has} running mean of parameters, and optim.ema is "
                f"{'off' if like.ema is None else 'on'}. Set it as it was, or take another workdir."
            )
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, _kept(like))
        found = self._manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(abstract), data=ocp.args.JsonRestore()
            ),
        )
        return TrainState(**found["state"]), found["data"]

    def latest_step(self) -> int | None:
        """The step of the newest whole checkpoint."""
        return self._manager.latest_step()

    def params(self) -> dict[str, Any]:
        """Parameters of the newest checkpoint as numpy, whatever devices wrote them: their running
        mean, where the run kept one."""
        step = self._manager.latest_step()
        if step is None:
            raise ValueError(f"{self.workdir} has no checkpoint yet.")
        metadata = self._manager.item_metadata(step)["state"]
        abstract = jax.tree.map(
            lambda m: jax.ShapeDtypeStruct(m.shape, m.dtype, sharding=_one_device()), metadata
        )
        found = self._manager.restore(
            step, args=ocp.args.Composite(state=ocp.args.StandardRestore(abstract))
        )
        return jax.tree.map(np.asarray, found["state"].get("ema") or found["state"]["params"])

    def close(self) -> None:
        """Waits for the save under way."""
        self._manager.close()


def _kept(state: TrainState) -> dict[str, Any]:
    """What there is of a state, by name."""
    return {name: part for name, part in state._asdict().items() if part is not None}


def any_in(workdir: pathlib.Path) -> bool:
    """Whether a run has saved something there.  Looks only, makes nothing."""
    return any(entry.name.isdigit() for entry in (workdir / FOLDER).glob("*"))


def _one_device() -> jax.sharding.Sharding:
    return jax.sharding.SingleDeviceSharding(jax.local_devices()[0])


def write_run_files(workdir: pathlib.Path, cfg: config.Experiment, tokenizer: Tokenizer) -> None:
    """What makes a workdir a model: its config and its tokenizer."""
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / CONFIG_FILE).write_text(json.dumps(config.to_json(cfg), indent=1) + "\n")
    tokenizer.save(workdir)


def check_run_files(workdir: pathlib.Path, timeout_s: float = 90) -> None:
    """Waits until the files that the first process wrote are seen here.

    A network file system may take a minute to show what another machine has made; a workdir that
    is not shared never does, which is an error.
    """
    deadline = time.monotonic() + timeout_s
    while not (workdir / CONFIG_FILE).exists():
        if time.monotonic() > deadline:
            raise ValueError(
                f"{socket.gethostname()} does not see {workdir / CONFIG_FILE}, which process 0 has "
                "made. --workdir must lie on a file system that all hosts share."
            )
        time.sleep(1)
