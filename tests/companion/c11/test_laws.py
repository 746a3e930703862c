"""The laws over segments are what they are called; what linear ICA makes of them is seen."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest, kurtosis

from companion.c11 import laws
from companion.scores import mcc_within
from ivae.metrics import mcc
from ivae.mixing import Mixing
from ivae.theory.rank import spread_report


@pytest.mark.parametrize("law", laws.LAWS)
def test_every_law_draws_its_family(law):
    made = laws.simulate_law(law, 3, 6, 10, seed=1)
    assert made.family.name == laws.LAWS[law].family
    np.testing.assert_array_equal(made.x, made.z)
    assert made.z.shape == (60, 3)
    again, other = (
        laws.simulate_law(law, 3, 6, 10, seed=1),
        laws.simulate_law(law, 3, 6, 10, seed=2),
    )
    np.testing.assert_array_equal(made.z, again.z)
    assert np.abs(made.z - other.z).max() > 0.1


def test_means_have_the_law_of_their_name():
    tables = {
        name: laws.simulate_law(f"{name} means", 3, 4000, 1, 0).mean
        for name in ("uniform", "Gaussian", "turned")
    }
    for table in tables.values():
        np.testing.assert_allclose(np.cov(table.T), 25 / 3 * np.eye(3), atol=0.6)
    assert kstest(tables["uniform"].ravel() / 10 + 0.5, "uniform").pvalue > 0.01
    assert np.abs(kurtosis(tables["Gaussian"])).max() < 0.4
    # A turn mixes: less flat than uniform, uncorrelated, and dependent in the squares.
    assert kurtosis(tables["turned"]).mean() > kurtosis(tables["uniform"]).mean() + 0.2
    squares = {name: np.corrcoef(table.T**2) for name, table in tables.items()}
    assert np.abs(squares["turned"][np.triu_indices(3, 1)]).max() > 0.15
    assert np.abs(squares["uniform"][np.triu_indices(3, 1)]).max() < 0.06


def test_only_a_common_variance_fails_condition_three():
    holds = {
        law: spread_report(laws.simulate_law(law, 3, 20, 2, 3).natural_parameters).holds
        for law in laws.LAWS
    }
    assert [law for law, met in holds.items() if not met] == ["common variance"]


def test_noise_and_mixing_are_passed_on():
    f = Mixing((2 * np.eye(2),))
    made = laws.simulate_law("uniform means", 2, 5, 2000, 4, f, 0.01)
    assert made.noise_variance == 0.01
    assert (made.x - 2 * made.z).std() == pytest.approx(0.1, rel=0.05)


def test_unmixings_tell_what_can_be_resolved():
    """Many segments, independent uniform means: yes. Turned ones: with confidence, no."""
    helped = laws.unmix(laws.simulate_law("uniform means", 3, 500, 8, 1))
    assert helped.mcc > 0.98
    assert helped.amari < 0.1
    assert helped.before < 0.95
    assert helped.blocks == pytest.approx(helped.amari)
    misled = laws.unmix(laws.simulate_law("turned means", 3, 500, 8, 1))
    assert misled.mcc < 0.95
    assert misled.converged == 1
    assert misled.contrast == pytest.approx(helped.contrast, rel=0.3)
    assert misled.apart < 0.05


def test_the_axes_of_turned_means_are_those_of_the_uniform_ones():
    made = laws.simulate_law("turned means", 3, 500, 8, 1)
    back = laws.simulate_law("uniform means", 3, 500, 8, 1)
    turn, *_ = np.linalg.lstsq(back.mean, made.mean, rcond=None)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    straight = replace(made, z=made.z @ turn.T, mean=back.mean)
    assert laws.unmix(straight).mcc > 0.98


def test_planes_are_separated_and_paired():
    found = laws.unmix(laws.simulate_law("means and variances", 3, 600, 10, 2))
    assert found.blocks < 0.12 < found.blocks_before
    assert found.blocks <= found.blocks_unpaired


def test_a_judgement_before_and_after():
    """An estimate that is a turn of the sources: FastICA turns it back."""
    angle = np.pi / 4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    one = laws.simulate_law("uniform means", 2, 20, 200, 3)
    got = laws.judge(one, one.z @ turn)
    assert got.r2 == pytest.approx(1)
    assert got.before < 0.8
    assert got.blocks_before > 0.5 > 2 * got.blocks_after
    assert got.after > 0.95
    assert got.after == mcc(one.z, got.signals)
    assert got.after == pytest.approx(laws.judge(one, one.z).after, abs=1e-3)
    # A turn is a turn within segments as well.
    assert got.within_before < 0.8 < 0.9 < got.within_after
    assert got.within_after == mcc_within(one.z, got.signals, one.u)


def test_a_judgement_tells_the_label_from_the_sources():
    """Means of the segments with noise of their own score well, and nothing within segments."""
    one = laws.simulate_law("uniform means", 2, 40, 100, 3)
    noise = np.random.default_rng(0).standard_normal(one.z.shape)
    got = laws.judge(one, one.mean[one.u] + noise)
    assert got.before > 0.85
    assert got.within_before < 0.1
    assert got.r2 > 0.7
    assert got.r2_within < 0.05


def test_a_judgement_is_of_statistics():
    """k = 1, T = z^2: what is learned as -z has the same statistics."""
    one = laws.simulate_law("independent variances", 2, 20, 100, 0)
    got = laws.judge(one, -one.z)
    assert got.r2 == pytest.approx(1)
    assert got.blocks_before == pytest.approx(0, abs=1e-9)


def test_signals_of_two_statistics_come_in_pairs():
    one = laws.simulate_law("means and variances", 2, 300, 20, 1)
    got = laws.judge(one, one.z)
    assert got.signals.shape == (len(one.z), 4)
    assert got.blocks_after < 0.2
