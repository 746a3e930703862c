"""Figures of the theory: noise that erases, ellipses to move along, A, and what segments span."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from companion.style import BLUE, GREY, ORANGE, WIDTH, panels
from ivae.theory.rank import RankReport

Array = NDArray[np.floating[Any]]


def erased(
    x: Array, clean: Mapping[str, Array], noisy: Mapping[str, Array], t: Array, modulus: Array
) -> Figure:
    """Draw two noise-free densities, the noise's characteristic function, and the noisy densities.

    ``clean`` and ``noisy`` map the two models' names to values at x (G,); ``modulus`` is that of
    the noise at frequencies t.
    """
    figure, (left, middle, right) = panels(3, 2.5)
    styles = ({"color": BLUE, "lw": 2.2}, {"color": ORANGE, "lw": 1.4, "ls": (0, (4, 2))})
    for axis, curves, title in ((left, clean, "without noise"), (right, noisy, "with noise")):
        for (name, values), style in zip(curves.items(), styles, strict=True):
            axis.plot(x, values, label=name, **style)
        axis.set(title=title, xlabel="$x$", ylim=(0, None), yticks=[])
    middle.plot(t, modulus, color=GREY, lw=2)
    middle.set(title="noise, in frequency", xlabel="$t$", ylim=(0, None), yticks=[0, 1])
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def matrices(shown: Mapping[str, Array], row: str, column: str) -> Figure:
    """Draw matrices as coloured squares with their numbers, on one scale from -1 to 1."""
    figure, axes = panels(len(shown), 3.2)
    for axis, (title, matrix) in zip(axes, shown.items(), strict=True):
        axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
        for (i, j), value in np.ndenumerate(matrix):
            colour = "white" if abs(value) > 0.6 else "black"
            axis.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=9, color=colour)
        axis.set_xticks(range(matrix.shape[1]), [f"${column}_{j + 1}$" for j in range(len(matrix))])
        axis.set_yticks(range(matrix.shape[0]), [f"${row}_{i + 1}$" for i in range(len(matrix))])
        axis.set_title(title)
        axis.tick_params(length=0)
    return figure


def spanned(report: RankReport, most: int, highest: float) -> Figure:
    """Draw lambda of the first segments around its mean, and its singular values.

    Parameters
    ----------
    report
        From :func:`ivae.theory.rank.spread_report`.
    most
        Segments that the left panel has room for.
    highest
        Upper end of the right panel, so that frames can be compared.
    """
    size = report.matrix.shape[0]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 2.6), width_ratios=(2.2, 1), layout="constrained"
    )
    table = np.full((size, most), np.nan)
    table[:, : len(report.points)] = report.matrix * np.sqrt(len(report.points))
    bound = 1.0
    left.imshow(table, cmap="RdBu_r", vmin=-bound, vmax=bound, aspect="auto")
    left.set_yticks(range(size), [f"$z_{i + 1}$" for i in range(size)])
    left.set_xticks(range(4, most, 5), [str(i + 1) for i in range(4, most, 5)])
    left.set(title="$\\lambda_i(u)$ minus its mean", xlabel="segment $u$")
    values = np.zeros(size)
    values[: len(report.singular_values)] = report.singular_values[:size]
    right.bar(range(1, size + 1), np.maximum(values, 0), color=BLUE)
    told = f"rank {report.rank}, condition {report.condition_number:.3g}"
    right.set(title=told, xlabel="singular value", ylim=(0, highest), xticks=[1, size])
    return figure
