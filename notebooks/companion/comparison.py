"""What the scores of contenders say that were trained on the same data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from companion.recorded.store import Result
from ivae.metrics import correlation_matrix
from ivae.support.checks import Array

Scores = dict[tuple[str, str], Array]
"""(Contender, setting) to one score for each pair of seeds, (R,)."""
FAR_BELOW = 0.2  # An objective's best, as a share of it: where a run broke down.


def scores(found: Result, measure: str = "mcc_sampled") -> Scores:
    """Return each setting's scores (R,), one for each pair of seeds, in the order of the runs.

    Runs have labels ``contender`` and ``setting``. Where all settings have the same pairs in one
    order, the scores of two of them can be compared one by one.
    """
    groups = found.table.groupby(["contender", "setting"], sort=False)[measure]
    return {
        (str(contender), str(setting)): values.to_numpy(dtype=np.float64)
        for (contender, setting), values in groups
    }


def best_settings(found: Scores) -> dict[str, str]:
    """Return the setting of the highest mean score for each contender.

    The choice knows the true sources, as the paper's ("an optimal choice of parameters") does; so
    it favours who has more settings to choose from. A setting of which a run diverged comes last.
    """
    best: dict[str, str] = {}
    for contender, setting in found:
        before = best.setdefault(contender, setting)
        if _mean(found[contender, setting]) > _mean(found[contender, before]):
            best[contender] = setting
    return best


class Margin(NamedTuple):
    """By how much iVAE leads the best baseline, pair of seeds by pair of seeds.

    Contender and setting are the baseline's, of all settings of all baselines that with the highest
    mean; ``ivae`` and ``baseline`` are the MCCs (R,), ``values`` their difference.
    """

    contender: str
    setting: str
    ivae: Array
    baseline: Array
    values: Array


def margin(found: Scores) -> Margin:
    """Return iVAE's margin over the best baseline among :func:`scores`."""
    means = {name: _mean(values) for name, values in found.items()}
    baselines = [name for name in found if name[0] != "iVAE"]
    ours = [name for name in found if name[0] == "iVAE"]
    ivae = found[max(ours, key=means.__getitem__)]
    best = max(baselines, key=means.__getitem__)
    return Margin(*best, ivae, found[best], ivae - found[best])


def curves(found: Result, contender: str, setting: str) -> Array:
    """Return the MCC of posterior samples over training, (T, R), of one setting's runs."""
    return found.where(contender=contender, setting=setting).arrays["mcc_curve"].T


def broke_down(found: Result) -> NDArray[np.bool_]:
    """Return which runs (R,) ended with an objective far below their best, or diverged.

    Training can be thrown off late: the objective falls in one epoch and, once the learning rate
    has fallen too, does not come back. That is seen without knowing the sources.
    """
    ends = np.asarray(found.values["objective"], np.float64)
    best = np.array([np.nanmax([*one, -np.inf]) for one in found.arrays["objective_curve"]])
    return np.asarray(~(ends >= best - FAR_BELOW * np.abs(best)))


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Return Spearman's correlation of two lists, over places at which both are finite.

    A run that diverged has no score: its place is left out. NaN where fewer than two are left.
    """
    one, two = (np.asarray(values, dtype=np.float64) for values in (a, b))
    kept = np.isfinite(one) & np.isfinite(two)
    if kept.sum() < 2:
        return float("nan")
    return float(correlation_matrix(one[kept, None], two[kept, None], "spearman")[0, 0])


def _mean(values: Array) -> float:
    mean = float(values.mean())
    return mean if np.isfinite(mean) else -np.inf
