"""Files that hold a secret: their owner's alone, or not read."""

import pathlib
import stat


def read_private(path: str, flag: str) -> bytes:
    """The bytes of the file that `flag` names; ValueError where others can read it too."""
    file = pathlib.Path(path)
    if not file.is_file():
        raise ValueError(f"{flag} {path}: no such file.")
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise ValueError(f"{flag} {path} can be read by others: chmod 600 {path}")
    return file.read_bytes()
