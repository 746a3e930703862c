"""Evidence and posterior on a grid against the linear-Gaussian case, in which both are known."""

import numpy as np
from scipy.stats import multivariate_normal

from companion.c01.posterior_grid import grid_posterior

LINEAR = np.array([[1.0, 0.4], [-0.3, 0.8]])


def test_grid_matches_a_linear_gaussian_model():
    x = np.random.default_rng(2).standard_normal((4, 2))
    grid = grid_posterior(lambda z: z @ LINEAR, x, 0.05)
    evidence = multivariate_normal([0, 0], LINEAR.T @ LINEAR + 0.05 * np.eye(2))
    np.testing.assert_allclose(grid.log_evidence, evidence.logpdf(x), atol=1e-10)
    cell = (grid.axis[1] - grid.axis[0]) ** 2
    np.testing.assert_allclose(grid.density.sum((1, 2)) * cell, 1.0, rtol=1e-10)
    covariance = np.linalg.inv(np.eye(2) + LINEAR @ LINEAR.T / 0.05)
    means = x @ LINEAR.T @ covariance / 0.05
    first = (grid.density.sum(2) * grid.axis).sum(1) * cell
    second = (grid.density.sum(1) * grid.axis).sum(1) * cell
    np.testing.assert_allclose(np.column_stack((first, second)), means, atol=1e-8)
