"""Evaluations during training: what is measured, and who improves, waits, stops or diverges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ivae.engine.batches import Minibatches
from ivae.metrics import mcc
from ivae.models import LatentVariableModel
from ivae.objectives import Objective
from ivae.schedules import IMPROVEMENT, Schedule
from ivae.support.checks import Array
from ivae.support.seeds import seeded_generator

MEASURES = (
    "objective",
    "reconstruction",
    "kl",
    "mutual_information",
    "total_correlation",
    "dimension_wise_kl",
)
"""What an evaluation reports of the training minibatches since the one before."""


@dataclass
class Standing:
    """Where each of a shard's E members stands in its training.

    Attributes
    ----------
    best, bad, waited, falls
        Best value so far; evaluations without improvement since the learning rate last fell, and
        since the best; how often the rate fell; (E,) each.
    diverged, stopped
        By position in the shard: why it was frozen, and after which step it was stopped.
    """

    best: Array
    bad: NDArray[np.int64]
    waited: NDArray[np.int64]
    falls: NDArray[np.int64]
    diverged: dict[int, str]
    stopped: dict[int, int]

    @classmethod
    def of(cls, n_members: int) -> Standing:
        """Return the standing before the first step."""
        bad, waited, falls = np.zeros((3, n_members), np.int64)
        return cls(np.full(n_members, -np.inf), bad, waited, falls, {}, {})

    def judge(self, members: Sequence[int], values: Array, schedule: Schedule) -> None:
        """Take note of an evaluation's values of these members."""
        here = np.asarray(members)
        best = self.best[here]
        least = np.where(np.isfinite(best), IMPROVEMENT * np.abs(best), 0.0)
        better = values > best + least
        self.best[here] = np.where(better, values, best)
        self.bad[here] = np.where(better, 0, self.bad[here] + 1)
        self.waited[here] = np.where(better, 0, self.waited[here] + 1)
        falls = self.bad[here] > schedule.patience
        self.falls[here] += falls
        self.bad[here] = np.where(falls, 0, self.bad[here])


@torch.no_grad()
def held_out_objective(
    model: LatentVariableModel, data: Minibatches, objective: Objective, weights: Tensor
) -> Array | None:
    """Return the objective on the rows kept from training, (E,), with the same draws each time."""
    rows = data.held_out()
    if rows is None:
        return None
    x, u = rows
    shape = (x.shape[1], *data.noise_shape)
    generators = [seeded_generator(seed, "held out", 1) for seed in model.seeds]
    noise = torch.stack([torch.randn(shape, generator=g) for g in generators]).to(x)
    total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    size = min(data.batch_size, data.n_rows)  # What log q(z) is estimated for.
    for i in range(0, x.shape[1], size):
        here = slice(i, i + size)
        done = model(x[:, here], u[:, here], noise[:, here])
        total += objective.terms(done, weights, data.n_rows).value.sum(1)
    return np.asarray((total / x.shape[1]).cpu().numpy())


def score_sources(
    model: LatentVariableModel, x: Tensor, u: Tensor, sources: Sequence[Any], draw: int
) -> dict[str, Array]:
    """Return the MCC of posterior means and of one posterior draw, on all samples, (E,) each."""
    posterior = model.infer_checked(x, u)
    draws = posterior.sample(model.evaluation_noise(posterior.mean, draw))
    return {
        name: np.array([_score(*pair) for pair in zip(sources, found.cpu().numpy(), strict=True)])
        for name, found in {"mcc": posterior.mean, "mcc_sampled": draws}.items()
    }


def _score(z: NDArray[Any], estimate: NDArray[Any]) -> float:
    # A member on the point of diverging may have estimates that are not; the next step finds it.
    return mcc(z, estimate) if np.isfinite(estimate).all() else np.nan
