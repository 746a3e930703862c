"""Scores of latents on rows that no training has seen, pooled and within segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from companion.simulation import simulate
from ivae import data
from ivae.data import NonstationaryData
from ivae.metrics import mcc
from ivae.models import LatentVariableModel
from ivae.support.checks import Array

FRESH_PER_SEGMENT = 250
ROUNDING = 1e-12
"""Relative to a column's largest value: what varies less in a segment is constant there."""


def fresh_rows(
    dataset: NonstationaryData, seed: int = 0, per_segment: int = FRESH_PER_SEGMENT
) -> NonstationaryData:
    """Draw new rows from a dataset's own sources, mixing and noise.

    The generator is none of those that draw datasets, whatever the seed.
    """
    return simulate(
        dataset.mean,
        dataset.variance,
        dataset.mixing,
        samples_per_segment=per_segment,
        noise_variance=dataset.noise_variance,
        seed=(dataset.seed, seed, 0xF4E5),
        family=dataset.family.name,
        likelihood=dataset.likelihood,
    )


def within(values: ArrayLike, u: ArrayLike) -> Array:
    """Return columns with mean 0 and deviation 1 *in every segment*, (N, n).

    What is left cannot be told from the label. A column that is constant in a segment stays 0.
    """
    array, labels = np.asarray(values, np.float64), np.asarray(u)
    count = np.bincount(labels)[:, None]

    def mean_of(columns: Array) -> Array:
        sums = [np.bincount(labels, column) for column in columns.T]
        return np.asarray((np.stack(sums, 1) / np.maximum(count, 1))[labels])

    centred = array - mean_of(array)
    deviation = np.sqrt(mean_of(centred**2))
    varies = deviation > ROUNDING * np.abs(array).max(0)
    return np.asarray(np.divide(centred, deviation, np.zeros_like(centred), where=varies))


def mcc_within(z: ArrayLike, estimate: ArrayLike, u: ArrayLike) -> float:
    """Return the MCC within segments: pooled over rows that are standardised in each of them.

    Segments of large variance do not decide it, and nothing that the label alone tells counts.
    """
    return mcc(within(z, u), within(estimate, u))


def scores(dataset: NonstationaryData, mean: ArrayLike, draw: ArrayLike) -> dict[str, float]:
    """Return the MCC of posterior means and of one draw, pooled and within segments."""
    z, u = dataset.z, dataset.u
    every: dict[str, Any] = {"fresh": mean, "fresh_sampled": draw}
    found = {name: mcc(z, estimate) for name, estimate in every.items()}
    return found | {
        "within": mcc_within(z, mean, u),
        "within_sampled": mcc_within(z, draw, u),
    }


def scores_of_members(
    model: LatentVariableModel, datasets: Sequence[NonstationaryData]
) -> list[dict[str, float]]:
    """Return the :func:`scores` of each member of an ensemble, on its own dataset."""
    x, u, _ = data.stack(datasets)
    means = model.infer(x, u).mean.numpy(force=True)
    draws = model.draw_latents(x, u).numpy(force=True)
    return [scores(*each) for each in zip(datasets, means, draws, strict=True)]
