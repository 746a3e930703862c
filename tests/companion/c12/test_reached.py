"""Scores are of the runs asked for, and beside each is what is best on its own dataset."""

import numpy as np
import pytest

from companion.c12 import experiments, reached
from companion.recorded.store import Result

SIZES = {"seed": 1, "sizes": [(2, 6), (3, 12)], "n_datasets": 2, "samples_per_segment": 64}


def of(runs, **values):
    return Result("bits", 1, {}, runs, values, {}, np.zeros(len(runs)), np.empty(0, int), {})


@pytest.fixture
def exact():
    """Scores that say of which dataset they are."""
    runs = experiments.datasets_plan(**SIZES)
    fresh = [
        100 * r["n_observed"] + 10 * (r["spread"] == "variance") + r["data_seed"] for r in runs
    ]
    return of(runs, fresh=np.array(fresh, float), floor=-np.array(fresh, float))


@pytest.fixture
def runs():
    planned = experiments.plan(**SIZES, n_seeds=2, epochs=1, longer=3)
    return of(planned, fresh=np.arange(len(planned)) / 100)


def test_scores_are_of_a_size_a_spread_and_labels(exact, runs):
    np.testing.assert_array_equal(reached.scores_of(exact, (2, 6)), [601, 602])
    np.testing.assert_array_equal(reached.scores_of(exact, (3, 12), "floor"), [-1201, -1202])
    np.testing.assert_array_equal(
        reached.scores_of(exact, (3, 12), spread="variance"), [1211, 1212]
    )
    chosen = reached.scores_of(runs, (3, 12), contender="VAE, linear decoder", longer=1)
    assert len(chosen) == 4
    with pytest.raises(ValueError, match="no run"):
        reached.scores_of(exact, (2, 12))


def test_a_run_is_held_against_its_own_dataset_in_whatever_order(exact, runs):
    backwards = of(exact.runs[::-1], **{name: value[::-1] for name, value in exact.values.items()})
    for best in (exact, backwards):
        found = reached.beside_exact(runs, best)
        for number, run in enumerate(found.runs):
            is_mild = run["spread"] == "variance"
            expected = 100 * run["n_observed"] + 10 * is_mild + run["data_seed"]
            assert found.values["exact_fresh"][number] == expected
            assert found.values["exact_floor"][number] == -expected
            assert found.values["below_exact"][number] == expected - number / 100
        np.testing.assert_array_equal(found.values["fresh"], runs.values["fresh"])


def test_a_dataset_without_an_exact_posterior_is_refused(exact, runs):
    with pytest.raises(KeyError):
        reached.beside_exact(runs, exact.where(n_latents=2))
