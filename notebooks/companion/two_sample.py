"""Do two samples come from one distribution: a permutation test, and how often it rejects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist
from scipy.stats import binomtest

from ivae.support.checks import Array

LEVEL = 0.05  # A test rejects when its p-value is at most this.
Seed = int | np.random.Generator


class EnergyTest(NamedTuple):
    """Outcome of :func:`energy_test`: the squared energy distance and its permutation p-value."""

    distance: float
    p_value: float


def energy_test(
    x: ArrayLike, y: ArrayLike, n_permutations: int = 500, seed: Seed = 0
) -> EnergyTest:
    """Test whether two samples come from one distribution, by energy distance and permutations.

    For samples (N, d) and (N', d). The population distance (Szekely and Rizzo 2004) is zero only
    for equal distributions, so with enough data the test sees any difference. The smallest p-value
    is 1 / (n_permutations + 1). Memory grows with the square of the pooled sample.
    """
    first, second = np.asarray(x), np.asarray(y)
    pooled = np.concatenate((first, second))
    distances = cdist(pooled, pooled)
    n, n_second = len(first), len(second)
    rng = np.random.default_rng(seed)
    labels = np.repeat((1 / n, -1 / n_second), (n, n_second))
    relabelled = np.stack([labels, *(rng.permutation(labels) for _ in range(n_permutations))])
    # -w' D w with weights 1/n and -1/n' is 2 E|X-Y| - E|X-X'| - E|Y-Y'|.
    values = -np.einsum("pi,pi->p", relabelled @ distances, relabelled)
    as_extreme = int((values[1:] >= values[0] - 1e-12).sum())
    return EnergyTest(float(values[0]), (1 + as_extreme) / (1 + n_permutations))


@dataclass(frozen=True)
class Rejections:
    """How often independent tests, of these p-values, reject; an exact interval for the rate."""

    p_values: Array

    @property
    def count(self) -> int:
        """Tests that reject."""
        return int((self.p_values <= LEVEL).sum())

    @property
    def rate(self) -> float:
        """Their share."""
        return self.count / len(self.p_values)

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's 95 % interval (1934) for the probability of a rejection.

        It covers that probability in at least 95 of 100 repetitions, whatever it is, because it
        inverts the exact binomial test.
        """
        low, high = binomtest(self.count, len(self.p_values)).proportion_ci(0.95, "exact")
        return float(low), float(high)

    @property
    def low(self) -> float:
        """Lower end of :attr:`interval`."""
        return self.interval[0]

    @property
    def high(self) -> float:
        """Upper end of :attr:`interval`."""
        return self.interval[1]
