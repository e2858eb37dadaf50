"""A tree of files, archives among them, as a source.

A unit is a folder, or a part of a large one, or an archive.  A member of an archive is named
`archive!member`.
"""

import dataclasses
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from data_prep.read import archive, nifti
from data_prep.read.files import Files, NotRegularError
from data_prep.read.head import Head
from data_prep.read.reject import Reject, Why

HEAD_BYTES = 16 * 1024  # of a file, read first: the plain header of a classic MR object fits well
LONG_HEAD_BYTES = 256 * 1024  # where private blocks come before the pixels
LONGER = 4  # times as much is read of the next file, once that was too little
LARGEST_FILE = 4 << 30
FILES_PER_UNIT = 4096  # larger folders are several jobs
IN_ARCHIVE = "!"
PART = "\0"  # between a folder and the number of its part: no name holds it


@dataclasses.dataclass
class _First:
    """How much of a file is read first: more, once a file of the folder needed more."""

    bytes: int


@dataclasses.dataclass(frozen=True)
class TreeSource:
    """Files below a root; `only` narrows it to one of them (an archive)."""

    files: Files
    only: str = ""

    def units(self) -> list[str]:
        """Folders that hold files, parts of large ones, and archives."""
        if self.only:
            return [self.only + IN_ARCHIVE if archive.is_archive(self.only) else "." + PART + "0"]
        units = []
        for folder, names in self.files.folders():
            units += [_join(folder, n) + IN_ARCHIVE for n in names if archive.is_archive(n)]
            plain = sum(not archive.is_archive(n) for n in names)
            parts = -(-plain // FILES_PER_UNIT) if names else 1
            units += [f"{folder}{PART}{part}" for part in range(parts)]
        return sorted(units)

    def heads(self, unit: str) -> Iterator[Head | Reject]:
        """The head of every file of a unit, by name."""
        if unit.endswith(IN_ARCHIVE):
            yield from self._in_archive(unit.removesuffix(IN_ARCHIVE))
            return
        folder, _, part = unit.partition(PART)
        try:
            names = [self.only] if self.only else self.files.names(folder)
        except OSError as error:
            yield Reject(Why.IO_ERROR, folder, f"folder: {type(error).__name__}")
            return
        plain = [n for n in names if not archive.is_archive(n)]
        start = int(part) * FILES_PER_UNIT
        first = _First(HEAD_BYTES)
        for name in plain[start : start + FILES_PER_UNIT]:
            yield self._head(_join(folder, name), first)

    def load(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The wanted files, whole; every archive is opened once."""
        inside: dict[str, set[str]] = defaultdict(set)
        for where in wheres:
            if in_archive := _split(where):
                inside[in_archive[0]].add(in_archive[1])
                continue
            try:
                yield where, self._whole(where)
            except OSError:
                continue  # the caller counts what did not come
        for name, wanted in inside.items():
            for member in self._members(name):
                if isinstance(member, archive.Member) and member.name in wanted:
                    try:
                        yield f"{name}{IN_ARCHIVE}{member.name}", member.read(-1)
                    except Exception:  # as when the header was read: counted by the caller
                        break

    def _head(self, where: str, first: "_First") -> Head | Reject:
        try:
            size = self.files.size(where)
            if _is_packed(where):
                return Reject(Why.PACKED, where)
            if size > LARGEST_FILE:
                return Reject(Why.TOO_LARGE, where, f"{size} bytes")
            with self.files.open(where) as file:
                head = file.read(first.bytes)
            whole = self._more(where, first)
            return Head(where, head, size, whole, self._beside(where))
        except NotRegularError:
            return Reject(Why.NOT_DICOM, where, "not a regular file")
        except OSError as error:
            return Reject(Why.IO_ERROR, where, type(error).__name__)

    def _more(self, where: str, first: "_First") -> Callable[[], bytes]:
        def whole() -> bytes:
            first.bytes = min(LONGER * first.bytes, LONG_HEAD_BYTES)
            return self._whole(where)

        return whole

    def _whole(self, where: str) -> bytes:
        with self.files.open(where) as file:
            return file.read()

    def _beside(self, where: str) -> bytes:
        """The sidecar of a NIfTI file."""
        if not nifti.is_nifti(where):
            return b""
        stem = where[: where.lower().rindex(".nii")]
        try:
            return self._whole(stem + ".json")
        except OSError:
            return b""

    def _members(self, name: str) -> Iterator[archive.Member | Reject]:
        try:
            with self.files.open(name) as file:
                yield from archive.members(name, file, self.files.size(name))
        except OSError as error:
            yield Reject(Why.IO_ERROR, name, f"archive: {type(error).__name__}")

    def _in_archive(self, name: str) -> Iterator[Head | Reject]:
        for member in self._members(name):
            if isinstance(member, Reject):
                inside = "" if member.where == name else IN_ARCHIVE + member.where
                yield dataclasses.replace(member, where=name + inside)
                continue
            try:
                head = member.read(HEAD_BYTES)
            except Exception as error:  # a codec's; the member is counted
                yield Reject(
                    Why.TRUNCATED, f"{name}{IN_ARCHIVE}{member.name}", type(error).__name__
                )
                continue
            where = f"{name}{IN_ARCHIVE}{member.name}"
            if archive.is_archive(member.name) or _is_packed(member.name):
                yield Reject(Why.PACKED, where)
                continue
            yield Head(where, head, member.size, _rest(head, member.read))


def _rest(head: bytes, read: Callable[[int], bytes]) -> Callable[[], bytes]:
    return lambda: head + read(-1)


def _split(where: str) -> tuple[str, str] | None:
    """(archive, member) of a name that is one; folders may have the mark in theirs too."""
    parts = where.split(IN_ARCHIVE)
    for i in range(1, len(parts)):
        if archive.is_archive(name := IN_ARCHIVE.join(parts[:i])):
            return name, IN_ARCHIVE.join(parts[i:])
    return None


def _is_packed(name: str) -> bool:
    """Whether a file holds others that are not looked for."""
    low = name.lower()
    return low.endswith((".7z", ".rar", ".gz", ".bz2", ".xz")) and not nifti.is_nifti(low)


def _join(folder: str, name: str) -> str:
    return name if folder == "." else os.path.join(folder, name)
