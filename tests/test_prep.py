"""The preparation: grouped and ordered right, counted to the last file, the same bytes every time."""

import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np
import pytest
from tensorflow_datasets.core.example_serializer import ExampleSerializer

from cmr_jax import schema
from cmr_jax.data.source import ExamSource
from cmr_jax.schema import View
from data_prep.classify import geometry
from data_prep.exam import greys
from data_prep.exam.crop import crop
from data_prep.exam.plan import ExamPlan, age_band, plan_exam, vendor_of
from data_prep.exchange import LocalExchange
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.read import attributes, instance, remembered, walker
from data_prep.read.files import LocalFiles
from data_prep.read.head import Head
from data_prep.read.instance import Instance
from data_prep.read.phantom import PhantomSource
from data_prep.read.pixels import decode
from data_prep.read.reject import Reject, Why
from data_prep.read.remembered import Remembered
from data_prep.read.tree import TreeSource
from data_prep.shelf import records
from tests.conftest import EXAMS, digest, prepare, prepare_args, run


def files_of(index: int, pixels: bool = False):
    return list(Study(profile("tiny"), index).files(pixels=pixels))


def instances_of(index: int) -> list[Instance]:
    read = [one for f in files_of(index) for one in instance.read(Head(*f))]
    assert all(isinstance(i, Instance) for i in read)
    return read


def planned(instances) -> ExamPlan:
    plan = plan_exam("study", instances)
    assert isinstance(plan, ExamPlan)
    return plan


# --- reading


def test_walker_and_pydicom_read_the_same(monkeypatch):
    for name, head, size in files_of(1)[:20]:
        (fast,) = instance.read(Head(name, head, size))
        monkeypatch.setattr(walker, "walk", lambda *_: None)
        (slow,) = instance.read(Head(name, head, size))
        monkeypatch.undo()
        assert isinstance(fast, Instance)
        assert fast == slow


def test_walker_steps_aside_for_what_it_does_not_know():
    _, data, _ = files_of(0, pixels=True)[0]
    assert walker.walk(data, attributes.WANTED) is not None
    assert walker.walk(data[:140], attributes.WANTED) is None
    assert walker.walk(b"x" * 400, attributes.WANTED) is None
    assert walker.walk(data[:128] + b"DICM" + os.urandom(300), attributes.WANTED) is None


BAD = {
    Why.EMPTY_FILE: lambda d: b"",
    Why.NOT_DICOM: lambda d: b"hello",
    Why.TRUNCATED: lambda d: d[:-100],
    Why.NOT_MR: lambda d: d.replace(b"5.1.4.1.1.4\0", b"5.1.4.1.1.2\0"),
    Why.NO_GEOMETRY: lambda d: d.replace(b"\x20\x00\x32\x00DS", b"\x20\x00\x31\x00DS"),
    Why.BAD_GEOMETRY: lambda d: d.replace(
        b"\x28\x00\x30\x00DS\x10\x00", b"\x28\x00\x30\x00DS\x10\x00" + b"99"
    ),
}


@pytest.mark.parametrize("why", list(BAD), ids=lambda w: w.name)
def test_bad_files_are_rejected_with_the_reason(why):
    _, data, _ = files_of(0, pixels=True)[0]
    broken = BAD[why](data)
    if why is Why.BAD_GEOMETRY:  # a spacing of 995 mm, same length
        at = data.index(b"\x28\x00\x30\x00DS") + 8
        broken = data[:at] + b"99" + data[at + 2 :]
    (found,) = instance.read(Head("file", broken, len(broken)))
    assert isinstance(found, Reject)
    assert found.why is why


def test_pixels_are_masked_signed_and_inverted():
    _, data, size = files_of(0, pixels=True)[0]
    (one,) = instance.read(Head("x", data, size))
    assert isinstance(one, Instance)
    (plain,) = decode([one], data)
    assert isinstance(plain, np.ndarray)
    raw = np.frombuffer(data, "<u2", offset=one.pixel_offset).reshape(plain.shape)
    np.testing.assert_array_equal(plain, raw)
    dirty = data[: one.pixel_offset] + (raw | 0xF000).astype("<u2").tobytes()
    np.testing.assert_array_equal(decode([one], dirty)[0], raw)  # bits above the stored twelve
    signed = dataclasses.replace(one, bits=(16, 12, 11, 1))
    np.testing.assert_array_equal(
        decode([signed], data)[0], np.where(raw > 2047, raw.astype(int) - 4096, raw)
    )
    inverted = dataclasses.replace(
        one, text={"PhotometricInterpretation": "MONOCHROME1", "RescaleSlope": "2"}
    )
    np.testing.assert_array_equal(decode([inverted], data)[0], -2.0 * raw)


@pytest.mark.parametrize("bits", [(8, 8, 7, 1), (8, 6, 7, 1), (16, 12, 13, 1), (16, 16, 15, 1)])
def test_stored_bits_become_signed_values_whatever_surrounds_them(bits):
    allocated, stored, high, _ = bits
    _, data, size = files_of(0)[0]
    (one,) = instance.read(Head("x", data, size))
    assert isinstance(one, Instance)
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 1 << allocated, (one.rows, one.columns), f"<u{allocated // 8}")
    frame = dataclasses.replace(one, bits=bits, pixel_offset=0, text={})
    whole = raw.astype(int) >> (high + 1 - stored) & ((1 << stored) - 1)
    expected = np.where(whole >= 1 << (stored - 1), whole - (1 << stored), whole)
    np.testing.assert_array_equal(decode([frame], raw.tobytes())[0], expected)


def test_a_slope_of_nothing_leaves_nothing():
    _, data, size = files_of(0, pixels=True)[0]
    (one,) = instance.read(Head("x", data, size))
    assert isinstance(one, Instance)
    (flat,) = decode([dataclasses.replace(one, text={"RescaleSlope": "0"})], data)
    assert isinstance(flat, np.ndarray)
    assert not flat.any()


def test_what_is_remembered_is_short_and_not_too_much():
    asked = []
    texts = Remembered[str, int](lambda text: asked.append(text) or len(text))
    assert [texts["a"], texts["a"], texts["bb"]] == [1, 1, 2]
    assert asked == ["a", "bb"]
    long = "x" * (remembered.LONGEST + 1)
    assert [texts[long], texts[long]] == [len(long)] * 2
    assert asked[2:] == [long, long]
    for i in range(2 * remembered.MOST):
        assert texts[str(i)] == len(str(i))
        assert len(texts) <= remembered.MOST


# --- exams


@pytest.mark.parametrize("index", range(8))
def test_stacks_come_out_as_they_were_scanned(index):
    study = Study(profile("tiny"), index)
    plan = planned(instances_of(index))
    scanned = sorted((len(s.planes), len(s.phases)) for s in study.scans)
    assert sorted((len(s.raw.slices), s.raw.phase_count) for s in plan.stacks) == scanned
    for stack in plan.stacks:
        positions = [s.position_mm for s in stack.raw.slices]
        assert positions == sorted(positions)
        assert len(set(np.round(positions, 2))) == len(positions)
        for one in stack.raw.slices:
            triggers = np.array(one.trigger_ms)
            assert np.isnan(triggers).all() or (np.diff(triggers) > 0).all()
            assert (np.diff(one.phases) > 0).all()


def test_views_and_sequences_are_right_or_other_and_rarely_other():
    wrong = unknown = total = 0
    names = {"SAX": View.SAX, "4CH": View.CH4, "3CH": View.CH3, "2CH": View.CH2}
    for index in range(24):
        study = Study(profile("tiny"), index)
        for stack in planned(instances_of(index)).stacks:
            at = np.array(stack.raw.first.position)
            scan = min(
                study.scans, key=lambda s: min(np.linalg.norm(p.position - at) for p in s.planes)
            )
            total += 1
            unknown += stack.view is View.OTHER
            wrong += stack.view not in (View.OTHER, names[scan.view])
    assert wrong <= 0.02 * total
    assert unknown <= 0.05 * total


def test_order_of_files_does_not_matter():
    one = instances_of(2)
    two = [one[i] for i in np.random.default_rng(0).permutation(len(one))]
    assert repr(planned(one)) == repr(planned(two))


def test_duplicates_are_dropped_and_conflicts_belong_to_nobody():
    one = instances_of(0)
    copy = dataclasses.replace(one[0], where="copy.dcm")
    plan = planned([*one, copy])
    assert [r.why for r in plan.rejects] == [Why.DUPLICATE]
    other = dataclasses.replace(copy, position=(0.0, 0.0, 0.0))
    assert [r.why for r in planned([*one, other]).rejects] == [Why.DUPLICATE_CONFLICT] * 2


def test_one_study_with_two_patients_is_nobodys():
    one = instances_of(0)
    stranger = dataclasses.replace(one[1], text=one[1].text | {"PatientID": "someone else"})
    rejects = plan_exam("s", [one[0], stranger])
    assert [r.why for r in rejects] == [Why.PATIENT_CONFLICT] * 2


def test_a_moment_scanned_twice_keeps_the_latest():
    one = instances_of(0)
    cine = next(i for i in one if i.number("InversionTime") is None)
    again = dataclasses.replace(
        cine, where="zz", text=cine.text | {"SOPInstanceUID": "1.2.3", "InstanceNumber": "999"}
    )
    plan = planned([*one, again])
    assert [r.why for r in plan.rejects] == [Why.REPEAT]
    assert plan.rejects[0].where == cine.where


def test_facts_that_leave_are_coarse():
    assert [age_band(a) for a in ("047Y", "093Y", "006M", "000Y", "", "abc")] == [
        "40-49",
        "90+",
        "0-9",
        "",
        "",
        "",
    ]
    assert [vendor_of(v) for v in ("SIEMENS", "GE MEDICAL SYSTEMS", "Philips", "Dr. Smith")] == [
        "Siemens",
        "GE",
        "Philips",
        "other",
    ]


def test_a_name_that_the_plane_contradicts_is_not_believed():
    one = instances_of(0)
    plan = planned(
        [dataclasses.replace(i, text=i.text | {"SeriesDescription": "4CH cine"}) for i in one]
    )
    sax = max(plan.stacks, key=lambda s: len(s.raw.slices))
    assert sax.view is View.OTHER
    assert any("conflict" in e for e in sax.evidence)
    assert geometry.see([sax.raw], [None])[0].view is View.SAX


@pytest.mark.parametrize("size", [16, 64, 224])
@pytest.mark.parametrize("floor", [-1e9, 0.0], ids=["noise", "air"])
def test_the_window_is_that_of_all_values_sorted(size, floor):
    rng = np.random.default_rng(size)
    drawn = [rng.normal(at, 200, (size, size, 7)).astype(np.float32) for at in (100, 700)]
    pictures = [np.maximum(picture, np.float32(floor)) for picture in drawn]
    thin = np.concatenate([p[:: greys.THIN, :: greys.THIN].ravel() for p in pictures])
    assert greys.window(pictures) == tuple(np.percentile(thin, greys.PERCENTILES))


def test_crop_keeps_size_and_place():
    one = instances_of(0)[0]
    frame = dataclasses.replace(one, rows=60, columns=60, spacing_mm=(2.0, 2.0))
    picture = np.zeros((60, 60), np.float32)
    picture[20:30, 25:45] = 100  # 20 mm high, 40 mm wide
    row, column = np.array(frame.orientation[:3]), np.array(frame.orientation[3:])
    centre = np.array(frame.position) + 2 * (34.5 * row + 24.5 * column)
    (out,), origin = crop(frame, [picture], centre, 1.0, 64)
    inside = np.argwhere(out[..., 0] > 50)
    np.testing.assert_allclose(np.ptp(inside, axis=0) + 1, [20, 40], atol=1)
    np.testing.assert_allclose(inside.mean(0), [31.5, 31.5], atol=0.6)
    np.testing.assert_allclose(origin + 31.5 * (row + column), centre, atol=1e-3)


@pytest.mark.parametrize("spacing_mm", [1.0, 4.0], ids=["finer", "coarser"])
@pytest.mark.parametrize("moments", [1, 4, 7])
def test_moments_are_cropped_together_as_each_alone(moments, spacing_mm):
    one = instances_of(0)[0]
    frame = dataclasses.replace(one, rows=60, columns=50, spacing_mm=(2.0, 2.1))
    rng = np.random.default_rng(moments)
    video = [rng.integers(9, 4096, (60, 50), np.uint16) for _ in range(moments)]
    mixed = [p if i % 3 else 1.0 * p.astype(np.float32) for i, p in enumerate(video)]
    centre = np.array(frame.position) + 40.0  # what is asked for is larger than the pictures
    alone = [crop(frame, [p], centre, spacing_mm, 64)[0][0] for p in video]
    for given in (video, mixed):
        pictures, _ = crop(frame, given, centre, spacing_mm, 64)
        np.testing.assert_array_equal(np.concatenate(pictures, 2), np.concatenate(alone, 2))
    low, high = greys.window(pictures)
    grey = np.clip((np.concatenate(alone, 2) - low) / (high - low) * 255, 0, 255)
    stored = greys.eight_bits(pictures, low, high)
    assert stored.shape == (moments, 64, 64)
    np.testing.assert_allclose(stored, grey.transpose(2, 0, 1), atol=0.51)


# --- the whole build


def test_found_is_used_plus_rejected_plus_ignored(tiny):
    account = json.loads((tiny / "manifest.json").read_text())["account"]
    assert account["exams_found"] == account["exams_written"] == EXAMS
    assert account["files_found"] == account["files_used"] == account["frames_written"]
    assert sum(account["exams_by_split"].values()) == EXAMS
    assert (tiny / "contact_sheet.png").stat().st_size > 1000


def test_records_read_back_through_tfds(tiny):
    source = ExamSource(str(tiny), "train")
    assert len(source) >= 20
    for i in range(3):
        exam = source[i]
        assert len(exam.exam_id) == 16
        for stack in exam.stacks:
            assert len(stack.slice_mm) == len(stack.phases) == len(stack.origins_mm)
            video = source.frames(stack, len(stack.slice_mm) - 1)
            assert video.shape == (len(stack.phases[-1]), 32, 32)
            assert stack.spacing_mm == 5.0
            assert np.ptp(video) > 50


def test_splits_share_no_patient(tiny):
    patients = {
        s: {
            e.patient_id
            for e in (lambda x: [x[i] for i in range(len(x))])(ExamSource(str(tiny), s))
        }
        for s in ("train", "val", "test")
    }
    assert not patients["train"] & patients["test"]
    assert not patients["val"] & (patients["train"] | patients["test"])


def test_same_input_same_bytes_whatever_the_workers(tiny, tmp_path):
    done = run(*prepare_args(tmp_path / "two", workers="2"))
    # Nor do workers talk, of their starts and stops or of what passes through them.
    talk = [line for line in done.stderr.splitlines() if line.startswith(("INFO", "WARNING"))]
    assert not talk
    assert "reading headers" in done.stderr
    assert digest(tmp_path / "two") == digest(tiny)


def make_key(folder: pathlib.Path) -> str:
    key = folder / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    return str(key)


def test_files_and_memory_prepare_to_the_same_bytes(tmp_path):
    from data_prep.phantom.__main__ import main

    assert main(["--out", str(tmp_path), "--profile", "tiny", "--exams", "10"]) == 0
    key = ("--key-file", make_key(tmp_path))
    tables = [f"--{name}={tmp_path / name}.csv" for name in ("reports", "labels")]
    prepare(tmp_path / "files", *key, *tables, dicom=str(tmp_path / "dicom"))
    prepare(tmp_path / "memory", *key, dicom="phantom:tiny:exams=10")
    assert digest(tmp_path / "files") == digest(tmp_path / "memory")


def test_strange_files_are_counted_and_nothing_is_lost(tmp_path):
    from data_prep.phantom.__main__ import main

    assert main(["--out", str(tmp_path), "--profile", "tiny", "--exams", "6"]) == 0
    exams = tmp_path / "dicom"
    (exams / "notes.txt").write_text("hello")
    (exams / "empty.dcm").touch()
    os.mkfifo(exams / "pipe")
    whole = sorted(exams.rglob("*.dcm"))
    whole[3].write_bytes(whole[3].read_bytes()[:-50])
    (exams / "copy.dcm").write_bytes(whole[5].read_bytes())
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    reports = (tmp_path / "reports.csv").read_text().splitlines(keepends=True)
    (tmp_path / "reports.csv").write_text("".join(reports) + "nobody,1.2.3,none,IMPRESSION: x y\n")
    out = tmp_path / "out"
    done = prepare(
        out, "--reports", str(tmp_path / "reports.csv"), "--key-file", str(key), dicom=str(exams)
    )
    account = json.loads((out / "manifest.json").read_text())["account"]
    assert account["rejects"]["files"] == {
        "NOT_DICOM": 2,
        "EMPTY_FILE": 1,
        "TRUNCATED": 1,
        "DUPLICATE": 1,
    }
    assert account["rejects"]["reports"] == {"NO_EXAM": 1}
    total = account["files_used"] + sum(account["rejects"]["files"].values())
    assert total == account["files_found"] == len(whole) + 3  # empty.dcm is one of the whole
    assert "REJECTED 1 files: truncated" in done.stdout
    local = tmp_path / "out.rejected_paths.tsv"
    assert local.stat().st_mode & 0o077 == 0
    assert "empty.dcm" in local.read_text()
    assert "empty.dcm" not in (out / "rejects.csv").read_text()


def test_a_killed_writer_leaves_no_shard_with_a_name(tmp_path):
    exchange = LocalExchange(tmp_path)

    def killed():
        with exchange.writing("shards/x") as path, records.shard_writer(path) as writer:
            writer.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        killed()
    assert not list((tmp_path / "shards").iterdir())


def test_sources_list_and_load_the_same(tmp_path):
    phantom = PhantomSource("tiny:exams=1")
    unit = phantom.units()[0]
    names = [head.where for head in phantom.heads(unit)]
    loaded = dict(phantom.load(names[:3]))
    assert set(loaded) == set(names[:3])
    for name, data in loaded.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    folder = TreeSource(LocalFiles(str(tmp_path)))
    assert sum(len(list(folder.heads(u))) for u in folder.units()) == 3


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"sentences": []},
        {"sentences": ["x" * 300, "", "心"]},
        {"field_strength_t": float("nan"), "shard": 70_000},
        {"days_since_first": 1 << 40, "impression": "Größe\n" * 5000},
    ],
    ids=["usual", "no sentence", "several", "nothing known", "large"],
)
def test_records_are_written_as_tfds_writes_them(odd):
    exam = {
        "exam_id": "e",
        "patient_id": "p",
        "site": "s",
        "vendor": "",
        "field_strength_t": 1.5,
        "sex": "F",
        "age_band": "50-59",
        "days_since_first": -1,
        "impression": "Normal.",
        "sentences": ["Normal."],
        "stacks": "[]",
        "shard": 0,
    }
    frames = schema.dump_frames("e", np.full((3, 40, 50), 200, np.uint8))
    for table, record in ((schema.EXAMS, exam | odd), (schema.FRAMES, frames)):
        features = records.features(table)
        info: Any = features.get_serialized_info()
        theirs = ExampleSerializer(info).get_tf_example(features.encode_example(record))
        expected = theirs.SerializeToString(deterministic=True)
        assert records.serialize(table, record) == expected


def test_frames_survive_the_record():
    video = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(schema.load_frames(schema.dump_frames("x", video)), video)
    with pytest.raises(ValueError, match="uint8"):
        schema.dump_frames("x", video.astype(np.float32))
