"""Public sets in the layouts they come in: which volumes, whose, which split, what is true of them."""

import csv
import json

import nibabel
import numpy as np
import pytest

from cmr_jax.data.shards import splits_of
from cmr_jax.data.source import ExamSource
from cmr_jax.evals import labels
from cmr_jax.schema import Sequence, View
from data_prep import public
from data_prep.exam.plan import ExamPlan, plan_exam
from data_prep.read import instance
from data_prep.read.instance import Instance
from data_prep.read.reject import Reject, Why
from data_prep.read.source import open_source
from data_prep.reports.table import read_labels
from tests.conftest import prepare

SPACING = (1.5, 1.5, 10.0)


def heart(lv_mm: float, phases: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """A beating ring of a heart beside a lesser one, and its segmentation: 1 RV, 2 wall, 3 LV."""
    x, y, _ = np.meshgrid(
        *(np.arange(n) * s for n, s in zip((40, 40, 5), SPACING, strict=True)), indexing="ij"
    )
    volumes, masks = [], []
    for t in range(phases):
        radius = lv_mm * (1 - 0.25 * np.sin(np.pi * t / phases))
        away, right = np.hypot(x - 40, y - 30), np.hypot(x - 4, y - 30)
        mask = np.where(right < 0.4 * radius, 1, 0)
        mask = np.where(away < radius + 6, 2, mask)
        mask = np.where(away < radius, 3, mask)
        noise = np.random.default_rng(t).normal(0, 4, mask.shape)
        volumes.append(np.choose(mask, (60, 300, 120, 310)) + noise)
        masks.append(mask)
    return np.stack(volumes, -1).astype(np.int16), np.stack(masks, -1).astype(np.uint8)


def save(path, data, step_s=0.04):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(data, np.diag([*SPACING, 1.0]))
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((*SPACING, step_s)[: data.ndim])
    nibabel.save(image, path)


def acdc(root, groups, cine=True):
    """The layout, patients 1, 2, ...; the last third of them to test on."""
    for i, group in enumerate(groups, 1):
        side = "testing" if i > len(groups) * 2 // 3 else "training"
        folder = root / "database" / side / f"patient{i:03d}"
        video, mask = heart(18 + i % 3)
        if cine:
            save(folder / f"patient{i:03d}_4d.nii.gz", video)
        for moment in (0, 3):
            name = f"patient{i:03d}_frame{moment + 1:02d}"
            save(folder / f"{name}.nii.gz", video[..., moment])
            save(folder / f"{name}_gt.nii.gz", mask[..., moment])
        info = f"ED: 1\nES: 4\nGroup: {group}\nHeight: 180.0\nNbFrame: 6\nWeight: 80.0\n"
        (folder / "Info.cfg").write_text(info)
    (root / "database" / "MANDATORY_CITATION.md").write_text("cite")
    return f"acdc:{root}"


def mnms(root, rows):
    """The layout of the other set."""
    root.mkdir(parents=True)
    with (root / "211230_M&Ms_Dataset_information_diagnosis_opendataset.csv").open(
        "w", newline=""
    ) as f:
        writer = csv.DictWriter(
            f, ["", "External code", "VendorName", "ED", "ES", "Age", "Pathology", "Sex"]
        )
        writer.writeheader()
        for side, code, values in rows:
            video, mask = heart(20)
            only = np.zeros_like(mask)
            # This set numbers its parts the other way round.
            for moment in (0, 3):
                only[..., moment] = np.choose(mask[..., moment], (0, 3, 2, 1))
            folder = root / side / code
            save(folder / f"{code}_sa.nii.gz", video)
            save(folder / f"{code}_sa_gt.nii.gz", only)
            writer.writerow({"External code": code, "ED": "0", "ES": "3"} | values)
    return f"mnms:{root}"


def expected(lv_mm):
    """What those segmentations measure, by hand."""
    _, mask = heart(lv_mm)
    voxel = np.prod(SPACING) / 1000
    ed, es = ((mask[..., t] == 3).sum() * voxel for t in (0, 3))
    return ed, 100 * (1 - es / ed), (mask[..., 0] == 2).sum() * voxel * 1.05


def read(spec):
    source = open_source(spec)
    found = [h for unit in source.units() for h in source.heads(unit)]
    made = [i for h in found for i in ([h] if isinstance(h, Reject) else instance.read(h))]
    frames = [one for one in made if isinstance(one, Instance)]
    return source, frames, [one for one in made if isinstance(one, Reject)]


def planned(frames: list[Instance]) -> ExamPlan:
    """The plan of one exam, from the frames that were read of it."""
    plan = plan_exam("study", frames)
    assert isinstance(plan, ExamPlan)
    return plan


def test_of_acdc_the_cine_is_read_and_the_rest_is_counted(tmp_path):
    spec = acdc(tmp_path / "set", ["DCM", "NOR", "HCM"])
    _, frames, rejects = read(spec)
    assert len(frames) == 3 * 5 * 6
    assert {f.text["PatientID"] for f in frames} == {"patient001", "patient002", "patient003"}
    counts = {why: sum(r.why is why for r in rejects) for why in {r.why for r in rejects}}
    assert counts == {Why.DUPLICATE: 6, Why.NOT_MR: 6, Why.NOT_DICOM: 4}  # 3 Info.cfg, a citation


def test_labels_of_acdc_are_its_groups_and_what_segmentations_measure(tmp_path):
    spec = acdc(tmp_path / "set", ["DCM", "nor", "RV", "?"])
    rows = read_labels(spec)
    assert [r["split"] for r in rows] == ["test", "test", "train", "train"]
    by_patient = {r["patient_id"]: r for r in rows}
    first = by_patient["patient001"]
    assert (first["diagnosis"], first["dcm"], first["normal"]) == ("DCM", "1", "0")
    assert by_patient["patient002"]["normal"] == "1"
    assert by_patient["patient003"]["abnormal_rv"] == "1"
    assert by_patient["patient004"]["diagnosis"] == by_patient["patient004"]["dcm"] == ""
    volume, ef, mass = expected(19)
    assert float(first["lv_edv_ml"]) == pytest.approx(volume, abs=0.05)
    assert float(first["lv_ef_percent"]) == pytest.approx(ef, abs=0.05)
    assert float(first["lv_mass_g"]) == pytest.approx(mass, abs=0.05)
    assert first["lv_dysfunction"] == str(int(ef < 50))


def test_mnms_numbers_its_parts_otherwise_and_measures_the_same(tmp_path):
    rows = [
        (
            "Training/Labeled",
            "A0S9V9",
            {"Pathology": "HCM", "VendorName": "Siemens", "Sex": "F", "Age": "53"},
        ),
        ("Validation", "B1T2", {"Pathology": "NOR", "VendorName": "Philips", "Age": "?"}),
        ("Testing", "C3", {"Pathology": "Other"}),
    ]
    spec = mnms(tmp_path / "set", rows)
    found = {r["patient_id"]: r for r in read_labels(spec)}
    assert [found[c]["split"] for c in ("A0S9V9", "B1T2", "C3")] == ["train", "val", "test"]
    assert (found["A0S9V9"]["hcm"], found["B1T2"]["normal"]) == ("1", "1")
    volume, ef, _ = expected(20)
    assert float(found["C3"]["lv_edv_ml"]) == pytest.approx(volume, abs=0.05)
    assert float(found["C3"]["lv_ef_percent"]) == pytest.approx(ef, abs=0.05)
    _, frames, _ = read(spec)
    first = next(f for f in frames if f.text["PatientID"] == "A0S9V9")
    assert (first.text["PatientSex"], first.text["PatientAge"]) == ("F", "053Y")


def test_without_a_cine_both_moments_are_one(tmp_path):
    spec = acdc(tmp_path / "set", ["DCM"], cine=False)
    source, frames, rejects = read(spec)
    assert len(frames) == 5 * 2
    assert not any(r.why is Why.DUPLICATE for r in rejects)  # their frames are the cine
    ((where, content),) = source.load({f.where for f in frames})
    assert where.endswith("ed_and_es.nii")
    both = np.asanyarray(nibabel.Nifti1Image.from_bytes(content).dataobj)
    video, _ = heart(19)
    np.testing.assert_array_equal(both, video[..., [0, 3]])


def test_two_moments_of_acdc_are_a_cine_at_their_places_in_the_cycle(tmp_path):
    spec = acdc(tmp_path / "set", ["DCM"], cine=False)
    (stack,) = planned(read(spec)[1]).stacks
    assert (stack.view, stack.sequence) == (View.SAX, Sequence.CINE)
    assert "two moments" in stack.raw.flags
    for one in stack.raw.slices:
        assert one.phases == pytest.approx((0.0, 3 / 6))
        assert np.isnan(one.trigger_ms).all()


def test_the_first_of_two_moments_is_end_diastole_wherever_the_cycle_starts(tmp_path):
    spec = acdc(tmp_path / "set", ["DCM"], cine=False)
    info = tmp_path / "set/database/testing/patient001/Info.cfg"
    info.write_text("ED: 4\nES: 1\nGroup: DCM\nNbFrame: 6\n")
    source, frames, _ = read(spec)
    (stack,) = planned(frames).stacks
    assert stack.raw.slices[0].phases == pytest.approx((3 / 6, 0.0))
    ((_, content),) = source.load({frames[0].where})
    first = np.asanyarray(nibabel.Nifti1Image.from_bytes(content).dataobj)[..., 0]
    np.testing.assert_array_equal(first, heart(19)[0][..., 3])


def test_voxel_sizes_are_those_of_the_header_where_the_affine_has_none(tmp_path):
    spec = acdc(tmp_path / "set", ["DCM"], cine=False)
    for path in (tmp_path / "set").rglob("*.nii.gz"):
        image = nibabel.Nifti1Image.from_filename(path)
        data = np.asanyarray(image.dataobj)
        lost = nibabel.Nifti1Image(data, np.diag([-1, -1, 1, 1]))
        lost.header.set_zooms(SPACING)
        nibabel.save(lost, path)
    (stack,) = planned(read(spec)[1]).stacks
    assert stack.raw.first.spacing_mm == SPACING[:2]
    np.testing.assert_allclose(np.diff([s.position_mm for s in stack.raw.slices]), SPACING[2])


def test_all_exams_of_acdc_are_short_axis_cines_with_the_published_numbers(shared):
    """60 real patients; the expected numbers were computed from the masks by another program."""
    root = shared / "real/acdc60"
    spec = f"acdc:{root}"
    with (root / "labels_derived.csv").open() as file:
        truth = {f"patient{int(row['pid']):03d}": row for row in csv.DictReader(file)}
    labels = {row["patient_id"]: row for row in public.label_rows(spec)}
    assert labels.keys() == truth.keys()
    columns = {
        "lv_edv_ml": "lvedv",
        "lv_esv_ml": "lvesv",
        "lv_ef_percent": "lvef",
        "lv_mass_g": "lvmass",
        "rv_edv_ml": "rvedv",
        "rv_esv_ml": "rvesv",
        "rv_ef_percent": "rvef",
        "height_cm": "height",
        "weight_kg": "weight",
    }
    for patient, row in truth.items():
        for ours, theirs in columns.items():
            assert float(labels[patient][ours]) == pytest.approx(float(row[theirs]), abs=0.11)
    frames = read(spec)[1]
    assert len({f.text["PatientID"] for f in frames}) == 60
    for patient, row in truth.items():
        plan = planned([f for f in frames if f.text["PatientID"] == patient])
        (stack,) = plan.stacks
        assert (stack.view, stack.sequence) == (View.SAX, Sequence.CINE), patient
        assert len(stack.raw.slices) == int(row["slices"])
        assert stack.raw.first.spacing_mm == pytest.approx((float(row["dx"]),) * 2, abs=1e-3)
        steps = np.diff([one.position_mm for one in stack.raw.slices])
        np.testing.assert_allclose(steps, float(row["dz"]), atol=1e-3)
        moments = [(int(row[key]) - 1) / int(row["nbframe"]) for key in ("ED", "ES")]
        for one in stack.raw.slices:  # one patient of the set has its 4-D file
            usual = moments if patient != "patient090" else np.arange(12) / 12
            np.testing.assert_allclose(one.phases, usual, atol=1e-5)


@pytest.mark.parametrize("spoil", ["no info", "broken mask", "broken cine"])
def test_what_is_broken_costs_what_it_is(tmp_path, spoil):
    spec = acdc(tmp_path / "set", ["DCM", "HCM"])
    folder = tmp_path / "set/database/training/patient001"
    if spoil == "no info":
        (folder / "Info.cfg").write_bytes(b"\xff\xfe nothing")
    elif spoil == "broken mask":
        (folder / "patient001_frame01_gt.nii.gz").write_bytes(b"torn")
    else:
        (folder / "patient001_4d.nii.gz").write_bytes(b"torn")
    row = next(r for r in read_labels(spec) if r["patient_id"] == "patient001")
    _, frames, _ = read(spec)
    there = {f.text["PatientID"] for f in frames}
    assert there == ({"patient002"} if spoil == "broken cine" else {"patient001", "patient002"})
    assert (row["diagnosis"] == "") == (spoil == "no info")
    assert (row["lv_edv_ml"] == "") == (spoil in ("no info", "broken mask"))


def test_the_split_is_told_by_the_root_too_or_by_nobody(tmp_path):
    acdc(tmp_path / "set", ["DCM", "NOR", "HCM"])
    (row,) = read_labels(f"acdc:{tmp_path / 'set/database/testing'}")
    assert row["split"] == "test"
    (tmp_path / "set/database/testing").rename(tmp_path / "mine")
    (row,) = read_labels(f"acdc:{tmp_path / 'mine'}")
    assert row["split"] == ""


def test_moments_without_a_segmentation_or_mixed_up_measure_nothing(tmp_path):
    spec = acdc(tmp_path / "set", ["DCM", "NOR", "HCM"])
    first = tmp_path / "set/database/training/patient001"
    save(first / "patient001_frame04_gt.nii.gz", np.zeros((40, 40, 5), np.uint8))
    second = tmp_path / "set/database/training/patient002"
    (second / "Info.cfg").write_text("ED: 4\nES: 1\nGroup: NOR\n")
    rows = {r["patient_id"]: r for r in read_labels(spec)}
    assert rows["patient001"]["lv_ef_percent"] == rows["patient002"]["lv_ef_percent"] == ""
    assert rows["patient001"]["dcm"] == "1"
    assert rows["patient003"]["lv_ef_percent"] != ""


def test_a_folder_in_another_layout_is_refused(tmp_path):
    (tmp_path / "x.txt").touch()
    for spec in (f"acdc:{tmp_path}", f"mnms:{tmp_path}"):
        with pytest.raises(ValueError, match="no exam in the layout of"):
            public.units(spec)


def test_one_command_makes_a_set_that_evaluation_takes(tmp_path):
    """Cines alone, the authors' split, no reports."""
    spec = acdc(tmp_path / "set", ["DCM", "NOR", "HCM"] * 4)
    key = tmp_path / "key"
    key.write_bytes(np.random.default_rng(0).bytes(32))
    key.chmod(0o600)
    prepare(tmp_path / "out", "--key-file", str(key), dicom=spec)
    assert set(splits_of(str(tmp_path / "out"))) >= {"train", "test"}
    train, test = (ExamSource(str(tmp_path / "out"), split) for split in ("train", "test"))
    assert (len(train), len(test)) == (8, 4)
    exam = test[0]
    (stack,) = exam.stacks
    assert (stack.view, stack.sequence) == (View.SAX, Sequence.CINE)
    assert exam.vendor == "Siemens"
    assert exam.impression == ""
    truth = labels.read(str(tmp_path / "out"), [test[i].exam_id for i in range(4)])
    assert set(truth.classes) == {"diagnosis"}
    assert {"dcm", "hcm", "normal"} <= set(truth.findings)
    assert "split" not in truth.classes
    assert "lv_edv_ml" in truth.measurements
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert "patient001" not in json.dumps(manifest)


def test_a_split_that_is_none_or_two_is_refused(tmp_path):
    spec = acdc(tmp_path / "set", ["DCM", "NOR", "HCM"])
    table = tmp_path / "labels.csv"
    table.write_text("patient_id,split\npatient001,holdout\n")
    key = tmp_path / "key"
    key.write_bytes(np.random.default_rng(0).bytes(32))
    key.chmod(0o600)
    args = ("--key-file", str(key), "--labels", str(table))
    done = prepare(tmp_path / "out", *args, dicom=spec, check=False)
    assert done.returncode == 2
    assert "a split must be train, val, test or empty" in done.stderr
