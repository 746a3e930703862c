"""Eq. (8) against Monte Carlo, against torch's own divergences, and against an exact model."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from companion.c12 import discrete
from ivae import models
from ivae.families import FAMILIES
from ivae.nets import Network, Posterior
from ivae.objectives import (
    Bound,
    Decomposition,
    ImportanceWeighted,
    beta_tc_vae,
    elbo,
    kl_to_prior,
    log_aggregate,
    released_objective,
)

DOUBLE = torch.float64


def sampled_elbo(model, x, u, noise):
    """log p(x, z|u) - log q(z|x, u) at one draw z, the integrand of Eq. (8), (E, B)."""
    done = model(x, u, noise)
    log_prior = model.family.log_density(done.z, done.prior).sum(-1)
    q = torch.distributions.Normal(done.posterior.mean, (0.5 * done.posterior.log_variance).exp())
    log_likelihood = model.likelihood.log_density(x, done.decoded)
    return log_likelihood + log_prior - q.log_prob(done.z).sum(-1)


def random_case(name, seed):
    """A posterior and natural parameters, each for 6 samples of 3 latents."""
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance, prior_mean, log_prior = torch.randn(
        4, 1, 6, 3, dtype=DOUBLE, generator=generator
    )
    family = FAMILIES[name]
    variance = log_prior.exp() if family.has_variance else torch.ones_like(log_prior)
    lam = family.natural_parameters(variance, prior_mean if family.has_mean else None)
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


@pytest.mark.parametrize("name", ["gaussian-scale", "gaussian", "gaussian-location"])
def test_closed_form_kl_equals_torchs(name):
    family, posterior, lam = random_case(name, 2)
    mean, variance = family.moments(lam)
    ours = torch.distributions.Normal(posterior.mean, (0.5 * posterior.log_variance).exp())
    prior = torch.distributions.Normal(mean, variance.sqrt())
    expected = torch.distributions.kl_divergence(ours, prior).sum(-1)
    torch.testing.assert_close(kl_to_prior(posterior, family, lam), expected)


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
            n, d, 1, seeds=[0], network=Network(n_layers=1), decoder_variance=noise_variance
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
            self._write(self.model.encoder.net.first.weight[0, 0], gain.T)
            self._write(self.model.encoder.net.first.bias[0, 0, 0], -gain @ self.offset)
            self._write(self.model.encoder.net.first.bias[0, 1, 0], np.log(posterior))
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
        ({"u": torch.ones(1, 7, dtype=torch.int64)}, "u must hold labels from 0 to 0; got 1"),
        ({"noise": torch.zeros(1, 7, 2)}, r"noise must have shape \(1, 7, 3\)"),
    ],
)
def test_bad_input_is_named(change, message):
    exact = LinearGaussian()
    x, u, noise = next(exact.batch())
    with pytest.raises(ValueError, match=message):
        elbo(exact.model, **({"x": x, "u": u, "noise": noise} | change))


@pytest.mark.parametrize(("member", "label"), [(0, -1), (1, -1), (0, 4), (1, 4)])
def test_a_label_does_not_reach_into_another_members_table(member, label):
    """Row -1 of member 1 would be the last of member 0, and the bound finite."""
    model, (x, u, noise) = random_pass()
    u[member, 3] = label
    with pytest.raises(ValueError, match=f"u must hold labels from 0 to 3; got {label}"):
        elbo(model, x, u, noise)


# The decomposition, the beta family, and the importance-weighted bound.


def random_pass(n_draws=1, size=9):
    """A model with weights of its own making, a forward pass, and its batch."""
    model = models.ivae(2, 3, 4, seeds=[0, 1], network=Network(hidden=8)).double()
    generator = torch.Generator().manual_seed(3)
    draws = () if n_draws == 1 else (n_draws,)
    x = torch.randn(2, size, 3, dtype=DOUBLE, generator=generator)
    noise = torch.randn(2, size, *draws, 2, dtype=DOUBLE, generator=generator)
    u = torch.randint(0, 4, (2, size), generator=generator)
    return model, (x, u, noise)


def of_members(*rows):
    return torch.tensor(rows, dtype=DOUBLE)


@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
def test_the_parts_add_up_to_the_sampled_elbo(estimator):
    model, batch = random_pass()
    weights = of_members([1, 2, 3, 4], [5, 0, 1, 0])
    terms = Decomposition(estimator=estimator).terms(model(*batch), weights, 100)
    parts = torch.stack(terms.parts)
    torch.testing.assert_close(parts.sum(0), terms.kl)
    torch.testing.assert_close(terms.reconstruction - terms.kl, sampled_elbo(model, *batch))
    a, b, c, d = weights.T.unsqueeze(-1)
    expected = a * terms.reconstruction - b * parts[0] - c * parts[1] - d * parts[2]
    torch.testing.assert_close(terms.value, expected)


@pytest.mark.parametrize("ones", [1.0, 1.0 + 1e-9])  # The second takes the pairwise way.
def test_weights_of_one_give_the_gradient_of_the_elbo(ones):
    model, batch = random_pass()
    weights = of_members([1, 1, ones, 1], [1, 1, ones, 1])
    value = Decomposition().terms(model(*batch), weights, 100).value.sum()
    ours = torch.autograd.grad(value, list(model.parameters()))
    exact = torch.autograd.grad(sampled_elbo(model, *batch).sum(), list(model.parameters()))
    for a, b in zip(ours, exact, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_pairs_are_computed_only_for_members_that_need_them(monkeypatch):
    seen = []

    def spy(z, posterior, n_data, estimator):
        seen.append(len(z))
        return log_aggregate(z, posterior, n_data, estimator)

    monkeypatch.setattr("ivae.objectives.log_aggregate", spy)
    model, batch = random_pass()
    for weights, members in [
        (of_members([1, 1, 1, 1], [500, 5, 5, 5]), []),
        (of_members([1, 1, 1, 1], [100, 1, 0, 10]), [1]),
        (of_members([1, 1, 2, 2], [100, 1, 1, 10]), [2]),
    ]:
        seen.clear()
        terms = Decomposition().terms(model(*batch), weights, 100)
        assert seen == members
        for e, row in enumerate(weights):
            needed = bool((row[1:] != row[1]).any())
            assert all(bool(part[e].isnan().all()) != needed for part in terms.parts)
            assert bool(terms.value[e].isfinite().all())


def test_a_member_does_not_depend_on_the_weights_of_another():
    model, batch = random_pass()
    both = Decomposition().terms(model(*batch), of_members([100, 1, 0, 10], [1, 1, 1, 1]), 50)
    alone = Decomposition().terms(model(*batch), of_members([100, 1, 0, 10], [3, 1, 4, 1]), 50)
    torch.testing.assert_close(both.value[0], alone.value[0], rtol=0, atol=0)


def test_beta_weighs_the_kl_term():
    model, batch = random_pass()
    exact = elbo(model, *batch)
    terms = Bound().terms(model(*batch), of_members([1], [7]), 100)
    torch.testing.assert_close(terms.value[0], exact.value[0])
    torch.testing.assert_close(terms.value[1], (exact.reconstruction - 7 * exact.kl)[1])


def test_named_objectives_have_the_weights_of_their_papers():
    assert beta_tc_vae(15.0).weights == (1.0, 1.0, 15.0, 1.0)
    assert beta_tc_vae(3.0, alpha=2.0, gamma=4.0).weights == (1.0, 2.0, 3.0, 4.0)
    assert released_objective().weights == (100.0, 1.0, 0.0, 10.0)


def test_one_importance_weighted_draw_is_the_sampled_elbo():
    model, batch = random_pass()
    terms = ImportanceWeighted(1).terms(model(*batch), of_members([], []), 100)
    torch.testing.assert_close(terms.value, sampled_elbo(model, *batch))


def test_importance_weighting_approaches_the_log_likelihood_from_below():
    exact = LinearGaussian()
    with torch.no_grad():  # A posterior that is off, else one draw is exact already.
        exact.model.encoder.net.first.bias += 0.3
    means = []
    for n_draws in (1, 8, 512):
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(1, 7, n_draws, 3, dtype=DOUBLE, generator=generator)
        x, u, _ = next(exact.batch())
        means.append([])
        for _ in range(200 // n_draws + 8):
            noise = torch.randn(1, 7, n_draws, 3, dtype=DOUBLE, generator=generator)
            done = exact.model(x, u, noise)
            value = ImportanceWeighted(n_draws).terms(done, torch.zeros(1, 0), 100).value
            means[-1].append(float(value.detach().mean()))
    one, eight, many = map(np.mean, means)
    truth = exact.evidence.logpdf(exact.x).mean()
    assert one < eight < many
    assert many == pytest.approx(truth, abs=0.02)
    assert one < truth - 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bound(-1.0), r"beta must be a number >= 0, a sequence .*; got -1.0"),
        (lambda: Bound([1.0, np.nan]), r"beta must be a number >= 0"),
        (lambda: Decomposition(total_correlation="much"), r"weight c must be a number >= 0"),
        (lambda: Decomposition(estimator="exact"), "estimator must be one of weighted, stratified"),
        (lambda: ImportanceWeighted(0), "n_draws must be a whole number >= 1; got 0"),
    ],
)
def test_bad_objectives_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("decoder_layers", [1, None])
def test_the_bounds_on_bits_are_below_their_exact_log_likelihood(decoder_layers):
    network = Network(hidden=6, decoder_layers=decoder_layers)
    model = models.ivae(2, 3, 2, seeds=[0], network=network, likelihood="bernoulli").double()
    variance = model.prior_moments()[1][0].numpy()

    def decode(z):
        with torch.no_grad():
            return model.decode(torch.as_tensor(z)[None])[0].numpy()

    exact = np.log(discrete.law(decode, discrete.latent_grid(variance, 201)))
    generator, n_draws = torch.Generator().manual_seed(0), 4000
    for segment, k in itertools.product((0, 1), range(8)):
        x = torch.as_tensor(discrete.states(3)[k]).expand(1, n_draws, 3)
        u = torch.full((1, n_draws), segment)
        noise = torch.randn(1, n_draws, 2, dtype=DOUBLE, generator=generator)
        with torch.no_grad():
            bound = elbo(model, x, u, noise).value
            error = 5 * float(bound.std()) / n_draws**0.5
            assert float(bound.mean()) < exact[segment, k] + error
            many = ImportanceWeighted(n_draws)
            done = model(x[:, :1], u[:, :1], noise[None])
            tight = float(many.terms(done, torch.empty(1, 0), n_draws).value)
        # Importance sampling with 4,000 draws estimates log p(x|u) itself.
        assert tight == pytest.approx(exact[segment, k], abs=0.05)
        assert float(bound.mean()) < tight - 0.01


# Estimates of q(z) from a minibatch, against all minibatches there are.

N_DATA = 5


def five_posteriors():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance, noise = torch.randn(3, N_DATA, 2, dtype=DOUBLE, generator=generator)
    return mean, log_variance, Posterior(mean, log_variance).sample(noise)


def densities(mean, log_variance, point):
    """q(z_i|x_j) of one point under every posterior, (N, n)."""
    return torch.distributions.Normal(mean, (0.5 * log_variance).exp()).log_prob(point).exp()


def estimates(size, estimator):
    """The mean over all ordered minibatches that start with sample 0 of the estimates at z_0.

    Of the joint density, and of the marginal density of the first latent; not of logarithms.
    """
    mean, log_variance, z = five_posteriors()
    joint, marginal = [], []
    for others in itertools.permutations(range(1, N_DATA), size - 1):
        rows = [0, *others]
        posterior = Posterior(mean[rows][None], log_variance[rows][None])
        joint.append(log_aggregate(z[rows][None], posterior, N_DATA, estimator)[0][0, 0].exp())
        first = Posterior(posterior.mean[..., :1], posterior.log_variance[..., :1])
        draws = z[rows][None, :, :1]
        marginal.append(log_aggregate(draws, first, N_DATA, estimator)[1][0, 0].exp())
    return torch.stack(joint).mean(), torch.stack(marginal).mean()


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_stratified_estimate_is_unbiased(size):
    mean, log_variance, z = five_posteriors()
    each = densities(mean, log_variance, z[0])
    joint, marginal = estimates(size, "stratified")
    torch.testing.assert_close(joint, each.prod(-1).mean())
    torch.testing.assert_close(marginal, each[:, 0].mean())


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_weighted_estimate_has_the_mean_that_its_formula_says(size):
    mean, log_variance, z = five_posteriors()
    each = densities(mean, log_variance, z[0]).prod(-1)
    others = (size - 1) / (N_DATA - 1) * each[1:].sum()
    joint, _ = estimates(size, "weighted")
    torch.testing.assert_close(joint, (each[0] + others) / (size * N_DATA))


def test_over_the_whole_data_the_weighted_estimate_is_exact_up_to_the_log_of_n():
    mean, log_variance, z = five_posteriors()
    posterior = Posterior(mean[None], log_variance[None])
    joint, marginals = log_aggregate(z[None], posterior, N_DATA, "weighted")
    each = torch.stack([densities(mean, log_variance, point) for point in z])  # (N, N, n)
    expected = each.prod(-1).mean(1).log() - math.log(N_DATA)
    torch.testing.assert_close(joint[0], expected)
    expected = (each.mean(1).log() - math.log(N_DATA)).sum(-1)
    torch.testing.assert_close(marginals[0], expected)


@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
def test_a_minibatch_of_one_sample_is_no_error(estimator):
    mean, log_variance, z = five_posteriors()
    posterior = Posterior(mean[None, :1], log_variance[None, :1])
    joint, marginals = log_aggregate(z[None, :1], posterior, N_DATA, estimator)
    log_q = densities(mean, log_variance, z[0])[0].log()
    torch.testing.assert_close(joint[0, 0], log_q.sum() - math.log(N_DATA))
    torch.testing.assert_close(marginals[0, 0], log_q.sum() - 2 * math.log(N_DATA))


def test_far_apart_posteriors_neither_overflow_nor_vanish():
    mean = torch.tensor([[[0.0, 0.0], [1e4, -1e4]]])
    log_variance = torch.full((1, 2, 2), -20.0)
    values = log_aggregate(mean, Posterior(mean, log_variance), 100, "stratified")
    assert all(bool(value.isfinite().all()) for value in values)
