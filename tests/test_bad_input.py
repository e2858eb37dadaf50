"""Every kind of bad input has its outcome: a frame as if nothing were wrong, or a counted reason."""

import dataclasses
import gzip
import io
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest

from data_prep.exam.plan import ExamPlan, plan_exam
from data_prep.exam.render import render_exam
from data_prep.read import codecs, instance
from data_prep.read.files import LocalFiles
from data_prep.read.head import Head
from data_prep.read.instance import Instance
from data_prep.read.pixels import decode
from data_prep.read.reject import Reject, Why
from data_prep.read.tree import TreeSource
from tests import fuzzing, hostile
from tests.hostile import FILES, FINE


def read(data: bytes) -> Instance | Reject:
    """The one frame of a file, decoded, or why there is none."""
    (found,) = instance.read(Head("x", data[: 64 << 10], len(data), lambda: data))
    if isinstance(found, Reject):
        return found
    (pixels,) = decode([found], data)
    return pixels if isinstance(pixels, Reject) else found


@pytest.mark.parametrize("name", list(FILES))
def test_each_bad_file_has_its_outcome(name):
    make, outcome = FILES[name]
    data = make()
    found = read(data)
    if outcome == FINE:
        assert isinstance(found, Instance), found
        (pixels,), (expected,) = (
            decode([found], data),
            decode([read(hostile.good())], hostile.good()),
        )
        np.testing.assert_array_equal(pixels, expected)
    else:
        assert isinstance(found, Reject)
        assert found.why is outcome


@pytest.mark.parametrize("filling", [b"", b"\xff\xff"], ids=["plain", "filled"])
def test_the_jpeg_of_which_broken_ones_are_made_is_sound(filling):
    assert isinstance(read(hostile.jpeg(lambda s: s[:20] + filling + s[20:])()), Instance)


def pixels_of(data: bytes):
    found = read(data)
    return decode([found], data)[0] if isinstance(found, Instance) else found


@pytest.mark.parametrize(("limit", "said"), [(60.0, "BrokenProcessError"), (0.0, "TimeoutError")])
def test_a_codec_that_crashes_or_hangs_costs_one_file(monkeypatch, limit, said):
    good, crashes = hostile.jpeg()(), hostile.FILES["JPEG of an unknown revision"][0]()
    expected = pixels_of(good)
    monkeypatch.setattr(codecs, "LONGEST_S", limit)
    for _ in range(2):
        lost = pixels_of(crashes)
        assert isinstance(lost, Reject)
        assert (lost.why, lost.detail.split()[-1]) == (Why.DECODE_FAILED, said)
    monkeypatch.undo()
    np.testing.assert_array_equal(pixels_of(good), expected)


def test_there_are_enough_kinds():
    assert len(FILES) >= 60


# --- folders and archives


@pytest.fixture
def folder(tmp_path):
    for i, (name, data, _) in enumerate(hostile.Study(hostile.profile("tiny"), 0).files()):
        if i == 6:
            break
        path = tmp_path / "exam" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def frames(source) -> tuple[list[Instance], list[Reject]]:
    heads = (h for unit in source.units() for h in source.heads(unit))
    read = [one for h in heads for one in ([h] if isinstance(h, Reject) else instance.read(h))]
    rejects = [r for r in read if isinstance(r, Reject)]
    return [i for i in read if isinstance(i, Instance)], rejects


def pack(folder, suffix: str):
    """An archive of everything in a folder, beside it."""
    path = folder.with_name(folder.name + suffix)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for p in files:
                archive.write(p, p.relative_to(folder))
    else:
        with tarfile.open(path, "w:" + suffix.rpartition(".tar.")[2].replace(".tar", "")) as tar:
            for p in files:
                tar.add(p, str(p.relative_to(folder)))
    return path


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip"])
def test_an_archive_is_read_where_it_lies(folder, suffix):
    plain, _ = frames(TreeSource(LocalFiles(str(folder / "exam"))))
    path = pack(folder / "exam", suffix)
    inside = TreeSource(LocalFiles(str(folder)), only=path.name)
    found, rejects = frames(inside)
    assert not rejects
    assert sorted(repr(_bare(i)) for i in found) == sorted(repr(_bare(i)) for i in plain)
    loaded = dict(inside.load([i.where for i in found]))
    assert sorted(loaded) == sorted(i.where for i in found)
    for one in found:
        (pixels,) = decode([one], loaded[one.where])
        assert isinstance(pixels, np.ndarray)


def _bare(one: Instance) -> Instance:
    return dataclasses.replace(one, where="")


def test_members_that_climb_or_link_are_refused(tmp_path):
    with tarfile.open(tmp_path / "bad.tgz", "w:gz") as tar:
        for name in ("../out.dcm", "/etc/out.dcm", "fine.dcm"):
            info = tarfile.TarInfo(name)
            info.size = len(hostile.good())
            tar.addfile(info, io.BytesIO(hostile.good()))
        link = tarfile.TarInfo("link.dcm")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    found, rejects = frames(TreeSource(LocalFiles(str(tmp_path))))
    assert len(found) == 1
    assert [r.why for r in rejects] == [Why.UNSAFE_ARCHIVE] * 3


def test_a_zip_with_names_that_climb_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("a/../../out.dcm", hostile.good())
        archive.writestr("fine.dcm", hostile.good())
    found, rejects = frames(TreeSource(LocalFiles(str(tmp_path))))
    assert (len(found), [r.why for r in rejects]) == (1, [Why.UNSAFE_ARCHIVE])


@pytest.mark.parametrize("kind", ["tgz", "zip"])
def test_an_archive_that_inflates_without_end_is_left(tmp_path, kind):
    zeros = io.BytesIO(b"\0" * (80 << 20))
    if kind == "tgz":
        with tarfile.open(tmp_path / "bomb.tgz", "w:gz", compresslevel=9) as tar:
            for i in range(2):
                info = tarfile.TarInfo(f"{i}.dcm")
                info.size = 80 << 20
                zeros.seek(0)
                tar.addfile(info, zeros)
    else:
        with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("0.dcm", zeros.getvalue())
    _, rejects = frames(TreeSource(LocalFiles(str(tmp_path))))
    assert Why.UNSAFE_ARCHIVE in [r.why for r in rejects]


def long_header(kind: bytes, size: int, content: bytes = b"") -> bytes:
    """One of tar's headers for what does not fit into a header, and the size that it claims."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT) + content + b"\0" * (-len(content) % tarfile.BLOCKSIZE)


def pax_record(key: str, value: str) -> bytes:
    return b"%03d %s=%s\n" % (len(key) + len(value) + 6, key.encode(), value.encode())


def holes() -> bytes:
    """A sparse file whose map goes on, in blocks behind its header."""
    header = bytearray(long_header(tarfile.GNUTYPE_SPARSE, 0))
    header[482] = 1
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:512]))
    return bytes(header)


def holes_in_content() -> bytes:
    """A sparse file whose content begins with a map that does not end."""
    records = pax_record("GNU.sparse.major", "1") + pax_record("GNU.sparse.minor", "0")
    return long_header(tarfile.XHDTYPE, len(records), records) + long_header(tarfile.REGTYPE, 0)


GIB = 1 << 30
ENDLESS = {
    "long name": lambda: long_header(tarfile.GNUTYPE_LONGNAME, GIB),
    "long link": lambda: long_header(tarfile.GNUTYPE_LONGLINK, GIB),
    "pax": lambda: long_header(tarfile.XHDTYPE, GIB),
    "global pax": lambda: long_header(tarfile.XGLTYPE, GIB),
    "Solaris pax": lambda: long_header(tarfile.SOLARIS_XHDTYPE, GIB),
    "less than nothing": lambda: long_header(tarfile.GNUTYPE_LONGNAME, -1024),
    "a file of less than nothing": lambda: long_header(tarfile.REGTYPE, -1024),
    "a map of holes": holes,
    "a map of holes in the content": holes_in_content,
}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
@pytest.mark.parametrize("kind", ENDLESS)
def test_a_header_without_end_is_not_read(tmp_path, kind, suffix):
    good = io.BytesIO()
    with tarfile.open(fileobj=good, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("fine/" + 40 * "long/" + "fine.dcm")  # a long name that is read
        info.size = len(hostile.good())
        tar.addfile(info, io.BytesIO(hostile.good()))
        members = good.getvalue()
    data = members + ENDLESS[kind]() + bytes(64 << 20)
    (tmp_path / f"x{suffix}").write_bytes(gzip.compress(data) if suffix == ".tar.gz" else data)
    source = TreeSource(LocalFiles(str(tmp_path)))
    tracemalloc.start()
    found, rejects = frames(source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 1
    assert [(r.why, r.where) for r in rejects] == [(Why.UNSAFE_ARCHIVE, f"x{suffix}")]
    assert peak < 32 << 20  # 20 KiB of zeros that were packed a thousandfold, and not the rest


def test_a_spoilt_header_is_not_the_end_of_an_archive(folder):
    path = pack(folder / "exam", ".tar")
    with tarfile.open(path) as tar:
        third = tar.getmembers()[2].offset
    data = bytearray(path.read_bytes())
    data[third] ^= 1
    path.write_bytes(data)
    found, rejects = frames(TreeSource(LocalFiles(str(folder)), only=path.name))
    assert (len(found), [r.why for r in rejects]) == (2, [Why.TRUNCATED])


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip", ".tar"])
def test_a_torn_archive_gives_what_it_has_and_says_so(folder, suffix):
    path = pack(folder / "exam", suffix)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    found, rejects = frames(TreeSource(LocalFiles(str(folder)), only=path.name))
    assert rejects
    assert {r.why for r in rejects} <= {Why.TRUNCATED, Why.UNREADABLE}
    assert len(found) < 6


def test_what_is_not_a_file_is_not_opened(folder):
    import os
    import socket

    exam = folder / "exam"
    os.mkfifo(exam / "pipe")
    (exam / "loop").symlink_to(exam)
    (exam / "out").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(exam / "socket"))
        found, rejects = frames(TreeSource(LocalFiles(str(folder))))
    assert len(found) == 6
    assert [r.why for r in rejects] == [Why.NOT_DICOM] * 4


def test_a_name_in_no_encoding_is_read(folder):
    import os

    name = os.path.join(os.fsencode(folder / "exam"), b"\xff\xfe.dcm")
    with open(name, "wb") as file:
        file.write(hostile.good())
    found, rejects = frames(TreeSource(LocalFiles(str(folder))))
    assert (len(found), rejects) == (7, [])


def test_what_cannot_be_opened_is_counted(folder, monkeypatch):
    def denied(self, name):
        raise PermissionError

    monkeypatch.setattr(LocalFiles, "open", denied)
    found, rejects = frames(TreeSource(LocalFiles(str(folder))))
    assert (found, {r.why for r in rejects}) == ([], {Why.IO_ERROR})
    monkeypatch.undo()
    monkeypatch.setattr(LocalFiles, "names", denied)
    found, rejects = frames(TreeSource(LocalFiles(str(folder))))
    assert (found, {r.why for r in rejects}) == ([], {Why.IO_ERROR})


def test_a_large_folder_is_several_jobs_and_nothing_is_read_twice(tmp_path, monkeypatch):
    from data_prep.read import tree

    monkeypatch.setattr(tree, "FILES_PER_UNIT", 3)
    for i in range(8):
        (tmp_path / f"{i}.dcm").write_bytes(hostile.good())
    source = TreeSource(LocalFiles(str(tmp_path)))
    assert len(source.units()) == 3
    found, _ = frames(source)
    assert sorted(i.where for i in found) == [f"{i}.dcm" for i in range(8)]


# --- what only shows when pixels are read


def plan_of(count: int) -> tuple[ExamPlan, dict[str, bytes]]:
    files = list(hostile.Study(hostile.profile("tiny"), 0).files())[:count]
    read = [one for f in files for one in instance.read(Head(*f))]
    plan = plan_exam("s", [i for i in read if isinstance(i, Instance)])
    assert isinstance(plan, ExamPlan)
    return plan, {name: data for name, data, _ in files}


def render(plan, files):
    return render_exam(plan, lambda wheres: ((w, files[w]) for w in wheres if w in files), 4.0, 32)


def test_a_file_that_is_gone_leaves_a_gap_that_is_said():
    plan, files = plan_of(16)
    gone = sorted(files)[3]
    del files[gone]
    rendered, rejects = render(plan, files)
    assert [(r.why, r.where) for r in rejects] == [(Why.IO_ERROR, gone)]
    assert sum(len(v) for one in rendered for v in one.videos) == 15
    assert any("frames lost" in one.stack.flags for one in rendered)


def test_nothing_but_black_is_no_stack():
    plan, files = plan_of(16)
    files = {n: d[: -2 * 48 * 48] + b"\0" * (2 * 48 * 48) for n, d in files.items()}
    rendered, rejects = render(plan, files)
    assert rendered == []
    assert [r.why for r in rejects] == [Why.CONSTANT_IMAGE] * 16


def test_the_same_pixels_under_other_names_are_one_stack():
    plan, files = plan_of(16)
    twin = dataclasses.replace(plan, stacks=plan.stacks + plan.stacks)
    one, _ = render(plan, files)
    rendered, rejects = render(twin, files)
    assert len(rendered) == len(one)
    assert {r.why for r in rejects} == {Why.DUPLICATE}


def test_two_objects_of_one_name_with_other_pixels_are_nobodys():
    files = list(hostile.Study(hostile.profile("tiny"), 0).files())[:16]
    name, data, size = files[5]
    other = data[:-2] + b"\xff\x00"
    heads = [Head(*f) for f in files] + [Head("copy", data, size), Head("twin", other, size)]
    read = [one for h in heads for one in instance.read(h) if isinstance(one, Instance)]
    contents = {n: d for n, d, _ in files} | {"copy": data, "twin": other}
    plan = plan_exam("s", [i for i in read if i.where != "twin"])
    assert isinstance(plan, ExamPlan)
    _, rejects = render(plan, contents)
    assert not rejects  # the same pixels twice are one
    plan = plan_exam("s", read)
    assert isinstance(plan, ExamPlan)
    _, rejects = render(plan, contents)
    first = min(name, "copy", "twin")
    assert [(r.why, r.where) for r in rejects] == [(Why.DUPLICATE_CONFLICT, first)]


def test_what_chance_spoils_has_an_outcome_too():
    """A first part of `python -m tests.fuzzing`; the whole is run by hand."""
    outcomes = fuzzing.run(cases=800, seed=5)
    assert outcomes.total() == 800
    assert len(outcomes) >= 6
