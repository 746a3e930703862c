"""Bounds against an exact likelihood, and against one another."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from companion.c10 import bounds
from companion.recorded import trained as trainings
from ivae import data

SIZES = {"n_latents": 2, "n_observed": 2, "n_segments": 3, "samples_per_segment": 100}
SIZES |= {"nested": True, "hidden": 10, "steps": 40, "batch_size": 64}


def fitted(preset, *seeds):
    several = [SIZES | {"preset": preset, "data_seed": i, "seed": j} for i, j in seeds]
    return trainings.fit([trainings.run_of(one) for one in several])


def test_under_a_true_linear_decoder_the_bound_is_the_likelihood():
    """Orthonormal rows make the exact posterior diagonal, so that Eq. (8) loses nothing."""
    trained = fitted("linear", (1, 0))
    (found,) = bounds.measure(trained)
    (fresh,), rows = trained.fresh, np.linspace(0, 749, bounds.N_ROWS).astype(int)
    (matrix,) = fresh.mixing.matrices
    exact = [
        multivariate_normal(
            np.zeros(2), matrix.T * fresh.variance[u] @ matrix + 0.01 * np.eye(2)
        ).logpdf(x)
        for x, u in zip(fresh.x[rows], fresh.u[rows], strict=True)
    ]
    assert found.values["bound_truth"] == pytest.approx(np.mean(exact), abs=0.01)
    assert found.values["bound_own"] < found.values["bound_truth"] - 0.1
    assert 0.99 < found.values["mcc_truth"] < 1


def test_no_encoder_does_better_than_the_best_posteriors():
    every = bounds.measure(fitted("orthogonal", (1, 0), (1, 1), (2, 0)))
    values = {name: [one.values[name] for one in every] for name in bounds.NAMES}
    assert (np.array(values["bound_encoder"]) < np.array(values["bound_own"])).all()
    truth = values["bound_truth"]
    assert truth[0] == truth[1] != truth[2]
    assert len(set(values["bound_own"])) == 3


def test_the_mean_gap_of_a_linear_mixing_is_that_of_its_precisions():
    """The posterior's precision in a segment is diag(1 / v) + F F' / sigma^2, at every row."""
    orthogonal = data.generate("linear", 1, 3, 3, 4, 50)
    assert bounds.mean_gap([orthogonal]) == pytest.approx(0, abs=1e-10)
    skewed = data.generate("linear", 2, 3, 3, 4, 50, condition=4.0, noise_variance=0.2)
    (matrix,) = skewed.mixing.matrices
    precisions = [np.diag(1 / v) + matrix @ matrix.T / 0.2 for v in skewed.variance]
    gaps = [(np.log(np.diag(p)).sum() - np.linalg.slogdet(p)[1]) / 2 for p in precisions]
    assert np.ptp(gaps) > 0.01
    assert bounds.mean_gap([skewed]) == pytest.approx(np.mean(gaps))
    assert bounds.mean_gap([skewed, orthogonal]) == pytest.approx(np.mean(gaps) / 2)
