"""Where exams come from: files here or in a cloud, a DICOMweb server, public sets, the phantom.

A source splits into units (small jobs for the workers); a unit yields the head of every file,
and later the bytes of chosen files.
"""

import pathlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from data_prep import public
from data_prep.read.cloud import CloudFiles, is_cloud
from data_prep.read.dicomweb import DicomWebSource
from data_prep.read.files import LocalFiles
from data_prep.read.head import Head
from data_prep.read.reject import Reject
from data_prep.read.tree import TreeSource


class Source(Protocol):
    """What the pipeline asks of a place that holds DICOM."""

    def units(self) -> list[str]:
        """Names of the jobs this source splits into, sorted."""
        ...

    def heads(self, unit: str) -> Iterator[Head | Reject]:
        """The head of every file of a unit; what cannot be opened is a reject."""
        ...

    def load(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """(where, all bytes) of files, unit by unit; a file that is gone is left out."""
        ...


def open_source(spec: str, credentials: str | None = None) -> Source:
    """A folder or an archive, here or in a cloud (`gs://...`), `dicomweb:URL`, `phantom:NAME`,
    or a public set, `acdc:DIR` and so on (see data_prep.public).

    `credentials` names a file that only its owner can read (see `dicomweb`).
    """
    if spec.startswith("phantom:"):
        # Here alone: real exams need none of it, and every worker would pay for the import.
        from data_prep.read.phantom import PhantomSource

        return PhantomSource(spec.removeprefix("phantom:"))
    if public.is_public(spec):
        from data_prep.read.public import PublicSource

        # Workers may start elsewhere.
        layout, _, root = spec.partition(":")
        return PublicSource(f"{layout}:{pathlib.Path(root).absolute()}")
    if spec.startswith("dicomweb:"):
        return DicomWebSource.open(spec.removeprefix("dicomweb:"), credentials)
    if is_cloud(spec):
        return TreeSource(CloudFiles(spec.rstrip("/")))
    root = pathlib.Path(spec).absolute()  # workers may start elsewhere
    if not root.exists():
        raise ValueError(
            f"--dicom {spec}: no such folder or archive. Give a folder of DICOM files, a tar or "
            "zip of them, gs://... or s3://..., dicomweb:URL, phantom:NAME, or a public set: "
            + public.names()
        )
    if root.is_file():
        return TreeSource(LocalFiles(str(root.parent)), only=root.name)
    return TreeSource(LocalFiles(str(root)))
