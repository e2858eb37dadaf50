"""Files in a cloud are read as files here are, through whatever file system Beam knows."""

import io
import zipfile

import pytest
from apache_beam.io.filesystem import FileMetadata, FileSystem

from data_prep.read import instance
from data_prep.read.cloud import CloudFiles
from data_prep.read.files import LocalFiles
from data_prep.read.instance import Instance
from data_prep.read.reject import Reject
from data_prep.read.source import open_source
from data_prep.read.tree import TreeSource
from tests import hostile

BUCKET: dict[str, bytes] = {}


class Bucket(FileSystem):
    """A cloud in memory: objects by name, no folders."""

    @classmethod
    def scheme(cls):
        return "bucket"

    def join(self, basepath, *paths):
        return "/".join((basepath, *paths))

    def split(self, path):
        head, _, tail = path.rpartition("/")
        return head, tail

    def has_dirs(self):
        return False

    def _list(self, dir_or_prefix):
        names = [n for n in BUCKET if n.startswith(dir_or_prefix)]
        return iter([FileMetadata(n, len(BUCKET[n]), 0.0) for n in names])

    def open(self, path, mime_type="", compression_type=""):
        if path not in BUCKET:
            raise FileNotFoundError
        return io.BytesIO(BUCKET[path])

    def exists(self, path):
        return path in BUCKET

    def size(self, path):
        return len(BUCKET[path])

    def metadata(self, path):
        return FileMetadata(path, len(BUCKET[path]), 0.0)

    def _no(self, *_, **__):
        raise NotImplementedError("nothing is written there")

    mkdirs = create = copy = rename = last_updated = checksum = delete = _no


@pytest.fixture
def both(tmp_path):
    """The same exam in a folder and in the bucket, one archive among the files."""
    BUCKET.clear()
    files = list(hostile.Study(hostile.profile("tiny"), 0).files())[:20]
    for name, data, _ in files:
        path = tmp_path / "exam" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "exam" / "notes.txt").write_text("hello")
    with zipfile.ZipFile(tmp_path / "exam" / "more.zip", "w") as archive:
        archive.writestr("in/side.dcm", hostile.good())
    for path in tmp_path.rglob("*"):
        if path.is_file():
            BUCKET[f"bucket://site/{path.relative_to(tmp_path)}"] = path.read_bytes()
    return TreeSource(LocalFiles(str(tmp_path))), open_source("bucket://site/")


def everything(source) -> list:
    heads = (h for unit in source.units() for h in source.heads(unit))
    return [one for h in heads for one in ([h] if isinstance(h, Reject) else instance.read(h))]


def test_a_cloud_holds_what_a_folder_holds(both):
    here, there = both
    assert isinstance(there.files, CloudFiles)
    assert there.units() == here.units()
    found = everything(there)
    assert repr(found) == repr(everything(here))
    wheres = [i.where for i in found if isinstance(i, Instance)]
    assert len(wheres) == 21
    assert dict(there.load(wheres)) == dict(here.load(wheres))


def test_an_object_that_is_gone_is_counted(both):
    _, there = both
    name = next(n for n in BUCKET if n.endswith("00001.dcm"))
    del BUCKET[name]
    assert dict(there.load([name.removeprefix("bucket://site/")])) == {}
