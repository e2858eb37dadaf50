"""Files under a root: listed, measured, opened; never written."""

import dataclasses
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, Protocol


class NotRegularError(OSError):
    """A fifo, socket, device or link: opening one might wait for ever or lead elsewhere."""


class Files(Protocol):
    """A tree of files; names are relative to its root, with slashes."""

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """(folder, names of its files) for every folder; one that cannot be listed has no names."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names of the files of one folder, sorted; OSError where it cannot be listed."""
        ...

    def size(self, name: str) -> int:
        """Bytes of a file; OSError where it is gone or none."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Opens a file to read; seekable."""
        ...


@dataclasses.dataclass(frozen=True)
class LocalFiles:
    """A folder of this machine.  Links are not followed and only regular files are opened."""

    root: str

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """Every folder below the root, also those that cannot be listed."""
        unlisted: list[str] = []
        walk = os.walk(self.root, onerror=lambda e: unlisted.append(os.fsdecode(e.filename)))
        for folder, below, files in walk:
            links = [d for d in below if os.path.islink(os.path.join(folder, d))]
            if files or links:  # a link to a folder is not followed: it counts as a file
                yield os.path.relpath(folder, self.root), files + links
        for folder in unlisted:
            yield os.path.relpath(folder, self.root), []

    def names(self, folder: str) -> list[str]:
        """Everything in the folder but folders."""
        with os.scandir(os.path.join(self.root, folder)) as entries:
            return sorted(e.name for e in entries if not e.is_dir(follow_symlinks=False))

    def size(self, name: str) -> int:
        """As the file system says."""
        info = os.lstat(os.path.join(self.root, name))
        if not stat.S_ISREG(info.st_mode):
            raise NotRegularError
        return info.st_size

    def open(self, name: str) -> BinaryIO:
        """Unbuffered: heads are read in one go."""
        self.size(name)
        return open(os.path.join(self.root, name), "rb", buffering=0)
