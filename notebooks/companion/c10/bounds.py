"""What Eq. (8) is worth at the truth and at what was trained, with and without the encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from companion.recorded.experiment import Outcome
from companion.recorded.trained import Trained
from ivae.data import DataSettings, NonstationaryData
from ivae.metrics import mcc
from ivae.theory.exact import mean_field_gap
from ivae.theory.posteriors import (
    Posteriors,
    Problem,
    at_mode,
    bound,
    encoded,
    fit_gaussians,
    problem_of_dataset,
    problem_of_model,
)

N_ROWS = 128
N_STEPS, N_MODE_STEPS = 150, 50
"""Of Adam for the posteriors of all rows, and before of the search for their modes."""
N_DRAWS = 200
NAMES = ("bound_encoder", "bound_own", "bound_truth", "mcc_truth")


def measure(trained: Trained) -> list[Outcome]:
    """Return Eq. (8), in nats, over the same :data:`N_ROWS` new rows for each member.

    ``bound_encoder`` is the model's as it is. ``bound_own`` has the model's decoder and prior, and
    instead of its encoder the best diagonal posterior for each row by itself. ``bound_truth`` is
    the same under the true decoder and prior: no encoder can reach more there. ``mcc_truth`` is the
    MCC of those posteriors' means. A member that diverged
    has none of its own.
    """
    at_truth: dict[DataSettings, tuple[float, float]] = {}
    found = []
    for member, run in enumerate(trained.runs):
        if run.data not in at_truth:  # Several networks may have one dataset.
            at_truth[run.data] = _at_truth(trained, member)
        lost = member in trained.history.diverged
        of_model = (np.nan, np.nan) if lost else _of_model(trained, member)
        values = (*of_model, *at_truth[run.data])
        found.append(Outcome(dict(zip(NAMES, values, strict=True))))
    return found


def mean_gap(datasets: Sequence[NonstationaryData]) -> float:
    """Return the nats that a diagonal posterior costs at the truth, mean over rows and datasets.

    The decoder is linearised at each row's sources, scaled to the standard normal prior.
    """
    gaps = []
    for one in datasets:
        scale = np.sqrt(one.variance)[one.u, :, None]
        gaps.append(mean_field_gap(scale * one.mixing.jacobian(one.z), one.noise_variance))
    return float(np.mean(gaps))


def _of_model(trained: Trained, member: int) -> tuple[float, float]:
    rows = _rows(trained, member)
    x, u = trained.fresh_x[member][rows], trained.fresh[member].u[rows]
    problem = problem_of_model(trained.model, member, x, u)
    return _value(problem, encoded(trained.model, member, x, u)), _value(problem, _best(problem))


def _at_truth(trained: Trained, member: int) -> tuple[float, float]:
    fresh, rows = trained.fresh[member], _rows(trained, member)
    problem = problem_of_dataset(fresh, rows)
    best = _best(problem)
    return _value(problem, best), mcc(fresh.z[rows], best.mean.numpy())


def _rows(trained: Trained, member: int) -> NDArray[np.int64]:
    return np.linspace(0, len(trained.fresh[member].u) - 1, N_ROWS).astype(int)


def _best(problem: Problem) -> Posteriors:
    started = at_mode(problem, n_steps=N_MODE_STEPS)
    return fit_gaussians(started, False, N_STEPS, torch.Generator().manual_seed(0))


def _value(problem: Problem, q: Posteriors) -> float:
    return float(bound(problem, q, N_DRAWS, torch.Generator().manual_seed(0)).mean())
