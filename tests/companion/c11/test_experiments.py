"""Runs of chapter 11 give alone what they give together, and each is of its own dataset."""

import numpy as np
import pytest

from companion.c11 import experiments
from companion.c11.laws import LAWS
from companion.recorded.experiment import NUDGE
from companion.scores import mcc_within
from ivae.metrics import mcc

EXACT = {"seed": 1, "n_datasets": 2, "rows": 800, "segments": (10, 40), "planes_segments": (5,)}
TRAINED = {"seed": 1, "rows": 600, "segments": 20, "planes_segments": (5,), "runs_each": 2}
TRAINED |= {"datasets_linear": 2, "datasets_layers": 1, "epochs_linear": 2, "epochs_layers": 2}


@pytest.fixture(scope="module")
def trained():
    runs = experiments.trained.plan(**TRAINED)
    return runs, experiments.trained.make(runs, 0.0)


def test_exact_statistics_of_every_law_and_no_case_twice():
    runs = experiments.exact.plan(**EXACT)
    cases = [tuple(run.values()) for run in runs]
    assert len(set(cases)) == len(cases)
    assert {run["law"] for run in runs} == set(LAWS)
    sizes = {(run["n_latents"], run["n_segments"]) for run in runs if run["law"] == "uniform means"}
    assert sizes == {(n, m) for n in (2, 3, 5) for m in (10, 40)}


def test_exact_runs_are_of_their_dataset():
    one, other = experiments.exact.plan(**EXACT)[:2]
    first, second = experiments.exact.make([one, other], 0.0)
    (alone,) = experiments.exact.make([other], 0.0)
    assert alone.values == second.values
    assert abs(first.values["mcc"] - second.values["mcc"]) > 1e-3
    (moved,) = experiments.exact.make([other], NUDGE)
    assert 0 < abs(moved.values["before"] - second.values["before"]) < 1e-4


def test_trainings_give_alone_what_they_give_together(trained):
    runs, made = trained
    assert [run["seed"] for run in runs] == [*range(1, 9), *range(1, 5), *range(1, 5)]
    for number in (1, 9, 13):
        (alone,) = experiments.trained.make([runs[number]], 0.0)
        for name in ("before", "r2", "objective", "objective_first", "label", "oracle"):
            assert alone.values[name] == pytest.approx(made[number].values[name], abs=2e-3), name
        np.testing.assert_allclose(
            alone.arrays["means"], made[number].arrays["means"], rtol=0, atol=0.05
        )


def test_trainings_differ_by_seed_and_by_dataset(trained):
    _, made = trained
    first, same_data, other_data = (made[number] for number in (0, 1, 2))
    assert first.values["label"] == same_data.values["label"] != other_data.values["label"]
    assert first.values["oracle"] == same_data.values["oracle"]
    for other in (same_data, other_data):
        assert abs(first.values["before"] - other.values["before"]) > 1e-4
    (moved,) = experiments.trained.make([experiments.trained.plan(**TRAINED)[0]], NUDGE)
    assert 0 < abs(moved.values["objective"] - first.values["objective"]) < 0.05


def test_kept_latents_have_one_shape(trained):
    runs, made = trained
    for run, one in zip(runs, made, strict=True):
        n, k = run["n_latents"], LAWS[run["law"]].family == "gaussian"
        for name, columns in (("means", n), ("signals", n * (1 + k))):
            assert (one.arrays[name][:, :columns].std(0) > 0).all()
            assert not one.arrays[name][:, columns:].any()
    assert len({tuple(one.arrays["means"].shape) for one in made}) == 1


def test_what_is_judged_was_not_trained_on(trained):
    """Rows are of the segments that were trained on, and other ones: what is within differs."""
    runs, made = trained
    seen = experiments._dataset(runs[0])
    found = made[0].arrays["means"].astype(float)
    assert found.shape == seen.z.shape
    assert mcc(seen.z, found) > 0.5
    assert mcc_within(seen.z, found, seen.u) < 0.25
