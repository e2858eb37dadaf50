"""Reports, labels and patients find their exams; what cannot be joined is counted."""

import dataclasses
import json
from collections import Counter

import pytest

from cmr_jax.schema import LABELS_FILE
from data_prep.exam.plan import ExamPlan
from data_prep.orders import Rules, make_orders
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.qc.account import Account
from data_prep.read.reject import Reject, Why
from data_prep.reports.matching import Joined, join, patients_of
from data_prep.shelf import labels
from tests.conftest import prepare

REPORT = "FINDINGS: x\nIMPRESSION:\nDilated left ventricle. No LGE."


def plan(number: int, **changes) -> ExamPlan:
    made = ExamPlan(
        study_uid=f"1.2.{number}",
        patient_id=f"P{number}",
        accession=f"A{number}",
        study_date="20200101",
        vendor="GE",
        field_strength_t=1.5,
        sex="F",
        age_band="40-49",
        identifiers=(f"P{number}",),
        stacks=(),
        rejects=(),
    )
    return dataclasses.replace(made, **changes)


def row(**keys) -> dict[str, str]:
    empty = {"patient_id": "", "study_instance_uid": "", "accession_number": ""}
    return empty | {"report_text": REPORT} | keys


def rules_of(pseudonyms) -> Rules:
    return Rules(
        pseudonyms, "s", {"train": 0.5, "test": 0.5}, exams_per_shard=3, keep_unpaired=True
    )


@pytest.fixture
def pseudonyms():
    from data_prep.deid.pseudonym import Pseudonyms

    return Pseudonyms(bytes(range(32)))


def test_reports_join_by_study_then_accession_then_patient():
    plans = [plan(1), plan(2), plan(3)]
    rows = [row(study_instance_uid="1.2.1"), row(accession_number="A2"), row(patient_id="P3")]
    joined = join(plans, rows, [])
    assert set(joined.impressions) == {"1.2.1", "1.2.2", "1.2.3"}
    assert joined.impressions["1.2.1"].sentences == ("Dilated left ventricle.", "No LGE.")
    assert not joined.rejects


def test_a_patient_with_two_exams_is_not_guessed_at():
    joined = join([plan(1), plan(2, patient_id="P1")], [row(patient_id="P1")], [])
    assert [r.why for r in joined.rejects] == [Why.NO_EXAM]


def test_what_cannot_be_joined_is_counted_with_the_reason():
    rows = [
        row(),
        row(accession_number="other"),
        row(accession_number="A1", report_text="no section"),
        row(accession_number="A1", report_text="IMPRESSION: archive number 88997766554 see there"),
    ]
    joined = join([plan(1)], rows, [])
    assert [r.why for r in joined.rejects][:3] == [Why.NO_KEY, Why.NO_EXAM, Why.NO_IMPRESSION]
    assert "88997766554" not in str(joined.impressions)


def test_text_that_stays_suspect_is_withheld():
    text = "IMPRESSION: Normal heart, see a@b and go."
    joined = join([plan(1)], [row(accession_number="A1", report_text=text)], [])
    assert [r.why for r in joined.rejects] == [Why.PHI_SUSPECT]
    assert not joined.impressions


def test_a_later_report_corrects_an_earlier_one():
    rows = [
        row(accession_number="A1"),
        row(accession_number="A1", report_text="IMPRESSION: Normal heart."),
    ]
    joined = join([plan(1)], rows, [])
    assert joined.impressions["1.2.1"].text == "Normal heart."
    assert [r.why for r in joined.rejects] == [Why.REPEAT]


def test_two_numbers_of_one_patient_are_one_patient():
    plans = [plan(1), plan(2), plan(3)]
    linked = [row(patient_id="P1", accession_number="A2")]  # the report system knows better
    owners = patients_of(plans, linked)
    assert owners["1.2.1"] == owners["1.2.2"] != owners["1.2.3"]


def test_exams_of_a_patient_share_a_split_and_count_days(pseudonyms):
    plans = [
        plan(n, patient_id=f"P{n % 7}", study_date=f"202001{1 + n % 7 + n // 7:02d}")
        for n in range(28)
    ]
    orders, _ = make_orders(
        rules_of(pseudonyms), plans, Joined({}, {}, Counter(), []), patients_of(plans, [])
    )
    splits: dict[str, set[str]] = {}
    for order in orders:
        for exam in order.exams:
            splits.setdefault(exam.patient_id, set()).add(order.split)
    assert len(splits) == 7
    assert all(len(found) == 1 for found in splits.values())
    days = sorted(e.days_since_first for o in orders for e in o.exams)
    assert days == sorted(n // 7 for n in range(28))


def test_labels_that_could_name_a_patient_do_not_stay(tmp_path):
    rows = {
        f"id{n}": {
            "ef": str(40 + n),
            "kind": "dcm" if n % 2 else "icm",
            "name": f"Name{n}",
            "mrn": str(88000000 + n),
        }
        for n in range(12)
    }
    labels.write(tmp_path, rows)
    header = (tmp_path / LABELS_FILE).read_text().splitlines()[0]
    assert header == "exam_id,ef,kind"


def test_an_account_that_does_not_add_up_is_an_error():
    account = Account(files_found=5, files_used=3, rejects={"files": [Reject(Why.NOT_MR, "x")]})
    with pytest.raises(RuntimeError, match="1 of 5 files"):
        account.check()
    account.rejects["files"].append(Reject(Why.TRUNCATED, "y"))
    account.check()


def test_checksums_are_of_the_pixels(tiny, tmp_path):
    prepare(tmp_path / "other", "--overwrite", dicom="phantom:tiny:exams=60")
    same = json.loads((tmp_path / "other" / "manifest.json").read_text())["pixel_sha256"]
    assert same == json.loads((tiny / "manifest.json").read_text())["pixel_sha256"]
    assert len(set(same.values())) == len(same) == 60
    assert Study(profile("tiny"), 0).keys["patient_id"] not in str(same)
