"""Distribution functions by quadrature against scipy's, and inverses against their functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from companion.c01 import quadrature
from companion.c01.constructions import BandAndDisc
from companion.c01.quadrature import Conditional, Marginal

BAND = BandAndDisc()


@pytest.mark.parametrize("axis", [0, 1])
def test_the_marginal_is_the_integral_over_the_other_axis(axis):
    points = np.array([-1.5, 0.3, 2.0])
    found = stats.norm.cdf(Marginal(BAND.density, BAND.box, axis, 40).gaussian(points))

    def density(there, here):
        pair = (here, there) if axis == 0 else (there, here)
        return BAND.density(np.array([pair]))[0]

    for z, cdf in zip(points, found, strict=True):
        low = BAND.box[axis][0]
        expected, _ = integrate.dblquad(density, low, z, *BAND.box[1 - axis], epsabs=1e-9)
        assert cdf == pytest.approx(expected, abs=1e-7)


@given(mean=st.floats(-1, 1), scale=st.floats(0.5, 2), degree=st.integers(2, 9))
@settings(max_examples=20)
def test_a_gaussian_line_is_standardised(mean, scale, degree):
    """Given z_1 = a the law is N(mean + a, scale^2): y is (z - mean - a) / scale in both tails."""

    def density(z):
        return stats.norm.pdf(z[:, 1], mean + z[:, 0], scale) * np.exp(-(z[:, 0] ** 2))

    line = Conditional(density, (-22.0, 22.0), 30 + degree)
    given_first, y = np.array([-2.0, 0, 0, 1]), np.array([-7.0, 0.3, 5, 7])
    z = mean + given_first + scale * y
    np.testing.assert_allclose(line.gaussian(given_first, z), y, atol=1e-6)
    np.testing.assert_allclose(line.inverse(given_first, y), z, atol=1e-6)


def test_many_rows_are_the_rows_one_by_one():
    """Rows are evaluated in parts; where a part ends must not matter."""
    z = BAND.sample(2 * quadrature._ROWS + 3, np.random.default_rng(0))
    line = Conditional(BAND.density, BAND.box[1], 40)
    whole = line.gaussian(*z.T)
    for row in (0, quadrature._ROWS - 1, quadrature._ROWS, len(z) - 1):
        assert line.gaussian(*z[row : row + 1].T)[0] == pytest.approx(whole[row], abs=1e-12)


@given(target=st.floats(-0.999, 0.999), steep=st.floats(0.01, 50))
def test_the_solver_inverts_what_newton_alone_cannot(target, steep):
    def function(z):
        return np.tanh(steep * z), steep / np.cosh(steep * z) ** 2

    ends = np.array([-4 / steep]), np.array([9 / steep])
    found = quadrature._solve(function, np.array([target]), *ends)
    assert np.tanh(steep * found) == pytest.approx(target, abs=1e-12)
