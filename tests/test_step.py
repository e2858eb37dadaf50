"""One step: the same whatever holds it, in one go or in parts; and what learns, how fast."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cmr_jax import accumulate, config, objectives, optim, sharding, step
from cmr_jax.config import Form, Loss, Mesh, Remat
from cmr_jax.data import pipeline
from cmr_jax.models import dual_encoder
from cmr_jax.models.dropping import some_of
from cmr_jax.types import Batch, TrainState
from tests.conftest import tiny_config

pytestmark = pytest.mark.usefixtures("hasty")

B = 16
ALONE = Mesh(1)


def make(**changes) -> config.Experiment:
    """A tiny experiment; `a__b=c` sets option a.b."""
    cfg = tiny_config("")
    cfg.data.batch = B
    for name, value in changes.items():
        *path, last = name.split("__")
        where = cfg
        for part in path:
            where = getattr(where, part)
        assert hasattr(where, last)
        setattr(where, last, value)
    config.validate(cfg)
    return cfg


# Everything that is random, and a loss that reads the bias too.
DROPS = {
    "loss": Loss.SIGMOID,
    "model__initial_bias": -1.0,
    "model__video__dropout": 0.2,
    "model__text__dropout": 0.2,
    "model__text__attention_dropout": 0.2,
    "model__video__frame_dropout": 0.3,
    "model__video__patch_dropout": 0.25,
}


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Exams as unlike as noise; some frames and texts are not there."""
    rng = np.random.default_rng(0)
    plain = pipeline.example_batch(make(), B)
    mask = rng.random(plain.frame_mask.shape) < 0.8
    group = np.arange(2 * B, dtype=np.int32).reshape(B, 2)
    group[3], group[5, 1] = group[9], -1
    return plain._replace(
        video=rng.integers(0, 255, plain.video.shape).astype(np.uint8),
        frame_mask=mask,
        coordinates=plain.coordinates._replace(
            phase=rng.random(mask.shape).astype(np.float32),
            slice_mm=rng.normal(0, 30, mask.shape).astype(np.float32),
        ),
        tokens=rng.integers(0, 512, plain.tokens.shape).astype(np.int32),
        text_mask=rng.random(plain.text_mask.shape) < 0.7,
        report_group=group,
    )


def mesh_of(sizes: Mesh):
    return sharding.make_mesh(sizes, jax.devices()[: sizes.data * sizes.fsdp * sizes.tensor])


PROGRAMS: dict[str, tuple] = {}  # of a config on a mesh: compiled once for all tests


def program(cfg, sizes):
    """The mesh, and functions of it that do not compile twice."""
    name = f"{config.to_json(cfg)} {sizes}"
    if name not in PROGRAMS:
        mesh = mesh_of(sizes)
        objective = objectives.Contrastive(cfg, mesh)

        def embed(params, batch):
            return objective.embed(params, batch, jax.random.key(3))

        parts = B // (cfg.data.micro_batch or B)
        pull = jax.jit(accumulate.value_and_grad(embed, objective.score, parts, mesh))
        PROGRAMS[name] = mesh, step.make_step(cfg, mesh), pull
    return PROGRAMS[name]


FRESH: dict[str, TrainState] = {}  # states of before the first step, by what decides them


def fresh(cfg, mesh) -> TrainState:
    """A new state on a mesh."""
    plain = config.to_json(cfg)
    for name in ("remat", "unroll"):
        del plain["model"][name]
    name = f"{plain['model']} {plain['optim']}"
    if name not in FRESH:
        alone = mesh_of(ALONE)
        with jax.set_mesh(alone):
            state = step.init_state(cfg, alone, pipeline.example_batch(cfg, 1))
        FRESH[name] = jax.tree.map(np.asarray, state)
    return jax.device_put(FRESH[name], sharding.tree_shardings(FRESH[name], mesh))


def run(cfg, batch, sizes=ALONE, steps=1):
    """Parameters and their mean after each step from none on, and the losses."""
    mesh, train_step, _ = program(cfg, sizes)
    with jax.set_mesh(mesh):
        state = fresh(cfg, mesh)
        there = jax.device_put(batch, sharding.batch_sharding(mesh))
        seen, curve = [(by_path(state.params), by_path(state.ema))], []
        for _ in range(steps):
            state, parts = train_step(state, there, jax.random.key(7))
            # Adam does not see a gradient that is twice too large: its norm is compared too.
            curve.append((float(parts["loss"]), float(parts["opt/grad_norm"])))
            seen.append((by_path(state.params), by_path(state.ema)))
        return seen, curve


def gradient(cfg, batch, sizes=ALONE):
    """Loss and gradient by path, of fresh parameters."""
    mesh, _, pull = program(cfg, sizes)
    with jax.set_mesh(mesh):
        params = fresh(cfg, mesh).params
        there = jax.device_put(batch, sharding.batch_sharding(mesh))
        (loss, _), grads = pull(params, there)
    return float(loss), by_path(grads)


def by_path(tree) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {sharding.path_of(keys): np.asarray(leaf) for keys, leaf in leaves}


def apart(a: dict, b: dict) -> float:
    """The largest difference of two gradients, as a share of the largest entry of that array."""
    assert a.keys() == b.keys()
    top = max(np.abs(x).max() for x in a.values())
    return max(np.abs(a[k] - b[k]).max() / max(np.abs(a[k]).max(), 1e-3 * top) for k in a)


@pytest.fixture(scope="module")
def big(batch):
    """The whole batch at once, with everything that is random switched on."""
    return gradient(make(**DROPS), batch)


@pytest.mark.parametrize(
    ("form", "sizes"), [(Form.GATHERED, Mesh(4)), (Form.RING, Mesh(2, 2, 2))], ids=str
)
def test_a_batch_in_parts_has_the_gradient_of_the_whole(batch, big, form, sizes):
    cfg = make(**DROPS, data__micro_batch=4, contrast__form=form, contrast__chunk=3)
    loss, grads = gradient(cfg, batch, sizes)
    assert loss == pytest.approx(big[0], rel=1e-6)
    assert apart(big[1], grads) < 2e-4


def test_the_mean_of_the_gradients_of_parts_is_not_that_of_the_whole(batch, big):
    cfg = make(**DROPS)
    quarters = [
        gradient(cfg, jax.tree.map(lambda x, i=i: x[i : i + 4], batch)) for i in range(0, B, 4)
    ]
    mean = {path: sum(grads[path] for _, grads in quarters) / 4 for path in big[1]}
    assert np.mean([loss for loss, _ in quarters]) < big[0] - 0.5  # four exams are easier
    assert apart(big[1], mean) > 0.5


def test_what_is_dropped_depends_on_the_exam_and_not_on_its_neighbours(batch):
    cfg = make(**DROPS)
    objective = objectives.Contrastive(cfg, mesh_of(Mesh(1)))
    params = fresh(cfg, objective.mesh).params
    embed, key = jax.jit(objective.embed), jax.random.key(1)
    whole = embed(params, batch, key)
    some = np.array([11, 2, 7])
    few = embed(params, jax.tree.map(lambda x: x[some], batch), key)
    np.testing.assert_allclose(few.video, whole.video[some], atol=1e-5)
    np.testing.assert_allclose(few.text, whole.text[some], atol=1e-5)
    moved = embed(params, batch._replace(row=batch.row + 1), key)
    assert np.abs(np.asarray(moved.video - whole.video)).max(1).min() > 1e-3
    assert np.abs(np.asarray(moved.text - whole.text)).max((1, 2)).min() > 1e-3


@pytest.mark.parametrize(
    ("option", "share"), [("frame_dropout", 1 / 3), ("patch_dropout", 1 / 2)], ids=str
)
def test_dropping_frames_or_patches_shortens_the_sequence(batch, option, share):
    """The layers' products of matrices have so much less to do."""

    def work(cfg) -> float:
        example = pipeline.example_batch(cfg, 1)
        params = jax.eval_shape(lambda: dual_encoder.init(cfg.model, example, jax.random.key(0)))
        apply = functools.partial(dual_encoder.apply, cfg.model, train=True, text=False)
        made = jax.make_jaxpr(lambda p: apply(p, batch, key=jax.random.key(0)).video)(params)
        layers = [eqn for eqn in _equations(made.jaxpr) if eqn.primitive.name == "scan"]
        return sum(_flops(eqn) for scan in layers for eqn in _equations(scan.params["jaxpr"].jaxpr))

    whole, less = work(make()), work(make(**{f"model__video__{option}": share}))
    assert less < (1 - 0.9 * share) * whole


def _equations(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn
        for value in jax.tree.leaves(eqn.params, is_leaf=lambda x: hasattr(x, "jaxpr")):
            if hasattr(value, "jaxpr"):
                yield from _equations(value.jaxpr)


def _flops(eqn) -> float:
    if eqn.primitive.name != "dot_general":
        return 0.0
    (contracted, _), _ = eqn.params["dimension_numbers"]
    shape = eqn.invars[0].aval.shape
    return float(np.prod(eqn.outvars[0].aval.shape) * np.prod([shape[i] for i in contracted]))


def test_frames_that_are_not_there_are_dropped_before_real_ones():
    mask = np.arange(8)[None] < np.array([[3], [8]])
    index = some_of(jax.random.key(0), jnp.arange(2), 0.5, jnp.asarray(mask))
    assert index.shape == (2, 4)
    assert set(np.asarray(index[0])[:3]) == {0, 1, 2}
    assert (np.diff(np.asarray(index), axis=1) > 0).all()


@pytest.fixture(scope="module")
def one_device(batch):
    return run(make(**DROPS), batch, steps=3)


@pytest.mark.parametrize("sizes", [Mesh(8, 1, 1), Mesh(1, 4, 2), Mesh(2, 2, 2)], ids=str)
def test_any_factorisation_of_the_mesh_gives_the_same_steps(batch, one_device, sizes):
    seen, curve = run(make(**DROPS), batch, sizes, steps=3)
    np.testing.assert_allclose(curve, one_device[1], rtol=2e-5)
    a, b = one_device[0][-1][0], seen[-1][0]
    for path in a:
        np.testing.assert_allclose(a[path], b[path], atol=2e-4, err_msg=path)


def lowered(cfg, batch) -> str:
    """The program before XLA changes it."""
    mesh, train_step, _ = program(cfg, ALONE)
    with jax.set_mesh(mesh):
        state = jax.eval_shape(lambda: step.init_state(cfg, mesh, pipeline.example_batch(cfg, 8)))
        return train_step.lower(state, batch, jax.random.key(0)).as_text()


@pytest.mark.parametrize(
    "change",
    [
        {"model__remat": Remat.FULL},
        {"model__remat": Remat.OFFLOAD},
        {"model__unroll": 0},
    ],
    ids=str,
)
def test_how_it_is_computed_changes_the_program_and_not_the_result(batch, big, change):
    a, b = (lowered(make(**DROPS, **c), batch) for c in ({}, change))
    assert a != b
    if "model__unroll" in change:
        assert b.count("stablehlo.while") < a.count("stablehlo.while")
    loss, grads = gradient(make(**DROPS, **change), batch)
    assert loss == pytest.approx(big[0], rel=1e-6)
    assert apart(big[1], grads) < 2e-4


def test_the_state_is_given_away(batch):
    cfg = make(optim__ema=0.8, optim__averaged="video/.*")
    mesh, train_step, _ = program(cfg, ALONE)
    with jax.set_mesh(mesh):
        state = fresh(cfg, mesh)
        train_step(state, batch, jax.random.key(0))
    held = jax.tree.leaves((state.params, state.optimizer, state.ema["video"]))
    assert all(leaf.is_deleted() for leaf in held if leaf.ndim)


def test_a_locked_tower_stays_and_costs_no_backward_pass(batch):
    free, locked = make(), make(optim__frozen="video/.*")
    # At step 0 the warm-up's rate is zero.
    (before, _), _, (after, _) = run(locked, batch, steps=2)[0]
    moved = {path for path in before if (before[path] != after[path]).any()}
    assert moved
    assert not any(path.startswith("video/") for path in moved)
    # Its activations need no gradient, so fewer products of matrices are left in the program.
    assert compiled_dots(locked, batch) < 0.6 * compiled_dots(free, batch)


def compiled_dots(cfg, batch) -> int:
    return lowered(cfg, batch).count("stablehlo.dot_general")


def test_lower_layers_learn_slower(batch):
    """The first step of Adam is the sign of the gradient: both runs take the same, so far apart."""
    (start, _), _, (a, _) = run(make(), batch, steps=2)[0]
    _, _, (b, _) = run(make(optim__layer_decay=0.5), batch, steps=2)[0]

    def share(path, index=()):
        return np.median(((b[path] - start[path]) / (a[path] - start[path] + 1e-12))[index])

    assert share("video/project/kernel") == pytest.approx(1, abs=0.02)
    assert share("video/blocks/mlp/up/kernel", 1) == pytest.approx(0.5, abs=0.02)
    assert share("video/blocks/mlp/up/kernel", 0) == pytest.approx(0.25, abs=0.02)
    assert share("video/stem/stem_0/kernel") == pytest.approx(0.125, abs=0.02)
    assert share("text/blocks/mlp/up/kernel", 0) == pytest.approx(0.5, abs=0.02)


def with_everything() -> config.Experiment:
    """Every part that a model may have."""
    return make(
        model__video__pool=config.Pool.VIEWS,
        model__video__registers=2,
        model__text__pooler=True,
        model__text__segments=2,
        model__outputs=("lv_dilated",),
        model__numbers=("lv_ef",),
    )


def test_every_parameter_has_its_place_and_its_decay():
    cfg = with_everything()
    params = dual_encoder.init(cfg.model, pipeline.example_batch(cfg, 1), jax.random.key(0))
    params |= {"video": {**params["video"], "hidden": jnp.ones(3), "pixels": {"bias": jnp.ones(3)}}}
    decayed = by_path(optim.decayed(params))
    assert {path.split("/")[-1] for path, yes in decayed.items() if yes} == {"kernel"}
    spared = {"video/register", "video/hidden", "video/pool/exam/query", "video/pool/stack/query"}
    assert not any(decayed[path] for path in spared)
    chain = optim.scale_by_layer(0.5)
    ones = jax.tree.map(jnp.ones_like, params)
    scaled = by_path(chain.update(ones, chain.init(params))[0])
    heads = ("pool/exam/key/kernel", "pool/stack/query", "pixels/bias", "project/kernel")
    assert all((scaled[f"video/{path}"] == 1).all() for path in heads)
    assert all((scaled[path] == 1).all() for path in ("numbers/kernel", "outputs/kernel"))
    assert (scaled["video/register"] == scaled["video/stem/stem_0/kernel"].flat[0]).all()
    with pytest.raises(ValueError, match=r"weight decay .* video/novel"):
        optim.decayed({"video": {"novel": jnp.ones(1)}})
    with pytest.raises(ValueError, match=r"layer decay .* video/novel/kernel"):
        chain.update({"video": {"novel": {"kernel": jnp.ones(1)}}}, optax.EmptyState())


def test_the_scale_of_logits_is_capped_and_comes_back(batch):
    cfg = make(model__initial_scale=150.0, optim__warmup_steps=0)
    _, grads = gradient(cfg, batch)
    assert abs(grads["logit_scale"]) > 1e-4  # above the cap too
    (before, *after), _ = run(cfg, batch, steps=3)
    scales = [float(params["logit_scale"]) for params, _ in after]
    assert float(before[0]["logit_scale"]) > np.log(100.1)
    assert max(scales) <= np.log(100) + 1e-6
    assert scales[2] < scales[0]  # this batch wants a smaller one


def test_a_step_that_is_passed_over_leaves_the_optimizer_as_it_was(batch):
    cfg = make(run__skip_nonfinite=2)
    mesh, train_step, _ = program(cfg, ALONE)
    with jax.set_mesh(mesh):
        state = fresh(cfg, mesh)
        there = jax.device_put(batch, sharding.batch_sharding(mesh))
        state, _ = train_step(state, there, jax.random.key(7))
        kept = jax.device_get(state)
        state, _ = train_step(
            state._replace(params=jax.tree.map(lambda x: x * jnp.nan, state.params)),
            there,
            jax.random.key(7),
        )
    adam, schedules = [], []
    for old, new in zip(*(states(s.optimizer) for s in (kept, state)), strict=True):
        (schedules if isinstance(old, optax.ScaleByScheduleState) else adam).append((old, new))
    assert adam
    assert schedules
    for old, new in adam:
        jax.tree.map(np.testing.assert_array_equal, old, jax.device_get(new))
    assert [int(new.count) for _, new in schedules] == [2] * len(schedules)
    assert int(state.step) == 2


def states(optimizer) -> list:
    """The states of a chain that count steps."""

    def counts(x):
        return isinstance(x, optax.ScaleByAdamState | optax.ScaleByScheduleState)

    return [x for x in jax.tree.leaves(optimizer, is_leaf=counts) if counts(x)]


def test_the_mean_of_parameters_follows_by_path(batch):
    seen, _ = run(make(optim__ema=0.8, optim__averaged="video/.*"), batch, steps=3)
    mean = seen[0][0]
    for n in range(3):
        keep, (new, found) = min(0.8, (1 + n) / (10 + n)), seen[n + 1]
        for path, value in new.items():
            slow = path.startswith("video/")
            mean[path] = keep * mean[path] + (1 - keep) * value if slow else value
            np.testing.assert_allclose(found[path], mean[path], atol=1e-6, err_msg=path)
    assert not run(make(), batch)[0][0][1]  # none is kept unless asked for


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data__micro_batch": 5}, "micro_batch 5 does not divide"),
        ({"model__video__patch_dropout": 1.0}, "share below 1"),
        ({"optim__layer_decay": 0.0}, "layer_decay"),
        ({"optim__ema": 1.0}, "ema"),
        ({"optim__averaged": "("}, "regular expression"),
        ({"model__attention": config.AttentionKind.CUDNN}, "bfloat16"),
    ],
    ids=str,
)
def test_options_that_cannot_be_say_so(change, words):
    with pytest.raises(ValueError, match=words):
        make(**change)


def test_micro_batches_must_divide_over_devices():
    with pytest.raises(ValueError, match=r"micro_batch 4 does not divide over 8 devices"):
        sharding.check_batch(make(data__micro_batch=4).data, mesh_of(Mesh(8)))


def test_sigmoid_trains_too(batch):
    cfg = make(loss=Loss.SIGMOID, model__initial_scale=10.0, model__initial_bias=-10.0)
    seen, curve = run(cfg, batch, steps=6)
    assert curve[-1][0] < curve[0][0]
    assert seen[-1][0]["logit_bias"] != -10.0
