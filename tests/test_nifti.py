"""NIfTI volumes of public sets become frames in the right place; masks and the rest are counted."""

import dataclasses
import gzip
import json

import nibabel
import numpy as np
import pytest

from cmr_jax.schema import Sequence, View
from data_prep.exam.plan import ExamPlan, plan_exam
from data_prep.read import instance
from data_prep.read.files import LocalFiles
from data_prep.read.head import Head
from data_prep.read.instance import Instance
from data_prep.read.pixels import decode
from data_prep.read.reject import Reject, Why
from data_prep.read.source import open_source
from data_prep.read.tree import TreeSource
from tests.conftest import SHARED

# A short axis (its normal is that of real patients, LPS+), 1.4 x 1.6 x 8 mm, as RAS+.
NORMAL = np.array([-0.618, 0.629, 0.415]) / np.linalg.norm([-0.618, 0.629, 0.415])
ROW = np.cross(NORMAL, [0.0, 0.0, 1.0]) / np.linalg.norm(np.cross(NORMAL, [0.0, 0.0, 1.0]))
AFFINE = np.eye(4)
AFFINE[:3, :3] = np.stack([ROW, np.cross(NORMAL, ROW), NORMAL], 1) * [1.4, 1.6, 8.0]
AFFINE[:2, :3] *= -1
AFFINE[:3, 3] = [10.0, -20.0, 30.0]


def volume(shape=(20, 16, 6, 8)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 900, shape).astype(np.int16)


def save(path, data: np.ndarray, affine=AFFINE, step_s: float = 0.04) -> None:
    image = nibabel.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    if data.ndim == 4:
        image.header.set_zooms((1.4, 1.6, 8.0, step_s))
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)


def read(source) -> tuple[list[Instance], list[Reject]]:
    heads = (h for unit in source.units() for h in source.heads(unit) if isinstance(h, Head))
    found = [one for h in heads for one in instance.read(h)]
    return (
        [i for i in found if isinstance(i, Instance)],
        [r for r in found if isinstance(r, Reject)],
    )


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_a_cine_of_volumes_is_a_stack_of_slices_and_phases(tmp_path, suffix):
    data = volume()
    save(tmp_path / "patient007" / f"patient007_sax_4d{suffix}", data)
    source = TreeSource(LocalFiles(str(tmp_path)))
    frames, rejects = read(source)
    assert (len(frames), rejects) == (48, [])
    plan = plan_exam("x", frames)
    assert isinstance(plan, ExamPlan)
    (stack,) = plan.stacks
    assert (len(stack.raw.slices), stack.raw.phase_count) == (6, 8)
    assert (stack.view, stack.sequence) == (View.SAX, Sequence.CINE)
    assert plan.patient_id == "patient007"
    steps = np.diff(stack.raw.slices[0].trigger_ms)
    np.testing.assert_allclose(steps, 40.0, atol=1e-3)
    where = frames[0].where
    pixels = decode(list(frames), dict(source.load([where]))[where])
    for frame, found in zip(frames, pixels, strict=True):
        k, t = divmod(frame.frame, 8)
        np.testing.assert_array_equal(found, data[:, :, k, t].T)
        column, row = 3, 5
        at = (
            np.array(frame.position)
            + column * frame.spacing_mm[1] * np.array(frame.orientation[:3])
            + row * frame.spacing_mm[0] * np.array(frame.orientation[3:])
        )
        expected = (AFFINE @ [column, row, k, 1])[:3] * [-1, -1, 1]  # RAS+ to LPS+
        np.testing.assert_allclose(at, expected, atol=1e-4)


def test_a_sidecar_says_what_the_file_cannot(tmp_path):
    save(tmp_path / "sub-1" / "scan.nii.gz", volume((12, 12, 4)))
    said = {"PatientID": "sub-1", "SeriesDescription": "LGE_SAX_PSIR", "EchoTime": 0.0031}
    said |= {"InversionTime": 0.3, "ScanningSequence": ["GR", "IR"], "Secret": "Miller"}
    said |= {"ImageType": ["ORIGINAL", "PRIMARY", "M", "PSIR"]}
    (tmp_path / "sub-1" / "scan.json").write_text(json.dumps(said))
    frames, rejects = read(TreeSource(LocalFiles(str(tmp_path))))
    assert [r.why for r in rejects] == [Why.NOT_DICOM]  # the sidecar itself
    plan = plan_exam("x", frames)
    assert isinstance(plan, ExamPlan)
    assert (plan.stacks[0].view, plan.stacks[0].sequence) == (View.SAX, Sequence.LGE_PSIR)
    assert frames[0].text["EchoTime"] == "3.1"
    assert "Miller" not in repr(frames)


def test_masks_and_broken_volumes_are_counted(tmp_path, capfd):
    for name in ("a_gt", "seg_sa_ED", "frame01_mask"):
        save(tmp_path / f"{name}.nii.gz", volume((8, 8, 3)))
    (tmp_path / "torn.nii.gz").write_bytes(gzip.compress(b"no volume at all" * 50))
    (tmp_path / "empty.nii").touch()
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(b"\0" * (600 << 20), 1))
    frames, rejects = read(TreeSource(LocalFiles(str(tmp_path))))
    assert not frames
    assert capfd.readouterr().err == ""
    reasons = {r.where.split(".")[0]: r.why for r in rejects}
    assert reasons == {
        "a_gt": Why.NOT_MR,
        "seg_sa_ED": Why.NOT_MR,
        "frame01_mask": Why.NOT_MR,
        "torn": Why.UNREADABLE,
        "empty": Why.EMPTY_FILE,
        "bomb": Why.UNREADABLE,
    }


def test_what_is_no_number_is_dark_and_what_is_no_value_is_refused(tmp_path):
    data = volume((12, 12, 3)).astype(np.float32)
    data[:4] = np.nan
    save(tmp_path / "p" / "t1.nii.gz", data)
    source = TreeSource(LocalFiles(str(tmp_path)))
    frames, _ = read(source)
    content = dict(source.load([frames[0].where]))[frames[0].where]
    for picture in decode(frames, content):
        assert isinstance(picture, np.ndarray)
        assert np.isfinite(picture).all()
        assert (picture[:, :4] == picture.min()).all()
    steep = [dataclasses.replace(f, text=f.text | {"RescaleSlope": "3e38"}) for f in frames]
    assert {f.why for f in decode(steep, content) if isinstance(f, Reject)} == {Why.BAD_PIXELS}


def test_axes_of_voxels_contradict_no_name(tmp_path):
    save(tmp_path / "p" / "sa_ED.nii.gz", volume((12, 12, 5)), np.diag([1.2, 1.2, 8.0, 1.0]))
    frames, _ = read(TreeSource(LocalFiles(str(tmp_path))))
    plan = plan_exam("x", frames)
    assert isinstance(plan, ExamPlan)
    assert plan.stacks[0].view is View.SAX


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not here: it holds data of others")
def test_real_volumes_in_an_archive_are_found():
    frames, rejects = read(open_source(str(SHARED / "real/autofd/AutoFD_test_data.zip")))
    studies = {f.text["StudyInstanceUID"] for f in frames}
    assert len(studies) == 7
    assert {r.why for r in rejects} == {Why.NOT_DICOM, Why.NOT_MR}
    for study in studies:
        plan = plan_exam(study, [f for f in frames if f.text["StudyInstanceUID"] == study])
        assert isinstance(plan, ExamPlan)
        assert {s.view for s in plan.stacks} == {View.SAX}
