"""Other latents with the same law: the law is kept, the maps invert, wrong ones are found out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ndtr, ndtri

from companion import two_sample
from companion.c01.constructions import (
    BandAndDisc,
    Darmois,
    MarginalsAlone,
    another_latent,
    log_density_ratio,
    rotate_through_gaussian,
    turn,
)
from ivae import metrics

from ..repeated_tests import rejections

BAND = BandAndDisc()
G = Darmois(BAND.density, BAND.box)
H = MarginalsAlone(BAND.density, BAND.box)
MARGINALS = {
    "uniform": stats.uniform(-1, 2),
    "laplace": stats.laplace(),
    "exponential": stats.expon(scale=2),
    "gamma": stats.gamma(2.5),
    "logistic": stats.logistic(1, 3),
}
two_marginals = st.tuples(*2 * (st.sampled_from(sorted(MARGINALS)),))
angles = st.floats(-180, 180)


def draws(names, size, seed):
    rng = np.random.default_rng(seed)
    return np.stack([MARGINALS[name].rvs(size, random_state=rng) for name in names], 1)


def independent(rows, seed=0):
    """Whether components are independent, by the energy test against shuffled ones: a p-value."""
    half = len(rows) // 2
    rng = np.random.default_rng(seed)
    shuffled = np.stack([rng.permutation(column) for column in rows[half:].T], 1)
    return two_sample.energy_test(rows[:half], shuffled, 199, seed).p_value


@given(degrees=angles, other=angles)
def test_turns_are_rotations_that_add_up(degrees, other):
    np.testing.assert_allclose(turn(degrees) @ turn(degrees).T, np.eye(2), atol=1e-15)
    np.testing.assert_allclose(turn(degrees) @ turn(other), turn(degrees + other), atol=1e-14)
    np.testing.assert_allclose(turn(90) @ [1, 0], [0, 1], atol=1e-15)


@given(names=two_marginals, degrees=angles, seed=st.integers(0, 1000))
def test_the_transposed_rotation_goes_back(names, degrees, seed):
    z, marginals = draws(names, 50, seed), [MARGINALS[name] for name in names]
    other = rotate_through_gaussian(z, marginals, turn(degrees))
    back = rotate_through_gaussian(other, marginals, turn(degrees).T)
    np.testing.assert_allclose(back, z, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("names", [("uniform", "laplace"), ("gamma", "exponential")])
@pytest.mark.parametrize("degrees", [30, 45, 200])
def test_the_law_of_a_factorial_prior_is_kept(names, degrees):
    z, marginals = draws(names, 1500, 1), [MARGINALS[name] for name in names]
    other = rotate_through_gaussian(z, marginals, turn(degrees))
    for column, marginal in zip(other.T, marginals, strict=True):
        assert stats.kstest(column, marginal.cdf).pvalue > 0.01
    assert independent(other) > 0.01
    assert metrics.mcc(z, other) < 0.95


def test_the_density_of_a_factorial_prior_is_kept():
    """log p(z') + log |det J| = log p(z), with a Jacobian by differences."""
    names = ("laplace", "gamma")
    z, marginals = draws(names, 200, 2), [MARGINALS[name] for name in names]
    z = z[(np.abs(z[:, 0]) > 0.01) & (z[:, 1] > 0.01)]  # Kinks have no derivative.

    def through(rows):
        return rotate_through_gaussian(rows, marginals, turn(35))

    def density(rows):
        return marginals[0].pdf(rows[:, 0]) * marginals[1].pdf(rows[:, 1])

    smooth = np.abs(through(z)[:, 0]) > 0.01
    ratio = log_density_ratio(density, through, z, step=1e-5)
    np.testing.assert_allclose(ratio[smooth], 0, atol=1e-6)
    wrong = log_density_ratio(density, lambda rows: rows @ turn(-5).T, z[z[:, 0] > 0])
    assert np.median(np.abs(wrong)) > 0.01


def test_the_cdf_is_what_keeps_the_law_of_a_uniform_latent():
    """The wrong construction, a rotation without it, leaves the support and is found."""
    plain = draws(("uniform", "uniform"), 3000, 3) @ turn(45).T
    assert stats.kstest(plain[:, 0], MARGINALS["uniform"].cdf).pvalue < 1e-3
    assert np.abs(plain).max() > 1.1


@given(degrees=angles, seed=st.integers(0, 1000))
def test_for_gaussians_it_is_the_rotation_itself(degrees, seed):
    rng = np.random.default_rng(seed)
    mean, scale = rng.uniform(-2, 2, 3), rng.uniform(0.5, 2, 3)
    rotation = metrics.random_rotations(3, 1, seed)[0]
    z = mean + scale * rng.standard_normal((20, 3))
    marginals = [stats.norm(*pair) for pair in zip(mean, scale, strict=True)]
    expected = mean + scale * (((z - mean) / scale) @ rotation.T)
    found = rotate_through_gaussian(z, marginals, rotation)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_either_tail_keeps_its_precision():
    """1 - F(40) is 0 in double precision where F is that of a Laplace variable."""
    tails = np.array([[-600.0, 1e-250], [-40, 1e-12], [40, 50.0], [600, 300]])
    found = rotate_through_gaussian(tails, [stats.laplace(), stats.expon()], np.eye(2))
    np.testing.assert_allclose(found, tails, rtol=1e-11)


def test_darmois_is_the_conditional_cdf_of_a_mixture():
    """Given z_1 the example's z_2 is a mixture of two Gaussians whose weights are known."""
    z = BAND.sample(2000, np.random.default_rng(4))
    first, second = z.T
    cdf = (2 * ndtr(first / 1.2) + ndtr(first / 0.5)) / 3
    band, disc = 2 * stats.norm(0, 1.2).pdf(first), stats.norm(0, 0.5).pdf(first)
    in_band, in_disc = (
        ndtr((second - np.sqrt(1 + 3 * first**2) + 2) / 0.4),
        ndtr((second - 2) / 0.5),
    )
    given_first = (band * in_band + disc * in_disc) / (band + disc)
    expected = ndtri(np.stack((cdf, given_first), 1))
    np.testing.assert_allclose(G.forward(z), expected, atol=1e-8)


@given(rho=st.floats(-0.9, 0.9), scale=st.floats(0.5, 2))
@settings(max_examples=10)
def test_darmois_of_a_gaussian_is_linear(rho, scale):
    """The Gram-Schmidt of distributions is then Gram-Schmidt: the inverse of Cholesky's factor."""
    covariance = np.array([[1.0, rho * scale], [rho * scale, scale**2]])
    law = stats.multivariate_normal(cov=covariance)
    g = Darmois(law.pdf, ((-8, 8), (-9 * scale, 9 * scale)))
    z = law.rvs(50, random_state=0)
    expected = np.linalg.solve(np.linalg.cholesky(covariance), z.T).T
    np.testing.assert_allclose(g.forward(z), expected, atol=1e-7)
    np.testing.assert_allclose(g.inverse(expected), z, atol=1e-7)


@pytest.mark.parametrize("g", [G, H], ids=["Darmois", "marginals alone"])
@given(seed=st.integers(0, 1000))
@settings(max_examples=15)
def test_the_inverse_undoes_the_map_in_both_orders(g, seed):
    rng = np.random.default_rng(seed)
    z, y = BAND.sample(200, rng), rng.standard_normal((200, 2))
    np.testing.assert_allclose(g.inverse(g.forward(z)), z, atol=1e-9)
    np.testing.assert_allclose(g.forward(g.inverse(y)), y, atol=1e-9)


def test_far_points_are_resolved_and_farther_ones_refused():
    y = np.array([[-7.4, 7.4], [7.4, -7.4], [0.0, 7.4]])
    np.testing.assert_allclose(G.forward(G.inverse(y)), y, atol=1e-6)
    for bad in ([[0.0, 8.0]], [[-8.0, 0.0]]):
        with pytest.raises(ValueError, match=r"resolved to 7\.5 deviations; got 8"):
            G.inverse(np.array(bad))
    for bad in ([[20.0, 0.0]], [[0.0, -6.0]]):
        with pytest.raises(ValueError, match="z goes beyond"):
            G.forward(np.array(bad))


def test_darmois_gives_independent_gaussians_and_the_wrong_map_does_not():
    z = BAND.sample(3000, np.random.default_rng(5))
    for g, low, high in ((G, 0.01, 1), (H, 0, 1e-9)):
        y = g.forward(z)
        for column in y.T:
            assert stats.kstest(column, "norm").pvalue > 0.01
        # What ties the example's components, z_2 grows with |z_1|, is what h leaves.
        assert low <= stats.spearmanr(np.abs(y[:, 0]), y[:, 1]).pvalue <= high
    assert independent(G.forward(z)) > 0.01


def test_the_first_component_is_a_monotone_map_of_z_1():
    z = BAND.sample(500, np.random.default_rng(6))
    assert metrics.mcc(z[:, :1], G.forward(z)[:, :1], "spearman") == pytest.approx(1.0)


@given(degrees=angles, seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_another_latent_has_the_same_density(degrees, seed):
    z = BAND.sample(100, np.random.default_rng(seed))

    def through(rows):
        return another_latent(G, rows, turn(degrees))

    np.testing.assert_allclose(log_density_ratio(BAND.density, through, z), 0, atol=1e-4)


def test_the_wrong_construction_has_another_density():
    z = BAND.sample(300, np.random.default_rng(7))

    def through(rows):
        return another_latent(H, rows, turn(45))

    assert np.median(np.abs(log_density_ratio(BAND.density, through, z))) > 0.3


@pytest.mark.parametrize(("g", "low", "high"), [(G, 0, 8), (H, 35, 40)], ids=["right", "wrong"])
def test_the_two_sample_test_finds_the_wrong_construction_alone(g, low, high):
    """Of 40 tests at 5 % two are expected; more than 8 have a probability of 1e-4."""

    def draw_pair(rng):
        z, fresh = BAND.sample(700, rng), BAND.sample(700, rng)
        return another_latent(g, z, turn(45)), fresh

    assert low <= rejections(draw_pair, 40, n_permutations=99, seed=8).count <= high


def test_for_a_factorial_density_all_constructions_agree():
    """Then the conditional cdf is the marginal one, and F.2 is F.1."""
    marginals = [stats.gumbel_r(), stats.logistic(0, 0.5)]

    def density(z):
        return marginals[0].pdf(z[:, 0]) * marginals[1].pdf(z[:, 1])

    box = ((-5, 40), (-25, 25))
    z = np.stack([one.rvs(100, random_state=9) for one in marginals], 1)
    expected = rotate_through_gaussian(z, marginals, turn(60))
    for g in (Darmois(density, box, n_panels=80), MarginalsAlone(density, box, n_panels=80)):
        np.testing.assert_allclose(another_latent(g, z, turn(60)), expected, atol=1e-6)


def test_the_density_of_known_maps_is_known():
    """exp of a Gaussian is log-normal; a linear map's image has A A' for covariance."""
    rng = np.random.default_rng(10)
    z, normal = rng.standard_normal((20, 2)), stats.multivariate_normal(np.zeros(2))
    ratio = log_density_ratio(normal.pdf, np.exp, z)
    log_normal = stats.lognorm(1).logpdf(np.exp(z)).sum(1)
    np.testing.assert_allclose(ratio, log_normal - normal.logpdf(np.exp(z)), atol=1e-9)
    matrix = np.array([[2.0, 1], [0, -3]])
    ratio = log_density_ratio(normal.pdf, lambda rows: rows @ matrix.T, z)
    image, found = stats.multivariate_normal(cov=matrix @ matrix.T), z @ matrix.T
    np.testing.assert_allclose(ratio, image.logpdf(found) - normal.logpdf(found), atol=1e-9)


@pytest.mark.parametrize("kind", [Darmois, MarginalsAlone])
def test_a_density_that_the_box_cuts_is_noticed(kind):
    with pytest.raises(ValueError, match=r"density integrates to 0\.7\d+; widen the box"):
        kind(BAND.density, ((-1, 1), (-5, 18)))


def test_too_few_panels_are_noticed():
    with pytest.raises(ValueError, match="refine it"):
        Darmois(BAND.density, BAND.box, n_panels=4)
