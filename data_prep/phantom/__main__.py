"""Writes phantom exams as files: `python -m data_prep.phantom --out DIR --exams N --seed S`.

Under DIR: dicom/EXAM/STACK/*.dcm, reports.csv and labels.csv (both with the key columns that
`python -m data_prep.build` joins on).

    python -m data_prep.phantom --benchmark v1

writes nothing: it makes a fixed benchmark anew, says who is in it, and checks that it is the same
as ever (exit code 1 if not).  `data_prep.build --dicom phantom:v1` and `phantom:v1-elsewhere`
prepare it.
"""

import argparse
import csv
import dataclasses
import pathlib
import sys

from data_prep.phantom import benchmark
from data_prep.phantom.protocol import PROFILES, Profile
from data_prep.phantom.study import Study


def write(out: pathlib.Path, chosen: Profile) -> int:
    """Writes every exam of the profile below `out`; returns the number of DICOM files."""
    written = 0
    for index in range(chosen.exams):
        for name, data, _ in Study(chosen, index).files():
            path = out / "dicom" / f"exam{index:05d}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            written += 1
        print(f"\rexam {index + 1} of {chosen.exams}, {written} files", end="", file=sys.stderr)
    print(file=sys.stderr)
    _table(out / "reports.csv", report_rows(chosen))
    _table(out / "labels.csv", label_rows(chosen))
    return written


def report_rows(chosen: Profile) -> list[dict[str, str]]:
    """Reports of the profile's exams, with the key columns."""
    studies = (Study(chosen, index) for index in range(chosen.exams))
    return [study.keys | {"report_text": study.report_text} for study in studies]


def label_rows(chosen: Profile) -> list[dict[str, str]]:
    """The truth of the profile's exams, with the key columns."""
    rows = []
    for index in range(chosen.exams):
        study = Study(chosen, index)
        measured = {k: f"{v:.1f}" for k, v in study.truth.measurements.items()}
        found = {k: str(int(v)) for k, v in study.truth.findings.items()}
        given = {"split": split} if (split := chosen.split_of(index)) else {}
        known = {"diagnosis": study.diagnosis}
        rows.append(study.keys | given | known | measured | found)
    return rows


def check(name: str) -> int:
    """Makes a benchmark anew and compares it with what it was; the exit code."""
    for part in benchmark.BENCHMARKS[name]:
        print(benchmark.described(part))
    expected = benchmark.fingerprints(name)
    wrong = 0
    found = benchmark.made_anew(name)
    for number, (old, new) in enumerate(zip(expected, found, strict=True), 1):
        if said := benchmark.difference(old, new):
            wrong += 1
            print(f"\n{said}")
        print(f"\rblock {number} of {len(expected)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    print(f"{len(expected) - wrong} of {len(expected)} blocks are the same")
    return int(wrong > 0)


def _table(path: pathlib.Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser("python -m data_prep.phantom", description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, help="folder to write")
    parser.add_argument(
        "--benchmark", choices=benchmark.BENCHMARKS, help="check a fixed benchmark; write nothing"
    )
    parser.add_argument("--exams", type=int, help="how many (default: the profile's)")
    parser.add_argument("--seed", type=int, help="which ones (default: the profile's)")
    parser.add_argument("--profile", choices=PROFILES, default="clinical", help="scan protocol")
    args = parser.parse_args(argv)
    if args.benchmark:
        return check(args.benchmark)
    if args.out is None:
        parser.error("say --out DIR, or --benchmark NAME")
    chosen = PROFILES[args.profile]
    changes = {k: v for k in ("exams", "seed") if (v := getattr(args, k)) is not None}
    chosen = dataclasses.replace(chosen, **changes)
    if chosen.exams < 1:
        print(f"--exams {chosen.exams}: ask for at least one.", file=sys.stderr)
        return 2
    files = write(args.out, chosen)
    print(f"{chosen.exams} exams, {files} DICOM files, reports.csv and labels.csv in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
