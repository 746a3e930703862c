"""Chapter 8's runs are each what they are alone, and what is drawn of them is theirs."""

import numpy as np
import pytest

from companion.c08 import experiments
from companion.recorded import trained
from companion.scores import fresh_rows
from ivae import metrics

SMALL = {"n_latents": 3, "n_observed": 4, "n_segments": 6, "samples_per_segment": 50}
SMALL |= {"hidden": 8, "epochs": 2}


@pytest.fixture(scope="module")
def made():
    runs = experiments.contenders.plan(seed=1, network_seeds=2, **SMALL)
    return runs, experiments.contenders.make(runs, 0.0)


def test_every_setting_is_planned_for_every_network_seed(made):
    runs, _ = made
    names = [(run["contender"], run["setting"]) for run in runs[::2]]
    assert names == [
        ("iVAE", "as released"),
        ("VAE", "as released"),
        ("VAE", "Gaussian prior"),
        ("VAE, Laplace", "Laplace prior"),
        ("β-VAE", "as released"),
        ("β-VAE", "β = 4"),
        ("β-TC-VAE", "as released"),
        ("β-TC-VAE", "β = 4"),
    ]
    assert [run["seed"] for run in runs] == [1, 2] * 8
    assert {run["data_seed"] for run in runs} == {1}
    priors = [run["prior"] for run in runs if run["contender"] == "VAE, Laplace"]
    assert priors == ["laplace"] * 2


@pytest.mark.parametrize("number", [1, 6, 10, 15])
def test_runs_made_together_are_what_they_are_alone(made, number):
    runs, together = made
    (alone,) = experiments.contenders.make([runs[number]], 0.0)
    assert alone.values == pytest.approx(together[number].values, rel=1e-4, nan_ok=True)
    for name, array in alone.arrays.items():
        np.testing.assert_allclose(array, together[number].arrays[name], rtol=2e-3, atol=2e-3)


def test_correlations_and_stretch_are_those_of_the_scored_draws(made):
    runs, outcomes = made
    truth = fresh_rows(trained.run_of(runs[0]).data.generate())
    rows = experiments.stretch(1, len(truth.z))
    for one in outcomes:
        matched = np.diagonal(one.arrays["correlations"])
        assert matched.mean() == pytest.approx(one.values["fresh_sampled"])
        assert matched.min() == pytest.approx(one.values["fresh_worst_sampled"])
        assert 0 <= one.values["noise"] <= 1
        shown = one.arrays["shown"].astype(float)
        assert shown.shape == (60, 3)
        assert np.abs(shown.mean(0) - truth.z[rows].mean(0)).max() < 2  # In the sources' units.


def test_another_dataset_gives_other_numbers(made):
    runs, outcomes = made
    (other,) = experiments.contenders.make([runs[0] | {"data_seed": 2}], 0.0)
    assert other.values["objective_first"] != pytest.approx(outcomes[0].values["objective_first"])
    assert other.values["fresh_sampled"] != pytest.approx(outcomes[0].values["fresh_sampled"])


def test_noise_is_the_share_of_the_variance_that_the_posterior_adds():
    rng = np.random.default_rng(1)
    z = rng.standard_normal((4000, 2))
    mean, deviation = z * [3.0, 1.0], np.array([4.0, 1.0])
    drawn = mean + deviation * rng.standard_normal(z.shape)
    log_variance = np.broadcast_to(2 * np.log(deviation), z.shape)
    one_segment, rows = np.zeros(len(z), int), slice(7, 67)
    found = experiments._held_against(z, one_segment, drawn, mean, log_variance, rows)
    assert found.values["noise"] == pytest.approx((16 / 25 + 1 / 2) / 2, abs=0.01)
    assert found.values["log_deviation"] == pytest.approx(np.log10(4))
    assert found.values["fresh_worst_sampled"] == pytest.approx(3 / 5, abs=0.02)
    line = metrics.alignment(z, drawn)
    assert found.values["within_worst_sampled"] == pytest.approx(3 / 5, abs=0.02)
    np.testing.assert_allclose(found.arrays["shown"], line.apply(drawn)[rows], atol=0.01)


@pytest.mark.parametrize("every", [1, 5])  # The run is lost in step 3: after, before the first.
def test_a_run_that_diverges_does_so_in_company_and_alone(made, every):
    """Alone its training ends at once; the others' go on without it."""
    lost, kept = ({**made[0][i], "evaluate_every": every} for i in (2, 5))
    lost["learning_rate"] = 4.0
    (alone,) = experiments.contenders.make([lost], 0.0)
    together, other = experiments.contenders.make([lost, kept], 0.0)
    assert np.isfinite(list(other.values.values())).all()
    assert np.isnan(alone.values["fresh_worst_sampled"]) and np.isnan(alone.values["fresh_sampled"])
    assert alone.values == pytest.approx(together.values, rel=1e-3, nan_ok=True)
    for name, array in alone.arrays.items():
        assert array.shape == together.arrays[name].shape == other.arrays[name].shape
        np.testing.assert_allclose(array, together.arrays[name], rtol=1e-3)


def test_the_supervised_network_does_not_depend_on_its_company():
    runs = experiments.supervised.plan(seed=1, network_seeds=2, **SMALL)
    together = experiments.supervised.make(runs, 0.0)
    (alone,) = experiments.supervised.make(runs[1:], 0.0)
    assert alone.values == pytest.approx(together[1].values, rel=1e-4)
    assert together[0].values["fresh"] != together[1].values["fresh"]
