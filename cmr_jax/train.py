"""Trains a model: `python -m cmr_jax.train --config=configs/smoke.py --config.data.path=DIR --workdir=DIR`.

The same command goes on after an interruption; a run that was asked to leave (SIGTERM, Ctrl-C) saves
and ends with exit code 75.  `--dry_run` compiles the step, for the devices at
hand or for a TPU `--topology` that is elsewhere, prints what it would cost, and stops: exit code 0
if it fits, 1 if not.  Under Slurm, Open MPI or on TPUs it is one of several processes by itself;
any other launcher says so with --coordinator, --processes and --process.
"""

import os
import pathlib
import sys

from absl import app, flags
from ml_collections import config_flags

from cmr_jax import cli

NAME = "cmr_jax.train"
# libtpu is to compile: not to look for a chip, nor for a machine that has one, nor to be alone.
COMPILE_ONLY = {
    "JAX_PLATFORMS": "cpu",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}
_CONFIG = config_flags.DEFINE_config_file("config", None, "What to train: a file of configs/.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints, metrics, config.")
_REPEATS = flags.DEFINE_integer(
    "repeats", 1, "Runs that differ in --config.run.seed alone, in WORKDIR/seedN.", lower_bound=1
)
_ACCEPT_CHANGES = flags.DEFINE_boolean(
    "accept_changes", False, "Go on although config or data differ from the checkpoint's."
)
_WEIGHTS = cli.weights_flags(many=True)
_DRY_RUN = flags.DEFINE_boolean("dry_run", False, "Say what a run would cost, and stop.")
_TOPOLOGY = flags.DEFINE_string(
    "topology", None, "With --dry_run: TPUs to plan for, as v5e:16x16; none need be here."
)
_COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0, if of several.")
_PROCESSES = flags.DEFINE_integer("processes", None, "How many processes.", lower_bound=1)
_PROCESS = flags.DEFINE_integer("process", None, "Which of them this is, from 0.", lower_bound=0)
_JOIN_TIMEOUT_S = flags.DEFINE_float(
    "join_timeout_s", 300, "How long to wait for the other processes.", lower_bound=0
)
flags.mark_flags_as_required(["config"])


def main(argv: list[str]) -> None:
    """Command line."""
    plans_elsewhere = _DRY_RUN.value and _TOPOLOGY.value
    if plans_elsewhere:
        os.environ.update(COMPILE_ONLY)
    from cmr_jax import hosts  # after the flags: `--help` needs no devices

    with hosts.together(), cli.command(NAME, argv):
        if _TOPOLOGY.value and not _DRY_RUN.value:
            raise ValueError("--topology is for --dry_run: training needs devices that are here.")
        if not plans_elsewhere:
            hosts.join(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value, _JOIN_TIMEOUT_S.value)
        from cmr_jax import planner, trainer, weights

        cfg = _CONFIG.value
        if _DRY_RUN.value:
            devices = planner.devices_of(_TOPOLOGY.value) if _TOPOLOGY.value else None
            plan = planner.describe(cfg, trainer.prepare(cfg, devices))
            if hosts.is_first():
                print(plan.text)
            sys.exit(0 if plan.fits else 1)
        if not _WORKDIR.value:
            raise ValueError("--workdir is missing: a folder for checkpoints and metrics.")
        workdir, (paths, how) = pathlib.Path(_WORKDIR.value), _WEIGHTS()
        start = trainer.Start(paths, weights.Options.of(how))
        try:
            with hosts.watched():
                for _ in range(_REPEATS.value):
                    own = workdir / f"seed{cfg.run.seed}" if _REPEATS.value > 1 else workdir
                    trainer.run(cfg, own, start, _ACCEPT_CHANGES.value)
                    cfg.run.seed += 1
        except hosts.Leaving as left:
            if hosts.is_first():
                print(f"{NAME}: {left}; the same command goes on.", file=sys.stderr)
            sys.exit(hosts.EXIT_CODE)


def _parse(argv: list[str]) -> list[str]:
    """Flags, with an error in one line: the config flags raise whatever they meet."""
    try:
        return flags.FLAGS(argv)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        cli.fail(NAME, f"{error} (every option is in cmr_jax/config/)")


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
