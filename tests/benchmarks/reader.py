"""Read a report's text as the program does, for scoring against labelled sentences.

`read(text)` gives findings, `numbers(text)` measurements; any scorer that takes a function of one text
can hold them to its own labels.  As a program it scores files of lines of JSON with `text` and `labels`:

    python tests/benchmarks/reader.py FILE.jsonl ...

Labels are present, absent, uncertain or "not mentioned"; `accept` lists further answers that pass.
"""

import collections
import json
import pathlib
import sys

from cmr_jax.wording import findings, statements
from cmr_jax.wording import numbers as measurements
from data_prep.reports.impression import sentences

NAMES = {  # of labelled files
    "lv_ef_percent": "lvef",
    "rv_ef_percent": "rvef",
    "lv_edv_ml": "lvedv",
    "lv_edvi_ml_m2": "lvedvi",
    "lv_wall_mm": "wall",
}


def read(text: str) -> dict[str, str]:
    """Findings of a text: "present", "absent" or "uncertain"; what is not mentioned is left out."""
    return {name: state.value for name, state in statements.states(sentences(text)).items()}


def numbers(text: str) -> dict[str, float]:
    """Measurements of a text by the names of labelled files."""
    found = measurements.stated(sentences(text))
    return {NAMES[name]: value for name, value in found.items() if name in NAMES}


def main(paths: list[str]) -> None:
    """Print exact matches, and for each finding F1 of present and absent and hedges read as such."""
    for path in paths:
        counts = {name: collections.Counter() for name in findings.FINDINGS}
        exact = texts = 0
        for line in pathlib.Path(path).read_text().splitlines():
            row = json.loads(line)
            wrong = count(row, read(row["text"]), counts)
            exact, texts = exact + (not wrong), texts + 1
        print(f"{path}: {exact} of {texts} texts read without an error")
        total = sum(counts.values(), collections.Counter())
        for name, c in [*counts.items(), ("all", total)]:
            cells = "".join(_cell(c, state) for state in ("present", "absent"))
            print(f"  {name:22s}{cells}  uncertain {c['hit uncertain']} of {c['uncertain']}")


def count(row: dict, found: dict[str, str], counts: dict) -> int:
    """Add a text's hits and errors to the counts; return how many findings are wrong."""
    wrong = 0
    for name in findings.FINDINGS:
        gold = row["labels"].get(name, "not mentioned")
        allowed = {gold, *row.get("accept", {}).get(name, [])}
        allowed |= {"not mentioned"} if "uncertain" in allowed else set()
        counts[name]["uncertain"] += gold == "uncertain"
        said = found.get(name, "not mentioned")
        if said in allowed:
            counts[name][f"hit {said}"] += said == gold
            continue
        wrong += 1
        counts[name][f"false {said}"] += 1
        counts[name][f"missed {gold}"] += 1
    return wrong


def _cell(c: collections.Counter, state: str) -> str:
    hit, false, missed = (c[f"{kind} {state}"] for kind in ("hit", "false", "missed"))
    if not hit + missed:
        return f"  {state} -   "
    f1 = 2 * hit / (2 * hit + false + missed)
    return f"  {state} F1 {f1:.2f} ({hit} read, {false} wrong, {missed} missed)"


if __name__ == "__main__":
    main(sys.argv[1:])
