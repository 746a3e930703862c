"""Whitened data are white; principal components lead, are blind to units, and keep one shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.whitening import principal_components, whiten, whitening


def mixed(seed, n, d, size=500):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((size, n)) @ rng.standard_normal((n, d)) + 5


@given(seed=st.integers(0, 1000), d=st.integers(1, 6))
def test_components_are_white_and_span_x(seed, d):
    x = mixed(seed, d, d)
    white = principal_components(x)
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-8)
    np.testing.assert_allclose(white.T @ white / len(x), np.eye(d), atol=1e-6)
    centred = x - x.mean(0)
    back = white @ np.linalg.lstsq(white, centred, rcond=None)[0]
    np.testing.assert_allclose(back, centred, atol=1e-6)


@given(seed=st.integers(0, 1000), factor=st.floats(1e-3, 1e3), shift=st.floats(-10, 10))
def test_units_and_origin_do_not_matter(seed, factor, shift):
    """The sign of a component is open."""
    x = mixed(seed, 3, 3)
    one, other = principal_components(x), principal_components(factor * x + shift)
    np.testing.assert_allclose(np.abs(one), np.abs(other), atol=1e-6)


def test_the_leading_ones_come_first():
    x = np.random.default_rng(0).standard_normal((2000, 3)) * [1, 100, 10]
    white = principal_components(x)
    cross = np.abs(np.corrcoef(x.T, white.T)[:3, 3:])
    np.testing.assert_allclose(cross, np.eye(3)[[2, 0, 1]], atol=0.1)
    np.testing.assert_array_equal(principal_components(x, 2), white[:, :2])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_directions_without_variance_are_columns_of_zeros(kind):
    white = principal_components(mixed(0, 2, 5).astype(kind))
    assert white.shape == (500, 5)
    np.testing.assert_allclose(white[:, :2].std(0), 1)
    assert not white[:, 2:].any()


def test_whitened_data_are_white_and_nearest_to_what_they_were():
    x = mixed(2, 4, 4)
    white = whiten(x)
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(white.T @ white / 500, np.eye(4), atol=1e-9)
    cross = (x - x.mean(0)).T @ white / 500  # Symmetric: no rotation is left to undo.
    np.testing.assert_allclose(cross, cross.T, atol=1e-9)


def test_other_rows_are_whitened_as_the_first_were():
    """The map is x's own, and affine: it does not depend on which rows it is given."""
    x, other = mixed(2, 4, 4), mixed(3, 4, 4)
    way = whitening(x)
    np.testing.assert_array_equal(way(x), whiten(x))
    both = way(np.concatenate((other, x[:7])))
    np.testing.assert_allclose(both[-7:], whiten(x)[:7], atol=1e-12)
    matrix = way(np.eye(4)) - way(np.zeros(4))
    np.testing.assert_allclose(way(other), (other - x.mean(0)) @ matrix, atol=1e-9)
