"""Fresh rows are of the same law, and scores within segments know nothing of the label."""

import numpy as np
import pytest

from companion.scores import fresh_rows, mcc_within, scores, within
from ivae import data, metrics

SIZES = {"n_latents": 2, "n_observed": 3, "n_segments": 6, "samples_per_segment": 500}


@pytest.mark.parametrize("preset", ["paper", "released", "linear", "bernoulli"])
def test_fresh_rows_are_new_draws_of_the_same_sources_and_mixing(preset):
    one = data.generate(preset, 1, **SIZES)
    fresh = fresh_rows(one, per_segment=20_000)
    assert len(fresh.x) == 6 * 20_000
    assert not np.isin(fresh.z[:, 0], one.z[:, 0]).any()
    for segment in range(6):
        drawn = fresh.z[fresh.u == segment]
        np.testing.assert_allclose(drawn.var(0), one.variance[segment], rtol=0.06)
    if preset == "bernoulli":
        assert set(np.unique(fresh.x)) == {0.0, 1.0}
        np.testing.assert_allclose(fresh.x.mean(0), one.x.mean(0), atol=0.04)
    else:
        noise = fresh.x - one.mixing(fresh.z)
        np.testing.assert_allclose(noise.var(), one.noise_variance, rtol=0.02, atol=1e-12)


def test_fresh_rows_are_the_same_each_time_and_others_for_another_seed():
    one = data.generate("paper", 1, **SIZES)
    np.testing.assert_array_equal(fresh_rows(one).x, fresh_rows(one).x)
    assert not np.array_equal(fresh_rows(one).x, fresh_rows(one, seed=1).x)
    assert not np.array_equal(fresh_rows(one).z, fresh_rows(data.generate("paper", 2, **SIZES)).z)


def test_laplace_sources_stay_laplace():
    one = data.generate("paper", 1, source_family="laplace", **SIZES)
    z = within(fresh_rows(one, per_segment=20_000).z, np.repeat(np.arange(6), 20_000))
    assert 5 < (z**4).mean() < 7  # 6 for a Laplace, 3 for a Gaussian.


def test_within_segments_columns_have_mean_0_and_deviation_1():
    rng = np.random.default_rng(0)
    u = rng.integers(0, 4, 1000)
    values = rng.standard_normal((1000, 2)) * (1 + u)[:, None] + 5 * u[:, None]
    found = within(values, u)
    for segment in range(4):
        np.testing.assert_allclose(found[u == segment].mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(found[u == segment].std(0), 1)


def test_the_label_alone_scores_nothing_within_segments():
    one = data.generate("paper", 1, centred=False, **SIZES)
    guess = one.expected_sources
    assert metrics.mcc(one.z, guess) > 0.8
    np.testing.assert_array_equal(within(guess, one.u), 0)
    assert mcc_within(one.z, guess, one.u) == 0.0
    assert mcc_within(one.z, one.z[:, ::-1] * [2.0, -3.0], one.u) == pytest.approx(1.0)


def test_a_segment_of_large_variance_does_not_decide():
    """Right in nine segments of ten, wrong in one whose variance is ten thousand times as large."""
    rng = np.random.default_rng(0)
    u = np.repeat(np.arange(10), 500)
    z = rng.standard_normal((5000, 2)) * np.where(u == 9, 100, 1)[:, None]
    guess = np.where((u == 9)[:, None], 100 * rng.standard_normal((5000, 2)), z)
    assert metrics.mcc(z, guess) < 0.1
    assert mcc_within(z, guess, u) > 0.85


def test_scores_of_the_truth_are_1_and_of_noise_near_0():
    one = data.generate("released", 1, **SIZES)
    noise = np.random.default_rng(0).standard_normal(one.z.shape)
    found = scores(one, one.z, noise)
    assert found["fresh"] == pytest.approx(1.0)
    assert found["within"] == pytest.approx(1.0)
    assert max(found["fresh_sampled"], found["within_sampled"]) < 0.1
