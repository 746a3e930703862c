"""The oracle: an exact likelihood, and F recovered exactly when theory says so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from ivae import data
from ivae.theory import linear
from ivae.theory.equivalence import amari_distance
from ivae.theory.rank import spread_report


def model(seed, n=3, d=4, m=6, noise=0.3):
    rng = np.random.default_rng(seed)
    return linear.LinearModel(rng.standard_normal((n, d)), rng.uniform(0.5, 3, (m, n)), noise)


def draw(of, seed, size):
    rng = np.random.default_rng(seed)
    u = np.repeat(np.arange(len(of.variance)), size)
    z = rng.standard_normal((len(u), len(of.matrix))) * np.sqrt(of.variance[u])
    noise = np.sqrt(of.noise_variance) * rng.standard_normal((len(u), of.matrix.shape[1]))
    return z @ of.matrix + noise, u


def apart(true, fitted):
    """Amari distance between mixings, rows brought to unit length."""
    unit = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in (true.matrix, fitted.matrix)]
    return amari_distance(linear.mixing_recovered(*unit))


@given(seed=st.integers(0, 1000))
def test_likelihood_is_scipys(seed):
    of = model(seed)
    x, u = draw(of, seed, 2)
    expected = [
        multivariate_normal(np.zeros(4), of.covariances[s]).logpdf(row)
        for s, row in zip(u, x, strict=True)
    ]
    np.testing.assert_allclose(of.log_likelihood(x, u), expected)


@pytest.mark.parametrize("seed", range(4))
def test_f_is_recovered_where_theory_covers_it(seed):
    """M = n + 1 segments: Theorem 1 holds, and Theorem 2."""
    of = model(seed, n=3, d=4, m=4, noise=0.1)
    assert spread_report(-0.5 / of.variance[:, :, None]).holds
    fit = linear.fit_linear(of.covariances, 3, 0.1, seed=seed)
    assert apart(of, fit.best) < 1e-3
    # E x' Sigma^-1 x = d for data of that covariance.
    best = -0.5 * (4 + np.linalg.slogdet(2 * np.pi * of.covariances).logabsdet.mean())
    assert fit.log_likelihoods[0] == pytest.approx(best, abs=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_a_linear_f_is_recovered_from_two_segments_which_theorem_1_does_not_cover(seed):
    of = model(seed, n=3, d=3, m=2, noise=0.1)
    assert not spread_report(-0.5 / of.variance[:, :, None]).holds
    assert linear.finding_of_profiles(of.variance).holds is True
    fit = linear.fit_linear(of.covariances, 3, 0.1, seed=seed)
    assert apart(of, fit.best) < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_proportional_profiles_leave_a_plane_open(seed):
    """Sources 1 and 2 rise and fall together; more segments do not help."""
    rng = np.random.default_rng(seed)
    variance = rng.uniform(0.5, 3, (20, 3))
    variance[:, 1] = 2 * variance[:, 0]
    of = linear.LinearModel(rng.standard_normal((3, 3)), variance, 0.1)
    finding = linear.finding_of_profiles(variance)
    assert finding.holds is False
    assert "sources 1 and 2" in finding.reason
    assert not spread_report(-0.5 / variance[:, :, None]).holds
    # A rotation of the two, in units of equal variance, has exactly the same likelihood.
    turn = np.eye(3)
    turn[:2, :2] = np.array([[0.6, 0.8], [-0.8, 0.6]])
    units = np.array([1.0, np.sqrt(2), 1.0])
    turned = linear.LinearModel(turn @ (units[:, None] * of.matrix), variance / units**2, 0.1)
    np.testing.assert_allclose(turned.covariances, of.covariances, rtol=1e-10)
    fit = linear.fit_linear(of.covariances, 3, 0.1, seed=seed)
    ends = [end for end, value in zip(fit.models, fit.log_likelihoods, strict=True)
            if value > fit.log_likelihoods[0] - 1e-7]  # fmt: skip
    assert len(ends) >= 2
    # All are optima, they disagree about the two sources, and agree about the third.
    assert max(apart(ends[0], end) for end in ends[1:]) > 0.05
    for end in ends:
        square = np.abs(linear.mixing_recovered(of.matrix, end.matrix))
        third = square[square[:, 2].argmax()]
        assert third[:2].max() < 1e-2 * third[2]


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), m=st.integers(2, 8))
def test_random_profiles_are_never_proportional(seed, m):
    variance = np.random.default_rng(seed).uniform(0.5, 3, (m, 4))
    assert linear.finding_of_profiles(variance).holds is True
    assert linear.finding_of_profiles(np.outer(variance[:, 0], [1, 2, 3])).holds is False


def test_one_segment_says_nothing_about_several_sources():
    assert linear.finding_of_profiles([[1.0, 2.0]]).holds is False
    assert linear.finding_of_profiles([[1.0]]).holds is True


def test_covariances_of_data_tend_to_the_models():
    of = model(3)
    x, u = draw(of, 0, 20_000)
    np.testing.assert_allclose(linear.segment_covariances(x, u), of.covariances, rtol=0.1, atol=0.1)


def test_the_preset_is_such_a_model():
    made = data.generate("linear", 2, 3, 3, 5, 40)
    of = linear.LinearModel(made.mixing.matrices[0], made.variance, made.noise_variance)
    assert np.isfinite(of.log_likelihood(made.x, made.u)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear.LinearModel(np.ones((2, 3)), np.zeros((4, 2)), 0.1), "variance must be po"),
        (lambda: linear.LinearModel(np.ones((2, 3)), np.ones((4, 3)), 0.1), r"shape \(M, 2\)"),
        (lambda: linear.LinearModel(np.ones((2, 3)), np.ones((4, 2)), 0.0), "noise_variance must"),
        (lambda: linear.fit_linear(np.ones((3, 2, 2)), 3, 0.1), "n_latents must be at most d = 2"),
        (lambda: linear.fit_linear(np.triu(np.ones((3, 2, 2))), 2, 0.1), "must be symmetric"),
        (lambda: model(0).log_likelihood(np.ones((2, 3)), [0, 1]), r"x must have shape \(N, 4\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
