"""The limit of Eqs. (26)-(29) by simulation; the pair of decoders agrees in law, and differs."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import kstest

from companion.c12 import discrete

VARIANCE = np.array([[0.6, 2.0], [1.5, 0.8], [2.5, 2.2]])
MATRIX = np.array([[1.0, -0.3, 0.6], [0.2, 0.9, -0.8]])
TURN = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
GRID = discrete.latent_grid(VARIANCE, 101)


def linear(z):
    return z @ MATRIX


@pytest.fixture(scope="module")
def pair():
    return discrete.twin(linear, TURN @ MATRIX, GRID)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 7.0])
def test_relaxed_bits_have_the_distribution_function(temperature):
    x = discrete.relax(np.full((3000, 1), 0.7), temperature, np.random.default_rng(0))[:, 0]
    inside = np.clip(x, 1e-15, 1 - 1e-15)  # At T = .3 a few x in a million round to 1.
    cdf = lambda q: discrete.relaxed_cdf(q, 0.7, temperature)  # noqa: E731
    assert kstest(inside, cdf).pvalue > 1e-3
    assert kstest(inside, lambda q: discrete.relaxed_cdf(q, 1.2, temperature)).pvalue < 1e-3


@pytest.mark.parametrize("temperature", [1e-3, 0.3, 20.0])
@pytest.mark.parametrize("m", [-2.0, 0.0, 3.0])
def test_rounding_gives_the_bit_at_every_temperature(m, temperature):
    assert discrete.relaxed_cdf(0.5, m, temperature) == pytest.approx(expit(-m), abs=1e-15)


def test_the_distribution_function_tends_to_a_bits():
    q = np.array([0.01, 0.3, 0.99])
    gaps = [np.abs(discrete.relaxed_cdf(q, 0.4, t) - expit(-0.4)).max() for t in (1, 0.1, 0.001)]
    assert gaps[0] > 10 * gaps[2]
    assert gaps[1] > 50 * gaps[2]
    assert gaps[2] < 2e-3


@pytest.mark.parametrize("m", [-1.5, 0.0, 4.0])
def test_the_distance_to_bits_is_simulations_and_has_its_limit(m):
    rng = np.random.default_rng(1)
    x = discrete.relax(np.full((200_000, 1), m), 0.5, rng)
    off = np.abs(x - (x > 0.5))
    expected = discrete.distance_to_bits(m, 0.5)
    assert abs(off.mean() - expected) < 5 * off.std() / 200_000**0.5
    p = expit(m)
    slope = discrete.distance_to_bits(m, 1e-4) / 1e-4
    assert slope == pytest.approx(2 * np.log(2) * p * (1 - p), rel=1e-6)


def test_the_quadrature_has_the_priors_moments():
    np.testing.assert_allclose(GRID.weights @ GRID.z, 0, atol=1e-13)
    np.testing.assert_allclose(GRID.weights @ GRID.z**2, VARIANCE, rtol=1e-11)
    np.testing.assert_allclose(GRID.weights @ GRID.z.prod(1), 0, atol=1e-13)


def test_the_law_of_one_latent_is_scipys():
    grid = discrete.latent_grid(np.array([[1.7]]), 201)
    found = discrete.law(lambda z: z @ np.array([[1.0, -2.0]]), grid)
    assert found.sum() == pytest.approx(1, abs=1e-13)
    for x, p in zip(discrete.states(2), found[0], strict=True):
        sign = 2 * x - 1

        def density(z, sign=sign):
            normal = np.exp(-0.5 * z * z / 1.7) / np.sqrt(2 * np.pi * 1.7)
            return normal * expit(sign[0] * z) * expit(-2 * sign[1] * z)

        assert p == pytest.approx(quad(density, -15, 15, epsabs=1e-13)[0], abs=1e-11)


def test_posterior_means_average_to_the_priors():
    p = discrete.law(linear, GRID)
    means = discrete.posterior_means(linear, GRID)
    assert means.shape == (3, 8, 2)
    np.testing.assert_allclose(np.einsum("us,usi->ui", p, means), 0, atol=1e-13)
    np.testing.assert_allclose(means[:, ::-1], -means, atol=1e-12)  # x to 1 - x turns the signs.


def test_the_pair_agrees_in_law_on_another_grid(pair):
    finer = discrete.latent_grid(VARIANCE, 151)
    np.testing.assert_allclose(discrete.law(pair, finer), discrete.law(linear, finer), atol=1e-12)
    assert pair.n_constraints == 3 * 7
    assert pair.gap <= 1e-13


def test_the_pair_differs_by_no_trivial_change(pair):
    z = np.random.default_rng(2).uniform(-4, 4, (200, 2))
    for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        for order in ((0, 1), (1, 0)):
            same = linear((z * signs)[:, order])
            assert np.abs(expit(pair(z)) - expit(same)).max() > 0.1
    turned = discrete.law(lambda z: z @ TURN @ MATRIX, GRID)
    assert np.abs(turned - discrete.law(linear, GRID)).max() > 1e-3


def test_least_difference_undoes_order_and_signs_and_nothing_else(pair):
    z = np.random.default_rng(2).uniform(-4, 4, (200, 2))

    def renamed(z):
        return linear(z[:, ::-1] * (1, -1))

    assert discrete.least_difference(linear, renamed, z) < 1e-15
    assert discrete.least_difference(linear, lambda z: linear(z @ TURN), z) > 0.1
    assert discrete.least_difference(linear, pair, z) > 0.1


def test_a_map_of_probabilities_is_indexed_by_latents():
    axis = np.linspace(-1, 2, 5)
    found = discrete.probability_map(linear, axis)
    assert found.shape == (5, 5, 3)
    for i, j in ((0, 0), (1, 3), (4, 2)):
        expected = expit(linear(np.array([axis[i], axis[j]])))
        np.testing.assert_allclose(found[i, j], expected)
    np.testing.assert_array_equal(discrete.square(axis)[1], [-1, axis[1]])


def test_the_gap_of_logits_is_the_root_of_a_mean_square_over_the_prior():
    other = MATRIX + np.array([[0.0, 0.5, 0.0], [0.1, 0.0, 0.0]])
    found = discrete.logit_gap(linear, lambda z: z @ other, GRID)
    assert found == pytest.approx(0.5 * np.sqrt(VARIANCE[:, 0].mean()), rel=1e-9)
    assert discrete.logit_gap(linear, linear, GRID) == 0


def test_the_jacobian_is_that_of_finite_differences(pair):
    """And it has full rank, so that an exact solution is near."""
    found = discrete.exact_nearby(pair, GRID)
    centres, c, step = pair.centres, pair.coefficients, 1e-5

    def law(coefficients):
        moved = pair._replace(coefficients=coefficients)
        return discrete.law(moved, GRID)[:, 1:].ravel()

    rng, b = np.random.default_rng(0), np.exp(-((GRID.z[:, None] - centres) ** 2).sum(-1) / 5.12)
    jacobian = discrete._jacobian(pair(GRID.z), b, GRID)
    for _ in range(3):
        way = rng.standard_normal(c.shape)
        slope = (law(c + step * way) - law(c - step * way)) / (2 * step)
        np.testing.assert_allclose(jacobian @ way.T.ravel(), slope, atol=1e-8)
    assert found.rank == pair.n_constraints
    assert found.least_singular == pytest.approx(np.linalg.svd(jacobian)[1][-1])


def test_the_exact_solution_is_as_near_as_is_said(pair):
    """Coefficients that are off by more than rounding: one more step lands within the distance."""
    found = discrete.exact_nearby(pair, GRID)
    assert found.h < 0.5
    way = np.random.default_rng(1).standard_normal(pair.coefficients.shape)
    off = pair._replace(coefficients=pair.coefficients + 1e-9 * way)
    b = np.exp(-((GRID.z[:, None] - pair.centres) ** 2).sum(-1) / (2 * pair.width**2))
    residual = (discrete.law(off, GRID) - discrete.law(linear, GRID))[:, 1:].ravel()
    jacobian = discrete._jacobian(off(GRID.z), b, GRID)
    step = np.linalg.lstsq(jacobian, -residual, rcond=1e-12)[0].reshape(3, -1).T
    solved = off._replace(coefficients=off.coefficients + step)
    worst = np.abs(residual).max()
    gap = discrete.law(solved, GRID) - discrete.law(linear, GRID)
    assert np.abs(gap).max() < 1e-14 < worst
    assert np.linalg.norm(step) < found.distance * worst / discrete.ALLOWED


def test_the_pairs_posteriors_differ(pair):
    gap = discrete.posterior_means(pair, GRID) - discrete.posterior_means(linear, GRID)
    assert np.abs(gap).max() > 0.05


def test_the_pair_is_injective_and_a_fold_is_seen(pair):
    assert pair.least_stretch(GRID.z) > 0
    wild = discrete.Twin(pair.matrix, pair.centres, 20 * pair.coefficients, pair.width, 0.0, 1)
    assert wild.least_stretch(GRID.z) < 0


def test_least_stretch_is_the_smallest_slope(pair):
    z = np.random.default_rng(3).uniform(-2, 2, (20, 2))
    back, step = np.linalg.pinv(pair.matrix), 1e-6
    lowest = []
    for point in z:
        ends = [point + sign * step * e for e in np.eye(2) for sign in (1, -1)]
        images = pair(np.array(ends)) @ back
        jacobian = (images[::2] - images[1::2]) / (2 * step)
        lowest.append(np.linalg.eigvalsh((jacobian + jacobian.T) / 2)[0])
    assert pair.least_stretch(z) == pytest.approx(min(lowest), abs=1e-8)


def test_a_relaxed_observation_tells_the_pair_apart_and_a_bit_does_not(pair):
    gaps = discrete.cdf_gap(linear, pair, GRID, np.array([-3.0, 0.0, 3.0]))
    assert gaps.shape == (3, 3, 3)
    np.testing.assert_allclose(gaps[..., 1], 0, atol=1e-12)
    assert np.abs(gaps[..., [0, 2]]).max() > 1e-3


def test_steps_that_do_not_reach_the_law_are_noticed(monkeypatch):
    monkeypatch.setattr(discrete, "MAX_STEPS", 2)
    with pytest.raises(RuntimeError, match="after 2 steps the laws differ by"):
        discrete.twin(linear, -5 * MATRIX[::-1], GRID)
