"""Two models that differ, and whose noisy laws do not."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from companion.c03 import erasing_noise
from ivae.theory.equivalence import fit_equivalence
from ivae.theory.noise import squared_sinc

X = np.linspace(-12, 12, 121)
WIDE = np.linspace(-2000, 2000, 400_001)


@pytest.mark.parametrize("u", [0, 1])
@pytest.mark.parametrize("rippled", [False, True])
def test_densities_are_densities_and_positive(u, rippled):
    values = erasing_noise.density(u, WIDE, rippled)
    assert values.sum() * 0.01 == pytest.approx(1, abs=1e-9)
    assert erasing_noise.density(u, np.linspace(-30, 30, 6001), rippled).min() > 0


@pytest.mark.parametrize("u", [0, 1])
def test_noise_makes_the_two_equal(u):
    plain, rippled = (erasing_noise.noisy_density(u, X, which) for which in (False, True))
    np.testing.assert_allclose(plain, rippled, atol=1e-9)
    assert plain.max() > 0.05


def test_total_variation_is_the_largest_difference_of_a_probability():
    """Of two Gaussians moved by 2 apart it is 2 Phi(1) - 1."""
    x = np.linspace(-9, 11, 4001)
    found = erasing_noise.total_variation(x, norm.pdf(x), norm.pdf(x, 2))
    assert found == pytest.approx(2 * norm.cdf(1) - 1, abs=1e-5)
    assert erasing_noise.total_variation(x, norm.pdf(x), norm.pdf(x)) == 0


def test_without_noise_they_differ_and_are_not_equivalent():
    both = (erasing_noise.density(0, WIDE, which) for which in (False, True))
    assert erasing_noise.total_variation(WIDE, *both) > 0.1
    x = erasing_noise.draw(np.random.default_rng(0), 0, 2000, rippled=False, noisy=False)[:, 0]
    first, second = (erasing_noise.statistic(x, which)[:, None] for which in (False, True))
    assert fit_equivalence(first, second).r2[0] < 0.95


def test_wider_noise_in_frequency_does_not_erase():
    """The same two noise-free laws, told apart through noise that keeps the ripple."""
    inner = np.arange(-400, 400, 0.05)
    law = squared_sinc(4.0)
    apart = [
        sum(s * law.density(x - inner) @ erasing_noise.density(0, inner, which) * 0.05
            for s, which in ((1, True), (-1, False)))
        for x in X
    ]  # fmt: skip
    assert np.abs(apart).max() > 1e-3


@pytest.mark.parametrize(("u", "rippled"), [(0, False), (0, True), (1, False)])
def test_draws_follow_the_density(u, rippled):
    draws = erasing_noise.draw(np.random.default_rng(1), u, 4000, rippled=rippled, noisy=False)[
        :, 0
    ]
    cumulative = np.cumsum(erasing_noise.density(u, WIDE, rippled)) * 0.01
    assert kstest(draws, lambda x: np.interp(x, WIDE, cumulative)).pvalue > 1e-3


def test_noisy_draws_follow_the_noisy_density():
    draws = erasing_noise.draw(np.random.default_rng(2), 0, 4000, rippled=True, noisy=True)[:, 0]
    edges = np.linspace(-8, 8, 9)
    fine = np.linspace(-8, 8, 161)
    density = erasing_noise.noisy_density(0, fine, rippled=True)
    expected = [np.trapezoid(density[20 * i : 20 * i + 21], dx=0.1) for i in range(8)]
    found = np.histogram(draws, edges)[0] / len(draws)
    np.testing.assert_allclose(found, expected, atol=4 * np.sqrt(0.25 / len(draws)))
