"""Exports a model: `python -m cmr_jax.export --weights=W --out=DIR --format=safetensors`.

The folder holds model.safetensors, config.json and the tokenizer; every command line reads it
back with --weights=DIR, to equal embeddings.
"""

import pathlib

from absl import app, flags

from cmr_jax import cli

_WEIGHTS = flags.DEFINE_string("weights", None, "Workdir of a run, or an export.", required=True)
_OUT = flags.DEFINE_string("out", None, "Folder to write.", required=True)
_FORMAT = flags.DEFINE_enum("format", "safetensors", ["safetensors"], "File format.")


def main(argv: list[str]) -> None:
    """Command line."""
    with cli.command("cmr_jax.export", argv):
        from cmr_jax import weights  # after the flags: `--help` needs no devices

        loaded = weights.load(_WEIGHTS.value)
        weights.save(pathlib.Path(_OUT.value), loaded)
        print(f"{len(weights.flatten(loaded.params))} arrays and the tokenizer in {_OUT.value}")


if __name__ == "__main__":
    app.run(main)
