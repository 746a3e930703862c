"""Chapter 4's trainings say which data and seeds they had, and give the same alone."""

import numpy as np
import pytest

from companion.c04 import experiments
from companion.recorded.trained import fit, run_of
from ivae.objectives import Bound
from ivae.schedules import Schedule
from ivae.training import train

SMALL = {
    "seed": 1,
    "n_runs": 2,
    "n_datasets": 1,
    "runs_each": 2,
    "epochs": 1,
    "samples_per_segment": 30,
}
N_ONE, N_OTHERS = 2, 2  # Of either model, iVAEs first.


@pytest.fixture(scope="module")
def made():
    return experiments.training(**SMALL)


def test_the_plan_names_every_pair_of_data_and_network_once_for_either_model():
    full = {"seed": 1, "n_runs": 10, "n_datasets": 9, "runs_each": 3, "epochs": 20}
    runs = experiments.training.plan(**full)
    pairs = {
        model: [(run["data_seed"], run["seed"]) for run in runs if run["model"] == model]
        for model in ("ivae", "vae")
    }
    assert pairs["ivae"] == pairs["vae"]
    assert len(set(pairs["ivae"])) == len(pairs["ivae"]) == 10 + 9 * 3
    others = [pair for pair in pairs["ivae"] if pair[0] != 1]
    assert {data for data, _ in others} == set(range(2, 11))
    assert len({network for _, network in others}) == len(others)


def test_the_settings_are_those_of_the_text_and_of_every_run():
    for run in experiments.training.plan(**SMALL):
        described = run_of(run)
        assert described.objective == Bound()
        assert described.decoder_variance == 0.01
        assert described.schedule == Schedule(epochs=1)


def test_runs_made_together_are_runs_made_alone(made):
    runs = experiments.training.plan(**SMALL)
    for number in (1, 3, 5):  # An iVAE, one on another dataset, a VAE.
        (alone,) = experiments.training.make([runs[number]], 0.0)
        assert alone.values == pytest.approx(made[number].values, abs=1e-4, nan_ok=True)
        for name, array in made[number].arrays.items():
            np.testing.assert_allclose(alone.arrays[name], array, atol=1e-3, err_msg=name)


def test_another_dataset_gives_other_values_for_the_same_network(made):
    first, other = made[0], made[N_ONE]  # Both have network seed 1.
    assert abs(first.values["elbo"] - other.values["elbo"]) > 0.01
    assert abs(first.values["fresh"] - other.values["fresh"]) > 0.01


def test_matched_correlations_have_the_fresh_mcc_on_their_diagonal(made):
    for one in made:
        diagonal = np.diag(one.arrays["correlation"])
        assert diagonal.mean() == pytest.approx(one.values["fresh"], abs=1e-6)
        assert (diagonal > 0).all()


def test_only_an_ivae_has_a_prior_that_moves_with_the_segment(made):
    n_each = N_ONE + N_OTHERS
    moves = [np.ptp(one.arrays["natural_parameters"], 0).max() for one in made]
    assert [move > 0 for move in moves] == n_each * [True] + n_each * [False]
    assert all(one.arrays["natural_parameters"].shape == (40, 5, 1) for one in made)


def test_the_fresh_elbo_is_what_a_training_that_moves_nothing_measures_on_fresh_rows():
    still = {"learning_rate": 1e-12}
    ensemble = fit([run_of(experiments.training.plan(**SMALL)[0] | still)])
    schedule = Schedule(epochs=1, **still)
    history = train(
        ensemble.model, ensemble.fresh_x, ensemble.fresh[0].u, schedule=schedule, progress=False
    )
    assert experiments.fresh_elbo(ensemble) == pytest.approx(history.elbo[-1], rel=0.02)
