"""What is said of all runs together leaves out those that it is not about."""

import numpy as np
import pytest

from companion.c08 import scores
from companion.recorded.store import Result


def test_a_setting_is_named_with_its_prior_once():
    assert scores.label("VAE, Laplace", "Laplace prior") == "VAE, Laplace prior"
    assert scores.label("β-VAE", "β = 4") == "β-VAE, β = 4"


def test_all_runs_of_all_baselines_and_none_of_the_ivae_are_counted():
    found = {
        ("VAE", "a"): np.array([0.1, 0.2]),
        ("iVAE", "a"): np.array([0.9, 0.8]),
        ("VAE", "b"): np.array([0.3, np.nan]),
    }
    np.testing.assert_array_equal(scores.of_baselines(found), [0.1, 0.2, 0.3, np.nan])


def result(trained, new, ends):
    """A result of runs whose objective was best at -10 and ended there or elsewhere."""
    values = {"mcc_sampled": trained, "fresh_sampled": new, "objective": ends}
    curves = np.stack([np.full(len(ends), -10.0), ends], 1)
    n = len(ends)
    return Result(
        experiment="made",
        revision=1,
        settings={},
        runs=[{}] * n,
        values={name: np.array(each) for name, each in values.items()},
        arrays={"objective_curve": curves},
        seconds=np.zeros(n),
        doubled=np.empty(0, np.int64),
        moved={},
    )


def test_the_gap_is_the_largest_either_way_of_runs_that_did_not_break_down():
    trained, new = [0.9, 0.5, 0.9, np.nan], [0.88, 0.53, 0.1, np.nan]
    assert scores.generalisation_gap(result(trained, new, [-10.0, -10, -90, -10])) == (
        pytest.approx(0.03)
    )
    assert scores.generalisation_gap(result(trained, new, [-10.0, -10, -10, -10])) == (
        pytest.approx(0.8)
    )
