"""What a source says of one file before anybody reads all of it."""

import dataclasses
from collections.abc import Callable

import pydicom


@dataclasses.dataclass(frozen=True)
class Head:
    """The first bytes of a file, its size, and how to get the rest.

    `whole` works until the source is asked for the next file: archives are read as they stream by.
    """

    where: str
    head: bytes
    size: int
    whole: Callable[[], bytes] | None = None  # None: `head` is all there is
    beside: bytes = b""  # of a sidecar file, which NIfTI needs
    dataset: pydicom.Dataset | None = None  # a header that came without a file (DICOMweb)

    def all(self) -> bytes:
        """Every byte of the file."""
        return self.head if self.whole is None else self.whole()
