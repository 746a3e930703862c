"""Estimates of q(z) from a minibatch, against all minibatches there are."""

import itertools
import math

import pytest
import torch

from ivae.aggregate import log_aggregate
from ivae.models import Posterior

DOUBLE = torch.float64
N_DATA, N_LATENTS = 5, 2


def case():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance, noise = torch.randn(3, N_DATA, N_LATENTS, dtype=DOUBLE, generator=generator)
    return mean, log_variance, Posterior(mean, log_variance).sample(noise)


def densities(mean, log_variance, point):
    """q(z_i|x_j) of one point under every posterior, (N, n)."""
    return torch.distributions.Normal(mean, (0.5 * log_variance).exp()).log_prob(point).exp()


def estimates(size, estimator):
    """The mean over all ordered minibatches that start with sample 0 of the estimates at z_0.

    Of the joint density, and of the marginal density of the first latent; not of logarithms.
    """
    mean, log_variance, z = case()
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
    mean, log_variance, z = case()
    each = densities(mean, log_variance, z[0])
    joint, marginal = estimates(size, "stratified")
    torch.testing.assert_close(joint, each.prod(-1).mean())
    torch.testing.assert_close(marginal, each[:, 0].mean())


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_weighted_estimate_has_the_mean_that_its_formula_says(size):
    mean, log_variance, z = case()
    each = densities(mean, log_variance, z[0]).prod(-1)
    others = (size - 1) / (N_DATA - 1) * each[1:].sum()
    joint, _ = estimates(size, "weighted")
    torch.testing.assert_close(joint, (each[0] + others) / (size * N_DATA))


def test_over_the_whole_data_the_weighted_estimate_is_exact_up_to_the_log_of_n():
    mean, log_variance, z = case()
    posterior = Posterior(mean[None], log_variance[None])
    joint, marginals = log_aggregate(z[None], posterior, N_DATA, "weighted")
    each = torch.stack([densities(mean, log_variance, point) for point in z])  # (N, N, n)
    expected = each.prod(-1).mean(1).log() - math.log(N_DATA)
    torch.testing.assert_close(joint[0], expected)
    expected = (each.mean(1).log() - math.log(N_DATA)).sum(-1)
    torch.testing.assert_close(marginals[0], expected)


@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
def test_a_minibatch_of_one_sample_is_no_error(estimator):
    mean, log_variance, z = case()
    posterior = Posterior(mean[None, :1], log_variance[None, :1])
    joint, marginals = log_aggregate(z[None, :1], posterior, N_DATA, estimator)
    log_q = densities(mean, log_variance, z[0])[0].log()
    torch.testing.assert_close(joint[0, 0], log_q.sum() - math.log(N_DATA))
    torch.testing.assert_close(marginals[0, 0], log_q.sum() - N_LATENTS * math.log(N_DATA))


def test_far_apart_posteriors_neither_overflow_nor_vanish():
    mean = torch.tensor([[[0.0, 0.0], [1e4, -1e4]]])
    log_variance = torch.full((1, 2, 2), -20.0)
    values = log_aggregate(mean, Posterior(mean, log_variance), 100, "stratified")
    assert all(bool(value.isfinite().all()) for value in values)
