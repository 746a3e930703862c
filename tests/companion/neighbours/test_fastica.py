"""FastICA resolves what it can and says when it could not; signals of a latent are paired right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from companion.neighbours.fastica import contrast, dependence, pair_up, resolve
from ivae.metrics import mcc
from ivae.theory.equivalence import amari_distance, fit_equivalence

RNG = np.random.default_rng(0)
UNIFORM = RNG.uniform(-1, 1, (4000, 3))
GAUSSIAN = RNG.standard_normal((4000, 3))


def planes(n, n_rows=6000, seed=0):
    """n independent pairs of uncorrelated, dependent signals: points on a noisy circle."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, (n_rows, n))
    radius = rng.uniform(0.9, 1.1, (n_rows, n))
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), -1).reshape(n_rows, -1)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_a_mixture_of_independent_signals_is_resolved(seed):
    matrix = np.random.default_rng(seed).standard_normal((3, 3))
    found = resolve(UNIFORM @ matrix.T + 7, seed=seed)
    assert found.converged.all()
    assert found.distances.max() < 0.01
    assert amari_distance(found.unmixing @ matrix) < 0.05
    signals = found.apply(UNIFORM @ matrix.T + 7)
    assert mcc(UNIFORM, signals) > 0.995
    np.testing.assert_allclose(signals.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(signals.T, bias=True), np.eye(3), atol=1e-9)


def test_it_does_not_depend_on_the_units_of_the_statistics():
    one, other = UNIFORM @ np.array([[1, 2, 0], [0, 1, 1], [1, 0, 3]]), np.array([1e6, 1, 1e-6])
    assert mcc(resolve(one).apply(one), resolve(one * other).apply(one * other)) > 0.9999


def test_gaussian_signals_have_no_axes_to_find():
    scores = []
    for seed in range(10):
        turned = np.random.default_rng(seed).standard_normal((4000, 3))
        scores.append(mcc(turned, resolve(turned, seed=seed, max_iterations=50).apply(turned)))
    assert 0.65 < np.mean(scores) < 0.95
    assert contrast(GAUSSIAN) < 0.02 * contrast(UNIFORM)


def test_no_axes_show_in_starts_that_end_apart():
    flat = resolve(GAUSSIAN, n_starts=5, max_iterations=50)
    sharp = resolve(UNIFORM, n_starts=5)
    assert np.median(flat.distances) > 10 * np.median(sharp.distances)


def test_what_did_not_converge_is_said_and_is_no_warning():
    found = resolve(UNIFORM @ ortho_group.rvs(3, random_state=0), max_iterations=1)
    assert not found.converged.any()
    assert np.isfinite(found.apply(UNIFORM)).all()


def test_the_contrast_decides_and_not_the_order_of_the_starts():
    found = resolve(planes(2), n_starts=8, seed=3)
    assert contrast(found.apply(planes(2))) == pytest.approx(found.contrasts.max(), rel=1e-6)
    assert found.chosen == found.contrasts.argmax()
    assert found.distances[found.chosen] == pytest.approx(0, abs=1e-9)


def test_a_start_that_converged_is_preferred_to_one_that_did_not():
    """Four iterations are enough from some starts, and from others almost."""
    mixed = UNIFORM @ ortho_group.rvs(3, random_state=0)
    ends = [resolve(mixed, n_starts=6, seed=s, max_iterations=4, tolerance=1e-4) for s in range(8)]
    assert all(found.converged.any() and not found.converged.all() for found in ends)
    assert any(found.chosen != found.contrasts.argmax() for found in ends)
    for found in ends:
        assert found.converged[found.chosen]
        assert found.contrasts[found.chosen] == found.contrasts[found.converged].max()


def test_starts_derive_from_the_seed():
    first, again, other = (resolve(GAUSSIAN, seed=s, max_iterations=9) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.unmixing, again.unmixing)
    assert np.abs(first.unmixing - other.unmixing).max() > 0.01


def test_the_contrast_of_a_gaussian_is_zero_and_ignores_units():
    rng = np.random.default_rng(1)
    assert contrast(rng.standard_normal((200_000, 1))) < 1e-6
    assert contrast(UNIFORM * 5 + 3) == pytest.approx(contrast(UNIFORM))
    assert contrast(np.abs(GAUSSIAN)) > 10 * contrast(GAUSSIAN)


@given(order=st.permutations(range(8)))
def test_pairs_are_grouped_right_in_any_order(order):
    signals = planes(4)[:, order]
    latents = np.array(order) // 2
    pairs = pair_up(signals)
    assert sorted(pairs.ravel()) == list(range(8))
    assert all(latents[first] == latents[second] for first, second in pairs)


def test_pairs_maximise_the_sum_and_not_the_greatest_entry():
    """Greedily 0 and 1 would go first, and leave 2 and 3, which share nothing."""
    covariance = np.eye(4)
    for i, j, value in ((0, 1, 0.6), (0, 2, 0.5), (1, 3, 0.5)):
        covariance[i, j] = covariance[j, i] = value
    signals = np.random.default_rng(2).multivariate_normal(np.zeros(4), covariance, 20_000)
    assert dependence(signals).argmax() == 1
    assert pair_up(signals).tolist() == [[0, 2], [1, 3]]


def test_a_source_and_its_square_are_dependent_though_uncorrelated():
    z = np.random.default_rng(3).standard_normal((20_000, 2))
    found = dependence(np.column_stack((z**2, z)))
    np.testing.assert_allclose(found, found.T)
    assert np.diagonal(found).max() == 0
    assert min(found[0, 2], found[1, 3]) > 0.5
    assert max(found[0, 1], found[0, 3], found[2, 3]) < 0.01


def test_linear_ica_separates_planes_and_pairs_name_them():
    truth = planes(3)
    mixed = truth @ np.random.default_rng(4).standard_normal((6, 6))
    signals = resolve(mixed).apply(mixed)
    paired = signals[:, pair_up(signals).ravel()]
    assert fit_equivalence(truth, paired, n_components=2).amari < 0.05
    torn = paired[:, [0, 2, 1, 3, 4, 5]]
    assert fit_equivalence(truth, torn, n_components=2).amari > 0.2


@pytest.mark.parametrize("columns", [UNIFORM * [1, 0, 1], UNIFORM[:, [0, 1, 0]]])
def test_dependent_statistics_are_refused(columns):
    with pytest.raises(ValueError, match="must vary and be linearly independent"):
        resolve(columns)
