"""Chapter 10's results by the one setting that varies in them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from companion.c10.experiments import FLAT_NAMES
from companion.recorded.store import Result
from ivae.support.checks import Array


def by_segments(result: Result, varies: str = "segments") -> dict[str, Array]:
    """Return each value by number of segments, dataset and network, (M, D, K).

    ``varies`` is ``"segments"``, or one of :data:`companion.c10.experiments.OTHERS`.
    """
    found = result.where(varies=varies)
    shape = [len({run[name] for run in found.runs}) for name in ("value", "data_seed")]
    return {name: values.reshape(*shape, -1) for name, values in found.values.items()}


def of_highest(runs: Mapping[str, Array], bound: str = "elbo") -> dict[str, Array]:
    """Return each value, (M, D), of the network with the highest bound of the K on a dataset."""
    best = runs[bound].argmax(2)[..., None]
    return {name: np.take_along_axis(values, best, 2)[..., 0] for name, values in runs.items()}


def by_value(result: Result, setting: str, score: str = "fresh") -> dict[float, Array]:
    """Return one score on the few datasets, (R,), at each value of a setting of the plan's varied.

    Among them, in rising order, is the usual value, with the first network on each dataset.
    """
    sizes = result.settings
    usual = result.where(varies="segments", value=max(sizes["segments"]), seed=sizes["seed"])
    found = {usual.runs[0][FLAT_NAMES[setting][0]]: usual.values[score][: sizes["n_few"]]}
    for value in sizes["varied"][setting]:
        found[value] = result.where(varies=setting, value=value).values[score]
    return dict(sorted(found.items()))


def mean_difference(result: Result, setting: str, first: str, second: str) -> dict[float, float]:
    """Return by how much one value exceeds another, mean over runs, at each value of a setting."""
    one, other = (by_value(result, setting, name) for name in (first, second))
    return {value: float(np.mean(one[value] - other[value])) for value in one}
