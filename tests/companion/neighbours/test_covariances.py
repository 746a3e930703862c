"""Linear ICA by covariances: exact where the mixing is linear, as far as theory lets it go."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.c10.two_segments import separate_linear
from companion.neighbours.covariances import separate_by_covariances
from ivae import data
from ivae.metrics import mcc, rotation_floor


def mixture(seed, n, d, m, size=500, mean=0.0):
    """Noise-free linear mixtures of Gaussian sources with variances by segment."""
    rng = np.random.default_rng(seed)
    u = np.repeat(np.arange(m), size)
    scale, means = rng.uniform(0.5, 3, (m, n)), mean * rng.standard_normal((m, n))
    z = rng.standard_normal((m * size, n)) * scale[u] + means[u]
    return z @ rng.standard_normal((n, d)), u, z


@settings(max_examples=10)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 4),
    more=st.integers(0, 3),
    mean=st.sampled_from([0.0, 5.0]),
)
def test_a_linear_mixture_is_separated(seed, n, more, mean):
    x, u, z = mixture(seed, n, n + more, 12, mean=mean)
    estimates = separate_by_covariances(x, u, n)
    assert estimates.shape == z.shape
    np.testing.assert_allclose(estimates.std(0), 1)
    assert mcc(z, estimates) > 0.99


def test_it_agrees_with_the_closed_form_of_two_segments():
    """Two covariances have an exact joint diagonaliser, whatever the samples."""
    for seed in range(5):
        one = data.generate("linear", seed, 3, 3, 2, 300, noise_variance=0.0)
        x = one.x - np.stack([one.x[one.u == s].mean(0) for s in (0, 1)])[one.u]
        closed = separate_linear(one)
        assert mcc(closed, separate_by_covariances(one.x, one.u, 3)) > 0.9999
        # And in each segment they are uncorrelated, which no other linear map makes them.
        found = separate_by_covariances(x, one.u, 3)
        for s in (0, 1):
            np.testing.assert_allclose(np.corrcoef(found[one.u == s].T), np.eye(3), atol=1e-3)


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
def test_names_of_segments_order_of_rows_and_coordinates_do_not_matter(seed):
    x, u, _ = mixture(seed, 3, 3, 8)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(x))
    first = separate_by_covariances(x, u, 3)
    moved = x[rows] @ rng.standard_normal((3, 3)) + 4
    other = separate_by_covariances(moved, rng.permutation(8)[u[rows]], 3)
    assert mcc(first[rows], other) > 0.999


def test_sources_that_change_together_are_not_separated():
    scores = []
    for seed in range(8):
        one = data.generate("linear", seed, 2, 2, 10, 2000, common_factor=True)
        scores.append(mcc(one.z, separate_by_covariances(one.x, one.u, 2)))
    assert min(scores) < 0.9


def test_a_segment_of_fewer_samples_than_sources_is_no_obstacle():
    x, u, z = mixture(1, 3, 3, 8)
    kept = (u > 0) | (np.arange(len(u)) < 2)
    assert mcc(z[kept], separate_by_covariances(x[kept], u[kept], 3)) > 0.98


def test_of_a_nonlinear_mixture_it_finds_more_than_a_rotation_and_less_than_all():
    for seed in (1, 2):
        one = data.generate("released", seed, 3, 3, 20, 500)
        score = mcc(one.z, separate_by_covariances(one.x, one.u, 3))
        assert rotation_floor(one.z).mean() < score < 0.99
