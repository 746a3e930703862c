"""Single tests and trainings of chapter 1 give alone what they give together."""

import numpy as np
import pytest
from scipy import stats

from companion.c01 import experiments
from companion.c01.comparisons import COMPARISONS, DEGREES, MARGINALS, draw_pair, factorial
from companion.c01.constructions import BandAndDisc, turn
from companion.two_sample import LEVEL
from ivae import data, metrics

SIZES = {"seed": 3, "n_tests": 2, "size": 60, "n_permutations": 19}
TRAININGS = {"seed": 3, "n_runs": 2, "epochs": 1, "samples_per_segment": 20}


@pytest.fixture(scope="module")
def trained():
    """Runs, and what they gave."""
    runs = experiments.plan_agreement(**TRAININGS)
    return runs, experiments.agreement(**TRAININGS)


def test_a_test_alone_is_the_test_among_others():
    together = experiments.tests(**SIZES)
    runs = experiments.plan_tests(**SIZES)
    assert len(runs) == 2 * len(COMPARISONS)
    for number in (0, 5, 13):
        (alone,) = experiments.tests.make([runs[number]], 0.0)
        assert alone.values == together[number].values


def test_every_test_has_samples_of_its_own():
    distances = [one.values["distance"] for one in experiments.tests(**SIZES)]
    assert len(set(distances)) == len(distances)
    more = experiments.plan_tests(**SIZES | {"n_tests": 3})
    assert [run for run in more if run["number"] < 2] == experiments.plan_tests(**SIZES)


def test_a_nudge_moves_a_distance_by_little():
    runs = experiments.plan_tests(**SIZES)[:1]
    (still,), (moved,) = (experiments.tests.make(runs, nudge) for nudge in (0.0, 1e-6))
    assert 0 < abs(still.values["distance"] - moved.values["distance"]) < 1e-4


def test_equal_laws_pass_and_others_are_found():
    """Of 8 tests where nothing is to be found more than 3 reject with a probability of 4e-4."""
    runs = experiments.plan_tests(seed=1, n_tests=8, size=700, n_permutations=99)
    found = experiments.tests.make(runs, 0.0)
    rejected = dict.fromkeys(COMPARISONS, 0)
    for run, outcome in zip(runs, found, strict=True):
        rejected[run["comparison"]] += outcome.values["p_value"] <= LEVEL
    assert max(rejected[name] for name in ("itself", "rotated", "f1", "f2")) <= 3
    assert rejected["plain"] == 8
    assert min(rejected["alone"], rejected["stretched"]) >= 6


def test_the_samples_of_the_constructions_have_the_laws_they_should():
    rng = np.random.default_rng(0)
    for comparison in ("f1", "plain"):
        for sample in draw_pair(comparison, 1, 2000, rng)[comparison == "plain" :]:
            for column, marginal in zip(sample.T, MARGINALS, strict=True):
                assert stats.kstest(column, marginal.cdf).pvalue > 1e-3
    tilted, _ = draw_pair("plain", 1, 2000, rng)
    back = stats.kstest((tilted @ turn(DEGREES))[:, 0], MARGINALS[0].cdf)
    assert back.pvalue > 1e-3 > stats.kstest(tilted[:, 0], MARGINALS[0].cdf).pvalue
    fresh = BandAndDisc().sample(2000, rng)
    for sample in draw_pair("f2", 1, 2000, rng):
        for column, other in zip(sample.T, fresh.T, strict=True):
            assert stats.ks_2samp(column, other).pvalue > 1e-3
    np.testing.assert_allclose(factorial(rng, 20_000).var(0), 1.0, atol=0.05)


def test_a_stretched_latent_shows_in_the_spread_of_the_observations():
    rng = np.random.default_rng(0)
    plain, stretched = draw_pair("stretched", 1, 4000, rng)
    same, rotated = draw_pair("rotated", 1, 4000, rng)
    spread = [np.trace(np.cov(sample.T)) for sample in (plain, stretched, same, rotated)]
    assert spread[1] > 1.1 * spread[0]
    assert spread[3] == pytest.approx(spread[2], rel=0.06)


def test_a_training_alone_is_the_training_among_others(trained):
    runs, together = trained
    for number in (0, 3, 5, 6):
        (alone,) = experiments.agreement.make([runs[number]], 0.0)
        for name, value in alone.values.items():
            assert value == pytest.approx(together[number].values[name], abs=1e-4, nan_ok=True)
        np.testing.assert_allclose(
            alone.arrays["means"], together[number].arrays["means"], atol=2e-3
        )


def test_half_precision_is_enough_to_compare_runs(trained):
    """The MCC of latents kept as float16 is that of the latents themselves."""
    dataset = data.generate("linear", 1)
    z = dataset.z[::40]
    rough = metrics.mcc(z.astype(np.float16), (z @ turn_of_five()).astype(np.float16))
    assert rough == pytest.approx(metrics.mcc(z, z @ turn_of_five()), abs=1e-4)
    assert {one.arrays["means"].dtype for one in trained[1]} == {np.dtype(np.float16)}


def turn_of_five():
    return metrics.random_rotations(5, 1)[0]


def test_another_seed_is_another_training(trained):
    runs, found = trained
    (other,) = experiments.agreement.make([runs[0] | {"data_seed": 4}], 0.0)
    scores = [one.values["fresh"] for one in (*found, other)]
    assert len(set(scores)) == len(scores)


def test_rotations_cost_a_vae_and_are_not_defined_for_an_ivae(trained):
    for run, outcome in zip(*trained, strict=True):
        values = outcome.values
        assert values["gap"] >= 0
        if run["model"] == "ivae":
            assert np.isnan([values["gap_turned"], values["gap_least"]]).all()
        else:
            assert 0 <= values["gap_least"] < values["gap_turned"]


def test_linear_data_alone_are_whitened_by_the_rows_trained_on():
    linear, released = (data.generate(name, 1) for name in ("linear", "released"))
    way = experiments.prepare(linear)
    np.testing.assert_allclose(np.cov(way(linear.x).T, bias=True), np.eye(5), atol=1e-8)
    half = way(linear.x[:20_000])
    np.testing.assert_allclose(half, way(linear.x)[:20_000], atol=1e-12)
    assert experiments.prepare(released)(released.x) is released.x
