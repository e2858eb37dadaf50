"""Whether files are as they were written: their sizes and checksums, kept beside them.

Sizes are looked at in no time, and tell of a copy that was cut short; checksums tell of every bit.
"""

import hashlib
import json
import pathlib

from cmr_jax import journal

ROOMS = (
    "data",
    "_deletions",
    "_indices",
)  # of a Lance table: versions are small, and its own affair


def close(folder: pathlib.Path, file: pathlib.Path) -> None:
    """Writes down what the table in `folder` has."""
    sums = {name: [f.stat().st_size, _sum(f)] for name, f in _files(folder).items()}
    journal.replace(file, json.dumps(sums).encode())


def check(folder: pathlib.Path, file: pathlib.Path, sized_only: bool) -> int:
    """How many files are as they were; a ValueError where one is gone, or is not what it was.

    Files that came later are not looked at: a write is under way, or was stopped.  Without a seal
    nothing was finished yet."""
    if not file.exists():
        return 0
    there = _files(folder)
    try:
        sealed = json.loads(file.read_text())
    except ValueError:
        raise ValueError(f"{file} is damaged. Make the index anew.") from None
    for name, (size, checksum) in sealed.items():
        found = there.get(name)
        if (
            found is None
            or found.stat().st_size != size
            or not (sized_only or _sum(found) == checksum)
        ):
            raise ValueError(
                f"{file.parent} is damaged: {name} is not as it was written. Copy it back from where "
                "it is whole, or make the index anew."
            )
    return len(sealed)


def _files(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    return {
        str(file.relative_to(folder)): file
        for room in ROOMS
        for file in sorted((folder / room).rglob("*"))
        if file.is_file()
    }


def _sum(file: pathlib.Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
