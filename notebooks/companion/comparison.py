"""Contenders trained on the same data, and what a table of their scores says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from companion.protocols import Contender, contenders, run_of
from ivae.metrics import correlation_matrix
from ivae.support.checks import Array
from ivae.sweeps.sweep import sweep

Scores = dict[tuple[str, str], Array]
"""(Contender, setting) to one score for each pair of seeds, (R,)."""


def compare(
    protocol: str,
    seeds: Iterable[tuple[int, int]],
    folder: str | Path,
    *,
    only: Iterable[Contender] | None = None,
    **values: Any,
) -> pd.DataFrame:
    """Train contenders on pairs (data seed, network seed), and return the sweep's table.

    Parameters
    ----------
    protocol
        ``"text"`` or ``"released"``.
    seeds
        Pairs of seeds; each contender is trained once for every pair.
    folder
        Where :func:`ivae.sweeps.sweep.sweep` keeps its records.
    only
        Contenders, by default all of :func:`companion.protocols.contenders`.
    values
        Attributes of every run: sizes, epochs.

    Returns
    -------
    DataFrame
        That of the sweep, with the columns ``contender`` and ``setting``.
    """
    chosen = list(contenders(protocol) if only is None else only)
    pairs = list(seeds)
    runs = [
        run_of(protocol, one, data_seed=data_seed, seed=seed, **values)
        for one in chosen
        for data_seed, seed in pairs
    ]
    names = [(one.model, one.setting) for one in chosen for _ in pairs]
    table = sweep(runs, folder)
    return table.assign(contender=[m for m, _ in names], setting=[s for _, s in names])


def scores(table: pd.DataFrame, measure: str = "mcc_sampled") -> Scores:
    """Return each setting's scores (R,), one for each pair of seeds, in the table's order.

    The pairs must be the same for all; then the scores of two settings can be compared one by one.
    """
    names = list(zip(table["contender"], table["setting"], strict=True))
    values = table[measure].to_numpy(dtype=np.float64)
    pairs = list(zip(table["data_seed"], table["seed"], strict=True))
    found: Scores = {}
    order: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for name in dict.fromkeys(names):
        rows = [row for row, other in enumerate(names) if other == name]
        found[name], order[name] = values[rows], [pairs[row] for row in rows]
    if any(of_one != order[names[0]] for of_one in order.values()):
        raise ValueError("table must hold the same pairs of seeds, in one order, for all settings.")
    return found


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


@dataclass(frozen=True)
class Margin:
    """By how much iVAE leads the best baseline, pair of seeds by pair of seeds.

    Attributes
    ----------
    contender, setting
        The baseline's: of all settings of all baselines that with the highest mean.
    ivae, baseline, values
        MCCs (R,), and their difference.
    """

    contender: str
    setting: str
    ivae: Array
    baseline: Array
    values: Array


def margin(found: Scores) -> Margin:
    """Return iVAE's margin over the best baseline among :func:`scores`.

    Raises
    ------
    ValueError
        When the iVAE or all baselines are missing.
    """
    means = {name: _mean(values) for name, values in found.items()}
    baselines = [name for name in found if name[0] != "iVAE"]
    ours = [name for name in found if name[0] == "iVAE"]
    if not baselines or not ours:
        raise ValueError("found must hold scores of the iVAE and of at least one baseline.")
    ivae = found[max(ours, key=means.__getitem__)]
    best = max(baselines, key=means.__getitem__)
    return Margin(*best, ivae, found[best], ivae - found[best])


def curves(table: pd.DataFrame, contender: str, setting: str) -> Array:
    """Return the MCC of posterior samples over training, (T, R), of one setting's runs."""
    chosen = table[(table["contender"] == contender) & (table["setting"] == setting)]
    if chosen.empty:
        raise ValueError(f"table has no runs of {contender!r} with the setting {setting!r}.")
    return np.array(chosen["mcc_curve"].tolist()).T


def broke_down(table: pd.DataFrame, share: float = 0.2) -> NDArray[np.bool_]:
    """Return which runs (R,) ended with an objective far below their best, or diverged.

    Training can be thrown off late: the objective falls in one epoch and, once the learning rate
    has fallen too, does not come back. That is seen without knowing the sources.

    Parameters
    ----------
    table
        Of :func:`ivae.sweeps.sweep.sweep`.
    share
        How far below, as a share of the best evaluation's absolute value.
    """
    ends = table["final_objective"].to_numpy(dtype=np.float64)
    best = np.array([np.nanmax([*curve, -np.inf]) for curve in table["objective_curve"]])
    return np.asarray(~(ends >= best - share * np.abs(best)))


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Return Spearman's correlation of two lists, over places at which both are finite.

    A run that diverged has no score: its place is left out. NaN where fewer than two are left.

    Raises
    ------
    ValueError
        When the lists differ in length.
    """
    one, two = (np.asarray(values, dtype=np.float64) for values in (a, b))
    if one.ndim != 1 or one.shape != two.shape:
        raise ValueError(f"a and b must be lists of equal length; got {one.shape}, {two.shape}.")
    kept = np.isfinite(one) & np.isfinite(two)
    if kept.sum() < 2:
        return float("nan")
    return float(correlation_matrix(one[kept, None], two[kept, None], "spearman")[0, 0])


def _mean(values: Array) -> float:
    mean = float(values.mean())
    return mean if np.isfinite(mean) else -np.inf
