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


Sums = dict[str, list]  # by the name of a file, its size and its checksum


def close(folder: pathlib.Path, file: pathlib.Path, known: Sums) -> None:
    """Writes down what the table in `folder` has.  A file is written once and never changed, so what
    is known of it stays true."""
    sums = {
        name: known.get(name) or [f.stat().st_size, _sum(f)] for name, f in _files(folder).items()
    }
    journal.replace(file, json.dumps(sums).encode())


def read(file: pathlib.Path) -> Sums:
    """What was written down; {} before anything was finished."""
    if not file.exists():
        return {}
    try:
        return dict(json.loads(file.read_text()))
    except (TypeError, ValueError):
        raise ValueError(f"{file} is damaged. Make the index anew.") from None


def covers(folder: pathlib.Path, file: pathlib.Path) -> bool:
    """Whether it was written down, and no file came or went since."""
    return file.exists() and read(file).keys() == _files(folder).keys()


def check(folder: pathlib.Path, file: pathlib.Path, sized_only: bool) -> int:
    """How many files are as they were; a ValueError where one is gone, or is not what it was.

    Files that came later are not looked at: a write is under way, or was stopped.  Without a seal
    nothing was finished yet."""
    there, sealed = _files(folder), read(file)
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
