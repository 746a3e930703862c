"""Ceilings against an exact posterior, and against what they must never exceed."""

import numpy as np
import pytest
from scipy.stats import laplace, multivariate_normal, norm

from companion import ceilings
from companion.c12 import bits
from ivae import data, metrics
from ivae.objectives import Bound, ImportanceWeighted, released_objective
from ivae.recipe.stages import Settings

SIZES = {"n_latents": 2, "n_observed": 3, "n_segments": 5, "samples_per_segment": 400}


def exact_posterior(dataset, rng):
    """Mean and one draw of the exact posterior of linear Gaussian data."""
    (matrix,) = dataset.mixing.matrices
    mean, draw = np.empty_like(dataset.z), np.empty_like(dataset.z)
    for segment in range(dataset.n_segments):
        rows = dataset.u == segment
        precision = np.diag(1 / dataset.variance[segment]) + matrix @ matrix.T / 0.01
        covariance = np.linalg.inv(precision)
        mean[rows] = dataset.x[rows] @ matrix.T @ covariance / 0.01
        noise = rng.standard_normal((rows.sum(), dataset.n_latents))
        draw[rows] = mean[rows] + noise @ np.linalg.cholesky(covariance).T
    return mean, draw


@pytest.mark.parametrize("objective", [Bound(), ImportanceWeighted(2)])
def test_with_the_true_linear_decoder_the_encoder_finds_the_exact_posterior(objective):
    dataset = data.generate("linear", 1, **SIZES)
    found = ceilings.true_decoder([dataset] * 2, [0, 1], objective, 0.01, epochs=30)
    mean, draw = exact_posterior(dataset, np.random.default_rng(0))
    np.testing.assert_allclose(found.mcc, metrics.mcc(dataset.z, mean), atol=2e-3)
    np.testing.assert_allclose(found.mcc_sampled, metrics.mcc(dataset.z, draw), atol=2e-3)


def test_the_bound_under_a_true_linear_decoder_is_the_likelihood():
    """Orthonormal rows make the exact posterior diagonal, so that Eq. (8) loses nothing."""
    datasets = [data.generate("linear", seed, **SIZES) for seed in (1, 2)]
    found = ceilings.true_decoder(datasets, [0, 1], Bound(), 0.01, epochs=60)
    for dataset, value in zip(datasets, found.objective, strict=True):
        (matrix,) = dataset.mixing.matrices
        total = 0.0
        for segment, variance in enumerate(dataset.variance):
            covariance = matrix.T * variance @ matrix + 0.01 * np.eye(3)
            rows = dataset.x[dataset.u == segment]
            total += multivariate_normal(np.zeros(3), covariance).logpdf(rows).sum()
        assert total / len(dataset.x) - 0.03 < value < total / len(dataset.x) + 0.005


def test_more_decoder_variance_costs_samples_more_than_means():
    dataset = data.generate("linear", 1, **SIZES)
    low, high = (ceilings.true_decoder([dataset], [0], Bound(), v, epochs=10) for v in (0.01, 1.0))
    assert high.mcc_sampled < low.mcc_sampled - 0.05
    assert high.mcc - high.mcc_sampled > low.mcc - low.mcc_sampled


def test_supervision_reaches_what_noise_leaves_and_no_more():
    dataset = data.generate("linear", 1, **SIZES)
    mean, _ = exact_posterior(dataset, np.random.default_rng(0))
    best = metrics.mcc(dataset.z, mean)
    run = {"preset": "linear", "data_seed": 1, "seed": 0, "epochs": 30} | SIZES
    (found,) = ceilings.make_supervised([run], 0.0)
    # By overfitting a network can exceed the best rule on the data that it has seen, a little.
    assert best - 5e-3 < found.values["mcc"] < best + 1e-3


def test_supervision_undoes_most_of_a_nonlinear_mixing():
    sizes = SIZES | {"n_latents": 3, "n_observed": 3, "samples_per_segment": 1000}
    shared = {"preset": "released", "seed": 0, "hidden": 30, "epochs": 10} | sizes
    made = ceilings.make_supervised([shared | {"data_seed": seed} for seed in (1, 2)], 0.0)
    for seed, found in zip((1, 2), made, strict=True):
        dataset = data.generate("released", seed, **sizes)
        assert min(found.values.values()) > metrics.mcc(dataset.z, dataset.x) + 0.1
    assert made[0].values != made[1].values


def test_a_member_scores_what_it_would_alone():
    datasets = [data.generate("released", seed, **SIZES) for seed in (1, 2)]
    together = ceilings.true_decoder(datasets, [3, 4], released_objective(), 0.1, epochs=2)
    alone = ceilings.true_decoder(datasets[1:], [4], released_objective(), 0.1, epochs=2)
    np.testing.assert_allclose(together.mcc[1], alone.mcc[0], atol=1e-4)


def test_the_recipes_encoder_can_be_taught_linear_sources():
    settings = Settings(hidden=16, n_blocks=1, n_steps=400)
    datasets = [data.generate("linear", seed, **SIZES) for seed in (1, 2)]
    together = ceilings.taught_separator(datasets, 0, settings)
    for one, estimate in zip(datasets, together, strict=True):
        score = metrics.mcc(one.z, estimate)
        assert score > max(0.97, np.median(metrics.rotation_floor(one.z)))
    alone = ceilings.taught_separator(datasets[1:], 0, settings)
    np.testing.assert_allclose(together[1:], alone, atol=1e-3)
    moved = ceilings.taught_separator(datasets[1:], 0, settings, nudge=1e-4)
    assert 0 < abs(moved - alone).max() < 0.1


def test_with_the_true_decoder_of_bits_the_encoder_finds_the_posterior_mean():
    dataset = data.generate("bernoulli", 1, 2, 8, 5, 400)
    found = ceilings.true_decoder([dataset], [0], Bound(), epochs=20)
    best = metrics.mcc(dataset.z, bits.true_posterior(dataset, np.arange(2000)).mean)
    assert found.mcc[0] == pytest.approx(best, abs=0.02)
    assert found.mcc_sampled[0] < found.mcc[0] - 0.03


def test_the_bound_under_laplace_sources_is_near_their_likelihood():
    """A square orthogonal matrix leaves a coordinate's law: Laplace and noise, by quadrature."""
    made = data.generate("linear", 1, 2, 2, 5, 400, source_family="laplace")
    found = ceilings.true_decoder([made], [0], Bound(), 0.01, epochs=60)
    (matrix,) = made.mixing.matrices
    grid = np.linspace(-1, 1, 401)  # Noise of deviation .1.
    scale = np.sqrt(made.variance / 2)[made.u][..., None]
    shifted = laplace(scale=scale).pdf((made.x @ matrix.T)[..., None] - grid)
    density = (shifted * norm(scale=0.1).pdf(grid)).sum(-1) * (grid[1] - grid[0])
    total = np.log(density).sum(1).mean()
    # What is lost: Laplace's kink bends posteriors that a Gaussian has to follow.
    assert total - 0.1 < found.objective[0] < total + 0.005
