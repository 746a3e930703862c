"""A and c of Eq. (12): recovered where they exist, and refused where the relation is not affine."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group

from ivae.families import FAMILIES
from ivae.theory.equivalence import amari_distance, fit_equivalence, statistics_of

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((2000, 3))


@given(seed=st.integers(0, 1000))
def test_an_affine_relation_is_recovered(seed):
    rng = np.random.default_rng(seed)
    matrix, offset = rng.standard_normal((3, 3)), rng.standard_normal(3)
    fit = fit_equivalence(Z @ matrix.T + offset, Z)
    np.testing.assert_allclose(fit.matrix, matrix, atol=1e-9)
    np.testing.assert_allclose(fit.r2, 1)


def test_the_relation_is_an_equivalence():
    """Proposition 1: A is the identity, inverts, and composes."""
    first, second = Z @ RNG.standard_normal((3, 3)), Z @ RNG.standard_normal((3, 3)) + 1
    there, back = fit_equivalence(first, second), fit_equivalence(second, first)
    np.testing.assert_allclose(fit_equivalence(first, first).matrix, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(there.matrix @ back.matrix, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(
        fit_equivalence(Z, first).matrix @ there.matrix,
        fit_equivalence(Z, second).matrix,
        atol=1e-9,
    )


def test_what_is_not_affine_is_seen_on_held_out_samples():
    fit = fit_equivalence(Z**2, Z)
    assert fit.r2.max() < 0.05
    noise = fit_equivalence(RNG.standard_normal((100, 20)), RNG.standard_normal((100, 20)))
    assert noise.r2.max() < 0.1  # On the half that is fitted, some .4 by chance.


@given(
    permutation=st.permutations(range(4)),
    scale=st.lists(st.floats(0.1, 10), min_size=4, max_size=4),
    signs=st.lists(st.sampled_from((-1, 1)), min_size=4, max_size=4),
)
def test_amari_is_zero_exactly_for_scaled_permutations(permutation, scale, signs):
    matrix = np.eye(4)[permutation] * np.array(scale) * np.array(signs)
    assert amari_distance(matrix) == pytest.approx(0)
    assert amari_distance(matrix + 0.1 * np.roll(matrix, 1, 0)) > 0.005
    assert amari_distance(matrix.T) == pytest.approx(amari_distance(matrix))


def test_amari_is_one_at_most():
    assert amari_distance(np.ones((5, 5))) == pytest.approx(1)
    assert amari_distance([[3.0]]) == 0
    rotations = ortho_group.rvs(5, size=50, random_state=0)
    assert 0.2 < np.mean([amari_distance(r) for r in rotations]) < 0.7


def test_units_of_the_statistics_do_not_matter():
    matrix = RNG.standard_normal((3, 3))
    scaled = fit_equivalence(Z @ matrix.T * [1, 100, 0.01], Z * [5, 0.1, 1])
    assert scaled.amari == pytest.approx(fit_equivalence(Z @ matrix.T, Z).amari, abs=1e-9)


def test_within_a_latent_statistics_may_mix():
    """k = 2: any invertible map of (z_i^2, z_i) onto the same latent's is no mixture of latents."""
    family = FAMILIES["gaussian"]
    other = np.column_stack((2 - 3 * Z[:, 2], Z[:, 0] + 1, -Z[:, 1]))
    fit = fit_equivalence(statistics_of(family, Z), statistics_of(family, other), n_components=2)
    np.testing.assert_allclose(fit.r2, 1)
    assert fit.amari == pytest.approx(0, abs=1e-8)
    assert amari_distance(np.abs(fit.standard) + 1e-12) > 0.02
    turned = statistics_of(family, Z @ ortho_group.rvs(3, random_state=1))
    mixed = fit_equivalence(statistics_of(family, Z), turned, n_components=2)
    assert mixed.amari > 0.2


def test_statistics_are_in_the_order_of_the_paper():
    np.testing.assert_allclose(
        statistics_of(FAMILIES["gaussian"], Z[:5, :2]),
        np.column_stack((Z[:5, 0] ** 2, Z[:5, 0], Z[:5, 1] ** 2, Z[:5, 1])),
    )


def test_it_says_what_it_found():
    assert str(fit_equivalence(Z, Z)).endswith("from a scaled permutation 0.000")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_equivalence(Z, Z[:, :2]), r"second must have shape \(2000, 3\)"),
        (lambda: fit_equivalence(Z, Z, n_components=2), "a multiple of k = 2 columns; got 3"),
        (lambda: fit_equivalence(Z[:10], Z[:10]), "at least 16 rows"),
        (
            lambda: fit_equivalence(Z, Z * [1, 0, 1]),
            "second must vary in every column; column 1 is",
        ),
        (lambda: amari_distance(np.ones((2, 3))), "matrix must be square"),
        (lambda: amari_distance(np.diag([1.0, 0.0])), "a non-zero entry in every row"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
