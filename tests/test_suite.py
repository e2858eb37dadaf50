"""An evaluation from end to end: files, page, card; and data that is not as it should be."""

import csv
import dataclasses
import json
import re
import shutil

import jax
import numpy as np
import pyarrow.parquet as pq
import pytest

from cmr_jax.data.pipeline import example_batch
from cmr_jax.embedding import Embedder
from cmr_jax.evals import compare, others, suite, verdict
from cmr_jax.evals.page import cases
from cmr_jax.evals.statistics.estimate import plain
from cmr_jax.evals.verdict import Level
from cmr_jax.models import dual_encoder
from cmr_jax.schema import LABELS_FILE
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.weights import Weights
from tests import cohorts
from tests.conftest import prepare, tiny_config

pytestmark = pytest.mark.usefixtures("hasty")

# The data is tiny: labels of the largest split calibrate, too.
OPTIONS = suite.Options(calibration="train", draws=50)


class Bright:
    """Knows how bright a picture is, and how long a text."""

    def images(self, pictures):
        """Brightness of either half."""
        half = pictures.shape[1] // 2
        return np.stack([pictures[:, :half].mean((1, 2)), pictures[:, half:].mean((1, 2))], 1)

    def texts(self, sentences):
        """Length."""
        return np.array([[len(s) + 1.0, 9.0] for s in sentences])


def bright():
    return others.Averaged(Bright(), 16)


@pytest.fixture(scope="module")
def evaluated(tiny, tmp_path_factory):
    """A model that has learned nothing, on two sites; at home nobody is there to tell findings of."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "data"
    prepare(elsewhere, "--splits=test=1.0", dicom="phantom:tiny:exams=40,seed=99")
    cfg = tiny_config(tiny)
    params = dual_encoder.init(cfg.model, example_batch(cfg, 1), jax.random.key(0))
    model = Embedder(Weights(params, cfg, Tokenizer.load(tiny)), 16)
    out = tmp_path_factory.mktemp("suite")
    data = {"internal": str(tiny), "elsewhere": str(elsewhere)}
    return out, suite.evaluate(model, [model], data, OPTIONS, out)


def test_results_are_json_and_as_before_where_they_were_before(evaluated):
    _, results = evaluated
    read = json.loads(json.dumps(plain(results), allow_nan=False))
    assert read["schema_version"] == 1
    for block in read["data"].values():
        assert {"n_exams", "n_patients", "retrieval", "retrieval_of_alike", "zero_shot"} <= set(
            block
        )
        assert {"short axis", "late enhancement", "cines"} <= set(block["without"])
        assert set(block["attribution"]) == set(block["zero_shot"]["findings"])
        assert block["verdict"]
    home, block = read["data"].values()
    assert home["zero_shot"]["findings"] == {}  # eighteen exams are too few
    assert "controls" not in home
    assert len(block["zero_shot"]["findings"]) > 2
    for finding in block["zero_shot"]["findings"].values():
        assert {"auc", "auprc", "n_positive", "wordings"} <= set(finding)
        assert 0 <= finding["auc"]["low"] <= finding["auc"]["value"] <= finding["auc"]["high"] <= 1
    calibrated = [f for f in block["zero_shot"]["findings"].values() if "abstention" in f]
    assert calibrated
    for finding in calibrated:
        assert 0 <= finding["operating"]["sensitivity"]["value"] <= 1
        assert 0 <= finding["abstention"]["coverage"]["value"] <= 1


def test_every_control_and_all_that_labels_teach_stand_beside(evaluated):
    _, results = evaluated
    home, block = results["data"].values()
    assert set(block["controls"]) == {
        "shuffled_phases",
        "permuted_reports",
        "noise",
        "words_in_reports",
        "embedding_probe",
        "header_metadata",
        "mean_frame",
    }
    assert block["learned_from"]["split"] == "train"
    assert block["learned_from"]["n_exams"] > home["n_exams"]
    found = set(block["zero_shot"]["findings"])
    assert (
        set(block["supervised"]["logistic"]["findings"]) | set(block["too_rare_to_learn"]) == found
    )
    assert block["few_shot"]["mean_auc"]["1"]["n_findings"] > 0
    assert {"lv_ef_percent", "lv_edv_ml", "lv_mass_g"} <= set(block["measurements"])
    assert "auc_from_home" in block["shift"]
    assert "auc_from_home" not in home["shift"]
    assert home["patients_trained_on"] == block["patients_trained_on"] == 0


def test_scores_of_every_exam_are_what_compare_pairs_on(evaluated):
    out, results = evaluated
    table = pq.read_table(out / "scores.parquet").to_pydict()
    assert len(table["exam_id"]) == sum(b["n_exams"] for b in results["data"].values())
    finding = next(iter(results["data"]["elsewhere"]["supervised"]["logistic"]["findings"]))
    for column in ("zero_shot_", "label_", "supervised_"):
        assert column + finding in table
    assert {"vendor", "sex", "age_band", "usual", "predicted_lv_ef_percent"} <= set(table)
    told = compare.compare(str(out), str(out), 20)
    assert told["data"]["elsewhere"]["mean_auc"]["verdict"] == "the same"


def test_the_page_answers_the_four_questions_and_loads_nothing(evaluated):
    out, results = evaluated
    page = (out / "report.html").read_text()
    for question in ("How good?", "How sure?", "For whom?", "Where does it fail?"):
        assert f"<th>{question}</th>" in page
    for block in results["data"].values():
        for statement in block["verdict"]:
            assert statement["text"].split(":")[0] in page
    assert set(re.findall(r'src="([^",]{0,20})', page)) <= {
        "data:image/png;base6",
        "data:image/webp;base",
    }
    assert "://" not in re.sub(r"base64,[^\"]*", "", page)
    assert page.count("<h2>") == 2
    assert "Not a medical device" in page


def test_the_card_says_what_was_measured_and_what_it_is_not_for(evaluated):
    out, results = evaluated
    card = (out / "model_card.md").read_text()
    block = results["data"]["elsewhere"]
    assert "**Not a medical device.**" in card
    assert "## Not intended" in card
    assert f"{block['n_exams']} exams of {block['n_patients']} patients" in card
    for finding, f in block["zero_shot"]["findings"].items():
        assert f"| {finding.replace('_', ' ')} | {f['auc']['value']:.2f} (" in card
    assert all(s["text"] in card for s in block["verdict"] if s["level"] != "good")


def test_an_untrained_model_is_no_better_than_chance(evaluated):
    _, results = evaluated
    bad = " ".join(
        s["text"] for s in results["data"]["elsewhere"]["verdict"] if s["level"] == "bad"
    )
    assert "chance" in bad or "Collapsed" in bad


@pytest.fixture
def changed(tiny, tmp_path):
    """The data with other labels; gives results of its evaluation by a simple model."""

    def evaluate(rows, *parts):
        copy = tmp_path / "data"
        shutil.copytree(tiny, copy)
        (copy / LABELS_FILE).unlink()
        if rows is not None:
            with (copy / LABELS_FILE).open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        out, options = (
            tmp_path / "out",
            dataclasses.replace(OPTIONS, split="train", calibration="test", parts=parts),
        )
        results = suite.evaluate(bright(), [], {"internal": str(copy)}, options, out)
        json.dumps(plain(results), allow_nan=False)
        return results["data"]["internal"], (out / "report.html").read_text()

    return evaluate


def rows_of(tiny):
    with (tiny / LABELS_FILE).open(newline="") as file:
        return list(csv.DictReader(file))


def test_without_labels_there_is_retrieval_alone(changed):
    block, page = changed(None, *suite.PARTS)
    assert block["zero_shot"] == {"findings": {}, "left_out": {}}
    assert "retrieval" in block
    assert "controls" not in block
    assert "Nothing was calibrated" in page


def test_labels_of_other_exams_are_said(changed, tiny):
    rows = [row | {"exam_id": f"other{i}"} for i, row in enumerate(rows_of(tiny))]
    block, page = changed(rows)
    assert block["labels_of_no_exam"] == len(rows)
    assert block["exams_without_labels"] == block["n_exams"]
    assert f"{len(rows)} rows of labels.csv are of no exam here" in page


def test_a_class_that_is_empty_and_values_that_are_none_are_left_out_by_name(changed, tiny):
    rows = rows_of(tiny)
    for i, row in enumerate(rows):
        row["lge"], row["lv_dysfunction"] = "0", "nan"
        row["lv_edv_ml"] = "n/a" if i % 5 == 0 else row["lv_edv_ml"]
    block, page = changed(rows)
    assert block["zero_shot"]["left_out"]["lge"] == 0
    assert "lge" not in block["zero_shot"]["findings"]
    assert "lv_dysfunction" not in block["zero_shot"]["findings"]
    assert block["unreadable_labels"] > 0
    assert "labels are no numbers where the others are" in page


def test_data_that_is_none_is_refused_before_anything_is_embedded(tmp_path):
    with pytest.raises(ValueError, match="holds no prepared data"):
        suite.evaluate(bright(), [], {"internal": str(tmp_path)}, OPTIONS, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_of_one_patient_there_are_values_and_no_intervals(tiny):
    from cmr_jax.evals.study import Study
    from cmr_jax.evals.zero_shot import Asked

    exams = [cohorts.exam(i, patient_id="one") for i in range(40)]
    label = (np.arange(40) % 2).astype(float)
    video = np.random.default_rng(0).normal(size=(40, 2))
    asked = Asked(suite.questions.read("published"), Bright().texts)
    study = Study.of(cohorts.cohort({"lge": label}, video, video, exams), asked)
    study.describe()
    study.retrieve()
    study.ask(asked)
    assert study.block["n_patients"] == 1
    assert study.block["zero_shot"] == {"findings": {}, "left_out": {"lge": 20}}
    found = study.block["retrieval"]["report_to_exam"]["MRR"]
    assert found["value"] == 1
    assert np.isnan(found["low"])
    assert all(s.level is not Level.GOOD for s in verdict.judge(study.block))


def test_the_cases_shown_are_the_surest_the_worst_and_the_silent():
    label = np.array([1.0, 1, 0, 0, np.nan])
    study = cohorts.study(cohorts.cohort({"f": label}))
    study.columns["probability_f"] = np.array([0.9, 0.1, 0.2, 0.6, 0.5])
    study.columns["answer_f"] = np.array([1.0, 0.0, 0.0, np.nan, np.nan])
    found = cases.choose(study)
    right, wrong, silent = found.values()
    assert [c.row for c in right] == [0, 1]  # those that have it, the surest first
    assert wrong[0].row == 1
    assert silent[0].row == 3
    assert right[0].said == "f: 90%, yes; is there"
    assert wrong[0].said == "f: 10%, no; is there"
    assert silent[0].said == "f: 60%, no answer; is not"
