"""What a build's processes hand to each other: named bytes in a private place that all can reach.

Plans and shards pass through it.  It is a folder where all share a file system, else one in a
cloud.  What lies there holds identifiers, has its name only when it is whole, and goes when the
build is done.
"""

import abc
import contextlib
import dataclasses
import os
import pathlib
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from typing import cast

import fsspec

from data_prep.read.cloud import connect

UNFINISHED = ".unfinished"


class Exchange(abc.ABC):
    """Named bytes; a name is a path with slashes."""

    def put(self, name: str, data: bytes) -> None:
        """Stores bytes."""
        with self.writing(name) as path:
            path.write_bytes(data)

    @abc.abstractmethod
    def get(self, name: str) -> bytes:
        """The bytes of a name."""

    @abc.abstractmethod
    def writing(self, name: str) -> contextlib.AbstractContextManager[pathlib.Path]:
        """A file of this machine to write; it becomes the bytes of the name when all went well."""

    @abc.abstractmethod
    def fetch(self, name: str, target: pathlib.Path) -> None:
        """Makes a file of the bytes of a name."""

    @abc.abstractmethod
    def names(self, folder: str) -> list[str]:
        """Full names of everything below a folder, sorted."""

    @abc.abstractmethod
    def remove(self, names: Iterable[str]) -> None:
        """Forgets names."""

    @abc.abstractmethod
    def clear(self) -> None:
        """Forgets everything, also what was never finished."""


@dataclasses.dataclass(frozen=True)
class LocalExchange(Exchange):
    """A folder of a file system that every worker sees under the same path."""

    root: pathlib.Path

    def get(self, name: str) -> bytes:
        """Read where it lies."""
        return (self.root / name).read_bytes()

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[pathlib.Path]:
        """A file beside the one it will be."""
        with _replacing(self.root / name) as path:
            yield path

    def fetch(self, name: str, target: pathlib.Path) -> None:
        """No second copy on most file systems."""
        link(self.root / name, target)

    def names(self, folder: str) -> list[str]:
        """As the folders say."""
        files = (p for p in (self.root / folder).rglob("*") if p.is_file())
        return sorted(str(p.relative_to(self.root)) for p in files if p.suffix != UNFINISHED)

    def remove(self, names: Iterable[str]) -> None:
        """One by one."""
        for name in names:
            (self.root / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """With the folder itself."""
        shutil.rmtree(self.root)


@dataclasses.dataclass(frozen=True)
class CloudExchange(Exchange):
    """A folder of a file system that is known by its scheme (see `data_prep.read.cloud`)."""

    root: str

    def get(self, name: str) -> bytes:
        """In one piece."""
        system, path = self._at(name)
        return cast(bytes, system.cat_file(path))

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[pathlib.Path]:
        """A temporary file, sent when it is whole."""
        with tempfile.TemporaryDirectory() as folder:
            local = pathlib.Path(folder, "whole")
            yield local
            system, path = self._at(name)
            # Not every file system keeps a file back until it is whole.
            unfinished = f"{path}.{uuid.uuid4().hex}{UNFINISHED}"
            system.makedirs(path.rpartition("/")[0], exist_ok=True)
            system.put_file(str(local), unfinished)
            system.mv(unfinished, path)

    def fetch(self, name: str, target: pathlib.Path) -> None:
        """Fetched beside the target, which appears when it is whole."""
        system, path = self._at(name)
        with _replacing(target) as local:
            system.get_file(path, str(local))

    def names(self, folder: str) -> list[str]:
        """As the file system says."""
        system, root = connect(self.root)
        within = f"{root}/{folder}".rstrip("/")
        # A folder that fills while it is listed may be listed itself.
        paths = (path for path in system.find(within) if path.rstrip("/") != within)
        names = (path.removeprefix(root).lstrip("/") for path in paths)
        return sorted(name for name in names if not name.endswith(UNFINISHED))

    def remove(self, names: Iterable[str]) -> None:
        """All at once."""
        system, root = connect(self.root)
        if paths := [f"{root}/{name}" for name in names]:
            system.rm(paths)

    def clear(self) -> None:
        """With the folder itself, where there are any."""
        system, root = connect(self.root)
        if system.exists(root):
            system.rm(root, recursive=True)

    def _at(self, name: str) -> tuple[fsspec.AbstractFileSystem, str]:
        system, root = connect(self.root)
        return system, f"{root}/{name}"


def link(source: pathlib.Path, target: pathlib.Path) -> None:
    """Gives a file a second name, or copies it where the file system has no links."""
    with _replacing(target) as path:
        try:
            os.link(source, path)
        except OSError:
            shutil.copyfile(source, path)


@contextlib.contextmanager
def _replacing(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """A path to write to that takes the target's place when all went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{uuid.uuid4().hex}{UNFINISHED}")
    try:
        yield unfinished
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
