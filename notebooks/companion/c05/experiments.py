"""Chapter 5's trainings: two sources with moving means in five segments."""

from __future__ import annotations

from typing import Any

import numpy as np

from companion.recorded import trained
from companion.recorded.experiment import Outcome
from companion.recorded.trained import Trained
from ivae import metrics
from ivae.objectives import RELEASED_WEIGHTS

SIZES = {"n_latents": 2, "n_observed": 2, "n_segments": 5, "centred": False, "n_components": 2}
SHOWN_EACH = 5
"""One in so many rows is kept for the pictures."""
BOUND = {"objective": "elbo", "weights": (1.0, 1.0, 1.0, 1.0), "decoder_variance": 0.01}
RELEASED = {"objective": "decomposition", "weights": RELEASED_WEIGHTS, "decoder_variance": 0.1}
CASES: dict[str, dict[str, Any]] = {
    "released": {"preset": "released"} | BOUND,
    "paper": {"preset": "paper"} | BOUND,
    "objective": {"preset": "released"} | RELEASED,
}
"""Data of either protocol with Eq. (8); the released data with the released objective."""


def plan(*, seed: int, n_datasets: int, runs_each: int, epochs: int) -> list[dict[str, Any]]:
    """Return several trainings on each of several datasets for every one of :data:`CASES`."""
    return [
        SIZES
        | values
        | {"case": case, "data_seed": seed + i // runs_each, "seed": seed + i, "epochs": epochs}
        for case, values in CASES.items()
        for i in range(n_datasets * runs_each)
    ]


def measure(trained: Trained) -> list[Outcome]:
    """Hold each member's latents and prior against the truth, order, sign and scale undone.

    ``overlap`` is that of the learned and the true prior, mean over segments; ``mean_error`` the
    mean absolute error of the prior's means; ``ratio_low`` and ``ratio_high`` are the extremes of
    learned over true deviation. The arrays are the aligned prior, and draws of the posterior at one
    row in :data:`SHOWN_EACH`.
    """
    drawn = trained.model.draw_latents(trained.x, trained.u).numpy(force=True)
    moments = (moment.numpy(force=True) for moment in trained.model.prior_moments())
    found = []
    for truth, latents, mean, variance in zip(trained.datasets, drawn, *moments, strict=True):
        line = metrics.alignment(truth.z, latents)
        learned, deviation = line.apply(mean), line.scale(variance**0.5)
        true = np.sqrt(truth.variance)
        ratio = deviation / true
        values = {
            "overlap": metrics.gaussian_overlap(learned, deviation, truth.mean, true).mean(),
            "mean_error": np.abs(learned - truth.mean).mean(),
            "ratio_low": ratio.min(),
            "ratio_high": ratio.max(),
        }
        arrays = {
            "prior_mean": learned,
            "prior_deviation": deviation,
            "drawn": line.apply(latents)[::SHOWN_EACH].astype(np.float16),
        }
        found.append(Outcome({name: float(v) for name, v in values.items()}, arrays))
    return found


figure_1 = trained.experiment(plan, measure, revision=1)
