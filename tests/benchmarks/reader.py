"""Read a report's text as the program does, for scoring against labelled sentences.

`read(text)` gives findings and concepts, `numbers(text)` measurements; any scorer that takes a function of one
text can hold them to its own labels.  As a program it scores files of lines of JSON with `text`, `labels` and
`numbers`, or measures how fast the texts of a file are read:

    python tests/benchmarks/reader.py FILE.jsonl ... [--concepts] [--speed]

Labels are present, absent, uncertain or "not mentioned"; `accept` lists further answers that pass.  Files
are labelled for the thirteen findings, or with `--concepts` for those of cmr_jax/wording/lexicon.toml.
"""

import argparse
import collections
import json
import pathlib
import random
import re
import time

from cmr_jax.wording import findings, lexicon, statements
from cmr_jax.wording import numbers as measurements
from data_prep.reports.impression import sentences

NAMES = {  # of labelled files
    "lv_ef_percent": "lvef",
    "rv_ef_percent": "rvef",
    "lv_edv_ml": "lvedv",
    "lv_esv_ml": "lvesv",
    "rv_edv_ml": "rvedv",
    "rv_esv_ml": "rvesv",
    "lv_edvi_ml_m2": "lvedvi",
    "lv_esvi_ml_m2": "lvesvi",
    "rv_edvi_ml_m2": "rvedvi",
    "rv_esvi_ml_m2": "rvesvi",
    "lv_mass_g": "lvmass",
    "lv_massi_g_m2": "lvmassi",
    "lv_wall_mm": "wall",
    "effusion_mm": "effusion",
    "aorta_mm": "aorta",
    "t1_ms": "t1",
    "t2_ms": "t2",
    "t2star_ms": "t2star",
    "ecv_percent": "ecv",
}
LABELLED = ("lvef", "rvef", "lvedv", "lvedvi", "wall", "effusion")
CLOSE = 0.51  # what a number may differ by
STATES = ("present", "absent")


def read(text: str) -> dict[str, str]:
    """Findings of a text: "present", "absent" or "uncertain"; what is not mentioned is left out."""
    return {name: state.value for name, state in statements.states(sentences(text)).items()}


def numbers(text: str) -> dict[str, float]:
    """Measurements of a text that labelled files of others have."""
    return {name: value for name, value in all_numbers(text).items() if name in LABELLED}


def all_numbers(text: str) -> dict[str, float]:
    """All measurements of a text by the names of labelled files."""
    return {NAMES[name]: value for name, value in measurements.stated(sentences(text)).items()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Score the reader of reports, or measure its speed."
    )
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--concepts", action="store_true")
    parser.add_argument("--speed", action="store_true")
    args = parser.parse_args()
    for path in args.files:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        print(f"{path}:")
        if args.speed:
            print(speed([row["text"] for row in rows]))
            continue
        _print_scores(rows, tuple(lexicon.concepts()) if args.concepts else findings.FINDINGS)


def _print_scores(rows: list[dict], names: tuple[str, ...]) -> None:
    counts = {name: collections.Counter() for name in names}
    exact = sum(not count(row, read(row["text"]), counts) for row in rows)
    print(f"{exact} of {len(rows)} texts read without an error")
    print(
        f"{'':24s}" + "".join(f"{s:>9s}  P    R    F1      n" for s in STATES) + "  hedges read so"
    )
    total = sum(counts.values(), collections.Counter())
    for name, c in [*counts.items(), ("all", total)]:
        cells = "".join(_cell(c, state) for state in STATES)
        print(f"{name:24s}{cells}  {c['hit uncertain']} of {c['uncertain']}")
    if labelled := {name for row in rows for name in row.get("numbers", {})}:
        found = collections.Counter()
        for row in (row for row in rows if "numbers" in row):
            read_here = {n: v for n, v in all_numbers(row["text"]).items() if n in labelled}
            found.update(count_numbers(row, read_here))
        print("numbers: " + ", ".join(f"{n} {kind}" for kind, n in found.items()))


def count(row: dict, found: dict[str, str], counts: dict) -> int:
    """Add a text's hits and errors to the counts; return how many findings are wrong."""
    wrong = 0
    for name, c in counts.items():
        gold = row["labels"].get(name, "not mentioned")
        allowed = {gold, *row.get("accept", {}).get(name, [])}
        allowed |= {"not mentioned"} if "uncertain" in allowed else set()
        c["uncertain"] += gold == "uncertain"
        said = found.get(name, "not mentioned")
        if said in allowed:
            c[f"hit {said}"] += said == gold
            continue
        wrong += 1
        c[f"false {said}"] += 1
        c[f"missed {gold}"] += 1
    return wrong


def count_numbers(row: dict, found: dict[str, float]) -> collections.Counter:
    """Numbers of a text that are right, wrong, missed or invented; a label may be a range."""
    counts = collections.Counter(right=0, wrong=0, missed=0, invented=0)
    for name, value in row.get("numbers", {}).items():
        low, high = value if isinstance(value, list) else (value, value)
        fits = low - CLOSE <= found.get(name, low) <= high + CLOSE
        counts["missed" if name not in found else "right" if fits else "wrong"] += 1
    counts["invented"] = len(set(found) - set(row.get("numbers", {})))
    return counts


def speed(texts: list[str], impressions: int = 5000) -> str:
    """Impressions a second on one core: four sentences each, drawn from the texts, with other digits each time."""
    rng = random.Random(0)
    pool = [sentence for text in texts for sentence in sentences(text)]
    made = [
        [re.sub(r"\d", lambda _: str(rng.randint(1, 9)), rng.choice(pool)) for _ in range(4)]
        for _ in range(impressions)
    ]
    different = len({sentence for one in made for sentence in one})
    begun = time.process_time()
    for one in made:
        findings.said_by_all(one)
        measurements.stated(one)
    seconds = time.process_time() - begun
    return f"{impressions / seconds:.0f} impressions a second ({different} different sentences of {4 * impressions})"


def _cell(c: collections.Counter, state: str) -> str:
    hit, false, missed = (c[f"{kind} {state}"] for kind in ("hit", "false", "missed"))
    if not hit + missed:
        return f"{'-':>23s}{false:7d}" if false else f"{'-':>23s}{'':7s}"
    precision, recall = hit / max(hit + false, 1), hit / (hit + missed)
    f1 = 2 * hit / (2 * hit + false + missed)
    return f"{'':8s}{precision:5.2f}{recall:5.2f}{f1:5.2f}{hit + missed:7d}"


if __name__ == "__main__":
    main()
