"""Characteristic functions against quadrature and draws; the set where they vanish."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from ivae.theory import noise

LAWS = {
    "gaussian": noise.gaussian(0.5),
    "laplace": noise.laplace(0.7),
    "logistic": noise.logistic(0.6),
    "cauchy": noise.cauchy(0.5),
    "student": noise.student(3.0, 0.8),
    "uniform": noise.uniform(1.5),
    "triangular": noise.triangular(2.0),
    "squared sinc": noise.squared_sinc(2.0),
}
each_law = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


@each_law
def test_closed_form_is_the_fourier_transform_of_the_density(law):
    for t in (0.3, 1.1, 2.7):
        even, _ = quad(lambda x: 2 * law.density(np.array(x)), 0, np.inf, weight="cos", wvar=t)
        assert law.characteristic(np.array([t]))[0] == pytest.approx(even, abs=2e-4)
    assert law.characteristic(np.zeros(1))[0] == 1


@each_law
def test_draws_follow_the_characteristic_function(law):
    draws = law.draw(np.random.default_rng(0), (200, 500))
    assert draws.shape == (200, 500)
    t = np.array([0.2, 0.8, 1.5, 3.0])
    empirical = np.cos(np.multiply.outer(t, draws.ravel())).mean(1)
    np.testing.assert_allclose(empirical, law.characteristic(t), atol=5 / np.sqrt(draws.size))


def test_only_intervals_of_zeros_violate_the_condition():
    verdicts = {name: law.finding().holds for name, law in LAWS.items()}
    assert verdicts == {name: name != "squared sinc" for name in LAWS}
    assert noise.none().finding().holds
    told = str(noise.squared_sinc(2.0).finding())
    assert told.startswith("(i) noise fails: squared-sinc noise of bandwidth 2")


@given(half_width=st.floats(0.1, 10))
def test_isolated_zeros_are_where_they_are_said_to_be(half_width):
    zeros = np.arange(1, 6) * np.pi / half_width
    assert np.abs(noise.uniform(half_width).characteristic(zeros)).max() < 1e-12
    assert np.abs(noise.triangular(half_width).characteristic(2 * zeros)).max() < 1e-12


@given(bandwidth=st.floats(0.1, 10), beyond=st.floats(1, 100))
def test_squared_sinc_erases_every_frequency_beyond_its_bandwidth(bandwidth, beyond):
    law = noise.squared_sinc(bandwidth)
    assert law.characteristic(np.array([bandwidth * beyond]))[0] == 0
    assert law.characteristic(np.array([bandwidth * 0.9]))[0] == pytest.approx(0.1)


@pytest.mark.parametrize("make", [noise.gaussian, noise.laplace, noise.uniform, noise.squared_sinc])
def test_parameters_must_be_positive(make):
    with pytest.raises(ValueError, match="finite number above 0; got -1"):
        make(-1)
