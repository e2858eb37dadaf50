"""Files of any file system that Beam knows by its scheme (gs://, s3://, hdfs://)."""

import dataclasses
from collections.abc import Iterator
from typing import BinaryIO

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems


@dataclasses.dataclass(frozen=True)
class CloudFiles:
    """A folder in a cloud."""

    root: str

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """Every folder below the root."""
        below: dict[str, list[str]] = {}
        for name in self._match("**"):
            folder, _, file = name.rpartition("/")
            below.setdefault(folder or ".", []).append(file)
        yield from below.items()

    def names(self, folder: str) -> list[str]:
        """The files of one folder, sorted."""
        prefix = "" if folder == "." else folder + "/"
        return sorted(
            name.removeprefix(prefix)
            for name in self._match(prefix + "*")
            if "/" not in name.removeprefix(prefix)
        )

    def size(self, name: str) -> int:
        """As the file system says."""
        found = FileSystems.match([f"{self.root}/{name}"], limits=[1])[0].metadata_list
        if not found:
            raise FileNotFoundError
        return found[0].size_in_bytes

    def open(self, name: str) -> BinaryIO:
        """The bytes as they lie there, whatever the name says of compression."""
        path = f"{self.root}/{name}"
        return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)

    def _match(self, pattern: str) -> list[str]:
        found = FileSystems.match([f"{self.root}/{pattern}"])[0].metadata_list
        return [entry.path.removeprefix(self.root).lstrip("/") for entry in found]
