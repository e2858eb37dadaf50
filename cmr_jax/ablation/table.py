"""Every number of a study, made from what is kept of its runs."""

import json
import pathlib
from typing import Any

from cmr_jax.ablation import store, told
from cmr_jax.ablation.compared import Exams, Measured
from cmr_jax.ablation.store import VAL, Scored
from cmr_jax.config.study import Arm, Study
from cmr_jax.drawing import forest, learning
from cmr_jax.evals.statistics.estimate import plain

TABLE_FILE, NUMBERS_FILE = "table.md", "table.json"
PICTURE_FILE, CURVES_FILE = "table.png", "curves.png"


def write(study: Study, results: pathlib.Path, draws: int) -> str:
    """Writes the table, its numbers and its pictures into `results`; the table."""
    numbers = measured(study, results, draws)
    text = json.dumps(plain(numbers), indent=1, allow_nan=False)
    (results / NUMBERS_FILE).write_text(text + "\n")
    table = told.whole(numbers)
    (results / TABLE_FILE).write_text(table + "\n")
    forest.draw(results / PICTURE_FILE, study.name, told.differences(numbers))
    learning.draw(results / CURVES_FILE, study.name, told.learned(numbers))
    return table


def measured(study: Study, results: pathlib.Path, draws: int) -> dict[str, Any]:
    """Numbers of every arm that has been run."""
    columns = store.read_exams(results)
    sets = list(dict.fromkeys(columns["data"].tolist()))
    exams = {name: Exams.of(columns, name, draws) for name in sets}
    exams |= {
        f"{name}{told.COMPLETE}": Exams.of(columns, name, draws, complete=True)
        for name in sets
        if name != VAL
    }
    runs = {arm.name: own for arm in study.arms if (own := _runs(arm, results))}
    if not runs:
        raise ValueError(f"{results} has no run of study {study.name}.")
    known = {name: _measured(exams, own, list(own)) for name, own in runs.items()}
    arms = {}
    for arm in study.arms:
        if arm.name not in runs:
            continue
        own, other = runs[arm.name], runs.get(arm.beside, {})
        arms[arm.name] = block = {
            "what": arm.what,
            "seeds": list(own),
            "cpu_min": _minutes(list(own.values())),
            "commits": sorted({r.about["commit"] for r in own.values()}),
            "worth": {n: m.worth() for n, m in known[arm.name].items()},
        }
        if both := [seed for seed in own if seed in other]:
            first, second = (
                known[name] if both == list(side) else _measured(exams, side, both)
                for name, side in ((arm.beside, other), (arm.name, own))
            )
            pairs = {n: second[n].beside(first[n]) for n in exams}
            code = {run.about["commit"] for seed in both for run in (own[seed], other[seed])}
            same = len(code) == 1
            block["beside"] = {"arm": arm.beside, "seeds": both, "data": pairs, "same_code": same}
    return {
        "study": study.name,
        "data": study.data,
        "bootstrap_draws": draws,
        "arms": arms,
        "headline": [name for name in study.headline if "beside" in arms.get(name, {})],
        "curves": {c.name: [list(p) for p in c.points if p[1] in arms] for c in study.curves},
    }


def _measured(
    exams: dict[str, Exams], runs: dict[int, Scored], seeds: list[int]
) -> dict[str, Measured]:
    return {name: Measured.of(e, [runs[seed] for seed in seeds]) for name, e in exams.items()}


def _runs(arm: Arm, results: pathlib.Path) -> dict[int, Scored]:
    files = ((seed, store.file_of(results, arm.name, seed)) for seed in range(arm.seeds))
    return {seed: store.read(file) for seed, file in files if file.is_file()}


def _minutes(runs: list[Scored]) -> float | None:
    """Of the runs whose cost is known, the mean."""
    known = [run.about["cpu_s"] for run in runs if "cpu_s" in run.about]
    return sum(known) / 60 / len(known) if known else None
