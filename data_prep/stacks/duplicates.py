"""Objects of a study that came more than once: one of each stays."""

import dataclasses
from collections import defaultdict

from data_prep.read.instance import Instance
from data_prep.read.reject import Reject, Why


@dataclasses.dataclass(frozen=True)
class Unique:
    """One instance per SOPInstanceUID, and what became of the others."""

    instances: list[Instance]
    copies: list[tuple[Instance, Instance]]  # (what is kept, its copy): their pixels may yet differ
    rejects: list[Reject]


def drop_duplicates(instances: list[Instance]) -> Unique:
    """One instance per SOPInstanceUID; one UID with different content is nobody's."""
    unique = Unique([], [], [])
    for kept, *copies in _by_uid(instances):
        if copies and len({repr(_content(i)) for i in (kept, *copies)}) > 1:
            unique.rejects.extend(Reject(Why.DUPLICATE_CONFLICT, i.where) for i in (kept, *copies))
            continue
        unique.instances.append(kept)
        unique.copies.extend((kept, copy) for copy in copies)
        unique.rejects.extend(Reject(Why.DUPLICATE, copy.where) for copy in copies)
    return unique


def _by_uid(instances: list[Instance]) -> list[list[Instance]]:
    by_uid = defaultdict(list)
    for instance in sorted(instances, key=lambda i: (i.where, i.frame)):
        name = f"{instance.where}#{instance.frame}"
        by_uid[instance.text.get("SOPInstanceUID") or name].append(instance)
    return list(by_uid.values())


def _content(instance: Instance) -> Instance:
    """What two copies of one object share, however they were written."""
    text = dict(sorted(instance.text.items()))
    return dataclasses.replace(
        instance, where="", text=text, transfer_syntax="", pixel_offset=0, pixel_length=0
    )
