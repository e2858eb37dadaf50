"""The private folder in which a build works: beside the output, one build at a time.

Plans and orders lie there, which hold identifiers; it is for its owner alone and goes when the
build is done.  What a stopped build finished there, the next one uses.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
from typing import IO

PLANS, FOUND = "plans", "found"  # made anew by every run
ORDERS, RESULTS = "orders", "results"  # used by the next


def folder_of(out: pathlib.Path) -> pathlib.Path:
    """Where a build of OUT works."""
    return out.with_name(out.name + ".unfinished")


def enter(out: pathlib.Path) -> tuple[pathlib.Path, IO[str]]:
    """(the folder, the file whose lock holds it); ValueError where another build is at work."""
    folder = folder_of(out)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ValueError(
            f"another build is at work in {folder}. Wait for it, or stop it."
        ) from None
    for name in (PLANS, FOUND):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    for name in (ORDERS, RESULTS):
        (folder / name).mkdir(exist_ok=True)
    for ticks in folder.glob("*.ticks"):
        ticks.unlink()
    return folder, lock


def sweep(out: pathlib.Path) -> None:
    """Removes what a run left that was stopped after its last step."""
    if folder_of(out).exists():
        folder, lock = enter(out)
        shutil.rmtree(folder)
        lock.close()


def tick(work: str, stage: str) -> None:
    """Notes that one more unit is done; the driver counts the bytes."""
    with open(os.path.join(work, f"{stage}.{os.getpid()}.ticks"), "ab") as file:
        file.write(b".")


def ticks(work: str, stage: str) -> int:
    """How many units are done, over all workers."""
    return sum(p.stat().st_size for p in pathlib.Path(work).glob(f"{stage}.*.ticks"))


def note_found(work: str, unit: bytes, count: int) -> None:
    """Notes how many images a unit held: what gets lost on the way to the plans is missed."""
    pathlib.Path(work, FOUND, hashlib.sha256(unit).hexdigest()).write_text(str(count))


def count_found(work: str) -> int:
    """How many images all units held, by the workers' own count."""
    return sum(int(path.read_text()) for path in pathlib.Path(work, FOUND).iterdir())
