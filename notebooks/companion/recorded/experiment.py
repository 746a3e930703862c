"""What an experiment is: a list of runs, each of which can be made again alone.

A *run* is the smallest piece that can: one member of an ensemble, one dataset's recovery, one test.
It is a mapping of plain values that say all of what it is. An experiment lists its runs for given
settings (``plan``) and makes some of them (``make``), all or a few. Runs that are alike are
made together, which is faster, and give what they give alone, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ivae.support.checks import Array

Run = Mapping[str, Any]
NUDGE = 1e-6
"""By how much, relative to their size, initial weights are moved to learn what rounding can do."""


class Outcome(NamedTuple):
    """What one run gave.

    Attributes
    ----------
    values
        Numbers by name, by which a run that is made again is compared; NaN where there is none.
    arrays
        What the pages draw besides, by name; of one shape over all runs of the experiment.
    """

    values: dict[str, float]
    arrays: dict[str, Array] = {}  # noqa: RUF012  # Never written to.


@dataclass(frozen=True)
class Experiment:
    """An experiment of a chapter.

    Attributes
    ----------
    plan
        Settings, by name and of plain values, to the runs in order.
    work
        Some runs that are alike, and a nudge, to what they gave, in the same order. Initial weights
        (where nothing is trained, the data) are moved by the nudge times their size: 0, or
        :data:`NUDGE`.
    revision
        Counted up by hand whenever the same settings would give something else.
    alike
        Of a run, what it must share with those that it is made together with.
    together
        How many runs are made together at most. A process that is killed loses no more than these
        on each of its threads.
    """

    plan: Callable[..., list[dict[str, Any]]]
    work: Callable[[Sequence[Run], float], list[Outcome]]
    revision: int = 1
    alike: Callable[[Run], Hashable] = lambda run: None
    together: int = 32

    def __call__(self, **settings: Any) -> list[Outcome]:
        """Make all runs of these settings, here and now."""
        return self.make(self.plan(**settings), 0.0)

    def make(self, runs: Sequence[Run], nudge: float) -> list[Outcome]:
        """Make some runs, in batches; return what they gave, in their order."""
        found: dict[int, Outcome] = {}
        for batch in self.batches(runs, range(len(runs))):
            made = self.work([runs[number] for number in batch], nudge)
            found |= dict(zip(batch, made, strict=True))
        return [found[number] for number in range(len(runs))]

    def batches(self, runs: Sequence[Run], chosen: Sequence[int]) -> list[list[int]]:
        """Cut the chosen runs, by number, into those that are made together."""
        groups: dict[Hashable, list[int]] = {}
        for number in chosen:
            groups.setdefault(self.alike(runs[number]), []).append(number)
        return [
            part.tolist()
            for group in groups.values()
            for part in np.array_split(group, -(-len(group) // self.together))
        ]


def one_by_one(alone: Callable[[Run, float], Outcome]) -> Callable[..., list[Outcome]]:
    """Return a ``work`` that makes each run by itself."""
    return partial(_each, alone)


def _each(
    alone: Callable[[Run, float], Outcome], runs: Sequence[Run], nudge: float
) -> list[Outcome]:
    return [alone(run, nudge) for run in runs]


def nudged(values: Any, nudge: float, seed: int = 0) -> Array:
    """Return an array whose entries are moved by the nudge times their size, at random."""
    array = np.asarray(values)
    if not nudge:
        return array
    moves = np.random.default_rng(seed).standard_normal(array.shape)
    return np.asarray(array * (1 + nudge * moves)).astype(array.dtype)
