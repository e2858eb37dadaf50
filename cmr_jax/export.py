"""Exports a model: `python -m cmr_jax.export --weights=W --out=DIR --format=safetensors`.

The folder holds model.safetensors, config.json and the tokenizer; every command line reads it
back with --weights=DIR, to equal embeddings.
"""

import pathlib
import sys

from absl import app, flags, logging

_WEIGHTS = flags.DEFINE_string("weights", None, "Workdir of a run, or an export.", required=True)
_OUT = flags.DEFINE_string("out", None, "Folder to write.", required=True)
_FORMAT = flags.DEFINE_enum("format", "safetensors", ["safetensors"], "File format.")


def main(argv: list[str]) -> None:
    """Command line."""
    if len(argv) > 1:
        raise app.UsageError(f"what is {argv[1]!r}?")
    logging.set_verbosity(logging.WARNING)  # TFDS tells every path it opens
    from cmr_jax import weights

    try:
        loaded = weights.load(_WEIGHTS.value)
    except ValueError as error:
        print(f"cmr_jax.export: {error}", file=sys.stderr)
        sys.exit(2)
    weights.save(pathlib.Path(_OUT.value), loaded)
    print(f"{len(weights.flatten(loaded.params))} arrays and the tokenizer in {_OUT.value}")


if __name__ == "__main__":
    app.run(main)
