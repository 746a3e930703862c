"""The rule for a step, on curves with and without one."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from companion.c10.increments import increments

MANY = [2, 3, 4, 5, 6, 7, 8, 9, 10]


def noisy(levels, sd=0.01, n_datasets=8, seed=0):
    rng = np.random.default_rng(seed)
    datasets = 0.1 * rng.standard_normal(n_datasets)  # They differ by more than what is looked for.
    noise = sd * rng.standard_normal((len(levels), n_datasets))
    return np.array(levels)[:, None] + datasets + noise


@pytest.mark.parametrize("at", [3, 6, 10])
@pytest.mark.parametrize("seed", range(3))
def test_a_step_is_found_where_it_is(at, seed):
    levels = np.where(np.array(MANY) < at, 0.7, 0.9)
    found = increments(MANY, noisy(levels, seed=seed))
    assert found.verdict == "step"
    assert found.into[found.largest] == at
    assert found.total == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_an_even_rise_is_no_step(seed):
    assert increments(MANY, noisy(np.linspace(0.7, 0.9, 9), seed=seed)).verdict == "gradual"


def test_a_fall_is_no_rise():
    assert increments(MANY, noisy(np.linspace(0.9, 0.7, 9))).verdict == "none"


def test_chance_makes_a_rise_as_rarely_as_it_should():
    verdicts = [increments(MANY, noisy(np.full(9, 0.8), seed=seed)).verdict for seed in range(400)]
    # One-sided 2.5 % of 400 is 10, with a standard deviation of 3.
    assert 1 <= 400 - verdicts.count("none") <= 20


def test_a_large_rise_that_the_datasets_do_not_share_is_no_step():
    scores = noisy([0.5, 0.5, 0.7], n_datasets=4, sd=1e-3)
    scores[2] += [0.3, -0.1, 0.3, -0.1]
    found = increments([1, 2, 3], scores)
    assert found.mean[1] >= found.total / 2
    assert found.low[1] < 0
    assert found.verdict == "none"


def test_increments_are_students_intervals_with_bonferronis_correction():
    scores = np.random.default_rng(3).uniform(size=(4, 5))
    found = increments([1, 2, 4, 8], scores)
    steps = scores[1:] - scores[:-1]
    np.testing.assert_allclose(found.values, steps)
    for i, values in enumerate(steps):
        test = ttest_1samp(values, 0.0)
        expected = test.confidence_interval(1 - 0.05 / 3)
        assert (found.low[i], found.high[i]) == pytest.approx((expected.low, expected.high))
    whole = ttest_1samp(scores[-1] - scores[0], 0.0).confidence_interval(0.95)
    assert (found.total_low, found.total_high) == pytest.approx((whole.low, whole.high))
    assert found.into.tolist() == [2, 4, 8]


def test_a_diverged_run_is_not_taken_for_a_verdict():
    with pytest.raises(ValueError, match="scores has 6 NaN"):
        increments([1, 2], np.full((2, 3), np.nan))
