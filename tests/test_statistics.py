"""Every number of the statistics against an independent source, and intervals against simulation."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as learn

from cmr_jax.evals.statistics import delong, measures
from cmr_jax.evals.statistics.estimate import estimate, share
from cmr_jax.evals.statistics.resamples import Kept, Resamples

ONES = np.ones((1, 40))


@pytest.fixture
def exams():
    """Some with scores in common, of both classes, and counts of a few resamples."""
    rng = np.random.default_rng(3)
    positive = rng.random(40) < 0.4
    score = np.round(rng.normal(size=40) + positive, 1)
    counts = rng.integers(0, 4, (6, 40)).astype(float)
    return positive, score, counts


def written_out(counts, *columns):
    return [np.repeat(c, counts.astype(int)) for c in columns]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (measures.auc, learn.roc_auc_score),
        (measures.average_precision, learn.average_precision_score),
        (lambda p, s: measures.f1(p, s > 0.5), lambda p, s: learn.f1_score(p, s > 0.5)),
        (
            lambda p, s: measures.ratio(p & (s > 0.5), p),
            lambda p, s: learn.recall_score(p, s > 0.5),
        ),
        (
            lambda p, s: measures.ratio(p & (s > 0.5), s > 0.5),
            lambda p, s: learn.precision_score(p, s > 0.5),
        ),
        (lambda p, s: measures.mean(s), lambda p, s: s.mean()),
        (lambda p, s: measures.median(s), lambda p, s: np.median(s)),
        (
            lambda p, s: measures.r_squared(p * 3.0 + s**2, s),
            lambda p, s: learn.r2_score(p * 3.0 + s**2, s),
        ),
        (
            lambda p, s: measures.limit(s - p, 1.96),
            lambda p, s: (s - p).mean() + 1.96 * (s - p).std(ddof=1),
        ),
        (
            lambda p, s: measures.mean(np.square(s / 9 - p)),
            lambda p, s: np.square(s / 9 - p).mean(),
        ),
    ],
)
def test_a_measure_of_counts_is_that_of_the_exams_written_out(exams, ours, theirs):
    positive, score, counts = exams
    for row, value in zip(counts, ours(positive, score)(counts), strict=True):
        assert value == pytest.approx(theirs(*written_out(row, positive, score)), abs=1e-12)
    assert ours(positive, score)(ONES)[0] == pytest.approx(theirs(positive, score))


def test_ties_count_half_and_constants_are_chance(exams):
    positive, _, counts = exams
    np.testing.assert_allclose(measures.auc(positive, np.zeros(40))(counts), 0.5)
    prevalence = counts @ positive / counts.sum(1)
    np.testing.assert_allclose(
        measures.average_precision(positive, np.zeros(40))(counts), prevalence
    )


def test_what_there_is_not_is_no_number(exams):
    positive, score, _ = exams
    for one_class in (positive * 1.0, ~positive * 1.0):
        assert np.isnan(measures.auc(positive, score)(one_class[None]))[0]
    assert np.isnan(measures.average_precision(positive, score)(~positive[None] * 1.0))[0]
    nobody = np.zeros((1, 40))
    for measure in (measures.mean(score), measures.median(score), measures.limit(score, 2.0)):
        assert np.isnan(measure(nobody))[0]
    assert np.isnan(measures.r_squared(np.full(40, 0.3), score)(ONES))[0]


def test_predictive_values_are_bayes(exams):
    positive, score, _ = exams
    said = score > 0.4
    found, cleared = (
        (said & positive).sum() / positive.sum(),
        (~said & ~positive).sum() / (~positive).sum(),
    )
    ppv = measures.predictive(positive, said, 0.05)(ONES)[0]
    assert ppv == pytest.approx(0.05 * found / (0.05 * found + 0.95 * (1 - cleared)))
    npv = measures.predictive(positive, said, 0.05, of_positive=False)(ONES)[0]
    assert npv == pytest.approx(0.95 * cleared / (0.95 * cleared + 0.05 * (1 - found)))
    # At the share that there is they are plain shares of what was said.
    here = measures.predictive(positive, said, positive.mean())(ONES)[0]
    assert here == pytest.approx(learn.precision_score(positive, said))


def test_calibration_error_by_hand():
    positive = np.array([1, 0, 1, 1], bool)
    probability = np.array([0.12, 0.18, 0.9, 1.0])
    # Bin 0.1-0.2: says 0.15, is 0.5; the last bin: says 0.95, is 1.
    error = measures.calibration_error(positive, probability)
    assert error(np.ones((1, 4)))[0] == pytest.approx(0.5 * 0.35 + 0.5 * 0.05)
    assert error(np.array([[0, 2.0, 0, 2]]))[0] == pytest.approx(0.5 * 0.18)


def test_resamples_are_of_whole_patients():
    patient = np.array([4, 4, 9, 7, 7, 7])
    resamples = Resamples(patient, draws=300)
    weights = np.concatenate(list(resamples._drawn()))
    assert weights.shape == (300, 6)
    for same in ((0, 1), (3, 4), (4, 5)):
        np.testing.assert_array_equal(weights[:, same[0]], weights[:, same[1]])
    per_patient = weights[:, [0, 2, 3]]
    np.testing.assert_array_equal(per_patient.sum(1), 3)
    np.testing.assert_allclose(per_patient.mean(0), 1, atol=0.15)
    left = np.concatenate(list(resamples._left_out()))
    np.testing.assert_array_equal(np.sort(left @ [1 / 2, 1 / 2, 1, 1 / 3, 1 / 3, 1 / 3]), [2, 2, 2])
    assert len(np.unique(left, axis=0)) == 3


def test_resamples_do_not_depend_on_how_many_fit_in_memory(monkeypatch):
    patient = np.arange(30) // 2
    x = np.random.default_rng(0).normal(size=30)
    whole = Resamples(patient, 200).drawn(measures.mean(x))
    monkeypatch.setattr("cmr_jax.evals.statistics.resamples.AT_ONCE", 100)
    np.testing.assert_allclose(Resamples(patient, 200).drawn(measures.mean(x)), whole)


def test_many_patients_are_left_out_in_groups_with_the_same_acceleration():
    x = np.random.default_rng(1).exponential(size=3000)
    left = Resamples(np.arange(3000), 10).jackknifed(measures.mean(x))
    assert len(left) == 500
    away = left.mean() - left
    speed = (away**3).sum() / (6 * np.square(away).sum() ** 1.5)
    assert speed == pytest.approx(stats.skew(x) / 6 / np.sqrt(3000), rel=0.5)


@pytest.mark.parametrize("kind", ["mean", "auc"])
def test_the_interval_is_that_of_scipy(kind):
    """Of one exam a patient; scipy draws its own resamples."""
    rng = np.random.default_rng(5)
    positive = rng.random(80) < 0.4
    score = rng.exponential(size=80) + positive
    if kind == "mean":
        ours, data, theirs = measures.mean(score), (score,), lambda x, axis: x.mean(axis)
        rows = {}
    else:
        ours = measures.auc(positive, score)
        data, rows = (np.arange(80),), {"vectorized": False}
        theirs = lambda i: learn.roc_auc_score(positive[i], score[i])  # noqa: E731
    found = estimate(ours, Resamples(np.arange(80), 4000))
    told = stats.bootstrap(
        data, theirs, n_resamples=2000, method="BCa", rng=np.random.default_rng(1), **rows
    ).confidence_interval
    width = told.high - told.low
    assert abs(found.low - told.low) < 0.06 * width
    assert abs(found.high - told.high) < 0.06 * width


def test_resamples_that_are_kept_are_the_same_and_measures_are_computed_once():
    patient, x = np.arange(90) // 2, np.sin(np.arange(90.0))
    asked = []

    def counted(w):
        asked.append(len(w))
        return measures.mean(x)(w)

    fresh, kept = Resamples(patient, 300), Kept(patient, 300)
    once = kept.once(counted)
    for _ in range(2):
        assert estimate(once, kept) == estimate(measures.mean(x), fresh)
    assert asked == [1, 300, 45]
    with pytest.raises(KeyError):
        once(np.ones((1, 90)))


def test_patients_with_several_exams_make_wider_intervals():
    rng = np.random.default_rng(2)
    patient = np.repeat(np.arange(40), 5)
    x = rng.normal(size=40)[patient] + 0.1 * rng.normal(size=200)
    by_patient = estimate(measures.mean(x), Resamples(patient))
    by_exam = estimate(measures.mean(x), Resamples(np.arange(200)))
    assert by_patient.high - by_patient.low > 1.8 * (by_exam.high - by_exam.low)


def test_where_draws_cannot_tell_there_is_no_interval():
    apart = np.arange(40) >= 20
    perfect = estimate(measures.auc(apart, np.arange(40.0)), Resamples(np.arange(40)))
    assert perfect.value == 1
    assert np.isnan([perfect.low, perfect.high]).all()
    lone = np.arange(40) == 3  # a third of the draws miss it
    rare = estimate(measures.auc(lone, np.sin(np.arange(40))), Resamples(np.arange(40)))
    assert np.isfinite(rare.value)
    assert np.isnan([rare.low, rare.high]).all()
    assert perfect.to_json(chance=0.5)["chance"] == 0.5


def test_none_of_thirty_may_still_be_one_in_ten():
    """The rule of three, exactly: 1 - 0.025 ** (1 / 30)."""
    none = share(np.zeros(60), Resamples(np.arange(60) // 2))
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 30))
    every = share(np.ones(60), Resamples(np.arange(60) // 2))
    assert (every.value, every.high) == (1, 1)
    assert every.low == pytest.approx(0.025 ** (1 / 30))
    some = np.arange(60) % 3 == 0
    assert share(some, Resamples(np.arange(60))) == estimate(
        measures.mean(some), Resamples(np.arange(60))
    )


def by_definition(positive, scores, patient):
    """Obuchowski's covariance with every pair of exams compared."""
    x, y = scores[:, positive][:, :, None], scores[:, ~positive][:, None, :]
    wins = (x > y) + 0.5 * (x == y)
    aucs = wins.mean((1, 2))
    m, n = positive.sum(), (~positive).sum()
    of_found, of_wrong = patient[positive], patient[~positive]
    names = np.unique(patient)

    def sums(side, of):
        return np.stack([(side[:, of == p] - aucs[:, None]).sum(1) for p in names], 1)

    a, b = sums(wins.mean(2), of_found), sums(wins.mean(1), of_wrong)
    i, j, k = len(np.unique(of_found)), len(np.unique(of_wrong)), len(names)
    across = k / (k - 1) * a @ b.T / (m * n)
    return aucs, i / (i - 1) * a @ a.T / m**2 + j / (j - 1) * b @ b.T / n**2 + across + across.T


def drawn(rng, patients, exams, effect=1.0):
    """Patients with several exams whose classes and scores go together."""
    patient = np.repeat(np.arange(patients), exams)
    inclined = rng.normal(size=patients)[patient]
    positive = inclined + rng.normal(size=len(patient)) > 0.3
    own = 0.7 * rng.normal(size=patients)[patient]
    scores = effect * positive + own + rng.normal(size=(2, len(patient)))
    return positive, scores, patient


def test_delong_is_its_definition():
    rng = np.random.default_rng(4)
    for patients, exams in ((60, 1), (20, 3)):
        positive, scores, patient = drawn(rng, patients, exams)
        scores = np.round(scores, 1)
        aucs, varies = delong.covariance(positive, scores, patient)
        told, expected = by_definition(positive, scores, patient)
        np.testing.assert_allclose(aucs, told)
        np.testing.assert_allclose(varies, expected)
        assert aucs[0] == pytest.approx(learn.roc_auc_score(positive, scores[0]))


def test_delong_of_single_exams_is_the_variance_of_placements():
    """As published in 1988: S10 / m + S01 / n, by sample covariances."""
    positive, scores, _ = drawn(np.random.default_rng(8), 80, 1)
    _, varies = delong.covariance(positive, scores, np.arange(80))
    x, y = scores[:, positive][:, :, None], scores[:, ~positive][:, None, :]
    wins = (x > y) * 1.0
    expected = np.cov(wins.mean(2)) / positive.sum() + np.cov(wins.mean(1)) / (~positive).sum()
    np.testing.assert_allclose(varies, expected)


def test_delong_of_a_score_and_itself_or_of_too_few():
    rng = np.random.default_rng(9)
    positive, scores, patient = drawn(rng, 50, 1)
    same = delong.difference(positive, scores[0], 2 * scores[0] + 1, patient)
    assert (same.value, same.p) == (0, 1)
    apart = delong.difference(positive, positive * 1.0, -1.0 * positive, patient)
    assert apart.value == 1
    assert np.isnan(apart.p)
    few = delong.difference(np.arange(50) == 3, *scores, patient)
    assert np.isnan(few).all()


@pytest.mark.parametrize(("patients", "exams"), [(150, 1), (60, 3)])
def test_intervals_hold_the_truth_as_often_as_they_say(patients, exams):
    """Nominal 95 %: of an AUC, and of the difference of two of the same exams; DeLong beside them."""
    rng = np.random.default_rng(11)
    truth = np.mean([learn.roc_auc_score(p, s[0]) for p, s, _ in (drawn(rng, 20000, 1),)])
    trials, held, apart, rejected = 400, 0, 0, 0
    for trial in range(trials):
        positive, scores, patient = drawn(rng, patients, exams)
        resamples = Resamples(patient, 400, trial)
        first, second = (measures.auc(positive, s) for s in scores)
        one = estimate(first, resamples)
        held += one.low <= truth <= one.high
        two = estimate(lambda w, a=first, b=second: a(w) - b(w), resamples)
        apart += two.low <= 0 <= two.high
        rejected += delong.difference(positive, *scores, patient).p < 0.05
    assert 0.93 <= held / trials <= 0.97
    assert 0.93 <= apart / trials <= 0.97
    assert 0.03 <= rejected / trials <= 0.07
