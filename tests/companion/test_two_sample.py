"""The two-sample test: its distance, its level, its power, and the interval of a rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from companion import two_sample
from companion.two_sample import Rejections

from .repeated_tests import rejections


def test_energy_distance_is_szekely_and_rizzos():
    rng = np.random.default_rng(9)
    x, y = rng.standard_normal((7, 2)), rng.standard_normal((5, 2)) + 1

    def mean_distance(a, b):
        return np.mean([np.linalg.norm(p - q) for p in a for q in b])

    expected = 2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)
    assert two_sample.energy_test(x, y).distance == pytest.approx(expected)


def pair_at(shift, rows=40):
    return lambda rng: (rng.standard_normal((rows, 2)), rng.standard_normal((rows, 2)) + shift)


def test_energy_test_is_calibrated():
    """Under equal laws a permutation p-value is uniform on 1/100, ..., 1."""
    found = rejections(pair_at(0), 300, n_permutations=99, seed=10)
    # 5 % of 300 is 15; more than 29 has a probability of 3e-4, fewer than 4 of 2e-4.
    assert 4 <= found.count <= 29
    assert stats.kstest(found.p_values, "uniform").pvalue > 1e-3
    assert found.low < 0.05 < found.high


def test_energy_test_has_power():
    found = rejections(pair_at(1), 30, n_permutations=99, seed=11)
    assert found.rate == 1
    assert found.p_values.max() == pytest.approx(1 / 100)
    assert found.low > 0.85


def test_the_power_grows_with_the_difference():
    counts = [
        rejections(pair_at(shift), 60, n_permutations=99, seed=12).count for shift in (0, 0.3, 0.6)
    ]
    assert counts[0] < counts[1] < counts[2]


def test_tests_do_not_share_their_relabellings():
    """The same pair again and again gets p-values that differ by chance."""
    rng = np.random.default_rng(4)
    pair = rng.standard_normal((2, 15, 2))
    found = rejections(lambda _: pair, 6, n_permutations=99, seed=0)
    assert len(set(found.p_values)) > 1


@given(n=st.integers(1, 200), share=st.floats(0, 1))
def test_the_interval_is_where_the_exact_tests_do_not_reject(n, share):
    """Clopper-Pearson: either tail of the binomial has 2.5 % at the end of the interval."""
    count = round(share * n)
    found = Rejections(np.where(np.arange(n) < count, 0.01, 0.9))
    assert found.count == count
    assert found.low <= found.rate <= found.high
    if count:
        assert stats.binom.sf(count - 1, n, found.low) == pytest.approx(0.025, abs=1e-6)
    else:
        assert found.low == 0
    if count < n:
        assert stats.binom.cdf(count, n, found.high) == pytest.approx(0.025, abs=1e-6)
    else:
        assert found.high == 1


def test_a_p_value_at_the_level_rejects():
    assert Rejections(np.array([0.05, 0.0501, 0.1])).count == 1
