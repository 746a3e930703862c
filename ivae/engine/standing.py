"""Where each member stands in its training: who improves, waits, has stopped or diverged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ivae.schedules import IMPROVEMENT, Schedule

Array = NDArray[np.float64]


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
