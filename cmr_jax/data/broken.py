"""Records that cannot be read: how they are told, and how many may be."""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Broken(NamedTuple):
    """A record that could not be read, as it is told."""

    record: str  # an exam, by its number in its split
    reason: str  # no pixels, no words of its report


class BrokenRecord(ValueError):
    """The record's own fault: it is damaged, or not what the schema says."""


def check_share(broken: Sequence[Broken], exams: int, share: float) -> None:
    """A ValueError if these are more of so many exams than their share allows."""
    if len(broken) <= share * exams:
        return
    first = "; ".join(f"{record} ({reason})" for record, reason in broken[:3])
    more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
    raise ValueError(
        f"{len(broken)} of {exams} exams cannot be read, more than data.broken_share={share:g}: "
        f"{first}{more}. Copy the data again, prepare it again, or allow more with "
        "--config.data.broken_share."
    )


def dump(broken: Iterable[Broken]) -> str:
    """As a text, which batches of arrays can carry."""
    return json.dumps(list(broken))


def load(text: str) -> tuple[Broken, ...]:
    """The inverse of `dump`."""
    return tuple(Broken(*one) for one in json.loads(text))
