"""Readers of public sets: real files where they are at hand, else tiny ones in the published layout."""

import csv
import os
import tarfile
from collections import Counter

import cv2
import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from cmr_jax.schema import Sequence, View
from data_prep import public
from data_prep.exam.plan import ExamPlan
from data_prep.public import measure
from data_prep.public.exam import CYCLE_POSITIONS
from data_prep.read.pixels import decode
from data_prep.read.reject import Why
from tests.conftest import prepare
from tests.test_public import SPACING, heart, planned, read, save

VOXEL_ML = np.prod(SPACING) / 1000
NOMINAL = "?spacing_mm=1.4,1.4,10"
# Planes of an average heart, LPS: normal of the short axis, axes of its pictures, four chambers.
SHORT_AXIS = np.array([-0.618, 0.629, 0.415]) / np.linalg.norm([-0.618, 0.629, 0.415])
ALONG_ROW = np.cross(SHORT_AXIS, [0.0, 0.0, 1.0]) / np.hypot(*SHORT_AXIS[:2])
ALONG_COLUMN = np.cross(SHORT_AXIS, ALONG_ROW)
ACROSS = np.cross([0.020, -0.339, 0.613], SHORT_AXIS)
FOUR_CHAMBERS = [*SHORT_AXIS, *ACROSS / np.linalg.norm(ACROSS)]
MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def real(shared):
    """A folder of ../shared/real; the test is skipped where it is absent."""

    def folder(name):
        if not (shared / "real" / name).exists():
            pytest.skip(f"../shared/real/{name} is not here: it is not part of this project")
        return shared / "real" / name

    return folder


def table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def label_row(spec, patient):
    return next(row for row in public.label_rows(spec) if row["patient_id"] == patient)


def reasons(rejects):
    return Counter(reject.why for reject in rejects)


def stacks(frames):
    return [(s.view, s.sequence) for s in planned(frames).stacks]


def of_patient(frames, patient):
    return [f for f in frames if f.text["PatientID"] == patient]


def dicom(path, number, place=0, phase=0, series=1, **more):
    """A cine image of 32 x 32 pixels of 2 mm; slices are 8 mm apart, phases 40 ms."""
    meta = pydicom.Dataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = pydicom.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID = meta.MediaStorageSOPClassUID = MR_IMAGE_STORAGE
    image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = f"1.2.3.{series}.{number}"
    image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.3", f"1.2.3.{series}"
    image.Modality, image.PatientID = "MR", "somebody"
    image.InstanceNumber, image.TriggerTime = number, 40 * phase
    image.EchoTime, image.RepetitionTime, image.FlipAngle = 1.5, 3.0, 60
    image.ScanningSequence, image.SequenceVariant = "GR", "SS"
    image.ImageOrientationPatient = [*ALONG_ROW, *ALONG_COLUMN]
    image.ImagePositionPatient = list(8.0 * place * SHORT_AXIS)
    image.PixelSpacing, image.SliceThickness = [2.0, 2.0], 8.0
    image.Rows = image.Columns = 32
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation, image.SamplesPerPixel = 0, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.PixelData = np.random.default_rng(number).integers(0, 900, (32, 32), np.uint16).tobytes()
    for keyword, value in more.items():
        setattr(image, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)


# --- Sunnybrook


@pytest.fixture
def scd(real, tmp_path):
    """Two real patients with their contours, unpacked."""
    for archive in sorted(real("scd_sunnybrook").glob("*.tar.xz")):
        with tarfile.open(archive) as tar:
            tar.extractall(tmp_path / "scd", filter="data")
    return tmp_path / "scd"


def test_contours_of_sunnybrook_measure_what_another_program_measured(scd):
    """The volumes that ../shared/real/README.md gives for both patients."""
    spec = f"sunnybrook:{scd}"
    for patient, edv, esv, ef in (("SCD0000101", 191, 141, 26), ("SCD0000301", 230, 180, 22)):
        row = label_row(spec, patient)
        measured = [float(row[c]) for c in ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent")]
        assert measured == pytest.approx([edv, esv, ef], abs=0.5)
        assert (row["infarct"], row["heart_failure"], row["normal"]) == ("1", "1", "0")
    _, frames, rejects = read(spec)
    assert {s for p in ("SCD0000101", "SCD0000301") for s in stacks(of_patient(frames, p))} == {
        (View.SAX, Sequence.CINE)
    }
    assert len(frames) == 440
    assert reasons(rejects) == {Why.NOT_MR: 57, Why.NOT_DICOM: 86}


def test_contours_of_sunnybrook_are_given_with_the_image_that_they_outline(scd):
    spec = f"sunnybrook:{scd}"
    masks = public.masks(spec, "SCD0000101")
    assert len(masks) == 27  # 18 endocardial, 9 epicardial
    assert {m.moment for m in masks} == set(CYCLE_POSITIONS)
    trigger = {moment: [] for moment in CYCLE_POSITIONS}
    for mask in masks:
        header = pydicom.dcmread(scd / mask.image, stop_before_pixels=True)
        assert f"-{int(header.InstanceNumber):04d}-" in mask.path
        trigger[mask.moment].append(float(header.TriggerTime))
    assert max(trigger["END_SYSTOLE"]) < 300 < 690 < min(trigger["END_DIASTOLE"])


def sunnybrook(root, radius=(8, 6)):
    """The published layout: 4 slices of 6 phases, contours of both moments as squares."""
    images = root / "SCD_IMAGES_01/SCD0000201/CINESAX_300"
    for place in range(4):
        for phase in range(6):
            number = 6 * place + phase + 1
            dicom(images / f"IM-0003-{number:04d}.dcm", number, place, phase)
    contours = root / "SCD_ManualContours/SC-HYP-06/contours-manual/IRCCI-expert"
    contours.mkdir(parents=True)
    for place in range(4):
        for phase, half in zip((0, 3), radius, strict=True):
            for kind, size in (("i", half), ("o", half + 2)):
                corners = 16 + size * np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
                name = f"IM-0001-{6 * place + phase + 1:04d}-{kind}contour-manual.txt"
                np.savetxt(contours / name, corners, "%.2f")
    row = {"PatientID": "SCD0000201", "OriginalID": "SC-HYP-6", "Gender": "Female", "Age": "57"}
    table(root / "scd_patientdata.csv", [row])
    return f"sunnybrook:{root}"


def test_the_published_layout_of_sunnybrook(tmp_path):
    spec = sunnybrook(tmp_path / "set")
    _, frames, rejects = read(spec)
    assert stacks(frames) == [(View.SAX, Sequence.CINE)]
    assert planned(frames).sex == "F"
    assert planned(frames).age_band == "50-59"
    assert {f.text["PatientID"] for f in frames} == {"SCD0000201"}  # not the header's
    assert reasons(rejects) == {Why.NOT_MR: 16, Why.NOT_DICOM: 1}
    row = label_row(spec, "SCD0000201")
    pixel = 2 * 2 * 8 / 1000
    assert float(row["lv_edv_ml"]) == pytest.approx(4 * 16**2 * pixel, abs=0.05)
    assert float(row["lv_esv_ml"]) == pytest.approx(4 * 12**2 * pixel, abs=0.05)
    wall = 4 * (20**2 - 16**2) * pixel
    assert float(row["lv_mass_g"]) == pytest.approx(1.05 * wall, abs=0.05)
    assert (row["diagnosis"], row["lv_hypertrophy"], row["infarct"]) == ("HYP", "1", "0")


def test_contours_without_their_images_are_counted(tmp_path):
    spec = sunnybrook(tmp_path / "set")
    (tmp_path / "set/SCD_IMAGES_01/SCD0000201/CINESAX_300/IM-0003-0001.dcm").unlink()
    _, frames, rejects = read(spec)
    assert len(frames) == 23
    assert reasons(rejects)[Why.INCOMPLETE] == 16
    assert label_row(spec, "SCD0000201")["lv_hypertrophy"] == "1"
    assert not label_row(spec, "SCD0000201").get("lv_edv_ml")


def test_pictures_of_sunnybrook_are_cines_of_two_moments(real):
    """23 real patients; ejection fractions and phases as another program found them."""
    root = real("sunnybrook_png")
    spec = f"sunnybrook_png:{root}{NOMINAL}"
    truth = read_table(root / "labels_derived.csv")
    _, frames, rejects = read(spec)
    lost = 0
    for row in truth:
        assert label_row_of(spec, row["patient"]) == pytest.approx(
            float(row["lvef_from_area_sums"]), abs=0.051
        )
        (stack,) = planned(of_patient(frames, row["patient"])).stacks
        assert (stack.view, stack.sequence) == (View.SAX, Sequence.CINE)
        assert {"two moments", "spacing unknown"} <= set(stack.raw.flags)
        phases = (int(row["ed_phase"]) / 20, int(row["es_phase"]) / 20)
        assert all(one.phases == pytest.approx(phases) for one in stack.raw.slices)
        lost += int(row["ed_slices"]) + int(row["es_slices"]) - 2 * len(stack.raw.slices)
    assert reasons(rejects)[Why.INCOMPLETE] == lost == 20
    assert len(frames) + lost == len(os.listdir(root / "images"))


def label_row_of(spec, patient):
    """The ejection fraction of one patient, without reading the others."""
    layout, exam = public.LAYOUTS[spec.partition(":")[0]], public.exam(spec, patient)
    return float(layout.labels(public.root_of(spec), patient, exam)["lv_ef_percent"])


# --- EMIDEC


def test_pictures_of_emidec_are_phase_sensitive_late_enhancement(real):
    """50 real exams; proportions of the masks agree with the volumes of the set's table."""
    root = real("emidec50")
    spec = f"emidec_png:{root}{NOMINAL}"
    _, frames, rejects = read(spec)
    truth = {int(row["case"]): row for row in read_table(root / "clinical.csv")}
    rows = public.label_rows(spec)
    assert len(rows) == len(truth) == 50
    for row in rows:
        plan = planned(of_patient(frames, row["patient_id"]))
        (stack,) = plan.stacks
        assert (stack.view, stack.sequence) == (View.SAX, Sequence.LGE_PSIR)
        assert "spacing unknown" in stack.raw.flags
        table_row = truth[int(row["patient_id"][6:])]
        assert plan.sex == {"0": "M", "1": "F"}[table_row["sex"]]
        assert row["infarct"] == str(int(row["patient_id"][5] == "P"))
        counted = Counter()
        for mask in public.masks(spec, row["patient_id"]):
            values = cv2.imread(str(root / mask.path), cv2.IMREAD_GRAYSCALE)
            counted.update(measure.pixels(values, mask))
        whole = counted["myocardium"] / float(table_row["myo"])
        for part, column in (("infarct", "inf"), ("no_reflow", "pmo")):
            assert counted[part] / whole == pytest.approx(float(table_row[column]), abs=1.0)
            assert row[part] == str(int(counted[part] > 0))
    assert len(frames) == 356
    assert reasons(rejects) == {Why.NOT_MR: 356, Why.NOT_DICOM: 1}


def test_pictures_lie_as_the_files_have_them(real):
    spec = f"emidec_png:{real('emidec50')}{NOMINAL}"
    (volume,) = public.exam(spec, "Case_P036").volumes
    source, frames, _ = read(spec)
    wanted = of_patient(frames, "Case_P036")
    ((_, content),) = source.load({wanted[0].where})
    for frame, picture, path in zip(wanted, decode(wanted, content), volume.files, strict=True):
        assert frame.spacing_mm == (1.4, 1.4)
        expected = cv2.imread(str(real("emidec50") / path), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(picture, expected)


def pictures(root):
    """One case of EMIDEC as pictures."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
        for i in range(3):
            grey = np.full((8, 8), 3 if folder == "masks" else 20 * i, np.uint8)
            cv2.imwrite(str(root / folder / f"Case_P001_slice{i:03d}.png"), grey)
    return f"emidec_png:{root}"


def test_pictures_without_spacing_are_rejected_with_a_way_out(tmp_path):
    spec = pictures(tmp_path / "set")
    _, frames, rejects = read(spec)
    assert (frames, reasons(rejects)) == ([], {Why.UNKNOWN_SPACING: 3, Why.NOT_MR: 3})
    key = tmp_path / "key"
    key.write_bytes(np.random.default_rng(0).bytes(32))
    key.chmod(0o600)
    done = prepare(tmp_path / "out", "--key-file", str(key), dicom=spec, check=False)
    assert done.returncode == 2
    assert "DIR?spacing_mm=COLUMNS,ROWS,SLICES" in done.stderr
    assert len(read(spec + NOMINAL)[1]) == 3


@pytest.mark.parametrize("asked", ["?spacing_mm=1.4", "?spacing_mm=0,1,1", "?spacing=1,1,8", "?x"])
def test_a_wrong_spacing_is_refused(tmp_path, asked):
    with pytest.raises(ValueError, match="write the spacing in mm as"):
        public.units(pictures(tmp_path / "set") + asked)


CLINICAL = """Case {name}

Gap between slices\u2020: 10 mm
Sex\u2020: F
Age : 70
Tobacco : 3
Overweight : N
Arterial hypertension : Y
Diabetes : N
Familial history of coronary artery disease: N
ECG (ST +) : Y
Troponin : 1.1
Killip Max: 1
FEVG : 60
NTProBNP : 248
"""


def emidec(root):
    """The published layout: one patient with infarct and no-reflow, one normal."""
    for name in ("P001", "N006"):
        video, mask = heart(20, 1)
        tissue = np.choose(mask[..., 0], (0, 0, 2, 1)).astype(np.uint8)
        if name == "P001":
            tissue[:20][tissue[:20] == 2] = 3
            tissue[:, :18][tissue[:, :18] == 3] = 4
        save(root / f"Case_{name}/Images/Case_{name}.nii.gz", video[..., 0])
        save(root / f"Case_{name}/Contours/Case_{name}.nii.gz", tissue)
        text = CLINICAL.format(name=name)
        (root / f"Case {name}.txt").write_bytes(text.encode("cp1252"))
    (root / "Readme.txt").write_text("cite")
    return f"emidec:{root}"


def test_the_published_layout_of_emidec(tmp_path):
    spec = emidec(tmp_path / "emidec-dataset-1.0.1")
    _, frames, rejects = read(spec)
    assert stacks(of_patient(frames, "Case_P001")) == [(View.SAX, Sequence.LGE_PSIR)]
    plan = planned(of_patient(frames, "Case_N006"))
    assert (plan.sex, plan.age_band) == ("F", "70-79")
    assert reasons(rejects) == {Why.NOT_MR: 2, Why.NOT_DICOM: 3}
    normal, injured = (label_row(spec, f"Case_{name}") for name in ("N006", "P001"))
    (mask,) = public.masks(spec, "Case_P001")
    values = np.asanyarray(
        nibabel.Nifti1Image.from_filename(tmp_path / "emidec-dataset-1.0.1" / mask.path).dataobj
    )
    expected = {
        "myocardium_ml": (values >= 2).sum(),
        "infarct_ml": (values >= 3).sum(),
        "no_reflow_ml": (values == 4).sum(),
    }
    assert all(expected.values())
    for column, voxels in expected.items():
        assert float(injured[column]) == pytest.approx(voxels * VOXEL_ML, abs=0.01)
    assert [injured[c] for c in ("infarct", "no_reflow", "lge", "normal")] == ["1", "1", "1", "0"]
    assert [normal[c] for c in ("infarct", "no_reflow", "lge", "normal")] == ["0", "0", "0", "1"]
    assert [normal[c] for c in ("lv_ef_percent", "hypertension", "diabetes", "st_elevation")] == [
        "60",
        "1",
        "0",
        "1",
    ]


# --- M&Ms-2


def mnms2(root, cine=True):
    """The published layout with one exam of each split."""
    for code in ("001", "161", "360"):
        video, mask = heart(20)
        outlined = np.choose(mask, (0, 3, 2, 1)).astype(np.uint8)
        for view, cut in (("SA", slice(None)), ("LA", slice(2, 3))):
            folder = root / "dataset" / code
            if cine:
                save(folder / f"{code}_{view}_CINE.nii.gz", video[:, :, cut])
            for key, at in (("ED", 0), ("ES", 3)):
                save(folder / f"{code}_{view}_{key}.nii.gz", video[:, :, cut, at])
                save(folder / f"{code}_{view}_{key}_gt.nii.gz", outlined[:, :, cut, at])
    rows = [
        {"SUBJECT_CODE": c, "DISEASE": d, "VENDOR": v, "SCANNER": "x", "FIELD": f}
        for c, d, v, f in (
            ("1", "NOR", "SIEMENS", "1.5"),
            ("161", "FALL", "GE MEDICAL SYSTEMS", "3"),
            ("360", "TRI", "Philips Medical Systems", ""),
            ("", "", "", ""),
        )
    ]
    table(root / "dataset_information.csv", rows)
    return f"mnms2:{root}"


def test_the_published_layout_of_mnms2(tmp_path):
    spec = mnms2(tmp_path / "MnM2")
    _, frames, rejects = read(spec)
    assert reasons(rejects) == {Why.DUPLICATE: 12, Why.NOT_MR: 12, Why.NOT_DICOM: 1}
    plan = planned(of_patient(frames, "161"))
    assert {(s.view, s.sequence) for s in plan.stacks} == {
        (View.SAX, Sequence.CINE),
        (View.CH4, Sequence.CINE),
    }
    assert (plan.vendor, plan.field_strength_t) == ("GE", 3.0)
    rows = {row["patient_id"]: row for row in public.label_rows(spec)}
    assert [rows[c]["split"] for c in ("001", "161", "360")] == ["train", "val", "test"]
    assert [rows["161"][c] for c in ("diagnosis", "tetralogy_of_fallot", "normal")] == [
        "FALL",
        "1",
        "0",
    ]
    _, mask = heart(20)
    ed, es = ((mask[..., t] == 3).sum() * VOXEL_ML for t in (0, 3))
    rv = [(mask[..., t] == 1).sum() * VOXEL_ML for t in (0, 3)]
    for code in rows:  # short axis alone: a long-axis mask is no volume
        assert float(rows[code]["lv_edv_ml"]) == pytest.approx(ed, abs=0.05)
        assert float(rows[code]["lv_esv_ml"]) == pytest.approx(es, abs=0.05)
        assert float(rows[code]["rv_edv_ml"]) == pytest.approx(rv[0], abs=0.05)
        assert float(rows[code]["rv_ef_percent"]) == pytest.approx(
            100 * (1 - rv[1] / rv[0]), abs=0.05
        )


def test_moments_at_unknown_places_are_a_cine_and_say_so(tmp_path):
    _, frames, _ = read(mnms2(tmp_path / "MnM2", cine=False))
    for stack in planned(of_patient(frames, "001")).stacks:
        assert stack.sequence is Sequence.CINE
        assert {"two moments", "unknown phases"} <= set(stack.raw.flags)


def test_a_cine_that_is_missing_is_counted(tmp_path):
    spec = mnms2(tmp_path / "MnM2")
    folder = tmp_path / "MnM2/dataset/001"
    (folder / "001_LA_CINE.nii.gz").unlink()
    (folder / "001_LA_ED.nii.gz").unlink()
    _, frames, rejects = read(spec)
    assert stacks(of_patient(frames, "001")) == [(View.SAX, Sequence.CINE)]
    missing = [r.where for r in rejects if r.why is Why.INCOMPLETE]
    assert missing == ["dataset/001/001_LA_CINE.nii.gz"]


# --- MS-CMRSeg and MyoPS


def test_the_published_layout_of_mscmrseg(tmp_path):
    root = tmp_path / "C0LET2_nii45_for_challenge19"
    video, mask = heart(20, 1)
    outlined = np.choose(mask[..., 0], (0, 600, 200, 500)).astype(np.int16)
    for patient in ("patient1", "patient12"):
        for i, sequence in enumerate(("C0", "LGE", "T2")):
            save(root / f"c0t2lge/{patient}_{sequence}.nii.gz", video[..., 0] + i)
    save(root / "c0gt/patient1_C0_manual.nii.gz", outlined)
    save(root / "lgegt/patient1_LGE_manual.nii.gz", outlined)
    save(root / "copy/patient1_LGE_manual.nii.gz", outlined)
    (root / "c0t2lge/patient12_T2.nii.gz").unlink()
    spec = f"mscmr:{root}"
    _, frames, rejects = read(spec)
    first = planned(of_patient(frames, "patient1"))
    assert {(s.view, s.sequence) for s in first.stacks} == {
        (View.SAX, Sequence.OTHER),  # a balanced SSFP still is no cine
        (View.SAX, Sequence.LGE_MAG),
        (View.SAX, Sequence.T2W),
    }
    assert len(planned(of_patient(frames, "patient12")).stacks) == 2
    assert reasons(rejects) == {Why.NOT_MR: 2, Why.DUPLICATE: 1, Why.INCOMPLETE: 1}
    masks = {m.image.rpartition("_")[2]: m for m in public.masks(spec, "patient1")}
    assert set(masks) == {"C0.nii.gz", "LGE.nii.gz"}
    expected = {"lv": 500, "myocardium": 200, "rv": 600}
    assert measure.milliliters(str(root), masks["LGE.nii.gz"]) == pytest.approx(
        {part: (outlined == value).sum() * VOXEL_ML for part, value in expected.items()}
    )
    wall = float(label_row(spec, "patient1")["myocardium_ml"])
    assert wall == pytest.approx((outlined == 200).sum() * VOXEL_ML, abs=0.05)


def test_the_published_layout_of_myops(tmp_path):
    root = tmp_path / "MyoPS2020"
    video, mask = heart(20, 1)
    tissue = np.choose(mask[..., 0], (0, 600, 200, 500)).astype(np.int16)
    tissue[:20][tissue[:20] == 200] = 1220
    tissue[:, :18][tissue[:, :18] == 1220] = 2221
    for folder, patient in (("train25", "myops_training_101"), ("test20", "myops_test_201")):
        for i, sequence in enumerate(("C0", "DE", "T2")):
            save(root / f"{folder}/{patient}_{sequence}.nii.gz", video[..., 0] + i)
    save(root / "train25_myops_gd/myops_training_101_gd.nii.gz", tissue)
    spec = f"myops:{root}"
    _, frames, rejects = read(spec)
    for patient in ("myops_training_101", "myops_test_201"):
        assert sorted(s for _, s in stacks(of_patient(frames, patient))) == [
            Sequence.OTHER,
            Sequence.LGE_MAG,
            Sequence.T2W,
        ]
    assert reasons(rejects) == {Why.NOT_MR: 1}
    row = label_row(spec, "myops_training_101")
    assert (row["split"], label_row(spec, "myops_test_201")["split"]) == ("train", "test")
    wall = np.isin(tissue, (200, 1220, 2221)).sum()
    for column, count in (
        ("myocardium_ml", wall),
        ("infarct_ml", (tissue == 2221).sum()),
        ("edema_ml", (tissue == 1220).sum()),
    ):
        assert count
        assert float(row[column]) == pytest.approx(count * VOXEL_ML, abs=0.01)
    assert (row["infarct"], row["edema"], row["lge"]) == ("1", "1", "1")


# --- Kaggle


def test_the_published_layout_of_the_data_science_bowl(tmp_path):
    root = tmp_path / "second-annual-data-science-bowl"
    for split, patient in (("train", "1"), ("validate", "501"), ("test", "701")):
        study = root / split / patient / "study"
        for place in range(4):  # a series for each slice, as scanners send them
            for phase in range(6):
                name = f"sax_{place + 5}/IM-{4562 + place}-{phase + 1:04d}.dcm"
                uid = {"StudyInstanceUID": f"1.2.{patient}"}
                dicom(study / name, 100 * place + phase + 1, place, phase, place + 1, **uid)
        for phase in range(6):
            path = study / f"4ch_15/IM-4570-{phase + 1:04d}.dcm"
            more = uid | {"ImageOrientationPatient": FOUR_CHAMBERS}
            dicom(path, 900 + phase, 0, phase, 9, **more)
    table(root / "train.csv", [{"Id": "1", "Systole": "108.3", "Diastole": "246.7"}])
    table(root / "validate.csv", [{"Id": "501", "Systole": "60", "Diastole": "120"}])
    table(
        root / "solution.csv",
        [{"Id": "701_Diastole", "Volume": "100"}, {"Id": "701_Systole", "Volume": "70"}],
    )
    (root / "train.zip").write_bytes(b"PK")
    spec = f"kaggle:{root}"
    _, frames, rejects = read(spec)
    assert reasons(rejects) == {Why.NOT_DICOM: 3, Why.PACKED: 1}
    described = {f.where.split("/")[-2]: f.text["SeriesDescription"] for f in frames}
    assert (described["sax_5"], described["4ch_15"]) == ("cine SAX", "cine 4CH")
    plan = planned(of_patient(frames, "1"))
    assert {(s.view, s.sequence, len(s.raw.slices)) for s in plan.stacks} == {
        (View.SAX, Sequence.CINE, 4),
        (View.CH4, Sequence.CINE, 1),
    }
    rows = {row["patient_id"]: row for row in public.label_rows(spec)}
    assert [rows[p]["split"] for p in ("1", "501", "701")] == ["train", "val", "test"]
    assert [float(rows[p]["lv_ef_percent"]) for p in ("1", "501", "701")] == pytest.approx(
        [100 * (1 - 108.3 / 246.7), 50.0, 30.0], abs=0.051
    )
    assert (rows["1"]["lv_edv_ml"], rows["1"]["lv_esv_ml"]) == ("246.7", "108.3")


def test_a_folder_may_have_the_mark_of_stacks_in_its_name(tmp_path):
    dicom(tmp_path / "my!train/7/study/sax_3/IM-0001-0001.dcm", 1)
    source, frames, _ = read(f"kaggle:{tmp_path}")
    ((_, content),) = source.load({frames[0].where})
    assert content[128:132] == b"DICM"


def test_headers_keep_what_they_state_and_gaps_are_counted(tmp_path):
    study = tmp_path / "train/7/study"
    for phase in range(6):
        more = {"SeriesDescription": "SA CINE"}
        dicom(study / f"sax_3/IM-0001-{phase:04d}.dcm", phase + 1, 0, phase, **more)
    dicom(study / "sax_4/IM-0002-0001.dcm", 50, 1, 0, 2, PixelSpacing=None)
    _, frames, rejects = read(f"kaggle:{tmp_path}")
    assert {f.text["SeriesDescription"] for f in frames} == {"SA CINE"}
    assert {f.text["PatientID"] for f in frames} == {"7"}
    assert reasons(rejects) == {Why.NO_GEOMETRY: 1}


# --- all sets


@pytest.mark.parametrize("make", [emidec, mnms2, sunnybrook, pictures])
def test_every_file_is_counted_once(tmp_path, make):
    spec = make(tmp_path / "set")
    _, frames, rejects = read(spec)
    counted = Counter(r.where for r in rejects)
    counted.update({f.where for f in frames})
    on_disk = {
        os.path.relpath(os.path.join(folder, name), tmp_path / "set")
        for folder, _, names in os.walk(tmp_path / "set")
        for name in names
    }
    assert set(counted) == on_disk
    assert set(counted.values()) == {1}


def test_masks_of_a_built_set_stay_outside(tmp_path):
    """The frames of a build are those of the images, and no mask value is among its labels' columns."""
    spec = emidec(tmp_path / "set")
    key = tmp_path / "key"
    key.write_bytes(np.random.default_rng(0).bytes(32))
    key.chmod(0o600)
    out = prepare(tmp_path / "out", "--key-file", str(key), dicom=spec).stdout
    assert "2 SAX LGE_PSIR" in out
    assert isinstance(planned(of_patient(read(spec)[1], "Case_N006")), ExamPlan)
    columns = set(read_table(tmp_path / "out/labels.csv")[0])
    assert {"infarct", "infarct_ml", "normal"} <= columns
