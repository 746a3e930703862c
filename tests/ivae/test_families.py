"""Every family is checked against scipy's densities, quadrature and its own identities."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from ivae.families import FAMILIES, family_named

variances = st.floats(0.05, 20.0)
means = st.floats(-5.0, 5.0)
every_family = pytest.mark.parametrize("name", list(FAMILIES))


def member(name, variance, mean):
    """The family, its lambda of shape (1, k), and scipy's distribution of the same moments."""
    family = FAMILIES[name]
    variance = variance if family.has_variance else 1.0
    location = torch.tensor([mean if family.has_mean else 0.0], dtype=torch.float64)
    lam = family.natural_parameters(torch.tensor([variance], dtype=torch.float64), location)
    if name == "laplace":
        return family, lam, stats.laplace(0.0, np.sqrt(variance / 2))
    return family, lam, stats.norm(float(location), np.sqrt(variance))


@every_family
@given(variance=variances, mean=means)
def test_log_density_is_scipys(name, variance, mean):
    family, lam, reference = member(name, variance, mean)
    z = torch.linspace(-6, 6, 25, dtype=torch.float64)
    ours = family.log_density(z[:, None], lam.expand(25, 1, -1))[:, 0]
    np.testing.assert_allclose(ours, reference.logpdf(z.numpy()), rtol=1e-9, atol=1e-9)


@every_family
@given(variance=variances, mean=means)
def test_moments_undo_natural_parameters(name, variance, mean):
    family, lam, reference = member(name, variance, mean)
    got_mean, got_variance = family.moments(lam)
    assert float(got_variance) == pytest.approx(reference.var(), rel=1e-9)
    assert float(got_mean) == pytest.approx(reference.mean(), rel=1e-9, abs=1e-9)


@every_family
@given(variance=variances, mean=means)
def test_gradient_of_log_normalizer_is_the_mean_of_the_statistics(name, variance, mean):
    family, lam, reference = member(name, variance, mean)
    lam.requires_grad_(True)
    (gradient,) = torch.autograd.grad(family.log_normalizer(lam).sum(), lam)
    square = reference.var() + reference.mean() ** 2
    expected = {
        "gaussian-scale": [square],
        "gaussian": [square, reference.mean()],
        "gaussian-location": [reference.mean()],
        "laplace": [reference.std() / np.sqrt(2)],
    }[name]
    np.testing.assert_allclose(gradient[0], expected, rtol=1e-7, atol=1e-9)


@every_family
@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (1.5, 0.3), (-2.0, 4.0), (0.1, 1e-3)])
def test_expected_statistics_are_integrals_under_a_gaussian(name, mean, variance):
    family = FAMILIES[name]
    normal = stats.norm(mean, np.sqrt(variance))
    got = family.expected_statistics(
        torch.tensor([mean], dtype=torch.float64), torch.tensor([variance], dtype=torch.float64)
    )[0]
    for j in range(family.k):

        def integrand(z, j=j):
            statistic = family.statistics(torch.tensor([z], dtype=torch.float64))[0, j]
            return float(statistic) * normal.pdf(z)

        width = 12 * np.sqrt(variance)
        area, _ = integrate.quad(integrand, mean - width, mean + width, points=[0.0], limit=200)
        assert float(got[j]) == pytest.approx(area, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (1.5, 0.3)])
def test_expected_base_measure_is_an_integral_under_a_gaussian(mean, variance):
    family, normal = FAMILIES["gaussian-location"], stats.norm(mean, np.sqrt(variance))
    moments = (torch.tensor([value], dtype=torch.float64) for value in (mean, variance))
    area = normal.expect(lambda z: float(family.log_base_measure(torch.tensor(z))))
    assert float(family.expected_log_base_measure(*moments)) == pytest.approx(area)


def test_a_family_without_variance_refuses_one():
    with pytest.raises(ValueError, match="variance must be 1 for the gaussian-location family"):
        FAMILIES["gaussian-location"].natural_parameters(torch.tensor([2.0]))


@every_family
def test_samples_follow_the_density(name):
    family, lam, reference = member(name, 2.0, 1.3)
    draws = family.sample(lam.expand(20_000, 1, -1), torch.Generator().manual_seed(0))
    assert stats.kstest(draws[:, 0].numpy(), reference.cdf).pvalue > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_draw_is_at_infinity(dtype, monkeypatch):
    """A uniform draw of exactly 0, once in 2^24 of float32's, once gave -inf."""
    lam = torch.full((3, 1), -1.0, dtype=dtype)  # A scale of 1.
    ends = torch.tensor([0, 0.5, 1 - torch.finfo(dtype).eps / 2], dtype=dtype)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: ends)
    low, middle, high = FAMILIES["laplace"].sample(lam).tolist()
    assert np.isfinite(low)
    assert low < -15
    assert middle == 0
    assert 15 < high < np.inf


@pytest.mark.parametrize("name", ["gaussian-scale", "laplace"])
def test_a_family_without_location_refuses_a_mean(name):
    one = torch.ones(3)
    with pytest.raises(ValueError, match=f"mean must be 0 .* {name} family"):
        FAMILIES[name].natural_parameters(one, one)


def test_an_unknown_family_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="family must be one of gaussian-scale, gaussian, "):
        family_named("cauchy")
