"""Counts that add up: at every level, found = used + rejected + ignored."""

import dataclasses
from collections import Counter

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
