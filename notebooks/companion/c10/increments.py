"""Is there a step: by how much a score rises from each setting to the next, and what that says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as students_t

from ivae.support.checks import Array, finite_array


@dataclass(frozen=True)
class Increments:
    """By how much a score rises from each setting to the next, dataset by dataset.

    Attributes
    ----------
    into
        The setting that each rise leads to, (S - 1,).
    values
        (S - 1, R).
    mean, low, high
        Mean over datasets, and the ends of its interval by Student's t, (S - 1,); together the
        intervals hold with the confidence asked for (Bonferroni).
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


def increments(settings: ArrayLike, scores: ArrayLike, confidence: float = 0.95) -> Increments:
    """Measure the rises of a score from each setting to the next, paired by dataset.

    Parameters
    ----------
    settings
        In rising order, (S,).
    scores
        One for each setting and dataset, (S, R), the same datasets for all.
    confidence
        Of the intervals.

    Raises
    ------
    ValueError
        For NaN, fewer than two settings or datasets, settings that do not rise, or a confidence
        that is not between 0 and 1.
    """
    table = finite_array("scores", scores, ("S", "R"), np.float64)
    places = finite_array("settings", settings, (table.shape[0],), np.float64)
    if min(table.shape) < 2:
        raise ValueError(f"scores must have at least 2 settings and 2 datasets; got {table.shape}.")
    if (np.diff(places) <= 0).any():
        raise ValueError(f"settings must rise; got {places.tolist()}.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1; got {confidence!r}.")
    steps = np.diff(table, axis=0)
    mean, half = _interval(steps, (1 - confidence) / len(steps))
    (total,), (half_total,) = _interval((table[-1] - table[0])[None], 1 - confidence)
    ends = mean - half, mean + half
    return Increments(
        places[1:], steps, mean, *ends, float(total), total - half_total, total + half_total
    )


def _interval(values: Array, error: float) -> tuple[Array, Array]:
    n = values.shape[1]
    half = students_t.ppf(1 - error / 2, n - 1) * values.std(1, ddof=1) / np.sqrt(n)
    return values.mean(1), half
