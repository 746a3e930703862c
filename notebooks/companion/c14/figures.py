"""The figure of methods and settings, a row for each and a dot for each dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.stats import t

from companion.style import COLOURS, CONTENDER_COLOURS, GREY, floor_band, panels
from ivae.support.checks import Array

METHODS = {
    "the recipe": CONTENDER_COLOURS["the recipe"],
    "released": CONTENDER_COLOURS["iVAE"],
    "Eq. (8)": COLOURS[3],
    "joint diagonalisation": COLOURS[2],
    "TCL, xtanh": COLOURS[4],
    "TCL": COLOURS[6],
}
"""Colours; what has none of its own is grey."""
MARKS = "osD"
FEWEST = 5
"""Of these an interval is drawn."""


def strips(
    rows: Mapping[str, Mapping[str, ArrayLike]],
    floor: Array | None = None,
    *,
    x_label: str = "MCC of posterior means",
) -> Figure:
    """Draw a row of dots for each entry, a dot for each run, in its method's colour.

    ``rows`` maps names to {method: MCCs}, without those that diverged (NaN). Below five dots or
    more a line marks their mean and its 95 % interval, by Student's t. ``floor`` holds MCCs of
    random rotations. The recipe's dots are filled. Methods are named below where rows have several.
    """
    figure, (axis,) = panels(1, 0.36 * len(rows) + 1.1)
    if floor is not None:
        floor_band(axis, floor, upright=True)
    seen: dict[str, Any] = {}
    for row, by_method in enumerate(rows.values()):
        for place, (method, values) in enumerate(by_method.items()):
            array = np.asarray(values, np.float64)
            array = array[np.isfinite(array)]
            colour = METHODS.get(method, GREY)
            height = row + 0.24 * (place - (len(by_method) - 1) / 2)
            fill = colour if method == "the recipe" else "none"
            style = {"ms": 5, "mec": colour, "mfc": fill, "alpha": 0.85}
            mark = MARKS[place]
            (seen[method],) = axis.plot(array, np.full(len(array), height), mark, ls="", **style)
            if len(array) >= FEWEST:
                mean, half = array.mean(), _half_interval(array)
                low = height + 0.27
                axis.plot([mean - half, mean + half], [low, low], color=colour, lw=2.5)
                axis.plot([mean], [low], "|", ms=9, mew=2, color=colour)
    axis.set_yticks(range(len(rows)), list(rows))
    axis.set(xlabel=x_label, xlim=(None, 1.005), ylim=(len(rows) - 0.4, -0.6))
    axis.grid(axis="y", lw=0.4, alpha=0.6)
    if len(seen) > 1 and any(len(by_method) > 1 for by_method in rows.values()):
        figure.legend(seen.values(), seen.keys(), loc="outside lower center", ncols=len(seen))
    return figure


def _half_interval(values: Array) -> float:
    """Return half the length of the 95 % interval of a mean."""
    n = len(values)
    return float(t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
