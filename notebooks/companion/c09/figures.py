"""Figures of what settings and datasets do to a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from companion.style import BLUE, GREY, WIDTH, panels
from ivae.support.checks import Array


def sensitivity(
    panels_of: Mapping[str, Array], rows: Sequence[str], columns: Sequence[str]
) -> Figure:
    """Draw tables of mean scores as coloured squares with the numbers in them.

    ``panels_of`` maps titles to tables (rows, columns); NaN stands for a run that diverged.
    """
    n_columns = min(2, len(panels_of))
    n_rows = -(-len(panels_of) // n_columns)
    size = (WIDTH, 0.42 * len(rows) * n_rows + 0.9 * n_rows)
    figure, grid = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False)
    values = np.stack(list(panels_of.values()))
    low, high = np.nanmin(values), np.nanmax(values)
    for axis in list(grid.flat)[len(panels_of) :]:
        axis.set_visible(False)
    for axis, (title, table) in zip(grid.flat, panels_of.items(), strict=False):
        axis.imshow(table, cmap="cividis", vmin=low, vmax=high, aspect="auto")
        for (i, j), value in np.ndenumerate(table):
            text = "div." if np.isnan(value) else f"{value:.2f}"
            ink = "white" if value < low + 0.55 * (high - low) else "black"
            axis.text(j, i, text, ha="center", va="center", fontsize=9, color=ink)
        axis.set_title(title)
        axis.set_xticks(range(len(columns)), columns)
        axis.set_yticks(range(len(rows)), rows)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    return figure


def against(
    condition: Array, mcc: Array, names: Sequence[str], is_open: NDArray[np.bool_]
) -> Figure:
    """Draw named runs' MCC, open where ``is_open``, against the mixing's condition number."""
    figure, (axis,) = panels(1, 3.2)
    for chosen, fill in ((~is_open, BLUE), (is_open, "none")):
        axis.plot(condition[chosen], mcc[chosen], "o", ms=5, mec=BLUE, mfc=fill, alpha=0.8)
    for name, a, b in zip(names, condition, mcc, strict=True):
        axis.annotate(name, (a, b), (4, 3), textcoords="offset points", fontsize=8, color=GREY)
    axis.set(xlabel="condition number of the mixing matrix", ylabel="MCC of posterior samples")
    return figure
