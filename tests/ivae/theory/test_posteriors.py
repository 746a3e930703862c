"""Fitted posteriors and importance sampling against the linear-Gaussian case and quadrature."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from companion.c01.posterior_grid import grid_posterior
from ivae import data, models
from ivae.mixing import Mixing
from ivae.objectives import elbo
from ivae.theory import exact, linear, posteriors


def linear_case(mixing_seed, n=3, d=4):
    """A dataset with a linear f that is not orthogonal, and its exact model."""
    rng = np.random.default_rng(mixing_seed)
    made = data.generate("linear", mixing_seed, n, d, 6, 20)
    matrix = rng.standard_normal((n, d))
    x = made.z @ matrix + 0.1 * rng.standard_normal(made.x.shape)
    changed = replace(made, x=x, mixing=Mixing((matrix,)))
    return changed, linear.LinearModel(matrix, made.variance, 0.01)


def exact_posterior(model, x, u):
    """p(z|x, u): means (N, n), and a covariance (N, n, n) for each."""
    of_prior = np.stack([np.diag(1 / v) for v in model.variance])
    precision = of_prior + model.matrix @ model.matrix.T / model.noise_variance
    covariance = np.linalg.inv(precision)[u]
    mean = np.einsum("nd,id,nij->nj", x, model.matrix, covariance) / model.noise_variance
    return mean, covariance


@pytest.fixture(scope="module")
def measured():
    made, model = linear_case(0)
    rows = np.arange(0, len(made.x), 3)
    gap = posteriors.measure_gap(posteriors.problem_of_dataset(made, rows), n_draws=4000)
    return made.x[rows], made.u[rows], model, gap


def test_the_likelihood_is_exact_in_the_linear_case(measured):
    x, u, model, gap = measured
    np.testing.assert_allclose(gap.log_likelihood, model.log_likelihood(x, u), atol=0.06)
    assert gap.effective.min() > 0.5


def test_a_full_gaussian_has_no_gap_in_the_linear_case(measured):
    x, u, model, gap = measured
    np.testing.assert_allclose(gap.full, model.log_likelihood(x, u), atol=0.05)


def test_a_diagonal_gaussian_misses_what_the_formula_says(measured):
    x, u, model, gap = measured
    jacobian = np.broadcast_to(model.matrix, (len(u), *model.matrix.shape))
    predicted = exact.mean_field_gap(jacobian, 0.01, prior_variance=model.variance[u])
    found = model.log_likelihood(x, u).mean() - gap.mean_field.mean()
    assert found == pytest.approx(predicted, abs=0.02)
    assert predicted > 0.1


@pytest.mark.slow
def test_the_likelihood_is_that_of_quadrature_with_a_curved_decoder():
    """Prior N(0, I): variance 1 in a single segment."""
    made = data.generate("orthogonal", 3, 2, 2, 1, 40)
    made = replace(made, variance=np.ones((1, 2)))
    gap = posteriors.measure_gap(posteriors.problem_of_dataset(made, np.arange(40)))
    grid = grid_posterior(lambda z: made.mixing(z), made.x, 0.01)
    np.testing.assert_allclose(gap.log_likelihood, grid.log_evidence, atol=0.15)
    assert gap.log_likelihood.mean() == pytest.approx(grid.log_evidence.mean(), abs=0.03)
    # No bound lies above the truth, and more freedom does not lower one; up to Monte Carlo error.
    assert (gap.full < grid.log_evidence + 0.05).all()
    assert gap.mean_field.mean() <= gap.full.mean() + 0.01


def test_a_models_problem_is_the_models_elbo():
    model = models.ivae(2, 3, 4, seeds=[0, 1])
    rng = np.random.default_rng(0)
    x, u = rng.standard_normal((5, 3)), np.arange(5) % 4
    problem = posteriors.problem_of_model(model, 1, x, u)
    part = model.of([1]).double()
    rows, labels = part.check_data(x, u)
    noise = torch.randn(1, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    encoded = part.encode(rows, labels)
    z = encoded.sample(noise)
    joint = problem.log_joint(z[0].unsqueeze(1))[:, 0]
    terms = elbo(part, rows, labels, noise)
    log_prior = part.family.log_density(z, part.prior(labels)).sum(-1)
    np.testing.assert_allclose(
        joint.detach(), (terms.reconstruction + log_prior)[0].detach(), rtol=1e-10
    )
    np.testing.assert_allclose(problem.mean, encoded.mean[0].detach())


def test_log_density_is_scipys():
    rng = np.random.default_rng(1)
    factor = np.tril(rng.standard_normal((1, 3, 3))) + 2 * np.eye(3)
    q = posteriors.Posteriors(torch.zeros(1, 3).double() + 1, torch.as_tensor(factor))
    noise = torch.as_tensor(rng.standard_normal((1, 7, 3)))
    expected = multivariate_normal(np.ones(3), factor[0] @ factor[0].T).logpdf(q.sample(noise)[0])
    np.testing.assert_allclose(q.log_density(noise)[0], expected)


def test_data_without_noise_are_refused():
    with pytest.raises(ValueError, match="dataset must have noise"):
        posteriors.problem_of_dataset(data.generate("released", 1, 2, 2, 2, 5), [0])


def test_an_assumed_variance_is_that_of_a_linear_model_wrong_about_the_noise():
    made, model = linear_case(1)
    clean = replace(made, x=made.z @ model.matrix, noise_variance=0.0)
    rows = np.arange(0, len(made.x), 5)
    for s2 in (0.5, 1e-5):
        gap = posteriors.measure_gap(posteriors.problem_of_dataset(clean, rows, s2), n_draws=4000)
        exactly = linear.LinearModel(model.matrix, made.variance, s2)
        wanted = exactly.log_likelihood(clean.x[rows], made.u[rows])
        np.testing.assert_allclose(gap.log_likelihood, wanted, atol=0.06)
        np.testing.assert_allclose(gap.full, wanted, atol=0.05)


@pytest.mark.parametrize("far", [0.0, 30.0])
def test_the_mode_of_a_linear_model_is_its_posterior_from_any_start(far):
    made, model = linear_case(2)
    rows = np.arange(0, len(made.x), 5)
    problem = posteriors.problem_of_dataset(made, rows)
    started = posteriors.at_mode(problem._replace(mean=problem.mean + far))
    mean, covariance = exact_posterior(model, made.x[rows], made.u[rows])
    np.testing.assert_allclose(started.mean, mean, atol=1e-6)
    np.testing.assert_allclose(started.covariance, covariance, atol=1e-8)


def slope_at(problem, z):
    at = z.clone().requires_grad_()
    return torch.autograd.grad(problem.log_joint(at.unsqueeze(1)).sum(), at)[0]


def test_a_search_for_the_mode_ends_where_the_slope_is_level():
    made = data.generate("released", 2, 3, 3, 5, 30)
    problem = posteriors.problem_of_dataset(made, np.arange(150), 1e-2)
    started = posteriors.at_mode(problem)
    # In units of the posterior's own width.
    slope = slope_at(problem, started.mean).unsqueeze(-1)
    assert (torch.linalg.cholesky(started.covariance).mT @ slope).abs().max() < 0.02


def test_a_search_for_the_mode_never_ends_lower():
    """Also for a model that cannot reach its observations, where Gauss and Newton's steps err."""
    made = data.generate("released", 2, 3, 3, 5, 30)
    model = models.ivae(3, 3, 5, seeds=[0], decoder_variance=1e-3)
    problem = posteriors.problem_of_model(model, 0, made.x, made.u)
    values = [
        problem.log_joint(one.mean.unsqueeze(1)).detach()
        for one in (problem, posteriors.at_mode(problem, n_steps=3), posteriors.at_mode(problem))
    ]
    assert (values[1] >= values[0]).all()
    assert (values[2] >= values[1]).all()
    assert (values[2] - values[0]).mean() > 1


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_a_bound_by_pairs_is_exact_where_the_error_is_linear(shift):
    """So it is for a Gaussian that differs from the posterior by its mean alone."""
    made, model = linear_case(3)
    rows = np.arange(0, len(made.x), 10)
    problem = posteriors.at_mode(posteriors.problem_of_dataset(made, rows))
    mean = problem.mean + shift
    q = posteriors.Posteriors(mean, torch.linalg.cholesky(problem.covariance))
    found = posteriors.bound(problem, q, 2, torch.Generator().manual_seed(0))
    _, covariance = exact_posterior(model, made.x[rows], made.u[rows])
    likelihood = model.log_likelihood(made.x[rows], made.u[rows])
    # KL(q || p) of two Gaussians of one covariance.
    lost = 0.5 * shift**2 * np.linalg.inv(covariance).sum((1, 2))
    np.testing.assert_allclose(found, likelihood - lost, rtol=1e-8)
    assert np.allclose(found, likelihood) == (shift == 0)


def test_a_variance_that_is_none_is_refused():
    with pytest.raises(ValueError, match="decoder_variance must be"):
        posteriors.problem_of_dataset(data.generate("paper", 1, 2, 2, 2, 5), [0], -1.0)
