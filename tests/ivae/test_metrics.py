"""MCC: its invariances, an independent computation, its floor."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ivae import metrics

kinds = pytest.mark.parametrize("kind", ["pearson", "spearman"])


def pair(seed, n=4, rows=60):
    rng = np.random.default_rng(seed)
    z = rng.laplace(size=(rows, n))
    return z, z + rng.standard_normal((rows, n)) @ rng.standard_normal((n, n))


@kinds
@given(seed=st.integers(0, 10_000))
def test_mcc_ignores_permutation_sign_scale_and_offset(kind, seed):
    z, estimate = pair(seed)
    rng = np.random.default_rng(seed + 1)
    scale = rng.choice([-1.0, 1.0], 4) * np.exp(rng.uniform(-3, 3, 4))
    changed = (estimate * scale + rng.uniform(-5, 5, 4))[:, rng.permutation(4)]
    assert metrics.mcc(z, changed, kind) == pytest.approx(metrics.mcc(z, estimate, kind))


@kinds
@given(seed=st.integers(0, 10_000))
def test_mcc_equals_the_best_of_all_permutations(kind, seed):
    z, estimate = pair(seed)
    correlate = stats.pearsonr if kind == "pearson" else stats.spearmanr
    table = [[abs(correlate(a, b).statistic) for b in estimate.T] for a in z.T]
    orders = itertools.permutations(range(4))
    best = max(np.mean([table[i][j] for i, j in enumerate(order)]) for order in orders)
    assert metrics.mcc(z, estimate, kind) == pytest.approx(best)


def test_mcc_is_one_for_the_sources_and_counts_a_rotation():
    z = np.random.default_rng(0).standard_normal((20_000, 2))
    assert metrics.mcc(z, z) == pytest.approx(1.0)
    turn = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    assert metrics.mcc(z, z @ turn) == pytest.approx(np.sqrt(0.5), abs=0.01)


def test_spearman_ignores_a_monotone_warp_and_pearson_does_not():
    z = np.random.default_rng(1).standard_normal((500, 3))
    assert metrics.mcc(z, np.exp(3 * z), "spearman") == pytest.approx(1.0)
    assert metrics.mcc(z, np.exp(3 * z), "pearson") < 0.7


def test_a_column_that_does_not_vary_correlates_with_nothing():
    z, estimate = pair(2)
    estimate[:, 1] = 0.1
    assert (metrics.correlation_matrix(z, estimate)[:, 1] == 0).all()
    assert metrics.mcc(z, np.full((60, 4), 3.3)) == 0


def test_matching_reports_columns_and_signs():
    z, _ = pair(3)
    matching = metrics.match(z, -z[:, [2, 0, 3, 1]])
    np.testing.assert_array_equal(matching.columns, [1, 3, 0, 2])
    np.testing.assert_allclose(matching.correlations, -1)


def test_alignment_undoes_permutation_sign_scale_and_offset():
    z, _ = pair(4)
    estimate = z[:, [3, 1, 0, 2]] * [-2.0, 0.1, 5.0, -1.0] + [1.0, 2.0, 3.0, 4.0]
    line = metrics.alignment(z, estimate)
    np.testing.assert_allclose(line.apply(estimate), z)
    np.testing.assert_allclose(line.scale(estimate.std(0)), z.std(0))


def test_runs_are_compared_symmetrically_and_last_with_the_truth():
    z, first = pair(5)
    _, second = pair(6)
    matrix = metrics.pairwise_mcc(np.stack((first, second)), z)
    np.testing.assert_array_equal(matrix, matrix.T)
    assert matrix[0, 1] == pytest.approx(metrics.mcc(first, second))
    assert matrix[2, 1] == pytest.approx(metrics.mcc(z, second))
    np.testing.assert_array_equal(metrics.between_runs(matrix), [matrix[1, 0]])


def test_rotation_floor_of_two_sources_is_known():
    """corr = |cos a| or |sin a|, whichever is larger; its mean over a is 2 sqrt(2) / pi."""
    z = np.random.default_rng(7).standard_normal((50, 2))
    z = (z - z.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T, bias=True))).T
    floor = metrics.rotation_floor(z, 4000, seed=1)
    assert floor.mean() == pytest.approx(2 * np.sqrt(2) / np.pi, abs=5 * floor.std() / 4000**0.5)


def test_rotation_floor_is_the_mcc_of_rotated_sources():
    z, _ = pair(8)
    z = z / z.std(0)
    floor = metrics.rotation_floor(z, 5, seed=2)
    rotations = metrics.random_rotations(4, 5, seed=2)
    expected = [metrics.mcc(z, z @ rotation) for rotation in rotations]
    np.testing.assert_allclose(floor, expected)


@pytest.mark.parametrize(
    ("z", "estimate", "message"),
    [
        (np.ones((5, 2)), np.ones((4, 2)), "same number of rows.*got 5 and 4"),
        (np.ones((1, 2)), np.ones((1, 2)), "at least 2; got 1 and 1"),
        (np.ones((5, 3)), np.ones((5, 2)), r"as many columns as z has \(3\); got 2"),
        (np.ones(5), np.ones((5, 2)), r"z must have shape \(N, n\); got \(5,\)"),
        (np.full((5, 2), np.nan), np.ones((5, 2)), r"z has 10 NaN or infinite values"),
        (np.ones((5, 2)), [["a", "b"]], "estimate must be an array of real numbers"),
        (np.ones((0, 2)), np.ones((0, 2)), r"z must have shape \(N, n\); got \(0, 2\)"),
    ],
)
def test_bad_input_is_named(z, estimate, message):
    with pytest.raises(ValueError, match=message):
        metrics.mcc(z, estimate)


def test_unknown_kind_and_single_source_are_refused():
    with pytest.raises(ValueError, match="kind must be one of pearson, spearman; got 'kendall'"):
        metrics.mcc(np.ones((5, 2)), np.ones((5, 2)), "kendall")
    with pytest.raises(ValueError, match="z must have at least 2 columns to rotate; got 1"):
        metrics.rotation_floor(np.ones((5, 1)))


def gaussians(seed, m=4, n=2):
    rng = np.random.default_rng(seed)
    means, deviations = rng.uniform(-1, 1, (2, m, n)), rng.uniform(0.4, 2, (2, m, n))
    return means[0], deviations[0], means[1], deviations[1]


@pytest.mark.parametrize("seed", range(3))
def test_the_overlap_of_gaussians_is_the_integral_of_the_root_of_their_product(seed):
    grid = np.linspace(-15, 15, 601)
    points = np.stack(np.meshgrid(grid, grid), -1)
    found = metrics.gaussian_overlap(*gaussians(seed))
    for overlap, *pair_of in zip(found, *gaussians(seed), strict=True):
        p, q = (
            stats.multivariate_normal(mean, np.diag(deviation**2)).pdf(points)
            for mean, deviation in (pair_of[:2], pair_of[2:])
        )
        assert p.sum() * 0.05**2 == pytest.approx(1.0)
        assert overlap == pytest.approx(np.sqrt(p * q).sum() * 0.05**2)


@given(seed=st.integers(0, 10_000))
def test_the_overlap_is_symmetric_and_one_for_equal_densities_alone(seed):
    mean, deviation, other_mean, other_deviation = gaussians(seed)
    found = metrics.gaussian_overlap(mean, deviation, other_mean, other_deviation)
    turned = metrics.gaussian_overlap(other_mean, other_deviation, mean, deviation)
    np.testing.assert_allclose(found, turned)
    assert (found > 0).all()
    np.testing.assert_allclose(metrics.gaussian_overlap(mean, deviation, mean, deviation), 1.0)
    for moved in ((mean + 0.01, deviation), (mean, 1.01 * deviation)):
        assert (metrics.gaussian_overlap(mean, deviation, *moved) < 1 - 1e-7).all()


def test_densities_far_apart_do_not_overlap():
    one, far = np.zeros((1, 2)), np.full((1, 2), 100.0)
    assert metrics.gaussian_overlap(one, one + 1, far, one + 1) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, [[np.nan, 0.0]], "mean has 1 NaN"),
        (0, [0.0, 0.0], r"mean must have shape \(M, n\)"),
        (1, [[1.0]], r"deviation must have shape \(1, 2\); got \(1, 1\)"),
        (1, [[0.0, 1.0]], "deviation and other_deviation must be positive everywhere"),
        (2, [[0.0, 0.0], [0.0, 0.0]], r"other_mean must have shape \(1, 2\); got \(2, 2\)"),
        (2, [[np.inf, 0.0]], "other_mean has 1 NaN or infinite"),
        (3, [[1.0, 1.0, 1.0]], r"other_deviation must have shape \(1, 2\); got \(1, 3\)"),
        (3, [[1.0, -1.0]], "deviation and other_deviation must be positive everywhere"),
    ],
)
def test_bad_gaussians_are_named(place, value, message):
    arguments = [[[0.0, 0.0]], [[1.0, 1.0]], [[0.0, 0.0]], [[1.0, 1.0]]]
    arguments[place] = value
    with pytest.raises(ValueError, match=message):
        metrics.gaussian_overlap(*arguments)


def test_the_mcc_of_one_minibatch_of_all_rows_is_the_mcc():
    z, estimate = pair(11, rows=70)
    found = metrics.minibatch_mcc(z, estimate, size=70, seed=3)
    assert found == pytest.approx(metrics.mcc(z, estimate))


def test_minibatches_take_each_row_once_and_leave_out_what_does_not_fill_one():
    z, estimate = pair(12, n=2, rows=5)
    rows = np.arange(5)
    of_four = [metrics.mcc(z[rows != i], estimate[rows != i]) for i in rows]
    found = {round(metrics.minibatch_mcc(z, estimate, 4, seed), 9) for seed in range(40)}
    assert found == {round(score, 9) for score in of_four}
    of_pairs = metrics.minibatch_mcc(z[:4], estimate[:4], 2)
    assert of_pairs == pytest.approx(1.0)  # Two rows always lie on a line.


def test_minibatches_overrate_noise():
    rng = np.random.default_rng(13)
    z, noise = rng.standard_normal((2, 6400, 5))
    found = {size: metrics.minibatch_mcc(z, noise, size) for size in (16, 64, 640, 6400)}
    assert found[16] > found[64] > found[640] > found[6400]
    # The mean of one |r| of 64 samples is sqrt(2 / (64 pi)) = .1; the best matching's is above.
    assert found[64] > 0.1
    assert found[6400] < 0.05
    assert metrics.minibatch_mcc(z, z[:, ::-1]) == pytest.approx(1.0)


def test_minibatches_are_drawn_from_the_seed():
    z, estimate = pair(14)
    first, again, other = (metrics.minibatch_mcc(z, estimate, 20, seed) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (1, "size must be a whole number >= 2; got 1"),
        (6.0, "size must be a whole number >= 2; got 6.0"),
        (61, "size must be at most the number of rows, 60; got 61"),
    ],
)
def test_bad_sizes_of_minibatches_are_named(size, message):
    with pytest.raises(ValueError, match=message):
        metrics.minibatch_mcc(*pair(15), size)


@pytest.mark.parametrize(("rows", "others"), [(50, 60), (60, 50)])
def test_minibatches_need_an_estimate_for_each_row(rows, others):
    z, estimate = pair(16)
    with pytest.raises(ValueError, match="same number of rows"):
        metrics.minibatch_mcc(z[:rows], estimate[:others], 10)
