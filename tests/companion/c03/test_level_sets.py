"""The map along ellipses keeps every segment's law, and moves the latents."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, vonmises

from companion.c03 import level_sets
from ivae import metrics
from ivae.theory.rank import spread_report

VARIANCE = np.array([[1.0, 0.6], [2.5, 2.9]])
positive = st.floats(0.3, 3)


def jacobian(z, variance, step=1e-5):
    moves = step * np.eye(2)
    return np.stack(
        [
            (level_sets.move_along_ellipses(z + m, variance)
             - level_sets.move_along_ellipses(z - m, variance)) / (2 * step)
            for m in moves
        ],
        1,
    )  # fmt: skip


@settings(max_examples=15)
@given(first=st.tuples(positive, positive), growth=st.tuples(st.floats(1.3, 4), st.floats(1.3, 4)))
def test_the_density_of_every_segment_is_kept(first, growth):
    variance = np.array([first, np.multiply(first, growth)])
    z = np.random.default_rng(0).standard_normal((60, 2))
    moved = level_sets.move_along_ellipses(z, variance)
    _, log_volume = np.linalg.slogdet(jacobian(z, variance))
    for v in variance:
        before, after = (-0.5 * (points**2 / v).sum(1) for points in (z, moved))
        np.testing.assert_allclose(after + log_volume, before, atol=1e-6)


def test_a_third_segment_is_not_kept_unless_it_leaves_the_rank_at_one():
    z = np.random.default_rng(1).standard_normal((60, 2))
    moved = level_sets.move_along_ellipses(z, VARIANCE)
    _, log_volume = np.linalg.slogdet(jacobian(z, VARIANCE))
    lam = -0.5 / VARIANCE
    between = -0.5 / (lam[0] + 0.5 * (lam[1] - lam[0]))
    for v, kept in ((between, True), (np.array([2.0, 0.5]), False)):
        change = -0.5 * (moved**2 / v).sum(1) + log_volume + 0.5 * (z**2 / v).sum(1)
        assert bool(np.abs(change).max() < 1e-6) is kept
    three = np.vstack((VARIANCE, between))
    np.testing.assert_allclose(level_sets.move_along_ellipses(z, three), moved)


def test_samples_keep_their_law_and_lose_their_sources():
    rng = np.random.default_rng(2)
    for v in VARIANCE:
        z = rng.standard_normal((5000, 2)) * np.sqrt(v)
        moved = level_sets.move_along_ellipses(z, VARIANCE)
        for i in range(2):
            assert kstest(moved[:, i] / np.sqrt(v[i]), "norm").pvalue > 1e-3
        assert abs(np.corrcoef(moved.T)[0, 1]) < 0.06
        assert abs(np.corrcoef((moved**2).T)[0, 1]) < 0.06
        assert metrics.mcc(z, moved) < 0.8


def test_it_is_not_linear_and_can_be_undone():
    z = np.random.default_rng(3).standard_normal((200, 2))
    moved = level_sets.move_along_ellipses(z, VARIANCE, 0.1)
    np.testing.assert_allclose(level_sets.move_along_ellipses(moved, VARIANCE, -0.1), z, atol=1e-10)
    twice = level_sets.move_along_ellipses(2 * z, VARIANCE, 0.1)
    assert np.abs(twice - 2 * moved).max() > 0.1
    np.testing.assert_allclose(level_sets.move_along_ellipses(z, VARIANCE, 1.0), z, atol=1e-10)


def test_it_is_a_rotation_where_the_sources_scale_alike():
    z = np.random.default_rng(4).standard_normal((50, 2))
    moved = level_sets.move_along_ellipses(z, np.array([[1.0, 1.0], [2.0, 2.0]]))
    c = np.sqrt(0.5)
    np.testing.assert_allclose(moved, z @ np.array([[c, c], [-c, c]]), atol=1e-10)


@given(kappa=st.floats(-40, 40), angle=st.floats(-3.1, 3.1))
def test_the_distribution_is_von_mises(kappa, angle):
    at = np.array([angle])
    series = level_sets._series(np.array([kappa]))
    ours = level_sets._distribution(at, series)
    reference = vonmises(abs(kappa) + 1e-12)
    if kappa >= 0:
        expected = reference.cdf(angle) - 0.5
    else:  # Around pi instead of 0.
        expected = reference.cdf(angle + np.pi) - reference.cdf(np.pi)
    assert ours[0] == pytest.approx(expected, abs=1e-7)
    back = level_sets._quantile(ours, series)
    np.testing.assert_allclose(level_sets._distribution(back, series), ours, atol=1e-12)


def test_what_is_open_is_what_condition_three_leaves_open():
    assert level_sets.finding_of_freedom(VARIANCE).holds is True
    opposite = np.array([[1.0, 1.0], [2.0, 0.5]])
    finding = level_sets.finding_of_freedom(opposite)
    assert finding.holds is False
    assert "not one sign" in finding.reason
    full = np.array([[1.0, 1.0], [2.0, 2.5], [0.5, 3.0]])
    assert spread_report(-0.5 / full[:, :, None]).holds
    assert level_sets.finding_of_freedom(full).reason == "lambda has rank 2 over 3 segments"
