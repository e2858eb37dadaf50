"""Evaluates a model on patients it never saw: retrieval both ways, zero-shot findings, controls.

    python -m cmr_jax.evaluate --weights=W --data=D --out=DIR [--external NAME=DIR ...]

Writes results.json, scores.parquet (per exam) and report.html (one page, hearts that move).
Only here are labels opened.  Not a medical device.
"""

import json
import pathlib

from absl import app, flags

from cmr_jax import cli

_WEIGHTS = cli.weights_flags()
_DATA = flags.DEFINE_string("data", None, "Prepared data.", required=True)
_EXTERNAL = flags.DEFINE_multi_string("external", [], "More prepared data, as NAME=DIR.")
_OUT = flags.DEFINE_string("out", None, "Folder to write.", required=True)
_SPLIT = flags.DEFINE_string("split", "test", "Which split of --data.")
_CONTROLS = flags.DEFINE_boolean("controls", True, "Baselines and shuffled motion (needs labels).")
_PERMUTED = flags.DEFINE_multi_string(
    "permuted_weights", [], "Model trained on permuted reports, or a folder of several seeds."
)
_PROTOCOL = flags.DEFINE_multi_enum(
    "protocol",
    ["honest"],
    ["honest", "published"],
    "Rules of the paper's tables (retrieval, thresholds, few-shot, probe): as published, or repaired.",
)
_DRAWS = flags.DEFINE_integer("bootstrap", 500, "Bootstrap draws over patients.")
_BATCH = flags.DEFINE_integer("batch", 32, "Exams at a time.")


def main(argv: list[str]) -> None:
    """Command line."""
    with cli.command("cmr_jax.evaluate", argv):
        from cmr_jax import weights  # after the flags: `--help` needs no devices
        from cmr_jax.embedding import Embedder
        from cmr_jax.evals import report, suite

        data = {"internal": _DATA.value} | dict(_named(pair) for pair in _EXTERNAL.value)
        path, how = _WEIGHTS()
        embedder = Embedder(weights.load(path, weights.Options.of(how)), _BATCH.value)
        permuted = [
            embedder.with_weights(weights.load(str(run)))
            for folder in _PERMUTED.value
            for run in weights.runs(folder)
        ]
        options = suite.Options(
            _SPLIT.value, _DRAWS.value, _CONTROLS.value, tuple(dict.fromkeys(_PROTOCOL.value))
        )
        out = pathlib.Path(_OUT.value)
        results = suite.evaluate(embedder, permuted, data, options, out)
    (out / "results.json").write_text(json.dumps(results, indent=1, allow_nan=False) + "\n")
    for name, block in results["data"].items():
        print(report.table(name, block))
    print(f"results.json, scores.parquet and report.html are in {out}")


def _named(pair: str) -> tuple[str, str]:
    name, equals, folder = pair.partition("=")
    if not (name and equals and folder) or name == "internal":
        raise ValueError(f"--external {pair}: write NAME=DIR, with a name other than internal.")
    return name, folder


if __name__ == "__main__":
    app.run(main)
