"""Files of any file system that fsspec knows by its scheme (gs://, s3://, abfs://, webhdfs://).

Not Beam's own: for S3 that makes a new client for every file it opens, a quarter of a CPU second.
Accounts and servers are found where each system's own tools look (environment, configuration).
"""

import dataclasses
import re
from collections.abc import Iterator
from typing import BinaryIO, cast

import fsspec

# What is fetched in one go: most DICOM files whole, archives in pieces.
BLOCK_BYTES = 1 << 20


def is_cloud(spec: str) -> bool:
    """Whether a path has a scheme, as gs://bucket/folder."""
    return re.match(r"[a-z][a-z0-9+.-]+://", spec) is not None


def connect(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a URL, one for a process, and the path there; ValueError: none is known."""
    try:
        # What others write while this runs is seen.
        return fsspec.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise ValueError(f"{url}: {error}. The packages are those of cmr_jax[cloud].") from None


@dataclasses.dataclass(frozen=True)
class CloudFiles:
    """A folder in a cloud."""

    root: str

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """Every folder below the root."""
        system, root = connect(self.root)
        below: dict[str, list[str]] = {}
        for path in sorted(system.find(root)):
            folder, _, file = path.removeprefix(root).lstrip("/").rpartition("/")
            below.setdefault(folder or ".", []).append(file)
        yield from below.items()

    def names(self, folder: str) -> list[str]:
        """The files of one folder, sorted."""
        system, root = connect(self.root)
        path = root if folder == "." else f"{root}/{folder}"
        found = (e for e in system.ls(path, detail=True) if e["type"] == "file")
        return sorted(entry["name"].rpartition("/")[2] for entry in found)

    def size(self, name: str) -> int:
        """As the file system says."""
        system, root = connect(self.root)
        return system.info(f"{root}/{name}")["size"]

    def open(self, name: str) -> BinaryIO:
        """The bytes as they lie there, whatever the name says of compression."""
        system, root = connect(self.root)
        return cast(BinaryIO, system.open(f"{root}/{name}", "rb", block_size=BLOCK_BYTES))
