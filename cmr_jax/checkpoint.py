"""One save: state, data position, provenance and checksums together.  Orbax lives here and in export."""

import json
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

from cmr_jax.provenance import Provenance
from cmr_jax.sharding import path_of
from cmr_jax.types import TrainState

FOLDER = "checkpoints"
BEST = "val/mrr"  # of a save's metrics: the more, the better
WORST = -1.0  # of a save without a look at the val split


class Saved(NamedTuple):
    """What a checkpoint holds beside the state."""

    data: dict[str, Any]  # position of the loader after the step
    provenance: Provenance
    skipped: int = 0  # steps so far that changed nothing, because something was not finite


class Checkpoints:
    """The checkpoints of one workdir: the newest ones, and the best.

    Whoever does not write says so: else what looks unfinished is cleared away, and a run may be
    writing it.
    """

    def __init__(
        self, workdir: pathlib.Path, keep: int = 2, keep_best: int = 1, writes: bool = True
    ):
        self.workdir = workdir.absolute()
        best = policies.BestN(get_metric_fn=lambda metrics: metrics[BEST], n=keep_best)
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(keep), best]),
            best_fn=best.get_metric_fn,
            enable_async_checkpointing=True,
            create=writes,
            cleanup_tmp_directories=writes,  # what a kill has left
        )
        handlers = {
            "state": ocp.StandardCheckpointHandler(),
            "run": ocp.JsonCheckpointHandler(),
        }
        try:
            self._manager = ocp.CheckpointManager(
                self.workdir / FOLDER, options=options, item_handlers=handlers
            )
        except OSError:
            raise
        except Exception as error:  # of a damaged file of metrics
            raise self._damaged(_unreadable(self.workdir), error) from error

    def save(
        self, state: TrainState, saved: Saved, metrics: dict[str, float] | None = None
    ) -> None:
        """Starts a save in the background; a kill during it leaves the one before."""
        run = saved._asdict() | {"provenance": saved.provenance._asdict()}
        run["checksums"] = checksums(_kept(state))
        step = int(state.step)
        try:
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(_kept(state)), run=ocp.args.JsonSave(run)
                ),
                metrics={BEST: WORST} | (metrics or {}),
            )
        except Exception as error:  # Orbax passes on whatever its storage raises
            raise self._unwritten(step, error) from error

    def latest(self) -> Saved | None:
        """What the newest whole checkpoint holds beside the state; None if there is none."""
        step = self._manager.latest_step()
        if step is None:
            return None
        run = self._read(step, run=ocp.args.JsonRestore())["run"]
        return Saved(run["data"], Provenance(**run["provenance"]), run["skipped"])

    def restore(self, like: TrainState) -> TrainState:
        """The latest state in the shardings of `like`, on however many devices it was saved."""
        step = self._some_step()
        stored = self._shapes(step)
        if (stored.get("ema") is None) != (like.ema is None):
            has = "has no" if stored.get("ema") is None else "has a"
            raise ValueError(
                f"{self.workdir} {has} running mean of parameters, and optim.ema is "
                f"{'off' if like.ema is None else 'on'}. Set it as it was, or take another workdir."
            )
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, _kept(like))
        return TrainState(**self._verified(step, abstract))

    def checksums(self) -> dict[str, int]:
        """Of the newest state, array by array, as they were taken when it was saved."""
        return self._read(self._some_step(), run=ocp.args.JsonRestore())["run"]["checksums"]

    def latest_step(self) -> int | None:
        """The step of the newest whole checkpoint."""
        return self._manager.latest_step()

    def best_step(self) -> int | None:
        """The step of the best checkpoint; None where nothing was validated."""
        return self._manager.best_step()

    def params(self, step: int | None = None) -> dict[str, Any]:
        """Parameters of a checkpoint (the newest) as numpy, whatever devices wrote them: their
        running mean, where the run kept one."""
        step = self._some_step() if step is None else step
        abstract = jax.tree.map(
            lambda m: jax.ShapeDtypeStruct(m.shape, m.dtype, sharding=_one_device()),
            self._shapes(step),
        )
        found = self._verified(step, abstract)
        return jax.tree.map(np.asarray, found.get("ema") or found["params"])

    def close(self) -> None:
        """Waits for the save under way."""
        try:
            self._manager.wait_until_finished()
            self._manager.close()
        except Exception as error:  # as in `save`
            raise self._unwritten(self._manager.latest_step(), error) from error

    def _some_step(self) -> int:
        step = self._manager.latest_step()
        if step is None:
            raise ValueError(f"{self.workdir} has no checkpoint yet.")
        return step

    def _read(self, step: int, **items: Any) -> Any:
        """Items of a checkpoint; a ValueError that names it where they cannot be read."""
        try:
            return self._manager.restore(step, args=ocp.args.Composite(**items))
        except Exception as error:  # Orbax passes on whatever damage looks like
            raise self._damaged(step, error) from error

    def _shapes(self, step: int) -> dict[str, Any]:
        try:
            return dict(self._manager.item_metadata(step)["state"])
        except Exception as error:
            raise self._damaged(step, error) from error

    def _verified(self, step: int, abstract: dict[str, Any]) -> dict[str, Any]:
        """The state, if it is bit for bit what was saved."""
        items = {"state": ocp.args.StandardRestore(abstract), "run": ocp.args.JsonRestore()}
        found = self._read(step, **items)
        wanted = found["run"]["checksums"]
        for name, value in checksums(found["state"]).items():
            if wanted.get(name) != value:
                raise self._damaged(step, f"{name} is not what was saved")
        return found["state"]

    def _damaged(self, step: int | str, reason: object) -> ValueError:
        others = [n for n in steps_in(self.workdir) if n != step]
        rest = f"to use that of step {others[-1]}" if others else "to start anew"
        return ValueError(
            f"the checkpoint {self.workdir / FOLDER / str(step)} is damaged: {_brief(reason)}. "
            f"Remove that folder {rest}."
        )

    def _unwritten(self, step: int | None, reason: object) -> ValueError:
        good = [n for n in steps_in(self.workdir) if n != step]
        last = f"that of step {good[-1]} is good" if good else "there is none before it"
        return ValueError(
            f"the checkpoint of step {step} cannot be written to {self.workdir / FOLDER}: "
            f"{_brief(reason)}. Make room or mend the folder, and start again; {last}."
        )


def steps_in(workdir: pathlib.Path) -> list[int]:
    """The steps of whole checkpoints, in order.  Looks only, makes nothing."""
    return sorted(int(p.name) for p in (workdir / FOLDER).glob("*") if p.name.isdigit())


def _unreadable(workdir: pathlib.Path) -> int | str:
    """The first checkpoint with a file of metrics that is none; a word where there is none such."""
    for step in steps_in(workdir):
        try:
            json.loads((workdir / FOLDER / str(step) / "metrics" / "metrics").read_bytes())
        except (OSError, ValueError):
            return step
    return "?"


def checksums(tree: Any) -> dict[str, int]:
    """A number for the bits of every array, by path: the same on whatever devices it lies.

    Each element counts with an odd weight of its own, so that no single change goes unseen, nor
    two that trade places.
    """
    return {name: int(value) for name, value in _checksums(tree).items()}


@jax.jit
def _checksums(tree: Any) -> dict[str, jax.Array]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {path_of(keys): _checksum(leaf) for keys, leaf in leaves}


def _checksum(x: jax.Array) -> jax.Array:
    width = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}[x.dtype.itemsize]
    x = x.astype(jnp.uint8) if x.dtype == bool else x
    bits = jax.lax.bitcast_convert_type(x, width).astype(jnp.uint32)
    place, stride = jnp.zeros(x.shape, jnp.uint32), 1
    for axis in reversed(range(x.ndim)):
        at = jax.lax.broadcasted_iota(jnp.uint32, x.shape, axis)
        place, stride = place + at * jnp.uint32(stride % (1 << 32)), stride * x.shape[axis]
    return (bits * (2 * place + 1)).sum(dtype=jnp.uint32)  # modulo 2 ** 32


def _kept(state: TrainState) -> dict[str, Any]:
    """What there is of a state, by name."""
    return {name: part for name, part in state._asdict().items() if part is not None}


def _brief(reason: object) -> str:
    """The first words of an error: those of storage libraries run over pages."""
    words = " ".join(str(reason).split()) or type(reason).__name__
    return words if len(words) < 200 else words[:200] + " ..."


def _one_device() -> jax.sharding.Sharding:
    return jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
