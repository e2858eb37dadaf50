"""Members of tar and zip archives, read where they lie: nothing is ever unpacked to disk.

What could harm is refused: links, names that climb out, members too large, headers that would fill
the memory, and archives that inflate beyond any real exam's ratio.
"""

import dataclasses
import pathlib
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, cast

from isal import igzip, isal_zlib

from data_prep.read.reject import Reject, Why

TAR_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
SUFFIXES = (*TAR_SUFFIXES, ".zip")
GZIP = b"\x1f\x8b"  # RFC 1952, 2.3.1
STREAM_BYTES = 64 << 10
# Pixels deflate to a half or a third; blank ones to a hundredth.  Small files may do as they like.
LARGEST_RATIO = 200
FREE_BYTES = 64 << 20
LARGEST_MEMBER = 2 << 30
# Long names and attributes stand in headers of their own, which tarfile reads whole (POSIX pax, GNU).
LONG_HEADERS = frozenset(
    (
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
    )
)
BAD_STREAMS = (zlib.error, cast(type[Exception], isal_zlib.IsalError))
LONGEST_HEADER = 256 << 10  # a path has 4 KiB at most, an extended attribute of a file 64 KiB
SPARSE_GOES_ON = 482  # of a GNU sparse header: not zero where the map of holes goes on behind it


@dataclasses.dataclass(frozen=True)
class Member:
    """One file inside an archive; `read(n)` gives its first n bytes, or all, once."""

    name: str
    size: int
    read: Callable[[int], bytes]


class _UnboundedError(Exception):
    """A header of an archive that may go on without end."""


class _Info(tarfile.TarInfo):
    """A member of a tar whose headers are looked at before they are read."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if any(buf):  # else it is the end: tarfile would take a broken header for that too
                raise tarfile.ReadError from error
            raise
        if info.type in LONG_HEADERS and not 0 <= info.size <= LONGEST_HEADER:
            raise _UnboundedError
        if info.type == tarfile.GNUTYPE_SPARSE and buf[SPARSE_GOES_ON]:
            raise _UnboundedError
        return info

    def _proc_gnusparse_10(self, *_):
        """The map of a sparse file in its content: nothing says where it ends."""
        raise _UnboundedError


def is_archive(name: str) -> bool:
    """Whether the name is one of an archive that can be read."""
    return name.lower().endswith(SUFFIXES)


def members(name: str, file: BinaryIO, size: int) -> Iterator[Member | Reject]:
    """Every regular file of an archive in its order, or why it was left out.

    A reject's `where` is the member's name; the whole archive's where the rest is lost.
    """
    try:
        if name.lower().endswith(TAR_SUFFIXES):
            yield from _of_tar(name, file, size)
        else:
            yield from _of_zip(name, file)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, *BAD_STREAMS) as error:
        yield Reject(Why.TRUNCATED, name, f"archive: {type(error).__name__}")
    except _UnboundedError:
        yield Reject(Why.UNSAFE_ARCHIVE, name, "a header without end; the rest was left")
    except (RuntimeError, NotImplementedError, ValueError) as error:
        yield Reject(Why.UNREADABLE, name, f"archive: {type(error).__name__}")


def _of_tar(name: str, file: BinaryIO, size: int) -> Iterator[Member | Reject]:
    inflated = 0
    with _opened(name, file) as tar:
        for info in tar:
            inflated += info.offset_data - info.offset + info.size
            if not 0 <= info.size <= LARGEST_MEMBER or inflated > FREE_BYTES + LARGEST_RATIO * size:
                yield Reject(Why.UNSAFE_ARCHIVE, name, "inflates without end; the rest was left")
                return
            if info.isdir():
                continue
            if not info.isreg() or _climbs(info.name):
                yield Reject(Why.UNSAFE_ARCHIVE, info.name, "a link, or a name that climbs out")
                continue
            content = tar.extractfile(info)
            assert content is not None
            yield Member(info.name, info.size, content.read)


def _opened(name: str, file: BinaryIO) -> tarfile.TarFile:
    """A plain tar is read by seeking, a compressed one as it streams by."""
    if name.lower().endswith(".tar"):
        return tarfile.open(fileobj=file, mode="r:", tarinfo=_Info)
    packed = file.read(len(GZIP)) == GZIP
    file.seek(0)
    if packed:  # by Intel's inflate: three times as fast as zlib's
        stream = igzip.GzipFile(fileobj=file)
        return tarfile.open(fileobj=stream, mode="r|", bufsize=STREAM_BYTES, tarinfo=_Info)
    return tarfile.open(fileobj=file, mode="r|*", tarinfo=_Info)


def _of_zip(name: str, file: BinaryIO) -> Iterator[Member | Reject]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            ratio = info.file_size / max(info.compress_size, 1)
            if info.file_size > LARGEST_MEMBER or (
                info.file_size > FREE_BYTES and ratio > LARGEST_RATIO
            ):
                yield Reject(Why.UNSAFE_ARCHIVE, info.filename, "inflates without end")
            elif info.is_dir():
                continue
            elif _climbs(info.filename) or (info.external_attr >> 28) == 0xA:
                yield Reject(Why.UNSAFE_ARCHIVE, info.filename, "a link, or a name that climbs out")
            elif info.flag_bits & 1:
                yield Reject(Why.UNREADABLE, info.filename, "encrypted")
            else:
                try:
                    content = archive.open(info)
                except (NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:
                    said = f"archive: {type(error).__name__}"
                    yield Reject(Why.UNREADABLE, info.filename, said)
                    continue
                with content:
                    yield Member(info.filename, info.file_size, _bounded(content, info.file_size))


def _bounded(content: IO[bytes], size: int) -> Callable[[int], bytes]:
    """A zip may hold more than it says."""

    def read(count: int = -1) -> bytes:
        data = content.read(size + 1 if count < 0 else count)
        if len(data) > size:
            raise ValueError("a member is longer than it says")
        return data

    return read


def _climbs(name: str) -> bool:
    path = pathlib.PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts
