"""Is B better?  On the same exams, with errors where they are not the same."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from cmr_jax.evals import compare, retrieval
from cmr_jax.evals.statistics import delong
from tests.conftest import run

N = 240
PATIENT = np.arange(N) * 2 // 3  # every other patient has two exams


def scored(seed: int, strength: float, findings: int = 4) -> dict[str, np.ndarray]:
    """What an evaluation writes of a model that tells findings apart so well."""
    truth = np.random.default_rng(0)
    rng = np.random.default_rng(seed)
    columns = {
        "data": np.array(["internal"] * N),
        "exam_id": np.array([f"e{i:03}" for i in range(N)]),
        "patient_id": np.array([f"p{i:03}" for i in PATIENT]),
    }
    for f in range(findings):
        label = (truth.random(N) < 0.3).astype(float)
        label[truth.random(N) < 0.1] = np.nan
        columns[f"zero_shot_f{f}"] = strength * (label == 1) + rng.normal(size=N)
        columns[f"label_f{f}"] = label
    for way in retrieval.WAYS:
        columns[f"rank_{way}"] = 1.0 + rng.integers(0, 40 if strength > 1 else 200, N)
    return columns


def folder(tmp_path, name: str, columns: dict[str, np.ndarray]) -> str:
    (tmp_path / name).mkdir()
    pq.write_table(pa.table(columns), tmp_path / name / compare.SCORES_FILE)
    return str(tmp_path / name)


def test_a_better_model_is_found_better_and_the_other_way_round(tmp_path):
    weak, strong = scored(1, 0.3), scored(2, 2.0)
    a, b = folder(tmp_path, "a", weak), folder(tmp_path, "b", strong)
    block = compare.compare(a, b, 400)["data"]["internal"]
    assert (block["n_exams"], block["n_patients"]) == (N, len(np.unique(PATIENT)))
    assert block["mean_auc"]["verdict"] == "B is better"
    for way in retrieval.WAYS:
        assert block["retrieval"][way]["MRR"]["verdict"] == "B is better"
    aucs = []
    for f in range(4):
        known = ~np.isnan(weak[f"label_f{f}"])
        label = weak[f"label_f{f}"][known] > 0.5
        one, two = (roc_auc_score(label, m[f"zero_shot_f{f}"][known]) for m in (weak, strong))
        aucs.append((one, two))
        pair = block["findings"][f"f{f}"]
        assert (pair["a"], pair["b"]) == pytest.approx((one, two))
        assert pair["difference"]["value"] == pytest.approx(two - one)
        assert pair["difference"]["low"] < two - one < pair["difference"]["high"]
        scores = (m[f"zero_shot_f{f}"][known] for m in (strong, weak))
        assert pair["p_delong"] == delong.difference(label, *scores, PATIENT[known]).p
    assert block["mean_auc"]["a"] == pytest.approx(np.mean(aucs, axis=0)[0])
    turned = compare.compare(b, a, 400)["data"]["internal"]
    assert turned["mean_auc"]["verdict"] == "B is worse"


def test_p_values_of_many_findings_are_holms():
    p = [0.01, 0.04, float("nan"), 0.03, 0.2]
    told = compare.holm(p)
    np.testing.assert_allclose(told, [0.04, 0.09, np.nan, 0.09, 0.2])
    assert np.isnan(compare.holm([float("nan")])).all()


def test_one_of_many_findings_by_luck_is_not_called_better(tmp_path, monkeypatch):
    a, b = folder(tmp_path, "a", scored(1, 1.0)), folder(tmp_path, "b", scored(2, 1.0))
    lucky = iter([0.02, 0.5, 0.6, 0.7])
    monkeypatch.setattr(
        compare.delong, "difference", lambda *_: delong.Difference(0.1, 0.04, next(lucky))
    )
    monkeypatch.setattr(compare, "verdict", lambda _: compare.BETTER)
    findings = compare.compare(a, b, 50)["data"]["internal"]["findings"]
    assert findings["f0"]["p_holm"] == pytest.approx(0.08)
    assert {f["verdict"] for f in findings.values()} == {"no difference shown"}


def test_models_of_one_strength_are_seldom_told_apart(tmp_path):
    said = []
    for seed in range(20):
        a = folder(tmp_path, f"a{seed}", scored(2 * seed + 1, 1.0))
        b = folder(tmp_path, f"b{seed}", scored(2 * seed + 2, 1.0))
        said.append(compare.compare(a, b, 200)["data"]["internal"]["mean_auc"]["verdict"])
    assert said.count("no difference shown") >= 16


def test_a_model_and_itself_are_the_same(tmp_path):
    a = folder(tmp_path, "a", scored(1, 1.0))
    block = compare.compare(a, a, 50)["data"]["internal"]
    assert block["mean_auc"]["verdict"] == "the same"
    assert {f["p_holm"] for f in block["findings"].values()} == {1.0}


def test_the_order_of_rows_means_nothing(tmp_path):
    one, two = scored(1, 0.5), scored(2, 1.0)
    mixed = np.random.default_rng(0).permutation(N)
    a = folder(tmp_path, "a", one)
    b, c = (
        folder(tmp_path, n, t)
        for n, t in (("b", two), ("c", {k: v[mixed] for k, v in two.items()}))
    )
    assert compare.compare(a, b, 50)["data"] == compare.compare(a, c, 50)["data"]


def test_exams_of_one_evaluation_alone_are_left_out_and_told(tmp_path):
    one, two = scored(1, 0.5), scored(2, 1.0)
    a = folder(tmp_path, "a", one)
    b = folder(tmp_path, "b", {k: v[20:] for k, v in two.items()})
    block = compare.compare(a, b, 50)["data"]["internal"]
    assert (block["n_exams"], block["exams_of_one_alone"]) == (N - 20, 20)
    assert block["retrieval"] == {}  # ranks among others are other numbers
    text = compare.table("internal", block)
    assert "20 exams are in one evaluation alone" in text
    assert "mean AUC" in text


def changed(columns, name, at, value):
    column = columns[name].copy()
    column[at] = value
    return columns | {name: column}


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda c: c | {"data": np.array(["other"] * N)}, "no data set by the same name"),
        (lambda c: c | {"exam_id": np.array([f"x{i}" for i in range(N)])}, "no exam in common"),
        (lambda c: changed(c, "exam_id", 1, "e000"), "has two rows"),
        (lambda c: changed(c, "patient_id", 5, "p199"), "of another patient"),
        (lambda c: changed(c, "label_f1", slice(0, 50), 1.0), "labels of f1 in internal differ"),
        (lambda c: changed(c, "zero_shot_f2", slice(None), np.nan), "not all finite"),
        (lambda c: {k: v for k, v in c.items() if k != "patient_id"}, "no column patient_id"),
    ],
)
def test_what_cannot_be_compared_is_an_error(tmp_path, spoil, says):
    a = folder(tmp_path, "a", scored(1, 1.0))
    b = folder(tmp_path, "b", spoil(scored(2, 1.0)))
    with pytest.raises(ValueError, match=says):
        compare.compare(a, b, 20)


def test_rare_findings_and_missing_columns_are_no_errors(tmp_path):
    one, two = scored(1, 1.0), scored(2, 1.0)
    rare = np.zeros(N)
    rare[:3] = 1
    for side in (one, two):
        side["label_f0"] = rare
    del two["zero_shot_f1"]
    findings = compare.compare(folder(tmp_path, "a", one), folder(tmp_path, "b", two), 20)["data"][
        "internal"
    ]["findings"]
    assert list(findings) == ["f2", "f3"]


def test_the_command_tells_and_writes(tmp_path):
    a, b = folder(tmp_path, "a", scored(1, 0.2)), folder(tmp_path, "b", scored(2, 2.0))
    out = tmp_path / "out"
    done = run("cmr_jax.evaluate", "compare", a, b, f"--out={out}", "--bootstrap=100")
    assert "B is better" in done.stdout
    assert (out / "compare.json").is_file()
    for args, says in (([a], "takes two folders"), ([a, "/nowhere"], "cannot be read")):
        failed = run("cmr_jax.evaluate", "compare", *args, check=False)
        assert failed.returncode != 0
        assert says in failed.stderr + failed.stdout
        assert "Traceback" not in failed.stderr
