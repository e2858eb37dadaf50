"""Interrupted, refused, damaged, out of room: nothing is lost, and what is wrong is one line."""

import asyncio
import contextlib
import gc
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cmr_jax import checkpoint, hashing, hosts, provenance, run_files, trainer
from cmr_jax.checkpoint import Checkpoints, Saved
from cmr_jax.data import identity, pipeline
from cmr_jax.provenance import Provenance
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.types import TrainState
from tests import faults
from tests.conftest import COMPILED

pytestmark = pytest.mark.usefixtures("hasty")
KILLS = {0: 3, 1: 3}  # by seed; `python -m tests.faults` kills more often


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory) -> pathlib.Path:
    """The workdir of a run that nothing happened to."""
    workdir = tmp_path_factory.mktemp("whole") / "run"
    jax.config.update("jax_disable_most_optimizations", True)  # as `hasty`, which comes later
    run(experiment(tiny), workdir)
    return workdir


def test_a_run_killed_again_and_again_ends_like_one_left_alone(tiny, tmp_path):
    hits: Counter = Counter()
    for seed, kills in KILLS.items():
        hits += faults.trial(str(tiny), tmp_path, seed, kills, COMPILED)
    assert sum(hits.values()) - hits["too late"] >= 5, hits  # they hit while it ran
    assert any("save" in where for where in hits), hits
    assert any("look" in where for where in hits), hits


def run(cfg, workdir: pathlib.Path, accept_changes: bool = False) -> TrainState:
    """On one device: what is tested is the same on eight, and takes longer."""
    return trainer.run(cfg, workdir, None, accept_changes, jax.devices()[:1])


def experiment(tiny):
    return faults.experiment(str(tiny), 0)


@pytest.fixture
def at_batch(monkeypatch):
    """Has something done to the n-th batch of a run."""
    real = pipeline.TrainBatches.__next__

    def when(number: int, act) -> None:
        count = 0

        def spied(self):
            nonlocal count
            count += 1
            loaded = real(self)
            return act(loaded) if count == number else loaded

        monkeypatch.setattr(pipeline.TrainBatches, "__next__", spied)

    return when


def test_asked_to_leave_it_saves_and_the_same_command_goes_on(tiny, whole, tmp_path, at_batch):
    def ask(loaded):
        os.kill(os.getpid(), signal.SIGTERM)
        return loaded

    at_batch(14, ask)
    with hosts.watched(), pytest.raises(hosts.Leaving, match=r"saved step \d+ of 24"):
        run(experiment(tiny), tmp_path / "run")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    left = checkpoint.steps_in(tmp_path / "run")[-1]
    assert 10 <= left <= 14  # at once, not where a save is due
    run(experiment(tiny), tmp_path / "run")
    faults.compare(whole, tmp_path / "run")


def test_ctrl_c_is_the_same_and_a_second_one_is_not_waited_for():
    with hosts.watched():
        assert not hosts.asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert hosts.asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_closing_waits_for_what_opening_began(tmp_path, monkeypatch):
    cleared = []

    async def slowly(*_, **__):
        await asyncio.sleep(0.3)
        cleared.append(True)

    monkeypatch.setattr(
        "orbax.checkpoint.checkpoint_manager.temporary_paths.cleanup_temporary_paths", slowly
    )
    checkpoint.Checkpoints(tmp_path, 2, 1).close()
    assert cleared


def test_another_config_is_refused_until_that_is_accepted(tiny, whole):
    before = (whole / "config.json").read_text()
    cfg = experiment(tiny)
    cfg.optim.lr, cfg.run.log_every, cfg.mesh.data = 0.5, 3, 1  # two of which change no number
    with pytest.raises(ValueError, match=r"optim.lr was 0.01, is 0.5\. .*--accept_changes") as told:
        run(cfg, whole)
    assert "log_every" not in str(told.value)
    assert (whole / "config.json").read_text() == before
    now = Provenance.of(cfg, {})
    was = Provenance.of(experiment(tiny), {})
    trainer.check_same(was, now, whole, accept_changes=True)


def test_another_model_is_no_damage_and_leaves_the_folder_as_it_was(tiny, whole):
    before = (whole / "config.json").read_text()
    cfg = experiment(tiny)
    cfg.model.text.width = 16
    with pytest.raises(ValueError, match=r"of another model or optimiser: .* there and .* here"):
        run(cfg, whole, accept_changes=True)
    assert (whole / "config.json").read_text() == before


def test_what_cannot_be_reached_is_not_called_damaged(whole, monkeypatch):
    def stale(*_, **__):
        raise OSError(116, "Stale file handle")

    with contextlib.closing(Checkpoints(whole, writes=False)) as checkpoints:
        monkeypatch.setattr(checkpoints._manager, "restore", stale)
        with pytest.raises(ValueError, match=r"cannot read .*Stale") as told:
            checkpoints.checksums()
    assert "away" not in str(told.value)


def test_a_checkpoint_of_an_older_version_is_called_that(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / checkpoint.FOLDER / "24" / "run")
    _, said = params_or_error(tmp_path / "run", 24)
    assert "is of an older version" in said


def test_other_data_is_refused_and_the_same_data_elsewhere_is_not(tiny, whole, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(tiny, moved)
    marks = [{str(path): identity.fingerprint(str(path))} for path in (tiny, moved)]
    cfg = experiment(tiny)
    assert Provenance.of(cfg, marks[0]).changes(Provenance.of(experiment(moved), marks[1])) == []
    shard = sorted((moved / "exams").glob("*-train.*"))[0]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    other = {str(moved): identity.fingerprint(str(moved))}
    (change,) = Provenance.of(cfg, marks[0]).changes(Provenance.of(cfg, other))
    assert change.startswith(f"the data was {tiny} (")
    groups = tmp_path / "groups.csv"
    groups.write_text("exam_id,group\n")
    cfg.data.groups = str(groups)
    tokenizer = Tokenizer.load(tiny)
    before = trainer.provenance_of(cfg, [str(tiny)], tokenizer)
    groups.write_text("exam_id,group\na,b\n")
    assert before.changes(trainer.provenance_of(cfg, [str(tiny)], tokenizer))
    groups.write_text("exam_id,group\n")
    assert before.changes(trainer.provenance_of(cfg, [str(tiny)], Tokenizer(b"other")))


def test_an_option_that_an_older_version_lacks_stood_at_its_default(tiny):
    old = Provenance.of(experiment(tiny), {})
    del old.options["run"]["skip_nonfinite"], old.options["loss"]
    assert old.changes(Provenance.of(experiment(tiny), {})) == []
    now = experiment(tiny)
    now.run.skip_nonfinite = 3
    assert old.changes(Provenance.of(now, {})) == ["run.skip_nonfinite was 0, is 3"]


def test_other_programs_are_told_of_and_not_refused(tiny, monkeypatch):
    told = []
    monkeypatch.setattr(trainer.log, "warning", lambda form, *words: told.append(form % words))
    was = Provenance.of(experiment(tiny), {})
    now = was._replace(code=was.code | {"jax": "9.9"})
    trainer.check_same(was, now, pathlib.Path("run"), accept_changes=False)
    assert told == [f"going on with other programs: jax was {was.code['jax']}, is 9.9"]
    assert set(provenance.PACKAGES) < set(was.code)


def test_a_workdir_in_use_is_refused(tmp_path):
    again = run_files.held(tmp_path / "run")
    mine = rf"in use by process {os.getpid()} on "
    with run_files.held(tmp_path / "run"), pytest.raises(ValueError, match=mine):
        again.__enter__()
    with run_files.held(tmp_path / "run"):  # and free again
        pass


def state(step: int) -> TrainState:
    return TrainState(jnp.int32(step), {"logit_scale": jnp.arange(8.0) * step}, ())


@pytest.mark.parametrize("name", ["run [1]", "run]", "back\\slash"])
def test_a_folder_that_could_not_be_read_again_is_refused(tmp_path, tiny, name):
    with pytest.raises(ValueError, match=r"could not be read again.*another name"):
        run(experiment(tiny), tmp_path / name)
    assert not (tmp_path / name / checkpoint.FOLDER).exists()


def test_a_save_that_cannot_be_read_is_no_save(tmp_path, monkeypatch):
    """Some folders take what is written and never give it back."""
    monkeypatch.setattr(checkpoint, "UNREADABLE", "")
    with pytest.raises(ValueError, match="cannot be written"), storing(tmp_path / "[1]") as saves:
        saves.save(small_state(), Saved({}, small_provenance()))


def test_evaluation_reads_parameters_alone(tmp_path, monkeypatch):
    with storing(tmp_path) as saves:
        saves.save(small_state(), Saved({}, small_provenance()))
    seen = []

    def spy(tree):
        seen.extend(tree)
        return hashing.checksums(tree)

    monkeypatch.setattr(checkpoint, "checksums", spy)
    before = len(jax.live_arrays())
    with contextlib.closing(Checkpoints(tmp_path, writes=False)) as saves:
        params = saves.params()
    assert seen == ["params"]
    assert isinstance(params["video"]["kernel"], np.ndarray)
    assert len(jax.live_arrays()) == before  # nothing lies on a device


def storing(workdir: pathlib.Path) -> contextlib.closing:
    return contextlib.closing(Checkpoints(workdir))


def small_state() -> TrainState:
    ones = {"video": {"kernel": jnp.ones(3)}}
    return TrainState(jnp.zeros((), jnp.int32) + 3, ones, (ones, ones), None)


def small_provenance() -> Provenance:
    return Provenance(*({} for _ in Provenance._fields))


def test_the_newest_are_kept_and_the_best(tmp_path, tiny):
    saved = Saved({}, Provenance.of(experiment(tiny), {}))
    with contextlib.closing(Checkpoints(tmp_path, keep=2, keep_best=1)) as checkpoints:
        for step, mrr in enumerate((0.1, 0.5, None, 0.3, 0.4, None), 1):
            metrics = {} if mrr is None else {checkpoint.BEST: mrr}
            checkpoints.save(state(step), saved, metrics)
    assert checkpoint.steps_in(tmp_path) == [2, 5, 6]
    with contextlib.closing(Checkpoints(tmp_path, writes=False)) as checkpoints:
        assert checkpoints.best_step() == 2
        assert checkpoints.params()["logit_scale"].tolist() == (np.arange(8.0) * 6).tolist()
        assert checkpoints.params(2)["logit_scale"].tolist() == (np.arange(8.0) * 2).tolist()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "bool", "uint8"])
def test_a_checksum_sees_every_bit_and_every_place(dtype):
    values = np.random.default_rng(0).normal(size=(3, 4, 5)) * 3
    x = jnp.asarray(values > 0 if dtype == "bool" else values, dtype)
    whole = hashing.checksums({"a": x, "b": x[1:]})
    assert whole == hashing.checksums({"a": x, "b": x[1:]})
    changed = x.at[1, 2, 3].set(1 - x[1, 2, 3] if dtype != "bool" else ~x[1, 2, 3])
    assert hashing.checksums({"a": changed})["a"] != whole["a"]
    opposite = ~x if dtype == "bool" else -x
    assert hashing.checksums({"a": opposite})["a"] != whole["a"]
    order = np.argsort(np.asarray(x).ravel(), kind="stable")
    traded = x.ravel()[order].reshape(x.shape)
    assert hashing.checksums({"a": traded})["a"] != whole["a"]
    mesh = jax.make_mesh((2,), ("x",), devices=jax.devices()[:2])
    spec = jax.sharding.PartitionSpec(None, "x")
    lying = jax.device_put(x, jax.NamedSharding(mesh, spec))
    assert hashing.checksums({"a": lying})["a"] == whole["a"]
    assert hashing.checksums({"a": np.asarray(x), "b": lying})["a"] == whole["a"]  # compiled


def test_a_checksum_is_what_it_was_when_it_was_saved():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert hashing.checksums({"a": x}) == {"a": 10995007584075674780}


def damage(path: pathlib.Path, rng: random.Random) -> str:
    """One thing that disks do."""
    content = bytearray(path.read_bytes())
    kind = rng.choice(["flip", "cut", "noise", "empty", "gone"])
    at = rng.randrange(max(len(content), 1))
    if kind == "gone":
        path.unlink()
        return kind
    if kind == "flip" and content:
        content[at] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del content[at:]
    elif kind == "noise":
        content[at : at + 64] = rng.randbytes(len(content[at : at + 64]))
    else:
        content.clear()
    path.write_bytes(content)
    return kind


def params_or_error(workdir: pathlib.Path, step: int):
    try:
        with contextlib.closing(Checkpoints(workdir, writes=False)) as checkpoints:
            return checkpoints.params(step), ""
    except ValueError as error:
        return None, str(error)


def test_a_damaged_checkpoint_is_named_or_reads_as_it_was(whole, tmp_path):
    rng = random.Random(0)
    with contextlib.closing(Checkpoints(whole, writes=False)) as checkpoints:
        expected = checkpoints.params()
    newest = str(faults.STEPS)
    names = [
        p.relative_to(whole)
        for p in sorted((whole / checkpoint.FOLDER / newest).rglob("*"))
        if p.is_file() and "ocdbt.process_0" not in str(p)  # scraps that nothing reads
    ]
    ends: Counter = Counter()
    for case in range(45):
        copy = tmp_path / str(case)
        shutil.copytree(whole, copy)
        damage(copy / names[case % len(names)], rng)
        found, said = params_or_error(copy, int(newest))
        if said:
            named = f"{checkpoint.FOLDER}/{newest} is damaged" in said and "that of step 20" in said
            ends["named" if named else said] += 1
        else:
            jax.tree.map(np.testing.assert_array_equal, found, expected)
            ends["as it was"] += 1
        shutil.rmtree(copy)
    assert set(ends) == {"named", "as it was"}, ends
    assert ends["named"] > 8, ends


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB; `grow()` gives it room."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small file system here")
    yield place, lambda: subprocess.run(["mount", "-o", "remount,size=50m", str(place)], check=True)
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    gc.collect()  # of hundreds of writes that failed, and that nobody asks for


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(tiny, whole, small_disk):
    place, grow = small_disk
    with pytest.raises((ValueError, OSError), match=r"No space left|No room|full|space") as told:
        run(experiment(tiny), place / "run")
    assert str(place) in str(told.value)
    grow()
    run(experiment(tiny), place / "run")
    faults.compare(whole, place / "run")


def poisoned(loaded):
    where = loaded.batch.coordinates
    bad = where._replace(spacing_mm=np.full_like(where.spacing_mm, np.nan))
    return loaded._replace(batch=loaded.batch._replace(coordinates=bad))


def test_a_gradient_that_is_no_number_is_named_with_step_group_and_exams(tiny, tmp_path, at_batch):
    at_batch(6, poisoned)
    with pytest.raises(FloatingPointError, match=r"step 6: not finite: .*checkpoint is good"):
        run(experiment(tiny), tmp_path / "run")
    (line,) = (tmp_path / "run" / "nonfinite-0.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert told["step"] == 6
    assert "video/blocks/mlp" in told["not_finite"]
    assert "the loss" in told["not_finite"]
    sixth = (tmp_path / "run" / "exams-0.jsonl").read_text().splitlines()[5]
    assert told["exams"] == json.loads(sixth)["exams"]
    assert checkpoint.steps_in(tmp_path / "run")[-1] == 5


def test_such_a_step_can_be_passed_over_and_is_counted(tiny, tmp_path, at_batch):
    cfg = experiment(tiny)
    cfg.run.skip_nonfinite = 1
    at_batch(6, poisoned)
    state = run(cfg, tmp_path / "run")
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(state))
    assert int(state.step) == faults.STEPS
    lines = faults.told(tmp_path / "run")
    assert [line.get("train/skipped", 0) for line in lines[4:7]] == [0, 1, 1]
    assert lines[-1]["train/skipped"] == 1
    assert "train/loss" not in lines[5]
