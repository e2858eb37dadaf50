"""Evaluates a model on patients it never saw: how good, how sure, for whom, and where it fails.

    python -m cmr_jax.evaluate --weights=W --data=D --out=DIR [--external NAME=DIR ...]

Writes report.html (one page, hearts that move), results.json, scores.parquet (per exam) and
model_card.md.  Labels are opened here (and by fine-tuning, where it is told their file).
--embed=MODULE:FUNCTION evaluates any other model of images and texts instead (see
cmr_jax/evals/others).  Not a medical device.

    python -m cmr_jax.evaluate compare A B [--out=DIR]

says whether the model whose evaluation is in folder B is better than that of A, on the same exams,
and how sure that is; with --out it writes compare.json.
"""

import json
import pathlib
from typing import TYPE_CHECKING

from absl import app, flags

from cmr_jax import cli

if TYPE_CHECKING:
    from cmr_jax.embedding import Model

_WEIGHTS = cli.weights_flags(required=False)
_DATA = flags.DEFINE_string("data", None, "Prepared data.")
_EXTERNAL = flags.DEFINE_multi_string("external", [], "More prepared data, as NAME=DIR.")
_OUT = flags.DEFINE_string("out", None, "Folder to write.")
_SPLIT = flags.DEFINE_string("split", "test", "Which split of --data.")
_CALIBRATION = flags.DEFINE_string(
    "calibration", "val", "Split of --data whose labels give thresholds and probabilities."
)
_PARTS = flags.DEFINE_list(
    "parts",
    ["learned", "controls", "trust"],
    "What is done beside retrieval and findings from words: learned (few-shot, supervised, "
    "measurements), controls (baselines, shuffled motion), trust (groups, missing views, "
    "attribution, unusual exams).",
)
_PROMPTS = flags.DEFINE_string(
    "prompts", "reports", "A TOML file of prompts, or one that is shipped: reports, published."
)
_EMBED = flags.DEFINE_string(
    "embed", None, "Code that embeds pictures and texts, MODULE:FUNCTION[:ARGUMENT]; no --weights."
)
_PERMUTED = flags.DEFINE_multi_string(
    "permuted_weights", [], "Model trained on permuted reports, or a folder of several seeds."
)
_PROTOCOL = flags.DEFINE_multi_enum(
    "protocol",
    ["honest"],
    ["honest", "published"],
    "Rules of the paper's tables (retrieval, thresholds, few-shot, probe): as published, or repaired.",
)
_DRAWS = flags.DEFINE_integer("bootstrap", 2000, "Bootstrap draws over patients.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch", 32, "Exams at a time.")


def main(argv: list[str]) -> None:
    """Command line."""
    if argv[1:2] == ["compare"]:
        _compare(argv[2:])
        return
    with cli.command("cmr_jax.evaluate", argv):
        # After the flags: `--help` needs no devices.
        from cmr_jax.evals import suite, terminal

        for name, value in (("data", _DATA.value), ("out", _OUT.value)):
            if value is None:
                raise app.UsageError(f"--{name} is missing.")
        if unknown := set(_PARTS.value) - set(suite.PARTS):
            raise app.UsageError(
                f"--parts: {', '.join(sorted(unknown))}? {', '.join(suite.PARTS)}."
            )
        options = suite.Options(
            split=_SPLIT.value,
            calibration=_CALIBRATION.value,
            draws=_DRAWS.value,
            parts=tuple(_PARTS.value),
            protocols=tuple(dict.fromkeys(_PROTOCOL.value)),
            prompts=_PROMPTS.value,
        )
        data = {suite.HOME: str(_DATA.value)}
        data |= cli.named(_EXTERNAL.value, taken=data)
        model, permuted = _models()
        out = pathlib.Path(str(_OUT.value))
        results = suite.evaluate(model, permuted, data, options, out)
    for name, block in results["data"].items():
        print(terminal.table(name, block))
    print(f"report.html, results.json, scores.parquet and model_card.md are in {out}")


def _models() -> "tuple[Model, list[Model]]":
    """The model to judge, and those that were trained on permuted reports."""
    from cmr_jax import weights
    from cmr_jax.embedding import Embedder
    from cmr_jax.evals import others

    path, how = _WEIGHTS()
    if (path is None) == (_EMBED.value is None):
        raise app.UsageError("say either --weights or --embed.")
    if _EMBED.value is not None:
        if _PERMUTED.value:
            raise app.UsageError("--permuted_weights go with --weights.")
        return others.load(_EMBED.value, _BATCH.value), []
    embedder = Embedder(weights.load(path, weights.Options.of(how)), _BATCH.value)
    runs = [run for folder in _PERMUTED.value for run in weights.runs(folder)]
    return embedder, [embedder.with_weights(weights.load(str(run))) for run in runs]


def _compare(folders: list[str]) -> None:
    with cli.command("cmr_jax.evaluate compare", []):
        from cmr_jax.evals import compare
        from cmr_jax.evals.statistics.estimate import plain

        if len(folders) != 2:
            raise app.UsageError("compare takes two folders that cmr_jax.evaluate wrote: A B.")
        first, second = folders
        results = compare.compare(first, second, _DRAWS.value)
        for name, block in results["data"].items():
            print(compare.table(name, block))
        if _OUT.value:
            out = pathlib.Path(_OUT.value)
            out.mkdir(parents=True, exist_ok=True)
            text = json.dumps(plain(results), indent=1, allow_nan=False)
            (out / "compare.json").write_text(text + "\n")


if __name__ == "__main__":
    app.run(main)
