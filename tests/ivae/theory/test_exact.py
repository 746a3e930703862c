"""Exact densities against analytic ones, and the cost of a diagonal posterior."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, ortho_group

from ivae import data
from ivae.mixing import Mixing
from ivae.theory import exact

LINEAR = np.array([[1.0, 0.4], [-0.3, 0.8]])


def test_change_of_variables_matches_a_linear_model():
    z = np.random.default_rng(0).standard_normal((20, 2))
    expected = multivariate_normal([0, 0], LINEAR.T @ LINEAR).logpdf(z @ LINEAR)
    got = exact.log_density_of_mixture(Mixing((LINEAR,)), z)
    np.testing.assert_allclose(got, expected)


def test_change_of_variables_integrates_to_one():
    """The mean of 1 / (p(x) area) over draws from p is 1 where p covers a known area."""
    mixing = data.generate("paper", 0, 2, 2, 2, 2).mixing
    rng = np.random.default_rng(1)
    z = rng.uniform(-1, 1, (200_000, 2))
    _, log_volume = np.linalg.slogdet(mixing.jacobian(z))
    # p(x) dx over f([-1, 1]^2) is the probability of the square under N(0, I).
    density = np.exp(exact.log_density_of_mixture(mixing, z) + log_volume)
    assert 4 * density.mean() == pytest.approx(0.682689**2, rel=0.01)


def test_log_density_given_the_segment_matches_a_linear_model():
    made = data.generate("linear", 0, 2, 2, 3, 4, centred=False)
    (matrix,) = made.mixing.matrices
    expected = []
    for u, z in zip(made.u, made.z, strict=True):
        covariance = matrix.T @ np.diag(made.variance[u]) @ matrix
        expected.append(multivariate_normal(made.mean[u] @ matrix, covariance).logpdf(z @ matrix))
    np.testing.assert_allclose(exact.log_density_given_segment(made), expected)


def test_change_of_variables_refuses_n_below_d():
    with pytest.raises(ValueError, match="got n = 2 and d = 3"):
        exact.log_density_of_mixture(data.generate("paper", 0, 2, 3, 2, 2).mixing, np.ones((1, 2)))


def test_gap_is_the_divergence_to_the_best_diagonal_gaussian():
    jacobian = np.random.default_rng(3).standard_normal((1, 3, 4))
    precision = np.eye(3) + jacobian[0] @ jacobian[0].T / 0.5
    covariance, diagonal = np.linalg.inv(precision), 1 / np.diag(precision)
    # KL(N(0, D) || N(0, C)) at the D that minimises it.
    expected = 0.5 * (
        np.trace(precision @ np.diag(diagonal))
        - 3
        + np.linalg.slogdet(covariance)[1]
        - np.log(diagonal).sum()
    )
    assert exact.mean_field_gap(jacobian, 0.5) == pytest.approx(expected)


def test_gap_vanishes_exactly_when_the_columns_are_orthogonal():
    frame = ortho_group.rvs(4, random_state=4)[:3] * np.array([[1.0], [2.0], [0.5]])
    assert exact.mean_field_gap(frame[None], 0.1) == pytest.approx(0, abs=1e-12)
    turn = ortho_group.rvs(3, random_state=5)
    assert exact.mean_field_gap(frame[None], 0.1, turn) > 0.1
    # A sphere has no axes to prefer.
    assert exact.mean_field_gap(np.eye(3)[None], 0.1, turn) == pytest.approx(0, abs=1e-12)
