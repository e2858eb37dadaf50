"""Trains a model: `python -m cmr_jax.train --config=configs/smoke.py --config.data.path=DIR --workdir=DIR`.

The same command goes on after an interruption.  `--dry_run` prints parameters, shardings, FLOPs
and bytes per device, and stops.
"""

import logging
import os
import pathlib
import sys

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags

_CONFIG = config_flags.DEFINE_config_file("config", None, "What to train: a file of configs/.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints, metrics, config.")
_DRY_RUN = flags.DEFINE_boolean("dry_run", False, "Say what a run would cost, and stop.")
flags.mark_flags_as_required(["config"])


def main(argv: list[str]) -> None:
    """Command line."""
    if len(argv) > 1:
        raise app.UsageError(f"what is {argv[1]!r}?")
    absl_logging.set_verbosity(absl_logging.WARNING)  # TFDS tells every path it opens
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("cmr_jax").setLevel(logging.INFO)
    import jax  # after the flags: `--help` needs no devices

    if "JAX_COORDINATOR_ADDRESS" in os.environ or "SLURM_NTASKS" in os.environ:
        jax.distributed.initialize()
    from cmr_jax import planner, trainer

    try:
        if _DRY_RUN.value:
            print(planner.describe(_CONFIG.value, trainer.prepare(_CONFIG.value)))
            return
        if not _WORKDIR.value:
            raise ValueError("--workdir is missing: a folder for checkpoints and metrics.")
        trainer.run(_CONFIG.value, pathlib.Path(_WORKDIR.value))
    except (ValueError, FloatingPointError) as error:
        print(f"cmr_jax.train: {error}", file=sys.stderr)
        sys.exit(2)


def _parse(argv: list[str]) -> list[str]:
    """Flags, with an error in one line: the config flags raise whatever they meet."""
    try:
        return flags.FLAGS(argv)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        said = " ".join(str(error).split())
        print(f"cmr_jax.train: {said} (every option is in cmr_jax/config.py)", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
