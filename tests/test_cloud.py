"""Files in a cloud are read as files here are, through whatever file system fsspec knows."""

import zipfile

import fsspec
import pytest
from fsspec.registry import known_implementations

from data_prep.read import instance
from data_prep.read.cloud import CloudFiles
from data_prep.read.files import LocalFiles
from data_prep.read.instance import Instance
from data_prep.read.reject import Reject
from data_prep.read.source import open_source
from data_prep.read.tree import TreeSource
from tests import hostile

MEMORY = fsspec.filesystem("memory")


@pytest.fixture
def both(tmp_path):
    """The same exam in a folder and in the bucket, one archive among the files."""
    files = list(hostile.Study(hostile.profile("tiny"), 0).files())[:20]
    for name, data, _ in files:
        path = tmp_path / "exam" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "notes.txt").write_text("hello")
    with zipfile.ZipFile(tmp_path / "exam" / "more.zip", "w") as archive:
        archive.writestr("in/side.dcm", hostile.good())
    for path in tmp_path.rglob("*"):
        if path.is_file():
            MEMORY.pipe_file(f"/site/{path.relative_to(tmp_path)}", path.read_bytes())
    yield TreeSource(LocalFiles(str(tmp_path))), open_source("memory://site/")
    MEMORY.rm("/site", recursive=True)


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
    stays, goes = [i.where for i in everything(there) if isinstance(i, Instance)][:2]
    MEMORY.rm(f"/site/{goes}")
    assert dict(there.load([goes, stays])).keys() == {stays}


def test_a_cloud_that_nobody_knows_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="Protocol not known: nowhere"):
        open_source("nowhere://site/").units()
    known = {"class": "not_installed.FileSystem", "err": "Install not_installed"}
    monkeypatch.setitem(known_implementations, "elsewhere", known)
    with pytest.raises(ValueError, match=r"elsewhere://site: .*cmr_jax\[cloud\]"):
        open_source("elsewhere://site/").units()
