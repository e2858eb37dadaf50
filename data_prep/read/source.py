"""Where exams come from: a folder tree, or the phantom straight from memory.

A source splits into units (small jobs for the workers); a unit yields the head of every file,
and later the bytes of chosen files.
"""

import dataclasses
import os
import pathlib
import stat
from collections.abc import Iterable, Iterator
from typing import Protocol

from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.read.reject import Reject, Why

HEAD_BYTES = 64 * 1024  # of a file, read first: the header of a classic MR object fits well


class Source(Protocol):
    """What the pipeline asks of a place that holds DICOM."""

    def units(self) -> list[str]:
        """Names of the jobs this source splits into, sorted."""
        ...

    def heads(self, unit: str) -> Iterator[tuple[str, bytes, int] | Reject]:
        """(where, first bytes, size) of every file of a unit; what cannot be opened is a reject."""
        ...

    def load(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """(where, all bytes) of files, unit by unit; a file that is gone is left out."""
        ...


def open_source(spec: str) -> Source:
    """`phantom:NAME[:exams=N,seed=S]` or a folder."""
    if spec.startswith("phantom:"):
        return PhantomSource(spec.removeprefix("phantom:"))
    root = pathlib.Path(spec)
    if not root.is_dir():
        raise ValueError(
            f"--dicom {spec}: no such folder. Give a folder of DICOM files or phantom:NAME."
        )
    return FolderSource(str(root))


@dataclasses.dataclass(frozen=True)
class PhantomSource:
    """Exams of a phantom profile, never written to disk."""

    spec: str

    def units(self) -> list[str]:
        """One unit per exam."""
        return [f"{index:06d}" for index in range(profile(self.spec).exams)]

    def heads(self, unit: str) -> Iterator[tuple[str, bytes, int] | Reject]:
        """Headers alone: nothing is rendered."""
        for name, head, size in Study(profile(self.spec), int(unit)).files(pixels=False):
            yield f"{unit}/{name}", head, size

    def load(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Renders the exams that the wanted files belong to."""
        wanted = set(wheres)
        for unit in sorted({where.split("/")[0] for where in wanted}):
            for name, data, _ in Study(profile(self.spec), int(unit)).files():
                if f"{unit}/{name}" in wanted:
                    yield f"{unit}/{name}", data


@dataclasses.dataclass(frozen=True)
class FolderSource:
    """A folder tree; links are not followed, and only regular files are opened."""

    root: str

    def units(self) -> list[str]:
        """One unit per folder that holds files."""
        folders = []
        for folder, below, files in os.walk(self.root):
            below.sort()
            if files:
                folders.append(os.path.relpath(folder, self.root))
        return sorted(folders)

    def heads(self, unit: str) -> Iterator[tuple[str, bytes, int] | Reject]:
        """The head of every file in one folder, by name."""
        folder = os.path.join(self.root, unit)
        for name in sorted(os.listdir(folder)):
            path, where = os.path.join(folder, name), os.path.join(unit, name)
            try:
                info = os.lstat(path)
                if stat.S_ISDIR(info.st_mode):
                    continue
                if not stat.S_ISREG(info.st_mode):  # opening a fifo would wait for ever
                    yield Reject(Why.NOT_DICOM, where, "not a regular file")
                    continue
                with open(path, "rb") as file:
                    head = file.read(HEAD_BYTES)
                    # A header may be larger than the first read: then the whole file is looked at.
                    if (
                        len(head) == HEAD_BYTES
                        and b"\xe0\x7f\x10\x00" not in head
                        and head[128:132] == b"DICM"
                    ):
                        head += file.read()
                yield where, head, info.st_size
            except OSError as error:
                yield Reject(Why.IO_ERROR, where, type(error).__name__)

    def load(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The wanted files, whole."""
        for where in wheres:
            try:
                yield where, pathlib.Path(self.root, where).read_bytes()
            except OSError:
                continue  # the caller counts what did not come
