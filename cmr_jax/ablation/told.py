"""The numbers of a study for a person: tables in Markdown, and what is drawn."""

from collections.abc import Iterable
from typing import Any

from cmr_jax.ablation.store import FEW_SHOT, HELD_OUT, STRESSED, VAL, ZERO_SHOT
from cmr_jax.drawing import forest, learning
from cmr_jax.evals import compare

COMPLETE = ", complete"  # after the name of a data set: its exams that have all six arrays alone
PAYS, COSTS, OPEN = "pays", "costs", "not shown"
OTHER_CODE = (
    "Code: the commits that the runs were made by. A difference with an asterisk is between runs of different "
    "code, which may be what differs."
)
SAYS = {compare.BETTER: PAYS, compare.WORSE: COSTS}
ASKED = {
    ZERO_SHOT: "findings from the reports' words, mean AUC",
    HELD_OUT: "from other words",
    FEW_SHOT: "from 16 exams that have a finding and 16 that have not",
    STRESSED: "from words, with a view or a kind of picture missing",
    "recall_report_to_exam": "the exam of a report among the first ten, alike ones counted",
    "recall_exam_to_report": "the report of an exam",
}


def whole(numbers: dict[str, Any]) -> str:
    """Headlines, learning from fewer exams, and each arm."""
    parts = [part for name in numbers["headline"] for part in headline(numbers, name)]
    if any(numbers["curves"].values()):
        parts += ["## Learning from fewer exams: mean zero-shot AUC", curves(numbers)]
    return "\n\n".join([*parts, "## Every arm: mean zero-shot AUC", OTHER_CODE, arms(numbers)])


def headline(numbers: dict[str, Any], name: str) -> list[str]:
    """An arm beside another, in all that both were asked, and finding by finding."""
    own = numbers["arms"][name]
    beside = own["beside"]
    title = f"## {name} beside {beside['arm']}"
    about = f"{own['what']}; seeds {', '.join(map(str, beside['seeds']))}."
    rows = [["exams", "asked", beside["arm"], name, "difference", "of its error"]]
    for data, blocks in beside["data"].items():
        rows += [
            [data, what, *_both(blocks[kind]), f"{_of_error(blocks[kind]):.2f}"]
            for kind, what in ASKED.items()
            if kind in blocks
        ]
    told = [title, about, _markdown(rows)]
    for data, worth in own["worth"].items():
        if "rewording" in worth and COMPLETE not in data:
            told.append(f"Other words than the reports', {data}: {_apart(worth['rewording'])}.")
    for data, blocks in beside["data"].items():
        if data != VAL and COMPLETE not in data and ZERO_SHOT in blocks:
            told += [f"### {name}, finding by finding: {data}", findings(blocks[ZERO_SHOT])]
    return told


def findings(block: dict[str, Any]) -> str:
    """What two arms tell of each finding."""
    rows = [["finding", "before", "after", "difference", "Holm's p", ""]]
    for finding, pair in block["findings"].items():
        said = SAYS.get(pair["verdict"], OPEN)
        rows.append([finding, *_both(pair), f"{pair['p_holm']:.1g}", said])
    return _markdown(rows)


def curves(numbers: dict[str, Any]) -> str:
    """What arms are worth that learned from more and more exams."""
    sets = _sets(numbers)
    rows = [["recipe", "exams", "seeds", *sets]]
    for name, points in numbers["curves"].items():
        for exams, arm in points:
            block = numbers["arms"][arm]
            worth = [_within(block["worth"][n].get(ZERO_SHOT)) for n in sets]
            rows.append([name, f"{exams:,}", str(len(block["seeds"])), *worth])
    return _markdown(rows)


def arms(numbers: dict[str, Any]) -> str:
    """One row an arm: mean AUC of findings from words and how it differs."""
    sets = _sets(numbers)
    differ = [f"difference, {n}" for n in sets]
    rows = [
        ["arm", "what", "seeds", *sets, "beside", *differ, "validation says", "CPU min", "code"]
    ]
    for name, block in numbers["arms"].items():
        beside = block.get("beside")
        differences = [beside["data"][n].get(ZERO_SHOT) for n in sets] if beside else []
        mark = "" if not beside or beside["same_code"] else " *"
        rows.append(
            [
                name,
                block["what"],
                str(len(block["seeds"])),
                *(_value(block["worth"][n].get(ZERO_SHOT)) for n in sets),
                beside["arm"] if beside else "",
                *([_apart(d) + mark for d in differences] or [""] * len(sets)),
                verdict(block),
                f"{block['cpu_min']:.1f}" if block["cpu_min"] else "-",
                ", ".join(block["commits"]),
            ]
        )
    return _markdown(rows)


def verdict(block: dict[str, Any]) -> str:
    """What the validation exams say of an arm beside another."""
    pair = block["beside"]["data"][VAL].get(ZERO_SHOT) if "beside" in block else None
    return SAYS.get(pair["verdict"], OPEN) if pair else ""


def differences(numbers: dict[str, Any]) -> list[forest.Line]:
    """Of each arm that stands beside another; headlines, told in full, would dwarf them."""
    found = []
    for name, block in numbers["arms"].items():
        told = name in numbers["headline"] or "beside" not in block
        pairs = {} if told else block["beside"]["data"]
        for data, pair in pairs.items():
            if COMPLETE not in data and ZERO_SHOT in pair:
                d = pair[ZERO_SHOT]["difference"]
                found.append(forest.Line(name, data, d["value"], d["low"], d["high"]))
    return found


def learned(numbers: dict[str, Any]) -> list[learning.Point]:
    """Of each arm of a curve, on exams that nothing was chosen by."""
    found = []
    for name, points in numbers["curves"].items():
        for exams, arm in points:
            for data in _sets(numbers):
                worth = numbers["arms"][arm]["worth"][data].get(ZERO_SHOT)
                if worth and data != VAL:
                    interval = (worth["value"], worth["low"], worth["high"])
                    found.append(learning.Point(name, data, exams, *interval))
    return found


def _sets(numbers: dict[str, Any]) -> list[str]:
    first = next(iter(numbers["arms"].values()))
    return [name for name in first["worth"] if COMPLETE not in name]


def _both(pair: dict[str, Any]) -> list[str]:
    return [f"{pair['a']:.3f}", f"{pair['b']:.3f}", _apart(pair)]


def _of_error(pair: dict[str, Any]) -> float:
    """What is left of what the first gets wrong."""
    return (1 - pair["b"]) / (1 - pair["a"]) if pair["a"] < 1 else float("nan")


def _value(block: dict[str, Any] | None) -> str:
    """A dash where too few exams have any finding."""
    return f"{block['value']:.3f}" if block else "-"


def _within(block: dict[str, Any] | None) -> str:
    return f"{_value(block)} ({block['low']:.3f} to {block['high']:.3f})" if block else "-"


def _apart(pair: dict[str, Any] | None) -> str:
    if pair is None:
        return "-"
    d = pair["difference"]
    return f"{d['value']:+.3f} ({d['low']:+.3f} to {d['high']:+.3f})"


def _markdown(rows: Iterable[list[str]]) -> str:
    """A table; the first row is its head."""
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
