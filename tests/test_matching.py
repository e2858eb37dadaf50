"""Reports, labels and patients find their exams; what cannot be joined is counted."""

import dataclasses
import json
import random
from collections import Counter

import pytest

from cmr_jax.schema import LABELS_FILE
from data_prep.exam.plan import ExamSummary
from data_prep.orders import Rules, make_orders
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.qc.account import Account
from data_prep.read.reject import Reject, Why
from data_prep.reports.matching import Joined, join, patients_of
from data_prep.shelf import labels
from tests.conftest import prepare

REPORT = "FINDINGS: x\nIMPRESSION:\nDilated left ventricle. No LGE."


def plan(number: int, **changes) -> ExamSummary:
    made = ExamSummary(
        study_uid=f"1.2.{number}",
        patient_id=f"P{number}",
        accession=f"A{number}",
        study_date="20200101",
        identifiers=(f"P{number}",),
        frame_count=0,
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
    assert [r.why for r in joined.rejects] == [Why.SEVERAL_EXAMS]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"study_date": "20200302"}, "1.2.2"),
        ({"report_date": "2020-03-03T09:00:00"}, "1.2.2"),
        ({"study_date": "31.12.2019"}, "1.2.1"),
        ({"study_date": "20200401"}, Why.SEVERAL_EXAMS),
        ({"accession_number": "A2"}, "1.2.2"),
        ({"accession_number": "A2", "patient_id": "other"}, "1.2.2"),
        ({"accession_number": "A3"}, Why.KEY_CONFLICT),
        ({"accession_number": "A2", "study_instance_uid": "1.2.1"}, Why.KEY_CONFLICT),
        ({"accession_number": "unheard", "study_date": "20200302"}, Why.NO_EXAM),
        ({"study_instance_uid": "9.9", "study_date": "20200302"}, Why.NO_EXAM),
        ({"accession_number": "N/A", "study_date": "20200302"}, "1.2.2"),
        ({"accession_number": "order", "other_numbers": "x\x1fA2"}, "1.2.2"),
    ],
    ids=range(12),
)
def test_keys_and_dates_name_one_exam_or_none(keys, expected):
    plans = [plan(1), plan(2, patient_id="P1", study_date="20200302"), plan(3)]
    joined = join(plans, [row(**{"patient_id": "P1"} | keys)], [])
    assert [*joined.impressions, *(r.why for r in joined.rejects)] == [expected]


@pytest.mark.parametrize(
    ("date", "fits"),
    [("20200102", True), ("20200131", True), ("20220101", False), ("20191201", False)],
)
def test_a_report_of_another_year_is_of_another_exam(date, fits):
    joined = join([plan(1)], [row(patient_id="P1", report_date=date)], [])
    assert bool(joined.impressions) == fits
    assert not fits or not joined.rejects


def test_a_key_that_no_exam_has_is_counted_beside_the_one_that_joined():
    joined = join([plan(1)], [row(accession_number="A1", patient_id="elsewhere")], [])
    assert dict(joined.joined_by) == {
        "report by accession_number": 1,
        "report whose patient_id no exam has": 1,
    }


@pytest.mark.parametrize("name", ["A1", "P1", "1.2.1"])
def test_a_file_may_be_named_by_any_key(name):
    assert set(join([plan(1)], [row(accession_number=name, any_key="x")], []).impressions) == {
        "1.2.1"
    }


def test_a_file_named_by_keys_of_two_exams_is_a_conflict():
    plans = [plan(1, accession="N7"), plan(2, patient_id="N7")]
    joined = join(plans, [row(accession_number="N7", any_key="x")], [])
    assert [r.why for r in joined.rejects] == [Why.KEY_CONFLICT]


def test_one_report_of_several_orders_goes_to_each():
    orders = [row(accession_number=f"A{n}", linked="r", patient_id="P1") for n in (1, 2, 9)]
    plans = [plan(1), plan(2, patient_id="P1"), plan(3)]
    joined = join(plans, orders, [])
    assert joined.impressions["1.2.1"] == joined.impressions["1.2.2"]
    assert joined.joined_by["report of linked orders"] == 2


def test_an_order_without_an_exam_is_no_loss_where_another_has_it():
    orders = [row(accession_number=a, linked="r") for a in ("B1", "A1")]
    joined = join([plan(1)], orders, [])
    assert [r.why for r in joined.rejects] == [Why.LINKED_ORDER]
    joined = join([plan(1)], orders[:1], [])
    assert [r.why for r in joined.rejects] == [Why.NO_EXAM]


def test_what_cannot_be_joined_is_counted_with_the_reason():
    rows = [
        row(),
        row(accession_number="other"),
        row(accession_number="A1", report_text="no section"),
        row(accession_number="A2", report_text="IMPRESSION: archive number 88997766554 see there"),
    ]
    joined = join([plan(1), plan(2)], rows, [])
    assert [r.why for r in joined.rejects][:3] == [Why.NO_KEY, Why.NO_EXAM, Why.NO_IMPRESSION]
    assert "88997766554" not in str(joined.impressions)


def test_text_that_stays_suspect_is_withheld():
    text = "IMPRESSION: Normal heart, see a@b and go."
    joined = join([plan(1)], [row(accession_number="A1", report_text=text)], [])
    assert [r.why for r in joined.rejects] == [Why.PHI_SUSPECT]
    assert not joined.impressions


def says(text: str, status: str = "", date: str = "", **keys) -> dict[str, str]:
    given = {"accession_number": "A1", "report_status": status, "report_date": date}
    return row(**given | {"report_text": f"IMPRESSION: {text}"} | keys)


S, A, W, N = Why.SUPERSEDED, Why.ADDENDUM, Why.WITHDRAWN, Why.NO_IMPRESSION
VERSIONS = [
    ([says("Old one."), says("New one.")], "New one.", [S]),
    ([says("New one.", date="20200105"), says("Old one.", date="20200104")], "New one.", [S]),
    ([says("Final one.", "F"), says("Early one.", "P")], "Final one.", [S]),
    ([says("Right one.", "C", "20200103"), says("Wrong one.", "F", "20200105")], "Right one.", [S]),
    ([says("Right one.", "amended"), says("Wrong one.", "final")], "Right one.", [S]),
    ([says("Only early.", "preliminary")], "Only early.", []),
    ([says("True one.", "final"), says("Never was.", "cancelled")], "True one.", [W]),
    ([says("Of another.", "F"), says("Of another.", "entered-in-error")], None, [W, W]),
    ([says("Wrong.", "F"), says("x y", "W"), says("True one.", "F")], "True one.", [W, W]),
    ([says("First one."), says("Second one.", "addendum")], "First one.\nSecond one.", [A]),
    (
        [says("Second one.", "Addendum"), says("First one.", "Final")],
        "First one.\nSecond one.",
        [A],
    ),
    ([says("Whole one.", "addendum")], "Whole one.", []),
    (
        [says("Left one."), says("", "addendum", report_text="Corrected.\nIMPRESSION: Right one.")],
        "Right one.",
        [A],
    ),
    ([says("Stays."), says("", "addendum", report_text="Called the ward.")], "Stays.", [A]),
    ([says("Stays.", "F"), says("", "C", report_text="no heading")], "Stays.", [N]),
    ([says("", report_text="a"), says("", "addendum", report_text="b")], None, [N, N]),
]


@pytest.mark.parametrize(("rows", "text", "reasons"), VERSIONS, ids=range(len(VERSIONS)))
def test_of_several_reports_the_latest_final_one_counts(rows, text, reasons):
    joined = join([plan(1)], rows, [])
    assert [i.text for i in joined.impressions.values()] == ([] if text is None else [text])
    assert [r.why for r in joined.rejects] == reasons


def test_every_report_is_used_or_counted_whatever_comes():
    rng = random.Random(1)
    statuses = ["", "F", "P", "C", "X", "W", "addendum", "??"]
    texts = [
        REPORT,
        "IMPRESSION: see above",
        "none",
        "IMPRESSION: call a@b now",
        "IMPRESSION: Other.",
    ]
    for _ in range(200):
        plans = [plan(n, patient_id=f"P{n % 3}") for n in range(4)]
        rows = []
        for _ in range(rng.randrange(12)):
            keys = {
                "patient_id": f"P{rng.randrange(4)}",
                "accession_number": f"A{rng.randrange(6)}",
            }
            keys["study_instance_uid"] = f"1.2.{rng.randrange(6)}"
            kept = {k: v for k, v in keys.items() if rng.random() < 0.5}
            kept |= {"linked": rng.choice(["", "", "g"]), "report_status": rng.choice(statuses)}
            kept |= {
                "report_date": rng.choice(["", "20200101", "x"]),
                "report_text": rng.choice(texts),
            }
            kept |= {"reject": "REPORT_UNREADABLE"} if rng.random() < 0.1 else {}
            rows.append(row(**kept))
        joined = join(plans, rows, [])
        assert len(rows) == len(joined.impressions) + sum(r.count for r in joined.rejects)
        assert all(r.where.startswith("report") for r in joined.rejects)


def test_an_input_that_was_no_report_keeps_its_reason():
    unread = {"report_text": "", "reject": "REPORT_UNREADABLE", "detail": "a PDF document"}
    (reject,) = join([plan(1)], [unread], []).rejects
    assert (reject.why, reject.detail) == (Why.REPORT_UNREADABLE, "a PDF document")


def test_names_that_came_with_a_report_leave_its_text():
    text = "Normal heart. Alma Nobody was told, order F77."
    joined = join([plan(1)], [says(text, identifiers="Alma\x1fNobody", other_numbers="F77")], [])
    assert not {"Alma", "Nobody", "F77"} & set(
        joined.impressions["1.2.1"].text.replace(".", "").split()
    )


def test_a_number_that_stands_for_none_links_nobody():
    plans = [plan(1, accession="0"), plan(2, accession="0")]
    owners = patients_of(plans, [row(patient_id=f"P{n}", accession_number="N/A") for n in (1, 2)])
    assert owners["1.2.1"] != owners["1.2.2"]


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


def test_label_rows_of_one_exam_must_agree():
    rows = [row(patient_id="P1", lv="1"), row(patient_id="P1", lv="1", accession_number="A1")]
    rows += [row(patient_id="P2", lv="0"), row(patient_id="P2", lv="1"), row(patient_id="P3")]
    joined = join([plan(1), plan(2), plan(3)], [], rows)
    assert {uid: said.get("lv") for uid, said in joined.labels.items()} == {
        "1.2.1": "1",
        "1.2.3": None,
    }
    assert [(r.where, r.why) for r in joined.rejects] == [
        ("label row 2", Why.DUPLICATE),
        ("label row 3", Why.LABEL_CONFLICT),
        ("label row 4", Why.LABEL_CONFLICT),
    ]


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
    labels.write(tmp_path, rows, {})
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
