"""Evidence for and against injective mixings, on maps whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivae import data
from ivae.mixing import Mixing
from ivae.theory import injectivity

Z = np.random.default_rng(0).standard_normal((800, 2))


@pytest.mark.parametrize(
    ("function", "holds", "reason"),
    [
        (lambda z: z**3 + 0.1 * z, True, "no fold seen"),
        (lambda z: np.column_stack((z, z.sum(1) ** 2)), True, "no fold seen"),
        (lambda z: np.column_stack((z[:, 0] ** 2, z[:, 1])), False, "determinant changes sign"),
        (lambda z: np.column_stack((z[:, 0] ** 2, z[:, 1], z[:, 1])), None, "almost the same"),
        (lambda z: np.column_stack((z.sum(1), z.sum(1) ** 3)), False, "rank 1 of 2"),
    ],
    ids=["increasing", "graph", "fold", "fold in three dimensions", "curve"],
)
def test_known_maps(function, holds, reason):
    finding = injectivity.finding_of_mixing(function, Z)
    assert finding.holds is holds
    assert reason in finding.reason


def test_a_wrap_is_not_taken_for_injective():
    """The plane rolled up more than once: a regular Jacobian everywhere, and yet not injective."""
    z = np.random.default_rng(1).uniform(0, 10, (4000, 2))
    found = injectivity.injectivity(lambda z: np.column_stack((np.exp(1j * z[:, 0]).real,
        np.exp(1j * z[:, 0]).imag, z[:, 1])), z)  # fmt: skip
    assert (found.rank, found.turns_over) == (2, False)
    assert found.finding().holds is None


@given(seed=st.integers(0, 1000), preset=st.sampled_from(("paper", "released", "orthogonal")))
def test_shipped_mixings_hold_by_their_matrices(seed, preset):
    made = data.generate(preset, seed, 2, 3, 2, 20)
    finding = injectivity.finding_of_mixing(made.mixing, made.z)
    assert finding.holds is True
    assert "every matrix has full row rank" in finding.reason


def test_row_ranks_decide_for_as_many_outputs_as_inputs_only():
    """An increasing curve in the plane whose second matrix has rank 1 is injective all the same."""
    curve = Mixing((np.ones((1, 2)), np.array([[1.0, 0.0], [1.0, 0.0]])))
    assert injectivity.finding_of_mixing(curve, Z[:, :1]).holds is None


def test_looking_at_samples_is_not_proof():
    """Squaring complex numbers is two-to-one, and in five dimensions 800 samples do not show it."""
    z = np.random.default_rng(2).standard_normal((800, 5))
    squared = injectivity.finding_of_mixing(
        lambda z: np.column_stack((z[:, 0] ** 2 - z[:, 1] ** 2, 2 * z[:, 0] * z[:, 1], z[:, 2:])),
        z,
    )
    assert squared.holds is not False
    assert not (squared.holds and squared.is_certain)


def test_a_shipped_mixing_with_a_singular_matrix_fails():
    mixing = Mixing((np.ones((2, 2)),))
    finding = injectivity.finding_of_mixing(mixing, Z)
    assert finding.holds is False
    assert "row ranks 1 of 2" in finding.reason


def test_differences_agree_with_the_closed_form():
    made = data.generate("paper", 3, 3, 4, 5, 20)
    exact = injectivity.numerical_jacobian(made.mixing, made.z)
    numerical = injectivity.numerical_jacobian(lambda z: made.mixing(z), made.z)
    np.testing.assert_allclose(numerical, exact, atol=1e-8)
    np.testing.assert_array_equal(exact, made.mixing.jacobian(made.z))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda z: z[:, :1], "at least n = 2 dimensions to be injective; got 1"),
        (lambda z: z[:3], r"f\(z\) must have shape \(800, d\)"),
        (lambda z: np.full_like(z, np.nan), "1600 NaN"),
    ],
)
def test_bad_functions_are_named(function, message):
    with pytest.raises(ValueError, match=message):
        injectivity.injectivity(function, Z)
