"""One save: state, data position, provenance and checksums together.  Orbax lives here and in export."""

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

from cmr_jax.hashing import checksums
from cmr_jax.provenance import Provenance
from cmr_jax.sharding import path_of
from cmr_jax.types import TrainState

FOLDER = "checkpoints"
BEST = "val/best"  # of a save's metrics: the more, the better
# Characters of a path under which TensorStore writes, and does not find it again (seen with Orbax 0.12).
UNREADABLE = "[]\\"
WORST = -1.0  # of a save without a look at the val split


class Saved(NamedTuple):
    """What a checkpoint holds beside the state."""

    data: dict[str, Any]  # position of the loader after the step
    provenance: Provenance
    skipped: int = 0  # steps so far that changed nothing, because something was not finite
    skipped_in_a_row: int = 0


class Checkpoints:
    """The checkpoints of one workdir: the newest ones, and the best.

    Whoever does not write says so: else what looks unfinished is cleared away, and a run may be
    writing it.
    """

    def __init__(
        self, workdir: pathlib.Path, keep: int = 2, keep_best: int = 1, writes: bool = True
    ):
        self.workdir = workdir.absolute()
        if wrong := sorted(set(str(self.workdir)) & set(UNREADABLE)):
            raise ValueError(
                f"checkpoints under {self.workdir} could not be read again: the storage library "
                f"takes {' '.join(wrong)} in a path for a pattern. Use a folder with another name."
            )
        self._writing: int | None = None  # the step that was handed over last
        best = policies.BestN(get_metric_fn=lambda metrics: metrics.get(BEST, WORST), n=keep_best)
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
            self._manager.wait_until_finished()  # else an error of the save before would be this one's
            self._writing = step
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(_kept(state)), run=ocp.args.JsonSave(run)
                ),
                metrics={BEST: WORST} | (metrics or {}),
            )
        except Exception as error:  # Orbax passes on whatever its storage raises
            raise self._unwritten(error) from error

    def latest(self) -> Saved | None:
        """What the newest whole checkpoint holds beside the state; None if there is none."""
        step = self._manager.latest_step()
        if step is None:
            return None
        run = self._read(step, run=ocp.args.JsonRestore())["run"]
        made_of = Provenance(**run["provenance"])
        return Saved(run["data"], made_of, run["skipped"], run["skipped_in_a_row"])

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
        self._check_fits(step, stored, abstract)
        return TrainState(**self._verified(step, abstract))

    def checksums(self) -> dict[str, int]:
        """Of the newest state, array by array, as they were taken when it was saved."""
        return self._read(self._some_step(), run=ocp.args.JsonRestore())["run"]["checksums"]

    def latest_step(self) -> int | None:
        """The step of the newest whole checkpoint."""
        return self._manager.latest_step()

    def best_step(self) -> int | None:
        """The step of the best checkpoint; None where nothing was validated."""
        step = self._manager.best_step()
        seen = step is not None and (self._manager.metrics(step) or {}).get(BEST, WORST) != WORST
        return step if seen else None

    def params(self, step: int | None = None) -> dict[str, Any]:
        """Parameters of a checkpoint (the newest) as numpy, whatever devices wrote them: their
        running mean, where the run kept one.  Nothing else of the state is read."""
        step = self._some_step() if step is None else step
        part = "params" if self._shapes(step).get("ema") is None else "ema"
        found = self._part(step, part)
        saved = self._read(step, run=ocp.args.JsonRestore())["run"]["checksums"]
        self._check_sums(step, {n: c for n, c in saved.items() if n.startswith(f"{part}/")}, found)
        return found[part]

    def close(self) -> None:
        """Wait for the save under way, see that it can be read, and for what opening began: Orbax
        clears away what a kill has left in a thread that a program which ends at once would cut off,
        in many lines."""
        try:
            getattr(self._manager, "_maybe_await_cleanup_tmp_directory", lambda: None)()
            self._manager.wait_until_finished()
            if self._writing is not None and (step := self._manager.latest_step()) is not None:
                self._part(step, "step")
            self._manager.close()
        except Exception as error:  # as in `save`
            with contextlib.suppress(Exception):
                self._manager.close()
            raise self._unwritten(error) from error

    def _some_step(self) -> int:
        step = self._manager.latest_step()
        if step is None:
            raise ValueError(f"{self.workdir} has no checkpoint yet.")
        return step

    def _read(self, step: int, **items: Any) -> Any:
        """Items of a checkpoint; a ValueError that names it where they cannot be read."""
        with self._reading(step):
            return self._manager.restore(step, args=ocp.args.Composite(**items))

    def _shapes(self, step: int) -> dict[str, Any]:
        with self._reading(step):
            return dict(self._manager.item_metadata(step)["state"])

    def _part(self, step: int, name: str) -> dict[str, Any]:
        """One part of a saved state as numpy, by its name; the rest is not read."""
        shapes = {name: self._shapes(step)[name]}
        here = jax.tree.map(lambda m: jax.ShapeDtypeStruct(m.shape, m.dtype), shapes)
        kinds = jax.tree.map(lambda m: ocp.RestoreArgs(restore_type=np.ndarray), here)
        wanted = ocp.args.PyTreeRestore(here, restore_args=kinds, partial_restore=True)
        with self._reading(step), ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
            return reader.restore(self._folder(step) / "state", args=wanted)

    def _check_fits(self, step: int, stored: dict[str, Any], wanted: dict[str, Any]) -> None:
        """A ValueError for a state of another model or optimiser: that is no damage."""
        shapes = [{path_of(k): v.shape for k, v in _leaves(tree)} for tree in (stored, wanted)]
        there, here = shapes
        for name in sorted(there.keys() | here.keys()):
            if there.get(name) != here.get(name):
                raise ValueError(
                    f"{self._folder(step)} is of another model or optimiser: {name} is "
                    f"{there.get(name, 'not')} there and {here.get(name, 'not')} here. Set the "
                    "config as it was, or take another --workdir and start from --weights."
                )

    def _verified(self, step: int, abstract: dict[str, Any]) -> dict[str, Any]:
        """The state, if it is what was saved."""
        items = {"state": ocp.args.StandardRestore(abstract), "run": ocp.args.JsonRestore()}
        found = self._read(step, **items)
        self._check_sums(step, found["run"]["checksums"], found["state"])
        return found["state"]

    def _check_sums(self, step: int, saved: dict[str, int], tree: dict[str, Any]) -> None:
        own = checksums(tree)
        if wrong := sorted(n for n in saved.keys() | own.keys() if saved.get(n) != own.get(n)):
            raise self._damaged(step, f"{wrong[0]} is not what was saved")

    @contextlib.contextmanager
    def _reading(self, step: int) -> Iterator[None]:
        """Tells what is wrong with a checkpoint from what is wrong with reaching it."""
        if not (self._folder(step) / "run").exists():
            raise ValueError(
                f"{self._folder(step)} is of an older version, or not whole. Use the program that "
                "wrote it, or take another --workdir."
            )
        try:
            yield
        except FileNotFoundError as error:
            raise self._damaged(step, error) from error
        except (OSError, MemoryError) as error:
            raise ValueError(f"cannot read {self._folder(step)}: {_brief(error)}.") from error
        except Exception as error:  # Orbax passes on whatever damage looks like
            if "RESOURCE_EXHAUSTED" in str(error):
                raise ValueError(f"no room for {self._folder(step)}: {_brief(error)}.") from error
            raise self._damaged(step, error) from error

    def _folder(self, step: int | str) -> pathlib.Path:
        return self.workdir / FOLDER / str(step)

    def _damaged(self, step: int | str, reason: object) -> ValueError:
        others = [n for n in steps_in(self.workdir) if n != step]
        rest = f"to use that of step {others[-1]}" if others else "to start anew"
        return ValueError(
            f"the checkpoint {self._folder(step)} is damaged: {_brief(reason)}. Move that folder "
            f"away {rest}."
        )

    def _unwritten(self, reason: object) -> ValueError:
        step = self._writing
        good = [n for n in steps_in(self.workdir) if n != step]
        last = f"that of step {good[-1]} is good" if good else "there is none before it"
        return ValueError(
            f"the checkpoint of step {step} cannot be written to {self.workdir / FOLDER}, or not read "
            f"again: {_brief(reason)}. Make room or mend the folder, and start again; {last}."
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


def _leaves(tree: Any) -> list[tuple[tuple, Any]]:
    return jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda x: hasattr(x, "shape"))


def _kept(state: TrainState) -> dict[str, Any]:
    """What there is of a state, by name."""
    return {name: part for name, part in state._asdict().items() if part is not None}


def _brief(reason: object) -> str:
    """The first words of an error: those of storage libraries run over pages."""
    words = " ".join(str(reason).split()) or type(reason).__name__
    return words if len(words) < 200 else words[:200] + " ..."
