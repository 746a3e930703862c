"""Characteristic functions by quadrature against closed forms; what numbers cannot decide."""

import numpy as np
import pytest

from ivae.theory import noise
from ivae.theory.characteristic import from_density


def test_numbers_agree_with_the_closed_form():
    law = noise.gaussian(1.0)
    found = from_density(law.density, 12.0, highest=10.0)
    np.testing.assert_allclose(found.modulus, law.characteristic(found.t), atol=found.error)
    assert found.error < 1e-9
    assert found.gaps == ()
    # exp(-t^2 / 2) falls below the error at sqrt(-2 log error).
    assert found.tail == pytest.approx(np.sqrt(-2 * np.log(found.error)), abs=0.02)
    assert found.finding().holds is None


def test_a_gap_in_the_middle_is_found_and_not_taken_for_proof():
    """Squared sinc times (1 + cos 3x): frequencies |t| <= 1 and 2 <= |t| <= 4, none between."""
    law = noise.squared_sinc(1.0)
    found = from_density(
        lambda x: law.density(x) * (1 + np.cos(3 * x)),
        2000.0,
        highest=6.0,
        n_points=100_001,
        n_frequencies=301,
    )
    (gap,) = found.gaps
    assert gap == pytest.approx((1.0, 2.0), abs=0.02)
    assert found.tail == pytest.approx(4.0, abs=0.02)
    assert found.finding().holds is None
    assert "zero or small, numbers cannot tell" in found.finding().reason


def test_isolated_zeros_of_a_given_density_are_no_gap():
    law = noise.triangular(2.0)
    found = from_density(law.density, 2.0, highest=20.0, n_frequencies=4001)
    assert (found.gaps, found.tail) == ((), None)
    assert found.finding().verdict == "not seen to fail"


@pytest.mark.parametrize(
    ("density", "options", "message"),
    [
        (lambda x: -np.ones_like(x), {}, "finite value >= 0 for every point"),
        (lambda x: np.ones_like(x), {}, "must integrate to 1"),
        (lambda x: 0.5, {}, "for every point"),
        (lambda x: np.exp(-np.abs(x)), {"n_points": 1000}, "must be odd"),
        (lambda x: np.exp(-np.abs(x)), {"n_points": 101}, "at least 638 to resolve the highest"),
    ],
)
def test_bad_densities_are_named(density, options, message):
    with pytest.raises(ValueError, match=message):
        from_density(density, 10.0, **options)
