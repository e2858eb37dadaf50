"""Nothing that was planted gets out: prep, training, evaluation and export are searched whole."""

import base64
import dataclasses
import json
import os
import pathlib
import re
import stat

import pydicom
import pytest
import tensorflow_datasets as tfds

from cmr_jax.data.source import ExamSource
from cmr_jax.evals import page
from cmr_jax.search.index import Index
from cmr_jax.tokenizer import Tokenizer
from data_prep.phantom.__main__ import main
from data_prep.phantom.identity import HOSTILE, SYLLABLES
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from tests import cohorts
from tests.canary import Plants, leaks, rewrite, write_csv, write_report
from tests.conftest import PREP, prepare_args, run

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
    build = prepare_args(
        root / "out",
        *tables,
        "--splits",
        "train=0.7,test=0.3",
        "--key-file",
        str(key),
        dicom=str(root / "in" / "dicom"),
    )
    done = run(*build)
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


def test_training_evaluation_export_and_search_let_nothing_out(built):
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
    index = root / "index"
    weights, data = f"--weights={root / 'export'}", f"--data={root / 'out'}"
    logs.append(run("cmr_jax.search", "index", weights, data, f"--index={index}"))
    telling = min((root / "in" / "dicom").iterdir())  # its name is a patient's
    like = ("dilated", f"--like_dicom={telling}", "-k", "60", "--json")
    logs.append(run("cmr_jax.search", "query", str(index), *like))
    (root / "nothing").mkdir()
    empty = (root / "nothing").rename(root / "in" / telling.name)
    logs.append(run("cmr_jax.search", "query", str(index), f"--like_dicom={empty}", check=False))
    assert logs[-1].returncode == 2
    rows = Index(index).rows("", ["exam_id", "patient_id", "impression", "pictures"])
    assert rows.num_rows == len(json.loads(logs[-2].stdout)["hits"])
    assert_clean(repr(rows.to_pylist()).lower().encode(), "a row")  # files may be compressed
    for folder in ("run", "eval", "export", "index"):
        assert_clean(everything(root / folder), folder)
    for log in logs:
        assert_clean((log.stdout + log.stderr).replace(str(root), "").lower().encode(), "a log")


def test_hostile_strings_arrive_as_text(built):
    root, _ = built
    sources = [ExamSource(str(root / "out"), split) for split in ("train", "test")]
    exams = [source[i] for source in sources for i in range(len(source))]
    marked = [e for e in exams if "<script>" in e.impression]
    assert marked
    exams = [
        dataclasses.replace(e, impression=e.impression + HOSTILE[3], stacks=()) for e in marked
    ]
    rows = [(i, HOSTILE[1]) for i in range(len(exams))]
    told = cohorts.study(cohorts.cohort(exams=exams))
    shown = page._gallery(sources[0], told, HOSTILE[0], rows)
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "\x1b" not in shown


CANARIES = 3  # exams that are written; one more has a report that must be withheld


@pytest.fixture(scope="module")
def canaries(tmp_path_factory):
    """An export with a token in every place, whole, broken and withheld, and a build of it."""
    root = tmp_path_factory.mktemp("canary")
    assert main(["--out", str(root / "in"), "--profile", "tiny", "--exams", str(CANARIES + 1)]) == 0
    plants, rows = Plants(), []
    for number, folder in enumerate(sorted((root / "in" / "dicom").iterdir())):
        exam = f"exam {number}"
        files = sorted(folder.rglob("*.dcm"))
        for path in files:
            rewrite(path, plants, exam)
        head = pydicom.dcmread(files[0], stop_before_pixels=True)
        text = write_report(plants, exam, head)
        if number == CANARIES:  # digits apart are no pattern of the scrub, but suspect
            apart = " ".join(plants.digits("withheld", 10))
            text = text.replace("\nElectronically", f" Also {apart}.\nElectronically")
        rows.append({"accession_number": head.AccessionNumber, "report_text": text})
        rows[-1]["remark"] = plants.word(f"{exam} column")
        for at, path in enumerate(files):
            path.rename(path.with_name(f"{plants.word(f'{exam} file {at % 40}')}_{at}.dcm"))
        folder.rename(folder.with_name(plants.word(f"{exam} folder")))
    lost = {k: plants.digits(f"lost {k}") for k in ("patient_id", "accession_number")}
    rows.append(lost | {"report_text": "IMPRESSION: " + plants.word("lost report")})
    rows.append({"report_text": plants.word("report without a key")})
    _break_some(sorted((root / "in" / "dicom").rglob("*.dcm")), plants)
    write_csv(root / "in" / "reports.csv", rows)
    marks = [
        {"accession_number": r["accession_number"], "note": plants.word(f"label {i}"), "grade": "1"}
        for i, r in enumerate(rows[: CANARIES + 1])
    ]
    write_csv(root / "in" / "labels.csv", marks)
    key = root / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    (root / "tmp").mkdir()
    tables = ("--reports", f"{root}/in/reports.csv", "--labels", f"{root}/in/labels.csv")
    more = ("--dicom", f"{root}/in/dicom", "--out", f"{root}/out", "--key-file", str(key))
    options = (*PREP, *tables, *more, "--splits", "train=1", "--workers", "1")
    done = run("data_prep.build", *options, TMPDIR=str(root / "tmp"))
    return root, done, plants


def _break_some(files: list[pathlib.Path], plants: Plants) -> None:
    """Copies that end early, have no spacing, contradict another, have two owners, no DICOM."""
    folder = files[0].parent

    def copy(name: str, **changes: object) -> pathlib.Path:
        ds = pydicom.dcmread(files[0])
        for keyword, value in changes.items():
            setattr(ds, keyword, value)
        path = folder / f"{plants.word(f'{name} file')}.dcm"
        ds.save_as(path)
        return path

    short = copy("truncated", PatientComments=plants.word("truncated comment"))
    short.write_bytes(short.read_bytes()[:-99])
    uid = f"1.2.826.0.1.{plants.digits('spacing uid', 10)}"
    copy("spacing", PixelSpacing=[-1, 0], SOPInstanceUID=uid)
    copy("conflict", PatientName=plants.word("conflict name"), InstanceNumber=77)
    copy("burned", BurnedInAnnotation="YES", SOPInstanceUID="1.2." + plants.digits("burned", 12))
    copy("nobody", PatientID="", SOPInstanceUID="1.2." + plants.digits("nobody", 12))
    (folder / f"{plants.word('text file')}.txt").write_text(plants.word("text inside"))
    (folder / f"{plants.word('garbage file')}.dcm").write_bytes(
        b"\0" * 128 + b"DICM\2\0\0\0UL\4\0" + plants.word("garbage").encode() * 9
    )
    (folder / f"{plants.word('empty file')}.dcm").touch()


def records_of(out: pathlib.Path) -> bytes:
    """Every value of every record, as it is read back."""
    values = []
    for table in ("exams", "frames"):
        data = tfds.builder_from_directory(str(out / table)).as_data_source("train")
        for record in (data[i] for i in range(len(data))):
            values += [v if isinstance(v, bytes) else repr(v).encode() for v in record.values()]
    return b"\n".join(values)


def test_canaries_are_found_in_every_form():
    for data in (
        b"x ZQBADOKU y",
        b"ukodabqz",
        b"enFiYWRva3U=",
        b"IHpxYmFkb2t1",
        b"7a716261646f6b75",
        b"5a7162 5a716261646f6b75",
    ):
        assert leaks(data, ["Zqbadoku"]) == {"Zqbadoku"}, data
    assert leaks(b"on 1931-04-05", ["19310405"])
    assert leaks(b"(555) 012-3456".replace(b"(", b" ").replace(b")", b" "), ["5550123456"])
    assert not leaks(b"zqbadok 1931-04", ["Zqbadoku", "19310405"])


def test_canaries_are_many_and_in_place(canaries):
    root, _, plants = canaries
    for number in range(CANARIES + 1):
        assert sum(place.startswith(f"exam {number} ") for place in plants.of) > 200
    assert len(set(plants.of.values())) == len(plants.of)
    path = next((root / "in" / "dicom").rglob("*_5.dcm"))
    assert len(leaks(path.read_bytes(), plants.of.values())) > 200


def test_no_canary_gets_out(canaries):
    root, done, plants = canaries
    out, tokens = root / "out", set(plants.of.values())
    where = {token: place for place, token in plants.of.items()}
    said = (done.stdout + done.stderr).replace(str(root), "")
    found = leaks(said.encode(), tokens)
    assert not found, f"the log tells {sorted(where[t] for t in found)}"
    for path in sorted(p for folder in (out, root / "tmp") for p in folder.rglob("*")):
        data = path.name.encode() + b"\n" + (path.read_bytes() if path.is_file() else b"")
        found = leaks(data, tokens)
        assert not found, f"{path.name} holds {sorted(where[t] for t in found)}"
    found = leaks(records_of(out), tokens)
    assert not found, f"a record holds {sorted(where[t] for t in found)}"
    beside = set(root.iterdir()) - {root / name for name in ("in", "out", "key", "tmp")}
    assert [p.name for p in beside] == ["out.rejected_paths.tsv"]
    local = beside.pop()
    assert stat.S_IMODE(local.stat().st_mode) == 0o600
    assert leaks(local.read_bytes(), tokens), "the paths are here, for the owner"


def test_canaries_were_written_and_withheld(canaries):
    root, done, _ = canaries
    assert f"{CANARIES + 1} found, {CANARIES} written" in done.stdout
    text = records_of(root / "out")
    assert text.count(b"LVEF 58%") >= CANARIES
    for reason in ("phi_suspect", "truncated", "bad_geometry", "duplicate_conflict", "burned_in"):
        assert reason in done.stdout, done.stdout
