"""Trains a model: `python -m cmr_jax.train --config=configs/smoke.py --config.data.path=DIR --workdir=DIR`.

The same command goes on after an interruption.  `--dry_run` compiles the step, for the devices at
hand or for a TPU `--topology` that is elsewhere, prints what it would cost, and stops: exit code 0
if it fits, 1 if not.
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
_WEIGHTS = cli.weights_flags(many=True)
_DRY_RUN = flags.DEFINE_boolean("dry_run", False, "Say what a run would cost, and stop.")
_TOPOLOGY = flags.DEFINE_string(
    "topology", None, "With --dry_run: TPUs to plan for, as v5e:16x16; none need be here."
)
flags.mark_flags_as_required(["config"])


def main(argv: list[str]) -> None:
    """Command line."""
    with cli.command(NAME, argv):
        if _TOPOLOGY.value:
            if not _DRY_RUN.value:
                raise ValueError(
                    "--topology is for --dry_run: training needs devices that are here."
                )
            os.environ.update(COMPILE_ONLY)
        import jax  # after the flags: `--help` needs no devices

        if "JAX_COORDINATOR_ADDRESS" in os.environ or "SLURM_NTASKS" in os.environ:
            jax.distributed.initialize()
        from cmr_jax import planner, trainer, weights

        cfg = _CONFIG.value
        if _DRY_RUN.value:
            devices = planner.devices_of(_TOPOLOGY.value) if _TOPOLOGY.value else None
            plan = planner.describe(cfg, trainer.prepare(cfg, devices))
            print(plan.text)
            sys.exit(0 if plan.fits else 1)
        if not _WORKDIR.value:
            raise ValueError("--workdir is missing: a folder for checkpoints and metrics.")
        workdir, (paths, how) = pathlib.Path(_WORKDIR.value), _WEIGHTS()
        start = trainer.Start(paths, weights.Options.of(how))
        if _REPEATS.value == 1:
            trainer.run(cfg, workdir, start)
            return
        for _ in range(_REPEATS.value):
            trainer.run(cfg, workdir / f"seed{cfg.run.seed}", start)
            cfg.run.seed += 1


def _parse(argv: list[str]) -> list[str]:
    """Flags, with an error in one line: the config flags raise whatever they meet."""
    try:
        return flags.FLAGS(argv)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        cli.fail(NAME, f"{error} (every option is in cmr_jax/config.py)")


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
