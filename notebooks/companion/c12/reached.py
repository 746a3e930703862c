"""What runs on bits reach, by the size of their problem, and what the exact posterior does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from companion.c12.experiments import WIDE, Size
from companion.recorded.experiment import Run
from companion.recorded.store import Result
from ivae.support.checks import Array

DATA = ("n_latents", "n_observed", "spread", "data_seed")
"""What tells one dataset from another."""


def scores_of(
    found: Result, size: Size, name: str = "fresh", spread: str = WIDE, **labels: Any
) -> Array:
    """Return one of the scores of the runs of a size, (R,); labels are those of the experiment."""
    n, d = size
    return found.where(n_latents=n, n_observed=d, spread=spread, **labels).values[name]


def beside_exact(runs: Result, exact: Result) -> Result:
    """Return runs with the values of the exact posterior on their own dataset, as ``exact_<name>``.

    ``below_exact`` is by how much the MCC of a run's posterior means is below that, (R,).
    """
    numbers = {_data_of(run): number for number, run in enumerate(exact.runs)}
    chosen = [numbers[_data_of(run)] for run in runs.runs]
    best = {f"exact_{name}": value[chosen] for name, value in exact.values.items()}
    below = best["exact_fresh"] - runs.values["fresh"]
    return replace(runs, values={**runs.values, **best, "below_exact": np.asarray(below)})


def _data_of(run: Run) -> tuple[Any, ...]:
    return tuple(run[name] for name in DATA)
