"""Bounds are held against the truth of their dataset; the likelihood is that of the draws."""

from dataclasses import replace

import numpy as np
import pytest

from companion.c03 import bounds, experiments
from companion.recorded.store import Result
from ivae import data

GAPS = {"seed": 1, "n_datasets": 2, "epochs": 1, "samples_per_segment": 8, "rows": 200}
GAPS |= {"fit_steps": 1, "draws": 2}


@pytest.fixture
def result():
    """Bounds that count up over the runs of the plan, and by row (4) with a known error."""
    runs = experiments.plan_gaps(**GAPS)
    number = np.arange(float(len(runs)))
    values = {"mean_field": number**2, "full": number**2 + 1, "log_likelihood": number**2 + 5}
    arrays = {"mean_field": np.zeros((len(runs), 4), np.float16)}
    return Result("gaps", 1, {}, runs, values, arrays, number, number[:0].astype(int), {})


def test_bounds_are_less_the_likelihood_of_the_truth_on_the_same_data(result):
    found = bounds.less_likelihood(result)
    assert list(found) == ["linear", "orthogonal", "paper"]
    for place, preset in enumerate(found):
        truth, trained = found[preset].values()
        np.testing.assert_array_equal(truth, [[-5, -4, 0]] * 2)
        i = 4 * place + np.arange(2)
        np.testing.assert_array_equal(trained[:, 2], (i + 2) ** 2 - i**2)
        np.testing.assert_array_equal(trained[:, 0], trained[:, 2] - 5)
    assert [*found["paper"]] == ["true model", "trained iVAE"]


def test_a_lead_is_counted_in_errors_of_the_pairs(result):
    """Rows that differ much and by nearly the same have a small error."""
    rows = np.zeros((len(result), 4))
    rows[0:2] = [[0, 100, 200, 300], [0, 0, 0, 0]]
    rows[2:4] = [[1, 101, 203, 303], [-1, -1, -3, -3]]
    found = bounds.lead_in_errors(replace(result, arrays={"mean_field": rows}), "linear")
    np.testing.assert_allclose(found, [2 / (1 / 2), -2 / (1 / 2)])


def test_the_exact_likelihood_is_that_of_gaussian_segments():
    run = experiments.plan_gaps(**GAPS)[1]
    fresh, rows = experiments.gap_rows(run)
    at = data.generate("linear", 2, samples_per_segment=8)
    total = 0.0
    for x, u in zip(fresh.x[rows], fresh.u[rows], strict=True):
        matrix = at.mixing(np.eye(5))
        cov = matrix.T @ np.diag(at.variance[u]) @ matrix + at.noise_variance * np.eye(5)
        total += -0.5 * (x @ np.linalg.solve(cov, x) + np.linalg.slogdet(2 * np.pi * cov)[1])
    assert bounds.exact_log_likelihood(run) == pytest.approx(total / len(rows), rel=1e-9)
    other = experiments.plan_gaps(**GAPS)[0]
    assert bounds.exact_log_likelihood(other) != pytest.approx(total / len(rows), rel=1e-3)
