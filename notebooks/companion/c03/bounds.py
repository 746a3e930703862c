"""How bounds at the truth and at trained models lie to each other: of the experiment ``gaps``."""

from __future__ import annotations

import numpy as np

from companion.c03.experiments import GAPS, gap_rows
from companion.recorded import trained
from companion.recorded.experiment import Run
from companion.recorded.store import Result
from ivae.support.checks import Array
from ivae.theory.linear import LinearModel

BOUNDS = GAPS[:3]
"""Diagonal ELBO, full ELBO, log-likelihood."""
MODELS = {"true model": "truth", "trained iVAE": "trained"}


def less_likelihood(found: Result) -> dict[str, dict[str, Array]]:
    """Return the :data:`BOUNDS` less the true model's log-likelihood, by preset and model, (R, 3).

    R is the number of datasets.
    """

    def of(preset: str, where: str) -> Array:
        values = found.where(preset=preset, where=where).values
        return np.stack([values[name] for name in BOUNDS], 1)

    return {
        preset: {name: of(preset, at) - of(preset, "truth")[:, 2:] for name, at in MODELS.items()}
        for preset in dict.fromkeys(run["preset"] for run in found.runs)
    }


def lead_in_errors(found: Result, preset: str) -> Array:
    """Return the trained model's lead over the truth in diagonal ELBO, in standard errors, (R,).

    Both are bounds at the same rows of a dataset, which are compared one by one.
    """
    after, before = (
        found.where(preset=preset, where=where).arrays["mean_field"].astype(float)
        for where in ("trained", "truth")
    )
    lead = after - before
    return np.asarray(lead.mean(1) / (lead.std(1) / np.sqrt(lead.shape[1])))


def exact_log_likelihood(run: Run) -> float:
    """Return the mean of log p(x|u) over the rows of a run on linear data, in closed form."""
    dataset = trained.run_of(run).data.generate()
    fresh, rows = gap_rows(run)
    known = LinearModel(dataset.mixing.matrices[0], dataset.variance, dataset.noise_variance)
    return float(known.log_likelihood(fresh.x[rows], fresh.u[rows]).mean())
