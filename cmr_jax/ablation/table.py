"""A study as a table: what each arm is worth, and beside which other one it pays."""

import json
import pathlib
from typing import Any

from cmr_jax.ablation import store
from cmr_jax.ablation.compared import Exams, compared, worth
from cmr_jax.ablation.store import VAL, ZERO_SHOT, Scored
from cmr_jax.config.study import Arm, Study
from cmr_jax.drawing import forest
from cmr_jax.evals import compare
from cmr_jax.evals.statistics.estimate import plain

TABLE_FILE, NUMBERS_FILE, PICTURE_FILE = "table.md", "table.json", "table.png"
PAYS, COSTS, OPEN = "pays", "costs", "not shown"
SAYS = {compare.BETTER: PAYS, compare.WORSE: COSTS}


def write(study: Study, results: pathlib.Path, draws: int) -> str:
    """Writes table.md, table.json and table.png into `results`; the table."""
    numbers = measured(study, results, draws)
    text = json.dumps(plain(numbers), indent=1, allow_nan=False)
    (results / NUMBERS_FILE).write_text(text + "\n")
    table = told(numbers)
    (results / TABLE_FILE).write_text(table + "\n")
    forest.draw(results / PICTURE_FILE, study.name, lines(numbers))
    return table


def measured(study: Study, results: pathlib.Path, draws: int) -> dict[str, Any]:
    """Numbers of every arm that has been run."""
    columns = store.read_exams(results)
    sets = list(dict.fromkeys(columns["data"].tolist()))
    exams = {name: Exams.of(columns, name, draws) for name in sets}
    exams |= {
        f"{name}, complete": Exams.of(columns, name, draws, complete=True)
        for name in sets
        if name != VAL
    }
    runs = {arm.name: _runs(arm, results) for arm in study.arms}
    arms = {}
    for arm in study.arms:
        if not (own := runs[arm.name]):
            continue
        block: dict[str, Any] = {
            "what": arm.what,
            "seeds": sorted(own),
            "cpu_min": _minutes(list(own.values())),
            "commits": sorted({r.about["commit"] for r in own.values()}),
            "worth": {n: worth(e, list(own.values())) for n, e in exams.items()},
        }
        other = runs.get(arm.beside, {})
        if both := sorted(own.keys() & other.keys()):
            first, second = ([side[s] for s in both] for side in (other, own))
            block["beside"] = {
                "arm": arm.beside,
                "seeds": both,
                "data": {name: compared(e, first, second) for name, e in exams.items()},
            }
        arms[arm.name] = block
    if not arms:
        raise ValueError(f"{results} has no run of study {study.name}.")
    return {"study": study.name, "data": study.data, "bootstrap_draws": draws, "arms": arms}


def _runs(arm: Arm, results: pathlib.Path) -> dict[int, Scored]:
    files = ((seed, store.file_of(results, arm.name, seed)) for seed in range(arm.seeds))
    return {seed: store.read(file) for seed, file in files if file.is_file()}


def told(numbers: dict[str, Any]) -> str:
    """In Markdown: one row an arm, mean AUC of findings from words and how it differs."""
    sets = [n for n in next(iter(numbers["arms"].values()))["worth"] if "complete" not in n]
    head = ["arm", "what", "seeds", *sets, "beside", *(f"difference, {n}" for n in sets)]
    rows = [[*head, "validation says", "CPU min"], ["---"] * (len(head) + 2)]
    for name, block in numbers["arms"].items():
        beside = block.get("beside")
        differences = [beside["data"][n].get(ZERO_SHOT) for n in sets] if beside else []
        rows.append(
            [
                name,
                block["what"],
                str(len(block["seeds"])),
                *(_value(block["worth"][n].get(ZERO_SHOT)) for n in sets),
                beside["arm"] if beside else "",
                *([_difference(d) for d in differences] or [""] * len(sets)),
                verdict(block),
                f"{block['cpu_min']:.1f}" if block["cpu_min"] else "-",
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def verdict(block: dict[str, Any]) -> str:
    """What the validation exams say of an arm beside another."""
    pair = block["beside"]["data"][VAL].get(ZERO_SHOT) if "beside" in block else None
    return SAYS.get(pair["verdict"], OPEN) if pair else ""


def lines(numbers: dict[str, Any]) -> list[forest.Line]:
    """Of each arm that stands beside another: the differences, for the eye."""
    found = []
    for name, block in numbers["arms"].items():
        if "beside" not in block:
            continue
        for data, pair in block["beside"]["data"].items():
            if "complete" not in data and ZERO_SHOT in pair:
                d = pair[ZERO_SHOT]["difference"]
                found.append(forest.Line(name, data, d["value"], d["low"], d["high"]))
    return found


def _minutes(runs: list[Scored]) -> float | None:
    """Of the runs whose cost is known, the mean."""
    known = [run.about["cpu_s"] for run in runs if "cpu_s" in run.about]
    return sum(known) / 60 / len(known) if known else None


def _value(block: dict[str, Any] | None) -> str:
    """A dash where too few exams have any finding."""
    return f"{block['value']:.3f}" if block else "-"


def _difference(pair: dict[str, Any] | None) -> str:
    if pair is None:
        return "-"
    d = pair["difference"]
    return f"{d['value']:+.3f} ({d['low']:+.3f} to {d['high']:+.3f})"
