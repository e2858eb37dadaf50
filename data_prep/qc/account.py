"""Counts that add up: at every level, found = used + rejected + ignored."""

import dataclasses
import json
import os
import pathlib
from collections import Counter

from data_prep.deid.pseudonym import Pseudonyms
from data_prep.read.reject import Reject


@dataclasses.dataclass
class Account:
    """What was found and what became of it."""

    files_found: int = 0
    files_used: int = 0
    exams_found: int = 0
    exams_written: int = 0
    reports_found: int = 0
    reports_used: int = 0
    frames_written: int = 0
    bytes_written: int = 0
    stacks: Counter = dataclasses.field(default_factory=Counter)
    exams_by_split: dict[str, int] = dataclasses.field(default_factory=dict)
    joined_by: Counter = dataclasses.field(default_factory=Counter)
    identifiers_removed: Counter = dataclasses.field(default_factory=Counter)  # by class
    rejects: dict[str, list[Reject]] = dataclasses.field(default_factory=dict)  # by level
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)

    def check(self) -> None:
        """Raises where something found is neither used nor counted as rejected or ignored."""
        for level, found, used in (
            ("files", self.files_found, self.files_used),
            ("exams", self.exams_found, self.exams_written),
            ("reports", self.reports_found, self.reports_used),
        ):
            lost = found - used - sum(r.count for r in self.rejects.get(level, []))
            if lost:
                raise RuntimeError(
                    f"{lost} of {found} {level} are unaccounted for: a bug in data_prep"
                )

    def to_json(self) -> dict:
        """Numbers alone."""
        plain = {k: v for k, v in vars(self).items() if k not in ("rejects", "seconds")}
        return plain | {"rejects": {k: dict(self.reasons(k)) for k in sorted(self.rejects)}}

    def reasons(self, level: str) -> Counter:
        """How many inputs of a level were not used, by reason."""
        counts: Counter = Counter()
        for reject in self.rejects.get(level, []):
            counts[reject.why.name] += reject.count
        return counts

    def lines(self) -> list[str]:
        """The account as people read it."""
        splits = ", ".join(f"{n} {split}" for split, n in self.exams_by_split.items())
        lines = [
            f"exams    {self.exams_found} found, {self.exams_written} written ({splits})",
            f"frames   {self.frames_written} in {self.bytes_written / 1e9:.3f} GB",
            "stacks   " + ", ".join(f"{n} {name}" for name, n in sorted(self.stacks.items())),
            f"files    {self.files_found} found, {self.files_used} used",
            f"reports  {self.reports_found} found, {self.reports_used} used"
            + "".join(f", {n} {how}" for how, n in sorted(self.joined_by.items())),
            "time     " + ", ".join(f"{name} {s:.0f} s" for name, s in self.seconds.items()),
        ]
        ways = {r.why.name: r.why for rejects in self.rejects.values() for r in rejects}
        for level in sorted(self.rejects):
            for name, count in sorted(self.reasons(level).items()):
                word = "ignored" if ways[name].ignored else "REJECTED"
                lines.append(f"{word:8} {count} {level}: {name.lower()}: {ways[name].way_out}")
        return lines


def write_rejects(out: pathlib.Path, account: Account, pseudonyms: Pseudonyms) -> None:
    """Rejects by pseudonym into the output; true paths into a file of the owner's beside it."""
    rows, local = [], []
    for level, rejects in sorted(account.rejects.items()):
        for r in rejects:
            name = pseudonyms.of("path", r.where)
            rows.append(
                {
                    "level": level,
                    "id": name,
                    "reason": r.why.name,
                    "detail": r.detail,
                    "count": r.count,
                }
            )
            local.append(f"{name}\t{r.why.name}\t{r.where!r}\n")
    (out / "rejects.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    beside = out.with_name(out.name + ".rejected_paths.tsv")
    beside.unlink(missing_ok=True)
    if local:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(local)
