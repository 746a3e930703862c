"""Chapter 13's runs give alone what they give together, and see what they say they see."""

import numpy as np
import pytest

from companion.c13 import diagnosis, experiments
from companion.recorded import trained
from ivae import data
from ivae.objectives import Bound

SIZES = {"seed": 1, "n_datasets": 2, "samples_per_segment": 8, "epochs": 1}
SOLUTIONS = SIZES | {"variances": [0.1, 0.01], "epochs_of_encoder": 1, "rows": 6, "draws": 20}
DRIFT = SIZES | {"variances": [0.1], "epochs_taught": 20, "epochs_of_start": 1, "evaluate_every": 2}


def same(one, other, relative=1e-3):
    assert one.values == pytest.approx(other.values, rel=relative, abs=1e-3, nan_ok=True)
    for name, array in one.arrays.items():
        np.testing.assert_allclose(array, other.arrays[name], rtol=relative, atol=1e-3)


@pytest.fixture(scope="module", autouse=True)
def short_fits():
    """Fit each Gaussian in a few steps: what the levels are is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnosis, "N_STEPS", 5)
        yield


@pytest.fixture(scope="module")
def solutions():
    return experiments.plan_solutions(**SOLUTIONS), experiments.solutions(**SOLUTIONS)


@pytest.fixture(scope="module")
def drifts():
    return experiments.plan_drift(**DRIFT), experiments.drifts(**DRIFT)


def test_runs_go_by_objective_and_variance_and_then_by_dataset(solutions):
    found = [(run["objective"], run["decoder_variance"], run["data_seed"]) for run in solutions[0]]
    tasks = [("elbo", 0.1), ("elbo", 0.01), ("decomposition", 0.1)]
    assert found == [(*task, seed) for task in tasks for seed in (1, 2)]
    runs = solutions[0]
    batches = experiments.solutions.batches(runs, range(len(runs)))
    assert [len(batch) for batch in batches] == [4, 2]


@pytest.mark.parametrize("number", [1, 4])
def test_a_solution_alone_is_what_it_is_together(solutions, number):
    plan, made = solutions
    same(experiments.solutions.make([plan[number]], 0.0)[0], made[number])


@pytest.mark.parametrize("number", [1, 2])
def test_a_drift_alone_is_what_it_is_together(drifts, number):
    plan, made = drifts
    same(experiments.drifts.make([plan[number]], 0.0)[0], made[number])


def test_every_run_of_a_dataset_and_variance_of_its_own(solutions, drifts):
    for _, made in (solutions, drifts):
        for name in ("fresh", "mcc"):
            assert len({one.values[name] for one in made}) == len(made)


def test_levels_are_means_of_the_accounts(solutions):
    for one in solutions[1]:
        for end in ("", "_truth"):
            means = dict(zip(diagnosis.LEVELS, one.arrays[f"account{end}"].mean(1), strict=False))
            assert means == pytest.approx({n: one.values[n + end] for n in diagnosis.LEVELS})
        assert one.values["log_likelihood_truth"] > one.values["network_truth"]


def test_terms_are_those_of_either_solution(solutions):
    plan, made = solutions
    for run, one in zip(plan, made, strict=True):
        for end in ("", "_truth"):
            value = {name: one.values[name + end] for name in ("value", "reconstruction", "kl")}
            elbo = value["reconstruction"] - value["kl"]
            assert (value["value"] == pytest.approx(elbo, rel=1e-5)) == (run["objective"] == "elbo")
        assert np.isnan(one.values["total_correlation"]) == (run["objective"] == "elbo")
        assert one.values["value"] != one.values["value_truth"]
        assert one.values["value_new"] != one.values["value"]


def test_the_encoder_under_the_truth_beats_itself_untrained():
    plan = experiments.plan_solutions(**SOLUTIONS | {"epochs_of_encoder": 8})
    few, many = (
        experiments.solutions.make([run], 0.0)[0].values["value_truth"]
        for run in (experiments.plan_solutions(**SOLUTIONS)[0], plan[0])
    )
    assert many > few


def test_a_drift_starts_at_the_sources(drifts):
    for one in drifts[1]:
        assert one.values["fresh_start"] > 0.7
        assert one.arrays["mcc"][0] == one.values["mcc_start"] > 0.8
        assert one.arrays["objective"].shape == one.arrays["mcc"].shape == (4,)
        assert one.values["end"] > one.values["objective_start"]


@pytest.mark.parametrize("name", ["solutions", "drifts"])
def test_a_nudge_moves_all_that_is_trained(name, request):
    plan, made = request.getfixturevalue(name)
    moved = getattr(experiments, name).make([plan[0]], 1e-4)[0].values
    for value in ("fresh", f"fresh_{'truth' if name == 'solutions' else 'start'}"):
        assert 0 < abs(moved[value] - made[0].values[value]) < 0.05


def test_the_settings_of_a_task_reach_the_training(solutions):
    runs = [trained.run_of(run) for run in solutions[0]]
    assert runs[0].objective == Bound()
    assert runs[-1].objective.weights == experiments.RELEASED["weights"]
    assert runs[-1].data == data.DataSettings("released", 2, samples_per_segment=8)
