"""The losses: right by hand, and the same in every form, on any devices, whatever the chunk."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cmr_jax import losses
from cmr_jax.config import Contrast, Form, Loss, Mesh
from cmr_jax.losses import contrastive, pairs
from cmr_jax.sharding import make_mesh
from cmr_jax.types import Embeddings, Pairing

pytestmark = pytest.mark.usefixtures("hasty")

B, R, E = 16, 3, 8
SCALE, BIAS = 5.0, -1.5
ALONE = Mesh(1)


def mesh_of(sizes: Mesh):
    return make_mesh(sizes, jax.devices()[: sizes.data * sizes.fsdp * sizes.tensor])


def some(seed=0, b=B, r=R, groups=None, dtype=jnp.float32):
    k = jax.random.split(jax.random.key(seed), 2)
    group = jnp.arange(b * r).reshape(b, r) if groups is None else jnp.array(groups)
    e = Embeddings(
        jax.random.normal(k[0], (b, E), dtype),
        jax.random.normal(k[1], (b, r, E), dtype),
        jnp.float32(SCALE),
        jnp.float32(BIAS),
    )
    return e, Pairing(group)


@functools.cache
def compiled(loss: Loss, sizes: tuple[int, ...], contrast: tuple):
    """One program for all values of the same shapes."""
    mesh = mesh_of(Mesh(*sizes))

    def of(e, pairing):
        return contrastive(loss, e, pairing, Contrast(**dict(contrast)), mesh)

    return jax.jit(jax.value_and_grad(of, has_aux=True))


def run(loss, e, pairing, sizes=ALONE, **contrast):
    """Value, parts and gradient, on as many devices as the mesh has."""
    mesh = mesh_of(sizes)
    program = compiled(loss, (sizes.data, sizes.fsdp, sizes.tensor), tuple(contrast.items()))
    with jax.set_mesh(mesh):
        (value, parts), grads = program(e, pairing)
    return float(value), {k: float(v) for k, v in parts.items()}, jax.tree.map(np.asarray, grads)


def cost(loss: Loss, logits: np.ndarray, right: np.ndarray) -> float:
    """Of one row, by its formula, in float64."""
    if loss is Loss.SIGMOID:
        return sum(np.log1p(np.exp(-x if yes else x)) for x, yes in zip(logits, right, strict=True))
    p = logits - np.log(np.exp(logits).sum())
    return -p[right].mean() if right.any() else 0.0


def by_hand(loss: Loss, e: Embeddings, pairing: Pairing) -> float:
    """In loops, float64, numpy."""
    v, t = np.asarray(e.video, np.float64), np.asarray(e.text, np.float64)
    v, t = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (v, t))
    bias = BIAS if loss is Loss.SIGMOID else 0.0
    g = np.asarray(pairing.group)
    b, r = g.shape
    texts = [(j, k) for j in range(b) for k in range(r) if g[j, k] >= 0]
    video_rows, text_rows = [], []
    for i in range(b):
        if (g[i] < 0).all():
            continue
        logits = np.array([SCALE * v[i] @ t[j, k] + bias for j, k in texts])
        right = np.array([g[j, k] in g[i] for j, k in texts])
        video_rows.append(cost(loss, logits, right))
        for k in range(r):
            if g[i, k] < 0:
                continue
            logits = np.array([SCALE * v[j] @ t[i, k] + bias for j in range(b)])
            text_rows.append(cost(loss, logits, np.array([g[i, k] in g[j] for j in range(b)])))
    return (np.mean(video_rows) + np.mean(text_rows)) / 2


def shared_groups():
    groups = np.arange(B * R).reshape(B, R)
    groups[3] = groups[7]  # two exams with the same texts
    groups[5, 1] = groups[11, 0]  # one sentence in common
    groups[2, 2] = -1  # a text that is not there
    groups[9] = -1  # an exam without any
    return groups


GROUPS = {"own": None, "shared": shared_groups()}


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("loss", Loss)
def test_a_loss_is_what_loops_make_of_it(loss, form, groups):
    e, pairing = some(groups=groups)
    found, _, _ = run(loss, e, pairing, form=form, chunk=7)
    assert found == pytest.approx(by_hand(loss, e, pairing), rel=2e-6)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("loss", Loss)
def test_missing_texts_do_not_dilute_the_loss(loss, form):
    """Empty slots change neither the loss nor its gradient."""
    slots = np.full((B, 3), -1)
    slots[:, 0] = np.arange(B)
    e, pairing = some(groups=slots)
    found, parts, grads = run(loss, e, pairing, form=form, chunk=7)
    few, one = e._replace(text=e.text[:, :1]), Pairing(pairing.group[:, :1])
    alone, own_parts, own = run(loss, few, one, form=form, chunk=7)
    assert found == pytest.approx(alone, rel=1e-6)
    assert parts == pytest.approx(own_parts, rel=1e-6)
    np.testing.assert_allclose(grads.video, own.video, atol=1e-6)
    np.testing.assert_allclose(grads.text[:, :1], own.text, atol=1e-6)
    assert not grads.text[:, 1:].any()


@pytest.mark.parametrize("form", Form)
def test_an_untrue_text_is_a_candidate_and_no_row(form):
    e, pairing = some(r=2)
    untrue = jnp.broadcast_to(jnp.array([[False, True]]), (B, 2))
    _, parts, _ = run(Loss.SOFTMAX, e, pairing._replace(untrue=untrue), form=form, chunk=7)
    few = e._replace(text=e.text[:, :1])
    _, own, _ = run(Loss.SOFTMAX, few, Pairing(pairing.group[:, :1]), form=form, chunk=7)
    assert parts["text_loss"] == pytest.approx(own["text_loss"], rel=1e-6)
    assert parts["video_loss"] > own["video_loss"]


@pytest.mark.parametrize("form", Form)
def test_an_untrue_text_that_is_true_of_another_exam_is_its_row(form):
    e, pairing = some(r=2)
    untrue = jnp.broadcast_to(jnp.array([[False, True]]), (B, 2))
    own, other = jnp.where(jnp.arange(B) % 2, 2, 1), jnp.where(jnp.arange(B) % 2, 1, 2)
    said = pairing._replace(untrue=untrue, says=jnp.stack([own, other], 1), exam_says=own)
    values = {f: run(Loss.SOFTMAX, e, said, form=f, chunk=7)[0] for f in (form, Form.PLAIN)}
    assert values[form] == pytest.approx(values[Form.PLAIN], rel=1e-6)
    # Half of the texts would be left out if only an exam's own true texts counted.
    few = e._replace(text=e.text[:, :1])
    alone = Pairing(pairing.group[:, :1], None, said.says[:, :1], own)
    assert run(Loss.SOFTMAX, few, alone, form=form, chunk=7)[1]["text_loss"] != pytest.approx(
        run(Loss.SOFTMAX, e, said, form=form, chunk=7)[1]["text_loss"], rel=1e-3
    )


def test_with_one_text_each_softmax_is_clip():
    e, pairing = some(r=1)
    logits = SCALE * pairs.normalise(e.video) @ pairs.normalise(e.text[:, 0]).T
    own = jnp.arange(B)
    both = (jax.nn.log_softmax(x)[own, own].mean() for x in (logits, logits.T))
    assert run(Loss.SOFTMAX, e, pairing)[0] == pytest.approx(-sum(map(float, both)) / 2, abs=1e-6)


def test_with_one_text_each_sigmoid_is_siglip():
    e, pairing = some(r=1)
    logits = SCALE * pairs.normalise(e.video) @ pairs.normalise(e.text[:, 0]).T + BIAS
    sign = 2 * jnp.eye(B) - 1
    siglip = -jax.nn.log_sigmoid(sign * logits).sum() / B
    assert run(Loss.SIGMOID, e, pairing)[0] == pytest.approx(float(siglip), rel=1e-6)


IS, NOT = 0b01, 0b10  # of one finding; the next one's are two places up


def related(exams: list[int], texts: list[int], ignore: bool) -> tuple[np.ndarray, np.ndarray]:
    """By what they say alone: no text is an exam's own."""
    right, there = pairs.relation(
        jnp.full((len(exams), 1), pairs.ABSENT),
        jnp.array(exams),
        jnp.arange(len(texts)),
        jnp.array(texts),
        Contrast(ignore_unsaid=ignore),
    )
    return np.asarray(right), np.asarray(there)


def test_a_text_is_right_for_who_says_all_of_it():
    exams = [IS, NOT, IS | NOT << 2, 0]
    texts = [IS, NOT, NOT << 2, IS | NOT << 2, 0]
    right, there = related(exams, texts, ignore=False)
    assert right.astype(int).tolist() == [
        [1, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [1, 0, 1, 1, 0],
        [0, 0, 0, 0, 0],  # an exam of which nothing is known, and a text that says nothing
    ]
    assert there.all()


def test_what_nobody_said_may_be_left_out():
    texts = [IS, NOT << 2, IS | NOT << 2, 0, NOT]
    right, there = related([IS, NOT, 0], texts, ignore=True)
    assert right.astype(int).tolist() == [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
    assert there.astype(int).tolist() == [
        [1, 0, 0, 1, 1],  # of the second finding this exam says nothing
        [1, 0, 1, 1, 1],  # denied in one thing is denied
        [0, 0, 0, 1, 0],  # a text of no finding is somebody's own, and wrong for the others
    ]


def test_an_untrue_text_is_wrong_for_its_exam_and_right_for_who_says_so():
    e, pairing = some(b=2, r=2)
    untrue = jnp.array([[False, True], [False, False]])
    says = jnp.array([[IS, NOT], [NOT, 0]])
    found = pairs.sides(e, Pairing(pairing.group, untrue, says, jnp.array([IS, NOT])), Contrast())
    right, there = pairs.relate(found, found.of_text, found.text_says, Contrast())
    assert right.astype(int).tolist() == [[1, 0, 0, 0], [0, 1, 1, 1]]
    assert there.all()


def stated(groups=None) -> tuple[Embeddings, Pairing]:
    """Texts that say things, some of them untrue."""
    e, pairing = some(groups=groups)
    rng = np.random.default_rng(4)
    says = rng.integers(0, 16, (B, R)) & rng.integers(0, 16, (B, R))
    known = rng.integers(0, 16, B)
    return e, Pairing(
        pairing.group,
        jnp.array(rng.random((B, R)) < 0.2),
        jnp.array(says, jnp.int32),
        jnp.array(known, jnp.int32),
    )


@pytest.mark.parametrize("ignore", [False, True])
@pytest.mark.parametrize("loss", Loss)
def test_what_texts_say_counts_alike_in_every_form(loss, ignore):
    e, pairing = stated(shared_groups())
    whole = run(loss, e, pairing, form=Form.PLAIN, ignore_unsaid=ignore)
    silent = run(loss, e, Pairing(pairing.group), form=Form.PLAIN)
    assert abs(whole[0] - silent[0]) > 1e-3
    for form, chunk in ((Form.GATHERED, 1024), (Form.RING, 5)):
        other = run(loss, e, pairing, Mesh(8), form=form, chunk=chunk, ignore_unsaid=ignore)
        assert other[0] == pytest.approx(whole[0], rel=1e-5)
        for a, b in zip(jax.tree.leaves(other[2]), jax.tree.leaves(whole[2]), strict=True):
            np.testing.assert_allclose(a, b, atol=2e-6)


MESHES = [ALONE, Mesh(2, 1, 1), Mesh(8, 1, 1), Mesh(2, 2, 2)]
# Texts of a device in one chunk, and in odd ones.
CASES = [(Form.GATHERED, 1024), (Form.RING, 1024), (Form.RING, 5)]


@pytest.mark.parametrize("sizes", MESHES, ids=str)
@pytest.mark.parametrize(("form", "chunk"), CASES, ids=str)
@pytest.mark.parametrize("loss", Loss)
def test_every_form_equals_the_plain_one_in_value_and_gradient(loss, form, chunk, sizes):
    for groups in GROUPS.values():
        e, pairing = some(groups=groups)
        plain = run(loss, e, pairing, form=Form.PLAIN)
        other = run(loss, e, pairing, sizes, form=form, chunk=chunk)
        assert other[0] == pytest.approx(plain[0], rel=1e-6)
        assert other[1] == pytest.approx(plain[1], rel=1e-6)
        for a, b in zip(jax.tree.leaves(plain[2]), jax.tree.leaves(other[2]), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("form", [Form.GATHERED, Form.RING])
@pytest.mark.parametrize("loss", Loss)
def test_bfloat16_embeddings_give_the_same_in_every_form(loss, form):
    e, pairing = some(groups=shared_groups(), dtype=jnp.bfloat16)
    plain = run(loss, e, pairing, form=Form.PLAIN)
    other = run(loss, e, pairing, Mesh(8), form=form, chunk=5)
    assert other[0] == pytest.approx(plain[0], rel=1e-6)  # made in float32 all the same
    for a, b in zip(jax.tree.leaves(plain[2]), jax.tree.leaves(other[2]), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a.astype(float), b.astype(float), atol=1e-4, rtol=2e-2)


@pytest.mark.parametrize("form", Form)
def test_the_sum_of_both_directions_is_twice_their_mean(form):
    e, pairing = some()
    mean = run(Loss.SOFTMAX, e, pairing, Mesh(8), form=form, chunk=5)
    total = run(Loss.SOFTMAX, e, pairing, Mesh(8), form=form, chunk=5, sum_directions=True)
    assert total[0] == pytest.approx(2 * mean[0], rel=1e-6)
    np.testing.assert_allclose(total[2].video, 2 * mean[2].video, atol=1e-6)


@pytest.mark.parametrize("form", Form)
def test_only_the_sigmoid_reads_the_bias(form):
    e, pairing = some()
    for loss, moved in ((Loss.SOFTMAX, False), (Loss.SIGMOID, True)):
        value, _, grads = run(loss, e, pairing, Mesh(8), form=form, chunk=5)
        other, _, _ = run(loss, e._replace(bias=jnp.float32(1)), pairing, Mesh(8), form=form)
        assert (abs(grads.bias) > 1e-3) == moved
        assert (abs(value - other) > 1e-3) == moved


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("form", Form)
def test_positives_are_not_punished(loss, form):
    """Two exams with equal texts and equal embeddings: right, unless only one's own may count."""
    e, _ = some(b=4, r=1)
    e = e._replace(
        video=jnp.eye(4, E)[jnp.array([0, 0, 1, 2])],
        text=jnp.eye(4, E)[jnp.array([0, 0, 1, 2])][:, None],
        scale=jnp.float32(30),
        bias=jnp.float32(-15),
    )
    alone = Pairing(jnp.arange(4)[:, None])
    together = Pairing(jnp.array([0, 0, 1, 2])[:, None])
    punished, forgiven = (run(loss, e, p, Mesh(2), form=form)[0] for p in (alone, together))
    # Softmax of two equal rows costs ln 2 each at the least, with one positive or with two.
    if loss is Loss.SOFTMAX:
        grads = [run(loss, e, p, Mesh(2), form=form)[2].scale for p in (alone, together)]
        assert forgiven == pytest.approx(punished, abs=1e-6)
        assert forgiven == pytest.approx(np.log(2) / 2, abs=1e-3)
        assert abs(grads[1]) < 1e-6
    else:
        assert punished > 10 * forgiven


def lowered(form: Form, b: int, r: int, e: int, chunk: int, grad: bool):
    """The program on eight devices, not yet compiled."""
    mesh = mesh_of(Mesh(8))
    place = jax.NamedSharding(mesh, jax.sharding.PartitionSpec(("data", "fsdp")))

    def shape(*dims, dtype=jnp.float32):
        return jax.ShapeDtypeStruct(dims, dtype, sharding=place)

    def loss(video, text, group):
        given = Embeddings(video, text, jnp.float32(10), jnp.float32(0))
        contrast = Contrast(form=form, chunk=chunk)
        return contrastive(Loss.SOFTMAX, given, Pairing(group), contrast, mesh)[0]

    with jax.set_mesh(mesh):
        return jax.jit(jax.grad(loss, (0, 1)) if grad else loss).lower(
            shape(b, e), shape(b, r, e), shape(b, r, dtype=jnp.int32)
        )


def test_what_travels_and_what_is_never_made():
    gathered = lowered(Form.GATHERED, B, R, E, 3, grad=False).as_text()
    own, everyone = B // 8, B * R
    assert "all_gather" in gathered
    assert f"tensor<{own}x{everyone}xf32>" in gathered
    assert f"tensor<{B}x{everyone}xf32>" not in gathered
    ring = lowered(Form.RING, B, R, E, 3, grad=True).as_text()
    assert "all_gather" not in ring
    assert "collective_permute" in ring
    assert f"tensor<{own}x3xf32>" in ring
    assert not any(f"tensor<{n}x{everyone}xf32>" in ring for n in (own, B))


def test_at_32768_exams_a_ring_needs_a_fraction_of_the_memory():
    """Per device of eight, 512 numbers each: what XLA has planned for the program."""
    exams, width = 32_768, 512
    needs = {
        form: lowered(form, exams, 1, width, 1024, grad=True).compile().memory_analysis()
        for form in (Form.GATHERED, Form.RING)
    }
    total = {
        form: (m.temp_size_in_bytes + m.argument_size_in_bytes + m.output_size_in_bytes) / 1e6
        for form, m in needs.items()
    }
    print({form.value: f"{megabytes:.0f} MB" for form, megabytes in total.items()})
    assert total[Form.RING] < 256
    assert total[Form.GATHERED] > 1000


def test_an_exam_without_texts_gives_no_nan():
    groups = np.full((B, R), -1)
    groups[:2] = np.arange(2 * R).reshape(2, R)
    e, pairing = some(groups=groups)
    for loss, form in itertools.product(Loss, Form):
        value, _, grads = run(loss, e, pairing, Mesh(8), form=form, chunk=5)
        assert np.isfinite(value)
        assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


@pytest.mark.parametrize("tower", ["video", "text"])
def test_a_loss_without_a_tower_says_so(tower):
    e, pairing = some()
    with pytest.raises(ValueError, match="both towers"):
        run(Loss.SOFTMAX, e._replace(**{tower: None}), pairing)


def test_a_zero_embedding_has_a_finite_gradient():
    e, pairing = some()
    for form in Form:
        zeroed = e._replace(video=e.video.at[3].set(0.0))
        value, _, grads = run(Loss.SOFTMAX, zeroed, pairing, form=form)
        assert np.isfinite(value)
        assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


@pytest.mark.parametrize("loss", Loss)
def test_order_of_exams_does_not_matter(loss):
    e, pairing = some(groups=shared_groups())
    p = np.random.default_rng(0).permutation(B)
    shuffled = e._replace(video=e.video[p], text=e.text[p])
    a = run(loss, e, pairing, Mesh(8), form=Form.RING, chunk=5)
    b = run(loss, shuffled, Pairing(pairing.group[p]), Mesh(8), form=Form.RING, chunk=5)
    assert a[0] == pytest.approx(b[0], rel=1e-6)
    assert a[1] == pytest.approx(b[1], rel=1e-6)


def test_logits_that_float32_cannot_exponentiate_stay_finite():
    e, pairing = some()
    e = e._replace(scale=jnp.float32(1000))
    plain = run(Loss.SOFTMAX, e, pairing, form=Form.PLAIN)
    ring = run(Loss.SOFTMAX, e, pairing, Mesh(8), form=Form.RING, chunk=1)
    assert np.isfinite(plain[0])
    assert ring[0] == pytest.approx(plain[0], rel=1e-5)
    np.testing.assert_allclose(ring[2].text, plain[2].text, atol=2e-3, rtol=2e-3)


def test_numbers_cost_what_huber_says_and_nothing_where_nobody_said():
    found = jnp.array([[0.5, 3.0], [0.0, 7.0]])
    stated_ = jnp.array([[0.0, 0.0], [0.25, jnp.nan]])
    value = losses.numbers(found, stated_)
    assert value == pytest.approx((0.125 + 2.5 + 0.03125) / 3)
    slope = jax.grad(lambda x: losses.numbers(x, stated_))(found)
    assert slope[1, 1] == 0
    assert losses.numbers(found, jnp.full((2, 2), jnp.nan)) == 0
