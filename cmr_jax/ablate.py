"""Runs a study: arms with several seeds, each trained, judged on the same exams, compared in pairs.

    python -m cmr_jax.ablate run --study=configs/ablation/v1.py --data=V1 --external=elsewhere=V1E \\
        --out=runs/v1 --results=configs/ablation/results
    python -m cmr_jax.ablate table --study=configs/ablation/v1.py --results=configs/ablation/results

`run` goes on where it was broken off, and passes over what RESULTS has; --only=REGEX chooses arms.
`table` makes every number of the study from RESULTS alone: table.md, table.json, table.png.
"""

import logging
import pathlib
import subprocess
from typing import TYPE_CHECKING

from absl import app, flags

from cmr_jax import cli

if TYPE_CHECKING:
    from cmr_jax.config.study import Study

_STUDY = flags.DEFINE_string("study", None, "A file with get_study(), of configs/ablation.")
_DATA = flags.DEFINE_string("data", None, "Prepared data: to train on, to choose by, to test on.")
_EXTERNAL = flags.DEFINE_multi_string("external", [], "More prepared data, as NAME=DIR.")
_OUT = flags.DEFINE_string("out", None, "Folder for training runs.")
_RESULTS = flags.DEFINE_string("results", None, "Folder of what is kept of each run.")
_ONLY = flags.DEFINE_string("only", ".*", "A regular expression: arms by their whole name.")
_SEED = flags.DEFINE_integer("seed", 0, "Of `score`: which run of the arm.")
_JOBS = flags.DEFINE_integer("jobs", 2, "Runs side by side.", lower_bound=1)
_DRAWS = flags.DEFINE_integer("bootstrap", 2000, "Bootstrap draws over patients.", lower_bound=1)

log = logging.getLogger(__name__)


def main(argv: list[str]) -> None:
    """Command line."""
    does = argv[1] if len(argv) > 1 else ""
    with cli.command(f"cmr_jax.ablate {does}".strip(), argv[1:]):
        if does not in DOES:
            raise app.UsageError(f"say what to do: {', '.join(DOES)}.")
        for flag in (_STUDY, _RESULTS):
            if not flag.value:
                raise app.UsageError(f"--{flag.name} is missing.")
        from cmr_jax.ablation import studies

        study = studies.read(str(_STUDY.value))
        DOES[does](study)


def _place():
    from cmr_jax.ablation.runs import Place

    for flag in (_DATA, _OUT):
        if not flag.value:
            raise app.UsageError(f"--{flag.name} is missing.")
    return Place(
        str(_STUDY.value),
        str(_DATA.value),
        cli.named(_EXTERNAL.value),
        pathlib.Path(str(_OUT.value)),
        pathlib.Path(str(_RESULTS.value)),
    )


def _run(study: "Study") -> None:
    from cmr_jax.ablation import runs

    place = _place()
    failed = runs.run_all(study, runs.wanted(study, _ONLY.value), place, _JOBS.value)
    if failed:
        raise ValueError(
            f"{', '.join(failed)} failed: {runs.LOG_FILE} in its folder of {place.out} says why."
        )


def _score(study: "Study") -> None:
    """Of one run that was trained; `run` calls this in a process of its own."""
    from cmr_jax import provenance
    from cmr_jax.ablation import runs, scores, store

    place = _place()
    run = runs.Run(study.arm(_ONLY.value), _SEED.value)
    workdir = place.workdir(run)
    about = {
        "arm": run.arm.name,
        "seed": run.seed,
        "config": run.arm.config,
        "changes": list(run.arm.changes),
        "start": run.arm.start,
        "commit": _commit(),
        "code": provenance.code(),
    } | runs.cost_of(workdir / runs.COST_FILE)
    data = scores.Judged(place.data, place.external)
    exams, scored = scores.score(str(workdir), data, run.arm.whole, about)
    store.write_exams(place.results, exams)
    store.write(store.file_of(place.results, run.arm.name, run.seed), scored)


def _table(study: "Study") -> None:
    from cmr_jax.ablation import table

    results = pathlib.Path(str(_RESULTS.value))
    print(table.write(study, results, _DRAWS.value))


def _commit() -> str:
    """Of this checkout; "" outside of one."""
    here = pathlib.Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "--short=7", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip()


DOES = {"run": _run, "score": _score, "table": _table}

if __name__ == "__main__":
    app.run(main)
