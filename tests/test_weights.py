"""Weights of others come in by name and go out bit for bit; no file gets anything run."""

import dataclasses
import json
import os
import pathlib
import pickle
import struct
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from cmr_jax import config, step, trainer, weights
from cmr_jax.config import Experiment, Mesh, TimeInit, TimeMixing, published
from cmr_jax.data import pipeline
from cmr_jax.embedding import Embedder
from cmr_jax.models import dual_encoder, foreign
from cmr_jax.sharding import make_mesh
from cmr_jax.tokenizer import Tokenizer, WordPiece
from cmr_jax.weights import frames, tensors, torch_file
from cmr_jax.weights import published as names
from tests import torch_files
from tests.conftest import CHILD, tiny_config

pytestmark = pytest.mark.usefixtures("hasty")

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "left",
    "ventricle",
    "is",
    "dilated",
    ".",
    "##d",
    "naive",
]


def shrunk() -> Experiment:
    """The published kind of model, 128 wide (two heads) and two deep, for 32 x 32 pictures."""
    cfg = published.experiment(1)
    cfg.model.video = dataclasses.replace(
        cfg.model.video, width=128, heads=2, depth=2, mlp_ratio=2.0, index_frames=6
    )
    cfg.model.text = dataclasses.replace(
        cfg.model.text,
        width=64,
        heads=1,
        depth=1,
        mlp_ratio=2.0,
        vocabulary=40,
        length=16,
        positions=16,
    )
    cfg.model.embedding = 24
    cfg.data.clip.size, cfg.data.clip.sampled, cfg.data.batch = 32, 6, 8
    return cfg


def random_state(cfg: Experiment, seed: int = 0) -> dict[str, np.ndarray]:
    """A state dict of the published names with random numbers in it."""
    rng = np.random.default_rng(seed)
    entries = names.entries_of(cfg)
    made = {e.name: rng.normal(0, 0.05, e.shape).astype(np.float32) for e in entries}
    count = f"{foreign.TEXT}embeddings.position_ids"
    made[count] = np.arange(made[count].shape[1], dtype=np.int64)[None]
    return made


@pytest.fixture(scope="module")
def cfg() -> Experiment:
    return shrunk()


@pytest.fixture(scope="module")
def state(cfg) -> dict[str, np.ndarray]:
    return random_state(cfg)


def write(folder: pathlib.Path, state: dict[str, np.ndarray], file: str = "pytorch_model.bin"):
    """A folder as the published code's hub has it."""
    folder.mkdir(exist_ok=True)
    if file.endswith(".safetensors"):
        safetensors.numpy.save_file(state, folder / file)
    elif file.endswith(".pth"):
        torch_files.save(folder / file, state, lambda s: {"epoch": 7, "state_dict": s})
    else:
        torch_files.save(folder / file, state)
    frames_of = state[f"{foreign.VIDEO}temporal_embed"].shape[1]
    plain = {"video_params": {"num_frames": frames_of}, "text_params": {}}
    (folder / "config.json").write_text(json.dumps(plain))
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    return folder


def begun(cfg: Experiment, batch=None, seed: int = 0):
    """Fresh parameters; compiled, which is several times faster than step by step."""
    batch = pipeline.example_batch(cfg, 1) if batch is None else batch
    return jax.jit(lambda key: dual_encoder.init(cfg.model, batch, key))(jax.random.key(seed))


# --- in


@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.safetensors", "model_best.pth"])
def test_every_kind_of_file_gives_the_same_arrays(cfg, state, tmp_path, file):
    loaded = weights.load(str(write(tmp_path, state, file)))
    assert loaded.config.model == cfg.model
    assert isinstance(loaded.tokenizer, WordPiece)
    flat = weights.flatten(loaded.params)
    back = names.to_theirs(flat, names.entries_of(loaded.config))
    assert list(back) == [e.name for e in names.entries_of(cfg)]
    for name, value in state.items():
        np.testing.assert_array_equal(back[name], value)
        assert back[name].dtype == value.dtype


def test_files_of_old_and_of_wrapped_models_are_read(state, tmp_path):
    wrapped = {f"module.{n}": v for n, v in state.items()}
    torch_files.save(tmp_path / "old.bin", wrapped, legacy=True)
    found = torch_file.read(tmp_path / "old.bin")
    assert set(found) == set(state)
    for name, value in state.items():
        np.testing.assert_array_equal(found[name], value)


def test_files_that_pytorch_wrote(golden):
    """A bare state dict, and a training checkpoint with its pickled options, of one model."""
    bare = torch_file.read(golden / "extra" / "pytorch_model_hub_style.bin")
    trained = torch_file.read(golden / "extra" / "model_best_dataparallel_style.pth")
    expected = safetensors.numpy.load_file(golden / "a_zeros_6of6" / "state_dict.safetensors")
    for found in (bare, trained):
        assert set(found) == set(expected)
        for name, value in found.items():
            assert value.shape == expected[name].shape
    for name in bare:
        np.testing.assert_array_equal(bare[name], trained[name])


class Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def reduced(function, *arguments, protocol: int = 2) -> bytes:
    class Call:
        def __reduce__(self):
            return function, arguments

    return pickle.dumps({"state_dict": {}, "x": Call()}, protocol=protocol)


def test_a_pickle_that_would_run_something_is_refused_by_name(tmp_path):
    target = tmp_path / "owned"
    file = tmp_path / "pytorch_model.bin"
    attacks = {
        "posix.system": pickle.dumps(Attack(f"touch {target}"), protocol=2),
        "__builtin__.eval": reduced(eval, f"open({str(target)!r}, 'w')"),
        "__builtin__.getattr": reduced(getattr, "x", "y"),
        "subprocess.run": reduced(subprocess.run, ["touch", str(target)], protocol=4),
    }
    for word, data in attacks.items():
        torch_files.save_pickle(file, data)
        with pytest.raises(torch_file.RefusedError, match=word.replace(".", r"\.")):
            weights.load(str(tmp_path))
        assert not target.exists()
        # And as a file of before PyTorch 1.6, where the pickle comes first.
        file.write_bytes(data)
        with pytest.raises(torch_file.RefusedError, match=word.replace(".", r"\.")):
            weights.load(str(tmp_path))
        assert not target.exists()


def test_inert_objects_are_never_made(tmp_path):
    """The name of the published trainer's options is read past, whatever it is told to become."""
    module = type(sys)("parse_config")
    made = []

    class ConfigParser:
        def __setstate__(self, state):
            made.append(state)

        def __reduce__(self):
            return ConfigParser, (), {"_config": {"lr": 1}}

    ConfigParser.__module__, ConfigParser.__qualname__ = "parse_config", "ConfigParser"
    module.ConfigParser = ConfigParser
    sys.modules["parse_config"] = module
    try:
        torch_files.save(
            tmp_path / "model.pth",
            {"a": np.ones(3, np.float32)},
            lambda s: {"state_dict": s, "config": ConfigParser()},
        )
        found = torch_file.read(tmp_path / "model.pth")
    finally:
        del sys.modules["parse_config"]
    np.testing.assert_array_equal(found["a"], np.ones(3))
    assert not made


def test_a_tensor_cannot_reach_outside_of_its_storage(tmp_path, monkeypatch):
    whole = np.arange(6, dtype=np.float32)

    class Long(torch_files._Pickled):
        def __reduce__(self):
            function, (storage, *_, hooks) = super().__reduce__()
            return function, (storage, 0, (4, 6), (6, 1), False, hooks)

    monkeypatch.setattr(torch_files, "_Pickled", Long)
    torch_files.save(tmp_path / "x.bin", {"a": whole})
    with pytest.raises(torch_file.RefusedError, match="tensor a reaches outside"):
        torch_file.read(tmp_path / "x.bin")


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04 not a zip", b"\x80\x02}q\x00."])
def test_a_broken_file_is_one_error(tmp_path, data):
    (tmp_path / "x.bin").write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.bin"):
        tensors.read(tmp_path / "x.bin")


def test_files_that_hide_something_else_are_refused(state, tmp_path):
    huge = tmp_path / "model.safetensors"
    huge.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    with pytest.raises(ValueError, match="header says"):
        tensors.read(huge)
    for name, header in {
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 8]},
        "b": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]},
        "c": {"dtype": "F32", "shape": [-2], "data_offsets": [0, -8]},
        "d": {"dtype": "__import__('os')", "shape": [2], "data_offsets": [0, 8]},
    }.items():
        text = json.dumps({name: header}).encode()
        huge.write_bytes(struct.pack("<Q", len(text)) + text + b"12345678")
        with pytest.raises(ValueError, match="not a safetensors file"):
            tensors.read(huge)
    np.savez(tmp_path / "x.npz", a=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(ValueError, match="plain arrays"):
        tensors.read(tmp_path / "x.npz")
    folder = write(tmp_path / "published", state)
    (folder / "config.json").write_text("__import__('os').system('true')")
    with pytest.raises(ValueError, match="not a config"):
        weights.load(str(folder))
    (folder / "config.json").write_text('{"video_params": {"num_frames": "6; import os"}}')
    with pytest.raises(ValueError, match="not a number of frames"):
        weights.load(str(folder))


def test_names_and_shapes_that_do_not_fit_are_told(state, tmp_path):
    bad = dict(state)
    del bad[f"{foreign.VIDEO}blocks.1.mlp.fc2.bias"]
    bad["video_model.surprise"] = np.zeros(3, np.float32)
    bad["txt_proj.1.bias"] = np.zeros(5, np.float32)
    write(tmp_path, bad)
    with pytest.raises(ValueError, match="does not fit the model") as error:
        weights.load(str(tmp_path))
    for said in (
        "1 missing: video_model.blocks.1.mlp.fc2.bias",
        "1 unused: video_model.surprise",
        "1 misshapen: txt_proj.1.bias (5,), not (24,)",
        "--partial",
    ):
        assert said in str(error.value)


def test_a_part_is_taken_and_the_rest_begun_if_asked(state, tmp_path, caplog):
    bad = dict(state)
    del bad["txt_proj.1.weight"]
    bad["vid_proj.1.bias"] = np.zeros(5, np.float32)
    write(tmp_path, bad)
    whole = weights.load(str(write(tmp_path / "whole", state)))
    with caplog.at_level("WARNING", logger="cmr_jax"):
        loaded = weights.load(str(tmp_path), weights.Options(partial=True))
    assert "start anew: text/project/kernel, video/project/bias" in caplog.text
    a, b = (weights.flatten(w.params) for w in (whole, loaded))
    assert set(a) == set(b)
    for name, value in b.items():
        assert value.shape == a[name].shape
        if name not in ("text/project/kernel", "video/project/bias"):
            np.testing.assert_array_equal(value, a[name])
    assert b["text/project/kernel"].std() > 0
    assert Embedder(loaded, 4).texts(["dilated"]).shape == (1, 24)


# --- out


def test_what_came_in_goes_out_bit_for_bit(state, tmp_path):
    loaded = weights.load(str(write(tmp_path / "in", state)))
    assert weights.save_published(tmp_path / "out", loaded) == len(state)
    found = safetensors.numpy.load_file(tmp_path / "out" / "model.safetensors")
    assert set(found) == set(state)
    for name, value in state.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)
    plain = json.loads((tmp_path / "out" / "config.json").read_text())
    assert plain["video_params"]["num_frames"] == 6
    again = weights.load(str(tmp_path / "out"))  # and back through the same door
    assert again.config == loaded.config


def test_all_427_names_and_shapes_are_the_published_ones(golden):
    listed = json.loads((golden / "base_state_dict_keys.json").read_text())
    cfg = published.experiment(1)
    entries = names.entries_of(cfg)
    assert [(e.name, list(e.shape)) for e in entries] == [
        (k["key"], k["shape"]) for k in listed["keys"]
    ]
    assert len(entries) == 427
    shapes = step.parameter_shapes(cfg, pipeline.example_batch(cfg, 1))
    paths = {place.path for e in entries for place in e.places}
    assert sorted([*paths, "logit_bias", "logit_scale"]) == sorted(shapes)
    count = sum(int(np.prod(shapes[path])) for path in paths)
    assert count == listed["param_counts"]["total"]


def test_a_model_of_another_kind_cannot_be_the_published_one(smoke, tmp_path):
    params = begun(smoke)
    loaded = weights.Weights(params, smoke, Tokenizer.load(smoke.data.path))
    with pytest.raises(ValueError, match=r"model\.video\.pool is places, not cls"):
        weights.save_published(tmp_path, loaded)


PROGRAM = """
import json, pathlib, sys
import jax, numpy as np, safetensors.numpy
folder, data, out = map(pathlib.Path, sys.argv[1:])
about = json.loads((folder / "programs.json").read_text())
arrays = safetensors.numpy.load_file(folder / "model.safetensors")
given = dict(np.load(data))
made = {}
for name, of in about.items():
    program = jax.export.deserialize((folder / of["program"]).read_bytes())
    needed = {path: arrays[path] for path in of["arrays"]}
    made[name] = np.asarray(program.call(needed, *(given[word] for word in of["inputs"])))
    assert set(program.platforms) == {"cpu", "cuda", "tpu"}
np.savez(out, **made)
assert not any(m.startswith(("cmr_jax", "flax")) for m in sys.modules), "our code was loaded"
"""


@pytest.mark.parametrize("kind", ["published", "ours"])
def test_programs_run_without_our_code_to_equal_embeddings(kind, state, smoke, tmp_path):
    from cmr_jax import programs

    if kind == "published":
        loaded = weights.load(str(write(tmp_path / "in", state)))
    else:
        params = begun(smoke)
        loaded = weights.Weights(params, smoke, Tokenizer.load(smoke.data.path))
    assert programs.save(tmp_path / "out", loaded) == ["text", "video"]
    batch = random_batch(loaded.config, 3)
    inputs = {"video": batch.video, "frame_mask": batch.frame_mask, **batch.coordinates._asdict()}
    texts = {"tokens": batch.tokens[:, 0], "text_mask": batch.text_mask[:, 0]}
    np.savez(tmp_path / "in.npz", **inputs, **texts)
    (tmp_path / "run.py").write_text(PROGRAM)
    subprocess.run(
        [sys.executable, "run.py", "out", "in.npz", "made.npz"],
        cwd=tmp_path,
        env={k: v for k, v in (os.environ | CHILD).items() if k != "PYTHONPATH"},
        check=True,
    )
    made = np.load(tmp_path / "made.npz")
    own = dual_encoder.apply(loaded.config.model, loaded.params, batch)
    np.testing.assert_allclose(made["video"], own.video, atol=2e-6)
    np.testing.assert_allclose(made["text"], own.text[:, 0], atol=2e-6)


def random_batch(cfg: Experiment, exams: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    b = pipeline.example_batch(cfg, exams)
    video = rng.random(b.video.shape).astype(np.float32)
    tokens = rng.integers(0, 40, b.tokens.shape).astype(np.int32)
    mask = np.arange(tokens.shape[-1]) < rng.integers(2, 14, (*tokens.shape[:2], 1))
    if b.video.dtype == np.uint8:
        video = (video * 255).astype(np.uint8)
    return b._replace(
        video=video, tokens=tokens, text_mask=mask, frame_mask=np.ones_like(b.frame_mask)
    )


# --- attention over frames


def test_dead_attention_is_noticed_and_a_mean_is_the_same(state, tmp_path, caplog):
    dead = dict(state)
    for i in range(2):
        for part in ("weight", "bias"):
            value = dead[f"{foreign.VIDEO}blocks.{i}.timeattn.qkv.{part}"].copy()
            value[: 2 * 128] = 0
            dead[f"{foreign.VIDEO}blocks.{i}.timeattn.qkv.{part}"] = value
    write(tmp_path, dead)
    assert frames.dead_blocks(state) == []
    assert frames.dead_blocks(dead) == [0, 1]
    with caplog.at_level("WARNING", logger="cmr_jax"):
        slow = weights.load(str(tmp_path))
    assert "dead in 2 of 2 blocks" in caplog.text
    assert "--mean_time" in caplog.text
    fast = weights.load(str(tmp_path), weights.Options(mean_time=True))
    assert fast.config.model.video.time is TimeMixing.MEAN
    assert "query" not in fast.params["video"]["blocks"]["time"]
    batch = random_batch(slow.config, 2)
    a, b = (dual_encoder.apply(w.config.model, w.params, batch).video for w in (slow, fast))
    np.testing.assert_allclose(a, b, atol=2e-6)
    hidden = batch._replace(frame_mask=np.arange(6)[None] < np.array([[6], [4]]))
    for model in (slow.config.model, fast.config.model):
        model.video.padding = config.Padding.HIDDEN
    a, b = (dual_encoder.apply(w.config.model, w.params, hidden).video for w in (slow, fast))
    np.testing.assert_allclose(a, b, atol=2e-6)
    fast.config.model.video.padding = config.Padding.GREY
    weights.save_published(tmp_path / "out", fast)  # the zeros come back
    found = safetensors.numpy.load_file(tmp_path / "out" / "model.safetensors")
    for name, value in dead.items():
        np.testing.assert_array_equal(found[name], value)


def test_a_mean_is_refused_where_attention_lives(state, tmp_path):
    write(tmp_path, state)
    with pytest.raises(ValueError, match=r"queries and keys are not zero.*time=attention"):
        weights.load(str(tmp_path), weights.Options(mean_time=True))


def time_gradients(cfg: Experiment, steps: int) -> list[dict[str, float]]:
    """Largest gradient of each part of attention over frames, before each of `steps` steps."""
    batch = random_batch(cfg, 4)
    params = begun(cfg, batch, seed=1)

    def loss(params):
        e = dual_encoder.apply(cfg.model, params, batch)
        return ((e.video - jnp.arange(e.video.shape[-1])[None]) ** 2).mean()

    found = []
    pull = jax.jit(jax.grad(loss))
    for _ in range(steps):
        grads = pull(params)
        time = grads["video"]["blocks"]["time"]
        parts = ("query", "key", "value", "attention_out")
        found.append({part: float(np.abs(time[part]["kernel"]).max()) for part in parts})
        params = jax.tree.map(lambda p, g: p - 0.05 * g, params, grads)
    return found


@pytest.mark.parametrize("base", ["published", "ours"])
def test_attention_over_frames_starts_as_nothing_and_all_of_it_learns(base):
    cfg = shrunk() if base == "published" else tiny_config("")
    cfg.model.video.time_init = TimeInit.IDENTITY
    batch = random_batch(cfg, 2)
    params = begun(cfg, batch, seed=1)
    blocks = [
        params["video"][name]["time"] for name in ("blocks", "last") if name in params["video"]
    ]
    for time in blocks:  # another query at the start changes nothing: the branch adds zero
        time["query"]["kernel"] = time["query"]["kernel"] + 1.0
    embed = jax.jit(lambda params: dual_encoder.apply(cfg.model, params, batch).video)
    a = embed(params)
    for time in blocks:
        assert not np.asarray(time["attention_out"]["kernel"]).any()
        time["value"]["kernel"] *= 3.0
    np.testing.assert_array_equal(a, embed(params))
    first, second = time_gradients(cfg, 2)
    assert first["attention_out"] > 1e-4
    assert min(second.values()) > 1e-6, second


def test_the_published_start_never_lets_queries_and_keys_learn():
    cfg = shrunk()
    assert cfg.model.video.time_init is TimeInit.ZEROS
    for gradients in time_gradients(cfg, 3):
        assert gradients["query"] == gradients["key"] == 0.0


# --- where training starts


def test_towers_start_from_a_vit_and_a_bert(cfg, state, tmp_path):
    vit = {
        n.removeprefix(foreign.VIDEO): v
        for n, v in state.items()
        if n.startswith(foreign.VIDEO) and not any(t in n for t in foreign.TIME)
    } | {"head.weight": np.zeros((10, 128), np.float32)}
    bert = {
        f"bert.{n.removeprefix(foreign.TEXT)}": v
        for n, v in state.items()
        if n.startswith(foreign.TEXT)
    } | {"cls.predictions.bias": np.zeros(40, np.float32)}
    torch_files.save(tmp_path / "vit.bin", vit)
    (tmp_path / "bert").mkdir()
    safetensors.numpy.save_file(bert, tmp_path / "bert" / "model.safetensors")
    (tmp_path / "bert" / "vocab.txt").write_text("\n".join(WORDS))
    fresh = step.parameter_shapes(cfg, pipeline.example_batch(cfg, 1))
    paths = [str(tmp_path / "vit.bin"), str(tmp_path / "bert")]
    flat, tokenizer = weights.start(cfg, fresh, paths, weights.Options())
    assert isinstance(tokenizer, WordPiece)
    left = sorted(set(fresh) - set(flat))
    assert all(
        "/time/" in n or "norm_time" in n or "project" in n or "index" in n or "logit" in n
        for n in left
    )
    np.testing.assert_array_equal(
        flat["video/last/mlp/up/kernel"],
        state[f"{foreign.VIDEO}blocks.1.mlp.fc1.weight"].T,
    )
    mesh = make_mesh(Mesh(2, 2, 2))
    with jax.set_mesh(mesh):
        begun = step.init_state(cfg, mesh, pipeline.example_batch(cfg, 4))
        laid = step.with_parameters(begun, flat)
    token = laid.params["text"]["token"]["embedding"]
    np.testing.assert_array_equal(token, state[f"{foreign.TEXT}embeddings.word_embeddings.weight"])
    was = begun.params["text"]["token"]["embedding"].sharding
    assert token.sharding.is_equivalent_to(was, 2)
    np.testing.assert_array_equal(
        laid.params["video"]["project"]["kernel"], begun.params["video"]["project"]["kernel"]
    )
    del vit["norm.bias"]
    torch_files.save(tmp_path / "vit.bin", vit)
    with pytest.raises(ValueError, match=r"1 missing: video_model\.norm\.bias"):
        weights.start(cfg, fresh, paths, weights.Options())


def test_a_run_starts_from_another_and_goes_on_from_its_own(smoke, tmp_path):
    smoke.optim.steps, smoke.optim.lr, smoke.optim.warmup_steps = 1, 0.0, 0
    first = trainer.run(smoke, tmp_path / "first", devices=jax.devices()[:1])
    smoke.run.seed = 5
    start = trainer.Start([str(tmp_path / "first")], weights.Options())
    second = trainer.run(smoke, tmp_path / "second", start, devices=jax.devices()[:1])
    for a, b in zip(jax.tree.leaves(first.params), jax.tree.leaves(second.params), strict=True):
        np.testing.assert_array_equal(a, b)
    # An export is a start too, as a folder and as its file; what else lies there is itself.
    loaded = weights.load(str(tmp_path / "first"))
    weights.save(tmp_path / "export", loaded)
    fresh = step.parameter_shapes(smoke, pipeline.example_batch(smoke, 1))
    for path in ("export", "export/model.safetensors"):
        flat, own = weights.start(smoke, fresh, [str(tmp_path / path)], weights.Options())
        assert set(flat) == set(fresh)
        assert own is not None
        assert own.model == loaded.tokenizer.model
    safetensors.numpy.save_file({"x": np.zeros(2)}, tmp_path / "export" / "other.safetensors")
    with pytest.raises(ValueError, match=r"other\.safetensors has tensors of no model"):
        weights.load(str(tmp_path / "export" / "other.safetensors"))
    # With a checkpoint of its own, files to start from are not even opened.
    smoke.optim.steps = 2
    gone = trainer.Start(["/nowhere"], weights.Options())
    assert (
        int(
            trainer.run(
                smoke, tmp_path / "second", gone, accept_changes=True, devices=jax.devices()[:1]
            ).step
        )
        == 2
    )


def test_clips_of_another_length_keep_the_rows_they_have(state, tmp_path):
    write(tmp_path, state)
    cfg = shrunk()
    cfg.model.video.index_frames = 9
    fresh = step.parameter_shapes(cfg, pipeline.example_batch(cfg, 1))
    rows = state[f"{foreign.VIDEO}temporal_embed"][0]
    for how, last in ((weights.Inflate.ZEROS, np.zeros(128)), (weights.Inflate.NEAREST, rows[5])):
        options = weights.Options(inflate=how)
        flat, _ = weights.start(cfg, fresh, [str(tmp_path)], options)
        assert flat["video/frame/index"].shape == (9, 128)
        np.testing.assert_array_equal(flat["video/frame/index"][0], rows[0])
        np.testing.assert_array_equal(flat["video/frame/index"][-1], last)


def test_embedding_goes_through_the_door(state, tiny, tmp_path):
    loaded = weights.load(str(write(tmp_path, state)))
    found = Embedder(loaded, 4).texts(["Left ventricle is dilated."])
    assert found.shape == (1, 24)
