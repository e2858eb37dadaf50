"""Every command line as a user meets it: it runs, and what is wrong is one line with a way out."""

import importlib
import json
import os

import jax
import numpy as np
import pytest

from cmr_jax import config, step
from cmr_jax.data import pipeline
from cmr_jax.sharding import make_mesh
from tests.conftest import PREP, ROOT, build, run

SMALL = ["--config.data.batch=8", "--config.data.clip.size=32", "--config.model.video.width=16"]


@pytest.mark.parametrize(
    "name",
    # That of fine-tuning wants a model first: see test_supervised.
    sorted({p.stem for p in (ROOT / "configs").glob("*.py")} - {"__init__", "fine_tune"}),
)
def test_every_config_builds(name):
    module = importlib.import_module(f"configs.{name}")
    assert module.__doc__
    cfg = module.get_config()
    config.validate(cfg)
    mesh = make_mesh(cfg.mesh)
    with jax.set_mesh(mesh):
        state = jax.eval_shape(lambda: step.init_state(cfg, mesh, pipeline.example_batch(cfg, 8)))
    assert len(jax.tree.leaves(state)) > 20


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--dicom", "/nowhere", "--site", "x", "--out", "o"], "no such folder"),
        (["--dicom", "phantom:who", "--site", "x", "--out", "o"], "There are: demo"),
        (
            [
                "--dicom",
                "{empty}",
                "--site",
                "x",
                "--out",
                "o",
                "--keep-unpaired",
                "--key-file",
                "{key}",
            ],
            "holds no files",
        ),
        (
            ["--dicom", "{tmp}", "--site", "x", "--out", "o", "--keep-unpaired"],
            "--key-file is missing",
        ),
        (
            ["--dicom", "{tmp}", "--site", "x", "--out", "o", "--key-file", "{key}"],
            "--reports is missing",
        ),
        (
            [
                "--dicom",
                "{tmp}",
                "--site",
                "x",
                "--out",
                "o",
                "--key-file",
                "{key}",
                "--reports",
                "{bad}",
            ],
            "needs",
        ),
        (
            [
                "--dicom",
                "{tmp}",
                "--site",
                "x",
                "--out",
                "{tmp}/o",
                "--key-file",
                "{key}",
                "--keep-unpaired",
            ],
            "no MR exam",
        ),
        (["--dicom", "phantom:tiny", "--site", "../x", "--out", "o"], "--site"),
        (
            ["--dicom", "phantom:tiny", "--site", "x", "--out", "o", "--splits", "train=2"],
            "sum to 1",
        ),
    ],
    ids=range(9),
)
def test_build_says_what_is_wrong_in_one_line(args, says, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    names = {"tmp": tmp_path, "empty": tmp_path / "empty", "bad": tmp_path / "bad.csv", "key": key}
    done = build(*(a.format(**names) for a in args), "--workers=1", check=False)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if line.startswith("data_prep.build:")]
    assert len(said) == 1
    assert says in said[0]
    assert "Traceback" not in done.stderr


def test_a_finished_build_is_not_overwritten_by_accident(tiny):
    done = run("data_prep.build", "--dicom", "phantom:tiny", "--out", str(tiny), *PREP, check=False)
    assert done.returncode == 2
    assert "--overwrite" in done.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--config=configs/smoke.py", "--workdir={tmp}"], "--config.data.path"),
        (
            ["--config=configs/smoke.py", "--config.data.path=/nowhere", "--workdir={tmp}"],
            "no tokenizer",
        ),
        (
            [
                "--config=configs/smoke.py",
                "--config.data.path={data}",
                "--workdir={tmp}",
                "--config.mesh.data=8",
                "--config.data.batch=12",
            ],
            "Use 8 or 16",
        ),
        (["--config=configs/smoke.py", "--config.data.path={data}"], "--workdir is missing"),
        (["--config=configs/smoke.py", "--config.modle.width=3", "--workdir={tmp}"], "modle"),
        (
            [
                "--config=configs/smoke.py",
                "--config.data.path={data}",
                "--workdir={tmp}",
                "--config.model.text.vocabulary=300",
            ],
            "model.text.vocabulary=",
        ),
        (
            [
                "--config=configs/smoke.py",
                "--config.data.path={data}",
                "--workdir={tmp}",
                "--config.data.batch=500",
            ],
            "exams to train on",
        ),
    ],
    ids=range(7),
)
def test_train_says_what_is_wrong(args, says, tiny, tmp_path):
    filled = [a.format(tmp=tmp_path / "run", data=tiny) for a in args]
    done = run(
        "cmr_jax.train",
        *filled,
        check=False,
        JAX_NUM_CPU_DEVICES="8" if "mesh" in str(args) else "1",
    )
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize("program", ["evaluate", "embed", "export"])
def test_a_wrong_weights_path_is_one_line(program, tiny, tmp_path):
    flags = ["--weights=/nowhere", f"--out={tmp_path / 'o'}"]
    flags += [] if program == "export" else [f"--data={tiny}"]
    done = run(f"cmr_jax.{program}", *flags, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        f"cmr_jax.{program}: --weights /nowhere: no such folder"
    )


def test_dry_run_tells_costs_and_writes_nothing(tmp_path):
    done = run(
        "cmr_jax.train",
        "--config=configs/smoke.py",
        "--dry_run",
        *SMALL,
        f"--workdir={tmp_path / 'x'}",
    )
    for word in (
        "parameters",
        "FLOPs",
        "video/blocks",
        "every parameter is whole",
        "bytes on one device",
        "fits: needs",
    ):
        assert word in done.stdout
    assert not (tmp_path / "x").exists()


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """A short run over the tiny data."""
    out = tmp_path_factory.mktemp("trained")
    flags = [f"--config.data.path={tiny}", *SMALL, "--config.optim.steps=6"]
    run("cmr_jax.train", "--config=configs/smoke.py", *flags, f"--workdir={out / 'run'}")
    return out


def test_evaluation_writes_the_promised_shape(trained, tiny, tmp_path):
    out = tmp_path / "eval"
    done = run(
        "cmr_jax.evaluate",
        f"--weights={trained / 'run'}",
        f"--data={tiny}",
        f"--out={out}",
        "--bootstrap=50",
        f"--external=other={tiny}",
        "--split=train",
        "--parts=",
        "--protocol=honest",
        "--protocol=published",
    )
    results = json.loads((out / "results.json").read_text())
    assert results["schema_version"] == 1
    assert set(results["data"]) == {"internal", "other"}
    block = results["data"]["internal"]
    assert block["n_patients"] > 0
    assert f"internal: {block['n_exams']} exams of {block['n_patients']} patients" in done.stdout
    assert "mean of all" in done.stdout
    assert "report.html, results.json, scores.parquet and model_card.md are in" in done.stdout
    for way in ("report_to_exam", "exam_to_report"):
        assert set(block["retrieval"][way]["R@10"]) == {"value", "low", "high", "chance"}
        assert 0 <= block["retrieval"][way]["R@10"]["value"] <= 1
    for finding in block["zero_shot"]["findings"].values():
        assert finding["n_positive"] >= 10
        assert finding["auc"]["low"] <= finding["auc"]["value"] <= finding["auc"]["high"]
    assert set(block["protocols"]) == {"honest", "published"}
    for rules in block["protocols"].values():
        assert set(rules["retrieval"]) == {"t2v", "v2t"}
        assert set(rules["few_shot"]) == set(rules["supervised"]) >= set(rules["zero_shot"])
    assert "controls" not in block
    assert "supervised" not in block
    assert "shift" not in block
    import pyarrow.parquet as pq

    table = pq.read_table(out / "scores.parquet")
    assert table.num_rows == sum(b["n_exams"] for b in results["data"].values())
    page = (out / "report.html").read_text()
    assert "data:image/webp" in page
    assert "Not a medical device" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "src='//" not in page


def test_embeddings_are_written_by_exam(trained, tiny, tmp_path):
    done = run(
        "cmr_jax.export",
        f"--weights={trained / 'run'}",
        f"--out={tmp_path / 'export'}",
        "--format=safetensors",
    )
    assert f"arrays and the tokenizer in {tmp_path / 'export'}" in done.stdout
    for name, path in (("a", trained / "run"), ("b", tmp_path / "export")):
        out = tmp_path / "new" / f"{name}.npz"
        done = run("cmr_jax.embed", f"--weights={path}", f"--data={tiny}", f"--out={out}")
        assert f"64 numbers each, in {out}" in done.stdout
    a, b = (np.load(tmp_path / "new" / f"{n}.npz") for n in "ab")
    assert set(a) == {"exam_id", "patient_id", "video", "text"}
    np.testing.assert_array_equal(a["video"], b["video"])
    assert len(a["exam_id"]) == len(a["video"])
