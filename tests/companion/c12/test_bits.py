"""Ranks against finite differences and symmetries; the posterior mean against quadrature."""

from dataclasses import replace

import numpy as np
import pytest

from companion.c12 import bits, discrete
from companion.scores import mcc_within
from ivae import data, metrics


def pairs(matrix, variance):
    """P(x_i = x_j = 1|u) of a linear map of two latents, by quadrature over z."""
    grid = discrete.latent_grid(variance, 121)
    p = 1 / (1 + np.exp(-grid.z @ matrix))
    i, j = np.triu_indices(matrix.shape[1], 1)
    return (grid.weights @ (p[:, i] * p[:, j])).ravel()


def test_the_rank_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    matrix, variance = rng.standard_normal((2, 6)), rng.uniform(0.6, 3, (2, 2))
    at, step = np.concatenate((matrix.ravel(), np.log(variance).ravel())), 1e-5

    def probabilities(parameters):
        return pairs(parameters[:12].reshape(2, 6), np.exp(parameters[12:]).reshape(2, 2))

    columns = [
        (probabilities(at + step * e) - probabilities(at - step * e)) / (2 * step)
        for e in np.eye(len(at))
    ]
    expected = np.array(columns).T
    values = np.linalg.svd(expected / np.linalg.norm(expected, axis=0), compute_uv=False)
    found = bits.linear_rank(matrix, variance)
    assert (found.n_parameters, found.n_equations) == (16, 30)
    assert found.rank == (values > 1e-7 * values[0]).sum() == 14
    ours = np.linalg.svd(_scaled(bits.pair_jacobian(matrix, variance)), compute_uv=False)
    np.testing.assert_allclose(ours, values, atol=1e-7)


def _scaled(jacobian):
    return jacobian / np.linalg.norm(jacobian, axis=0)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_one_segment_leaves_rotations_free_and_two_leave_scales(n):
    rng = np.random.default_rng(n)
    matrix, variance = rng.standard_normal((n, 12)), rng.uniform(0.5, 3, (3, n))
    rotations = n * (n - 1) // 2
    assert bits.linear_rank(matrix, variance[:1]).n_free == n + rotations
    for n_segments in (2, 3):
        found = bits.linear_rank(matrix, variance[:n_segments])
        assert found.n_free == n
        assert found.gap > 1e6


def test_segments_that_change_two_latents_alike_leave_their_rotation_free():
    rng = np.random.default_rng(5)
    variance = rng.uniform(0.5, 3, (6, 3))
    variance[:, 1] = 2 * variance[:, 0]
    assert bits.linear_rank(rng.standard_normal((3, 12)), variance).n_free == 3 + 1


def test_the_posterior_mean_is_quadratures():
    sizes = {"n_latents": 2, "n_observed": 3, "n_segments": 3, "samples_per_segment": 20}
    dataset = data.generate("bernoulli", 1, spread="variance", **sizes)
    grid = discrete.latent_grid(dataset.variance, 121)
    table = discrete.posterior_means(dataset.mixing, grid)
    states = (dataset.x @ [4, 2, 1]).astype(int)
    expected = table[dataset.u, states]
    found = bits.true_posterior(dataset, np.arange(60), 20_000).mean
    np.testing.assert_allclose(found, expected, atol=0.06)
    assert np.sqrt(((found - expected) ** 2).mean()) < 0.012


def test_draws_have_the_posteriors_mean_and_variance():
    sizes = {"n_latents": 2, "n_observed": 3, "n_segments": 1, "samples_per_segment": 4000}
    dataset = data.generate("bernoulli", 1, spread="variance", **sizes)
    grid = discrete.latent_grid(dataset.variance, 121)
    p = np.exp(discrete.log_likelihood(discrete.states(3), dataset.mixing(grid.z)))
    weights = grid.weights[0] * p
    weights /= weights.sum(1, keepdims=True)
    draws = bits.true_posterior(dataset, np.arange(4000)).draw
    states = (dataset.x @ [4, 2, 1]).astype(int)
    for state, count in enumerate(np.bincount(states, minlength=8)):
        mean = weights[state] @ grid.z
        deviation = np.sqrt(weights[state] @ grid.z**2 - mean**2)
        found = draws[states == state]
        assert np.abs(found.mean(0) - mean).max() < 5 * deviation.max() / count**0.5
        np.testing.assert_allclose(found.std(0), deviation, rtol=5 / count**0.5)


def test_no_estimate_beats_the_posterior_mean():
    dataset = data.generate("bernoulli", 2, 3, 12, 4, 500)
    rows = np.arange(2000)
    best = bits.true_posterior(dataset, rows).mean
    error = ((best - dataset.z) ** 2).mean()
    for factor in (0.8, 1.2):
        assert ((factor * best - dataset.z) ** 2).mean() > error
    assert error < 0.5 * dataset.z.var()
    floor = bits.rotated_floor(dataset.z, best, 50)
    assert np.median(floor) < metrics.mcc(dataset.z, best) - 0.05


def test_without_noise_the_floor_is_the_rotation_floor():
    z = np.random.default_rng(0).standard_normal((500, 3))
    found = bits.rotated_floor(z, z, 20, seed=4)
    np.testing.assert_allclose(found, metrics.rotation_floor(z, 20, seed=4), atol=0.02)


def test_the_floor_can_be_of_another_score():
    z = np.random.default_rng(0).standard_normal((500, 3))
    u = np.repeat([0, 1], 250)
    found = bits.rotated_floor(z, z, 20, seed=4, score=lambda z, guess: mcc_within(z, guess, u))
    np.testing.assert_allclose(found, bits.rotated_floor(z, z, 20, seed=4), atol=0.05)
    assert (found != bits.rotated_floor(z, z, 20, seed=4)).all()


def test_rows_that_are_no_whole_numbers_are_refused():
    """And not cut to whole ones, which would be other samples."""
    dataset = data.generate("bernoulli", 2, 3, 12, 4, 5)
    with pytest.raises(IndexError):
        bits.true_posterior(dataset, [0.5, 1.7])


def test_means_of_the_prior_count():
    dataset = data.generate("bernoulli", 1, 2, 6, 2, 200, centred=False)
    found = bits.true_posterior(dataset, np.arange(400)).mean
    blind = replace(dataset, mean=np.zeros_like(dataset.mean))
    worse = bits.true_posterior(blind, np.arange(400)).mean
    assert ((found - dataset.z) ** 2).mean() < 0.7 * ((worse - dataset.z) ** 2).mean()
