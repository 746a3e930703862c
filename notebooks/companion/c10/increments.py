"""Is there a step: by how much a score rises from each setting to the next, and what that says."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as students_t

from ivae.support.checks import Array, finite_array

CONFIDENCE = 0.95


class Increments(NamedTuple):
    """By how much a score rises from each setting to the next, dataset by dataset.

    Attributes
    ----------
    into, values
        The setting that each rise leads to, (S - 1,), and the rises, (S - 1, R).
    mean, low, high
        Mean over datasets, and the ends of its interval by Student's t, (S - 1,); together the
        intervals hold with a confidence of 95 % (Bonferroni).
    total, total_low, total_high
        The same for the rise from the first setting to the last; its interval stands alone.
    """

    into: Array
    values: Array
    mean: Array
    low: Array
    high: Array
    total: float
    total_low: float
    total_high: float

    @property
    def largest(self) -> int:
        """Index of the largest mean rise."""
        return int(self.mean.argmax())

    @property
    def verdict(self) -> Literal["step", "gradual", "none"]:
        """What the scores do between first and last setting.

        ``"none"`` where the interval of the total rise reaches down to 0. ``"step"`` where the
        largest rise is at least half of the total one and its interval lies above 0; it leads into
        ``into[largest]``. Else ``"gradual"``.
        """
        if self.total_low <= 0:
            return "none"
        at = self.largest
        is_step = self.low[at] > 0 and self.mean[at] >= self.total / 2
        return "step" if is_step else "gradual"


def increments(settings: ArrayLike, scores: ArrayLike) -> Increments:
    """Measure the rises of a score from each setting to the next, paired by dataset.

    ``settings`` are in rising order, (S,), with scores (S, R) of the same R >= 2 datasets. A NaN is
    refused: comparisons with it would pass for a verdict.
    """
    table = finite_array("scores", scores, ("S", "R"), np.float64)
    steps = np.diff(table, axis=0)
    mean, half = _interval(steps, (1 - CONFIDENCE) / len(steps))
    (total,), (half_total,) = _interval((table[-1] - table[0])[None], 1 - CONFIDENCE)
    return Increments(
        into=np.asarray(settings, np.float64)[1:],
        values=steps,
        mean=mean,
        low=mean - half,
        high=mean + half,
        total=float(total),
        total_low=total - half_total,
        total_high=total + half_total,
    )


def _interval(values: Array, error: float) -> tuple[Array, Array]:
    n = values.shape[1]
    half = students_t.ppf(1 - error / 2, n - 1) * values.std(1, ddof=1) / np.sqrt(n)
    return values.mean(1), half
