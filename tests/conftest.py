"""Eight CPU devices, no silent rank promotion, shapes enforced, a tiny data set for all."""

import contextlib
import ctypes
import gc
import hashlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import jax
import pytest
from absl import flags

# XLA's older way to compile loops takes a third less time, and makes code that is a little slower.
# A later one has no other way, and ends where it is told of a flag that it does not know.
if jax.__version_info__ < (0, 11):
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")
# What one test or child process compiled, the next need not; xdist's workers inherit the folder.
if "CMR_JAX_TESTS_COMPILED" not in os.environ:
    CACHE = tempfile.TemporaryDirectory(prefix="cmr_jax_tests_")
    os.environ["CMR_JAX_TESTS_COMPILED"] = CACHE.name
COMPILED = os.environ["CMR_JAX_TESTS_COMPILED"]
CHILD = {
    "JAX_PLATFORMS": "cpu",
    "JAX_NUM_CPU_DEVICES": "1",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # small programs: their machine code need not be fast
    "JAX_COMPILATION_CACHE_DIR": COMPILED,
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
}
jax.config.update("jax_platforms", os.environ.get("JAX_PLATFORMS", "cpu"))
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", COMPILED)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
flags.FLAGS.mark_as_parsed()

ROOT = pathlib.Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
GOLDEN = pathlib.Path(__file__).parent / "golden"

PREP = [
    "--site",
    "test",
    "--spacing-mm",
    "5",
    "--size",
    "32",
    "--exams-per-shard",
    "7",
    "--vocabulary",
    "400",
]
PREP += ["--splits", "train=0.6,val=0.1,test=0.3"]
EXAMS = 60
TINY = f"phantom:tiny:exams={EXAMS}"


def run(*args: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    """`python -m ...` as a user would run it, on one device."""
    done = subprocess.run(
        [sys.executable, "-m", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | CHILD | env,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def prepare_args(out: pathlib.Path, *args: str, dicom: str = TINY, workers: str = "1") -> list[str]:
    """Arguments of `python -m` for a small build."""
    where = ["--dicom", dicom, "--out", str(out), "--workers", workers]
    return ["data_prep.build", *where, *PREP, *args]


def build(*args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """`python -m data_prep.build` without a process of its own, whose start takes most of its time."""
    from data_prep.build import main

    said, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
        code = main(list(args))
    assert not check or code == 0, said.getvalue() + told.getvalue()
    return subprocess.CompletedProcess(args, code, said.getvalue(), told.getvalue())


def prepare(
    out: pathlib.Path, *args: str, dicom: str = TINY, check: bool = True
) -> subprocess.CompletedProcess[str]:
    return build(*prepare_args(out, *args, dicom=dicom)[1:], check=check)


def digest(folder: pathlib.Path) -> dict[str, str]:
    """A hash of every file but pictures."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.suffix != ".png"
    }


def pytest_addoption(parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew")
    parser.addoption(
        "--golden",
        default=str(SHARED / "golden"),
        help="fixtures of the published model: a folder of case folders and eval/",
    )


def pytest_generate_tests(metafunc) -> None:
    """One run of a test for each case folder of `--golden`."""
    if "golden_case" in metafunc.fixturenames:
        folder = pathlib.Path(metafunc.config.getoption("--golden"))
        cases = sorted(p.parent for p in folder.glob("*/meta.json"))
        metafunc.parametrize("golden_case", cases, ids=[c.name for c in cases], scope="module")


@pytest.fixture(scope="module", autouse=True)
def _release_memory() -> Iterator[None]:
    """Drop the programs that a module compiled and return freed memory to the system.

    JAX keeps every compiled program, 0.3 to 1.2 GB of them in each of a dozen modules.
    """
    yield
    jax.clear_caches()
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc only
        trim(0)


@pytest.fixture(scope="module")
def hasty():
    """For modules of many small programs: their machine code need not be fast."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="session")
def golden(request) -> pathlib.Path:
    """The folder of those fixtures."""
    folder = pathlib.Path(request.config.getoption("--golden"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: fixtures of the published model are not part of this")
    return folder


@pytest.fixture
def update_golden(request) -> bool:
    return request.config.getoption("--update-golden")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> pathlib.Path:
    """A tiny prepared data set: 60 phantom exams of 32 x 32 pixels."""
    out = tmp_path_factory.mktemp("tiny") / "data"
    prepare(out)
    return out


def tiny_config(data: pathlib.Path | str):
    """A model of a few thousand parameters over that data."""
    from cmr_jax import config as c

    return c.Experiment(
        model=c.Model(
            video=c.VideoTower(
                width=16,
                depth=2,
                heads=2,
                mlp_ratio=2.0,
                stem=c.Stem.HIERARCHICAL,
                coordinate_frequencies=2,
            ),
            text=c.TextTower(16, 1, 2, 2.0, vocabulary=512, length=32),
            embedding=8,
        ),
        data=c.Data(
            str(data),
            8,
            clip=c.Clip(sax_slices=2, phases=3, lge_slices=1, size=32),
            texts=2,
            shift=2,
        ),
        optim=c.Optim(lr=1e-3, warmup_steps=2, steps=20),
        run=c.Run(log_every=1, save_every=4),
    )


@pytest.fixture
def smoke(tiny):
    return tiny_config(tiny)


@pytest.fixture(scope="session")
def unlearned(tiny):
    """A model that has learned nothing, as evaluation and search ask it."""
    from cmr_jax.data.pipeline import example_batch
    from cmr_jax.embedding import Embedder
    from cmr_jax.models import dual_encoder
    from cmr_jax.tokenizer import Tokenizer
    from cmr_jax.weights import Weights

    cfg = tiny_config(tiny)
    params = dual_encoder.init(cfg.model, example_batch(cfg, 1), jax.random.key(0))
    return Embedder(Weights(params, cfg, Tokenizer.load(tiny)), 16)


@pytest.fixture(scope="session")
def asked(unlearned):
    """The findings of the shipped prompts, as that model embeds them."""
    from cmr_jax.evals import questions
    from cmr_jax.evals.zero_shot import Asked

    return Asked(questions.read("reports"), unlearned.texts)


@pytest.fixture(scope="session")
def indexed(tiny, unlearned, asked, tmp_path_factory):
    """An index of the tiny training exams."""
    from cmr_jax.search import rows
    from cmr_jax.search.index import Index

    about = rows.about(unlearned, "somewhere", asked, str(tiny))
    path = tmp_path_factory.mktemp("indexed") / "index"
    index = Index.create(path, about, rows.columns(asked))
    rows.fill(index, unlearned, asked, str(tiny), "train")
    return index


@pytest.fixture(scope="session")
def taught(tiny, unlearned, asked):
    """What the labels of those exams teach of its scores, and the exams."""
    from cmr_jax.evals import cohort
    from cmr_jax.search import teaching

    known = cohort.embed(unlearned, "labelled", str(tiny), "train", draws=1, seed=0)
    return teaching.learn(known, asked.scores(known.video)), known


@pytest.fixture(scope="session")
def exams(indexed, unlearned, taught):
    """The exams of the index as the reading room tells them."""
    from cmr_jax.search import calibrated
    from cmr_jax.search.query import Searcher
    from cmr_jax.search.room.exams import Exams

    known = taught[0].findings
    return Exams(Searcher(indexed, unlearned, calibrated.likely(known)), known)


@pytest.fixture
def shared() -> pathlib.Path:
    """Fixtures that are not part of the project; CI has them."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: it holds real DICOM that is not part of this project")
    return SHARED
