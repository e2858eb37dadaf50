"""Evaluates a model on patients it never saw: retrieval both ways, zero-shot findings, controls.

    python -m cmr_jax.evaluate --weights=W --data=D --out=DIR [--external NAME=DIR ...]

Writes results.json, scores.parquet (per exam) and report.html (one page, hearts that move).
Only here are labels opened.  Not a medical device.

    python -m cmr_jax.evaluate compare A B [--out=DIR]

says whether the model whose evaluation is in folder B is better than that of A, on the same exams,
and how sure that is; with --out it writes compare.json.
"""

import json
import pathlib

from absl import app, flags

from cmr_jax import cli

_WEIGHTS = cli.weights_flags(required=False)
_DATA = flags.DEFINE_string("data", None, "Prepared data.")
_EXTERNAL = flags.DEFINE_multi_string("external", [], "More prepared data, as NAME=DIR.")
_OUT = flags.DEFINE_string("out", None, "Folder to write.")
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
_DRAWS = flags.DEFINE_integer("bootstrap", 2000, "Bootstrap draws over patients.")
_BATCH = flags.DEFINE_integer("batch", 32, "Exams at a time.")


def main(argv: list[str]) -> None:
    """Command line."""
    if argv[1:2] == ["compare"]:
        _compare(argv[2:])
        return
    with cli.command("cmr_jax.evaluate", argv):
        from cmr_jax import weights  # after the flags: `--help` needs no devices
        from cmr_jax.embedding import Embedder
        from cmr_jax.evals import report, suite

        path, how = _WEIGHTS()
        for name, value in (("weights", path), ("data", _DATA.value), ("out", _OUT.value)):
            if value is None:
                raise app.UsageError(f"--{name} is missing.")
        data = {"internal": str(_DATA.value)} | dict(_named(pair) for pair in _EXTERNAL.value)
        embedder = Embedder(weights.load(path, weights.Options.of(how)), _BATCH.value)
        permuted = [
            embedder.with_weights(weights.load(str(run)))
            for folder in _PERMUTED.value
            for run in weights.runs(folder)
        ]
        options = suite.Options(
            _SPLIT.value, _DRAWS.value, _CONTROLS.value, tuple(dict.fromkeys(_PROTOCOL.value))
        )
        out = pathlib.Path(str(_OUT.value))
        results = suite.evaluate(embedder, permuted, data, options, out)
    _write(out / "results.json", results)
    for name, block in results["data"].items():
        print(report.table(name, block))
    print(f"results.json, scores.parquet and report.html are in {out}")


def _compare(folders: list[str]) -> None:
    with cli.command("cmr_jax.evaluate compare", []):
        from cmr_jax.evals import compare

        if len(folders) != 2:
            raise app.UsageError("compare takes two folders that cmr_jax.evaluate wrote: A B.")
        first, second = folders
        results = compare.compare(first, second, _DRAWS.value)
        for name, block in results["data"].items():
            print(compare.table(name, block))
        if _OUT.value:
            out = pathlib.Path(_OUT.value)
            out.mkdir(parents=True, exist_ok=True)
            _write(out / "compare.json", results)


def _write(path: pathlib.Path, results: dict) -> None:
    from cmr_jax.evals.statistics.estimate import plain

    path.write_text(json.dumps(plain(results), indent=1, allow_nan=False) + "\n")


def _named(pair: str) -> tuple[str, str]:
    name, equals, folder = pair.partition("=")
    if not (name and equals and folder) or name == "internal":
        raise ValueError(f"--external {pair}: write NAME=DIR, with a name other than internal.")
    return name, folder


if __name__ == "__main__":
    app.run(main)
