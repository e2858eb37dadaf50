"""Nothing that was planted gets out: prep, training, evaluation and export are searched whole."""

import base64
import os
import pathlib
import re

import pytest
import tensorflow_datasets as tfds

from cmr_jax.data.source import ExamSource
from cmr_jax.evals import report
from cmr_jax.evals.report import Found, Section
from cmr_jax.tokenizer import Tokenizer
from data_prep.phantom.__main__ import main
from data_prep.phantom.identity import HOSTILE, SYLLABLES
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from tests.conftest import prepare, run

EXAMS = 40


def planted() -> set[str]:
    chosen = profile(f"tiny:exams={EXAMS}")
    return {s.lower() for i in range(EXAMS) for s in Study(chosen, i).identity.planted()}


def everything(folder: pathlib.Path) -> bytes:
    return b"\n".join(contents(p) for p in sorted(folder.rglob("*")) if p.is_file()).lower()


def contents(path: pathlib.Path) -> bytes:
    """What a file holds; of a page, what its data URLs hold: base64 spells anything by chance."""
    data = path.read_bytes()
    if path.suffix != ".html":
        return data
    return re.sub(rb";base64,([\w+/=]+)", lambda m: base64.b64decode(m[1]), data)


def assert_clean(data: bytes, where: str) -> None:
    found = [secret for secret in planted() if secret.encode() in data]
    assert not found, f"{where} holds {len(found)} planted strings"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Phantom exams as files under telling names, some of them broken, and a build of them."""
    root = tmp_path_factory.mktemp("phi")
    assert main(["--out", str(root / "in"), "--profile", "tiny", "--exams", str(EXAMS)]) == 0
    for index in range(EXAMS):
        who = Study(profile("tiny"), index).identity
        old = root / "in" / "dicom" / f"exam{index:05d}"
        old.rename(old.with_name(f"{who.family}_{who.patient_id}"))
    files = sorted((root / "in" / "dicom").rglob("*.dcm"))
    for path in files[::200]:
        path.write_bytes(path.read_bytes()[:-9])
    key = root / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    tables = [
        "--reports",
        str(root / "in" / "reports.csv"),
        "--labels",
        str(root / "in" / "labels.csv"),
    ]
    done = prepare(
        root / "out",
        *tables,
        "--splits",
        "train=0.7,test=0.3",
        "--key-file",
        str(key),
        dicom=str(root / "in" / "dicom"),
    )
    return root, done


def test_the_search_would_find_what_is_there(built):
    root, _ = built
    with pytest.raises(AssertionError):
        assert_clean(everything(root / "in"), "the input")


def test_prep_lets_nothing_out(built):
    root, done = built
    assert b"truncated" in (root / "out" / "rejects.csv").read_bytes().lower()
    assert b"riff" in contents(root / "out" / "qc.html").lower()  # pictures are looked into
    assert_clean(everything(root / "out"), "the output")
    assert_clean((done.stdout + done.stderr).lower().encode(), "the log")
    # Records may be compressed one day: look inside too.
    for table in ("exams", "frames"):
        for split in ("train", "test"):
            data = tfds.builder_from_directory(str(root / "out" / table)).as_data_source(split)
            for record in (data[i] for i in range(min(len(data), 60))):
                assert_clean(
                    b" ".join(v for v in record.values() if isinstance(v, bytes)).lower(), table
                )


def test_the_vocabulary_has_no_piece_of_a_name(built):
    root, _ = built
    tokenizer = Tokenizer.load(root / "out" / "tokenizer.model")
    pieces = {tokenizer._processor.id_to_piece(i).strip("▁").lower() for i in range(tokenizer.size)}
    assert not pieces & {s.lower() for s in SYLLABLES if len(s) > 3}


def test_training_evaluation_and_export_let_nothing_out(built):
    root, _ = built
    flags = ["--config.data.batch=8", "--config.data.clip.size=32", "--config.optim.steps=3"]
    logs = []
    data = f"--config.data.path={root / 'out'}"
    logs.append(
        run("cmr_jax.train", "--config=configs/smoke.py", data, *flags, f"--workdir={root / 'run'}")
    )
    common = [f"--weights={root / 'run'}", f"--data={root / 'out'}"]
    logs.append(run("cmr_jax.evaluate", *common, f"--out={root / 'eval'}", "--bootstrap=20"))
    logs.append(run("cmr_jax.export", f"--weights={root / 'run'}", f"--out={root / 'export'}"))
    for folder in ("run", "eval", "export"):
        assert_clean(everything(root / folder), folder)
    for log in logs:
        assert_clean((log.stdout + log.stderr).replace(str(root), "").lower().encode(), "a log")


def test_hostile_strings_arrive_as_text(built):
    root, _ = built
    sources = [ExamSource(str(root / "out"), split) for split in ("train", "test")]
    exams = [source[i] for source in sources for i in range(len(source))]
    marked = [e for e in exams if "<script>" in e.impression]
    assert marked
    found = [Found(e.exam_id, 0.5, e.impression + HOSTILE[3], None) for e in marked]
    block = {"n_exams": 1, "n_patients": 1, "zero_shot": {}}
    page = report.page({"name": HOSTILE[0]}, [Section(HOSTILE[0], block, [], {HOSTILE[1]: found})])
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
