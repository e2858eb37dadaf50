"""What joining makes: the impression of each exam, its labels, and what was not joined."""

import dataclasses
from collections import Counter

from data_prep.read.reject import Reject


@dataclasses.dataclass(frozen=True)
class Impression:
    """A de-identified impression and its sentences."""

    text: str
    sentences: tuple[str, ...]
    removed: Counter = dataclasses.field(default_factory=Counter)  # identifiers by class


@dataclasses.dataclass
class Joined:
    """Impressions and labels by StudyInstanceUID, how they were joined, and what was not.

    Every report row is the source of one impression or has one reject.
    """

    impressions: dict[str, Impression]
    labels: dict[str, dict[str, str]]
    joined_by: Counter
    rejects: list[Reject]
