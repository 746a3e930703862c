"""Eq. (8) against Monte Carlo, against torch's own divergences, and against an exact model."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from ivae import models
from ivae.families import FAMILIES
from ivae.models import Network, Posterior
from ivae.objectives import elbo, gaussian_log_density, kl_to_prior, sampled_elbo

DOUBLE = torch.float64


def random_case(name, seed):
    """A posterior and natural parameters, each for 6 samples of 3 latents."""
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance, prior_mean, log_prior = torch.randn(
        4, 1, 6, 3, dtype=DOUBLE, generator=generator
    )
    family = FAMILIES[name]
    lam = family.natural_parameters(log_prior.exp(), prior_mean if family.has_mean else None)
    return family, Posterior(mean, log_variance), lam


@pytest.mark.parametrize("name", list(FAMILIES))
def test_closed_form_kl_equals_monte_carlo(name):
    family, posterior, lam = random_case(name, 0)
    n_draws = 200_000
    noise = torch.randn(n_draws, 6, 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))
    z = posterior.sample(noise)
    log_q = torch.distributions.Normal(posterior.mean, (0.5 * posterior.log_variance).exp())
    terms = (log_q.log_prob(z) - family.log_density(z, lam)).sum(-1)
    error = terms.std(0) / n_draws**0.5
    # 6 comparisons a family: 5 standard errors are left by chance once in 300,000.
    assert ((terms.mean(0) - kl_to_prior(posterior, family, lam)[0]).abs() < 5 * error).all()


@pytest.mark.parametrize("name", ["gaussian-scale", "gaussian"])
def test_closed_form_kl_equals_torchs(name):
    family, posterior, lam = random_case(name, 2)
    mean, variance = family.moments(lam)
    ours = torch.distributions.Normal(posterior.mean, (0.5 * posterior.log_variance).exp())
    prior = torch.distributions.Normal(mean, variance.sqrt())
    expected = torch.distributions.kl_divergence(ours, prior).sum(-1)
    torch.testing.assert_close(kl_to_prior(posterior, family, lam), expected)


def test_gaussian_log_density_is_scipys():
    rng = np.random.default_rng(3)
    x, mean = rng.standard_normal((2, 4, 3))
    pairs = zip(x, mean, strict=True)
    expected = [multivariate_normal(m, 0.3 * np.eye(3)).logpdf(row) for row, m in pairs]
    ours = gaussian_log_density(torch.as_tensor(x), torch.as_tensor(mean), 0.3)
    np.testing.assert_allclose(ours, expected)


def test_the_elbo_is_the_mean_of_its_integrand():
    model = models.ivae(2, 3, 4, seeds=[0], n_components=2, network=Network(hidden=8)).double()
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(1, 1, 3, dtype=DOUBLE, generator=generator).expand(-1, 100_000, -1)
    u = torch.ones(1, 100_000, dtype=torch.int64)
    noise = torch.randn(1, 100_000, 2, dtype=DOUBLE, generator=generator)
    with torch.no_grad():
        difference = elbo(model, x, u, noise).value - sampled_elbo(model, x, u, noise)
    assert abs(difference.mean()) < 5 * difference.std() / 100_000**0.5


class LinearGaussian:
    """x = F z + c + e with orthogonal columns of F: its posterior is diagonal and known.

    p(x) = N(c, F diag(v) F' + s I), p(z|x) = N(S F' (x - c) / s, S), S = (1/v + |F_i|^2 / s)^-1.
    The model's networks have one layer, so all of this can be written into their weights.
    """

    def __init__(self, n=3, d=5, noise_variance=0.2, seed=0):
        rng = np.random.default_rng(seed)
        frame, _ = np.linalg.qr(rng.standard_normal((d, n)))
        self.f = frame * rng.uniform(0.5, 2, n)
        self.offset, self.variance = rng.standard_normal(d), rng.uniform(0.5, 3, n)
        self.model = models.ivae(
            *(n, d, 1),
            seeds=[0],
            network=Network(n_layers=1),
            decoder_variance=noise_variance,
        ).double()
        covariance = self.f @ np.diag(self.variance) @ self.f.T + noise_variance * np.eye(d)
        self.evidence = multivariate_normal(self.offset, covariance)
        self.x = self.evidence.rvs(7, random_state=rng)
        posterior = 1 / (1 / self.variance + (self.f**2).sum(0) / noise_variance)
        gain = (self.f * posterior / noise_variance).T
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.zero_()
            self._write(self.model.decoder.first.weight[0], self.f.T)
            self._write(self.model.decoder.first.bias[0, 0], self.offset)
            self._write(self.model.encoder.first.weight[0, 0], gain.T)
            self._write(self.model.encoder.first.bias[0, 0, 0], -gain @ self.offset)
            self._write(self.model.encoder.first.bias[0, 1, 0], np.log(posterior))
            self._write(self.model.prior_net.first.rows[0, 0, 0], np.log(self.variance))

    @staticmethod
    def _write(parameter, value):
        parameter.copy_(torch.as_tensor(value))

    def batch(self):
        """The observations beside every noise vector of signs, (2^n, N, ...).

        Signs have the first two moments of a standard normal, and with a linear decoder the ELBO
        is quadratic in the noise: their mean is the exact expectation.
        """
        signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=3)), dtype=DOUBLE)
        for sign in signs:
            x = torch.as_tensor(self.x)[None]
            yield x, torch.zeros(1, 7, dtype=torch.int64), sign.expand(1, 7, 3)

    def exact_elbo(self):
        with torch.no_grad():
            values = [elbo(self.model, *batch).value[0] for batch in self.batch()]
        return torch.stack(values).mean(0).numpy()


def test_linear_gaussian_elbo_at_the_exact_posterior_is_the_log_likelihood():
    exact = LinearGaussian()
    np.testing.assert_allclose(exact.exact_elbo(), exact.evidence.logpdf(exact.x), rtol=1e-10)


def test_linear_gaussian_integrand_at_the_exact_posterior_is_constant():
    exact = LinearGaussian()
    noise = torch.randn(1, 7, 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(5))
    x, u, _ = next(exact.batch())
    values = sampled_elbo(exact.model, x, u, noise)[0].detach()
    np.testing.assert_allclose(values, exact.evidence.logpdf(exact.x), rtol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_linear_gaussian_elbo_is_below_the_log_likelihood_elsewhere(seed):
    exact = LinearGaussian(seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in exact.model.encoder.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, dtype=DOUBLE, generator=generator)
    assert (exact.exact_elbo() < exact.evidence.logpdf(exact.x)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(1, 7, 4)}, r"x must have shape \(1, B, 5\); got \(1, 7, 4\)"),
        ({"x": torch.zeros(7, 5)}, r"x must have shape \(1, B, 5\); got \(7, 5\)"),
        ({"u": torch.zeros(1, 6, dtype=torch.int64)}, r"u must have shape \(1, 7\); got \(1, 6\)"),
        ({"u": torch.zeros(1, 7)}, "u must hold segment labels of dtype int64; got torch.float32"),
        ({"u": torch.ones(1, 7, dtype=torch.int64)}, "u must hold labels below 1; got 1"),
        ({"noise": torch.zeros(1, 7, 2)}, r"noise must have shape \(1, 7, 3\)"),
    ],
)
def test_bad_input_is_named(change, message):
    exact = LinearGaussian()
    x, u, noise = next(exact.batch())
    with pytest.raises(ValueError, match=message):
        elbo(exact.model, **({"x": x, "u": u, "noise": noise} | change))
