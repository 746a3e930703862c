"""Two segments separate a linear mixing wherever their ratios of variances differ."""

import numpy as np
import pytest

from companion.c10.two_segments import separate_linear
from companion.scores import fresh_rows
from ivae import data, metrics


@pytest.mark.parametrize(("n", "seed"), [(2, 1), (5, 4)])
@pytest.mark.parametrize("condition", [None, 5.0])
def test_two_segments_separate_a_linear_mixing(n, seed, condition):
    """With far more samples than parameters only the noise's share of each estimate is left."""
    arguments = (seed, n, n, 2, 40_000)
    truth = data.generate("linear", *arguments, noise_variance=0.0, condition=condition)
    ratios = np.sort(truth.variance[1] / truth.variance[0])
    assert np.diff(np.log(ratios)).min() > 0.1  # Else they could not be told apart.
    assert metrics.mcc(truth.z, separate_linear(truth)) > 0.98
    fresh = fresh_rows(truth)
    assert metrics.mcc(fresh.z, separate_linear(truth, fresh.x)) > 0.97
    untouched = metrics.mcc(truth.z, truth.x)
    assert untouched < 0.95


def test_sources_of_equal_ratio_are_not_separated():
    truth = data.generate("linear", 2, 2, 2, 2, 40_000, common_factor=True)
    turned = [
        metrics.mcc(one.z, separate_linear(one))
        for one in (data.generate("linear", s, 2, 2, 2, 4000, common_factor=True) for s in range(8))
    ]
    np.testing.assert_allclose(truth.variance[:, 0], truth.variance[:, 1])
    assert min(turned) < 0.9


def test_the_noise_is_taken_off_before_the_segments_are_compared():
    truth = data.generate("linear", 1, 3, 3, 2, 40_000, noise_variance=0.3)
    best = metrics.mcc(truth.z, truth.x @ np.linalg.inv(truth.mixing.matrices[0]))
    assert metrics.mcc(truth.z, separate_linear(truth)) == pytest.approx(best, abs=0.02)
