"""Exports a model: `python -m cmr_jax.export --weights=W --out=DIR --format=safetensors`.

safetensors        model.safetensors, config.json and the tokenizer; every command line reads the
                   folder back with --weights=DIR, to equal embeddings.
torch-safetensors  the tensors, names and config.json of the published PyTorch code, which loads
                   them strictly; for models of its kind.
stablehlo          both towers as programs for CPU, CUDA and TPU that take any number of exams
                   and need none of our code; see programs.json in the folder.
"""

import pathlib

from absl import app, flags

from cmr_jax import cli


def _safetensors(out: pathlib.Path, loaded) -> str:
    from cmr_jax import weights

    weights.save(out, loaded)
    return f"{len(weights.flatten(loaded.params))} arrays and the tokenizer"


def _torch_safetensors(out: pathlib.Path, loaded) -> str:
    from cmr_jax import weights

    return f"{weights.save_published(out, loaded)} tensors and the vocabulary"


def _stablehlo(out: pathlib.Path, loaded) -> str:
    from cmr_jax import programs

    return f"{', '.join(programs.save(out, loaded))}, their arrays and the tokenizer"


FORMATS = {
    "safetensors": _safetensors,
    "torch-safetensors": _torch_safetensors,
    "stablehlo": _stablehlo,
}
_WEIGHTS = cli.weights_flags()
_OUT = flags.DEFINE_string("out", None, "Folder to write.", required=True)
_FORMAT = flags.DEFINE_enum("format", "safetensors", sorted(FORMATS), "File format.")


def main(argv: list[str]) -> None:
    """Command line."""
    with cli.command("cmr_jax.export", argv):
        from cmr_jax import weights  # after the flags: `--help` needs no devices

        path, how = _WEIGHTS()
        loaded = weights.load(path, weights.Options.of(how))
        out = pathlib.Path(_OUT.value)
        print(f"{FORMATS[_FORMAT.value](out, loaded)} in {out}")


if __name__ == "__main__":
    app.run(main)
