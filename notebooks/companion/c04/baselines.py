"""What is scored without any training: random rotations of the sources, and the observations."""

from __future__ import annotations

from typing import NamedTuple

from companion.scores import within
from ivae.data import NonstationaryData
from ivae.metrics import mcc, rotation_floor
from ivae.support.checks import Array


class Baseline(NamedTuple):
    """MCC of random rotations of the sources, (R,), and of the observations themselves."""

    rotations: Array
    observations: float


def baselines(dataset: NonstationaryData, seed: int) -> dict[str, Baseline]:
    """Return a dataset's baselines, ``"pooled"`` and ``"within"`` segments; seed of rotations."""
    z, x, u = dataset.z, dataset.x, dataset.u
    pairs = {"pooled": (z, x), "within": (within(z, u), within(x, u))}
    return {
        name: Baseline(rotation_floor(sources, seed=seed), mcc(sources, observed))
        for name, (sources, observed) in pairs.items()
    }
