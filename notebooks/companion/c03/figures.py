"""Figures of the theory: L, what segments span, noise that erases, and A."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from companion.style import BLUE, COLOURS, GREY, ORANGE, WIDTH, panels
from ivae.support.checks import Array
from ivae.theory.rank import RankReport


def l_matrices(matrices: Mapping[str, Array]) -> Figure:
    """Draw matrices L of Eq. (13) as heat maps, each on its own symmetric scale."""
    figure, axes = panels(len(matrices), 2.9)
    for axis, (title, matrix) in zip(axes, matrices.items(), strict=True):
        bound = np.abs(matrix).max()
        image = axis.imshow(matrix, cmap="RdBu_r", vmin=-bound, vmax=bound)
        axis.set(title=title, xlabel="point $u^l$", ylabel="row $(i, j)$")
        n_rows, n_columns = matrix.shape
        axis.set_xticks(range(n_columns), [str(i + 1) for i in range(n_columns)])
        axis.set_yticks(range(n_rows), [str(i + 1) for i in range(n_rows)])
        figure.colorbar(image, ax=axis, shrink=0.8)
    return figure


def against_segments(
    curves: Mapping[str, tuple[Array, Array]],
    y_label: str,
    needed: Mapping[str, int],
    *,
    log: bool = False,
) -> Figure:
    """Draw median and 10-90 % range over datasets against the number of segments.

    ``curves`` maps names to (segments (S,), values (S, R)); ``needed`` maps the same names to
    n k + 1, marked by a dotted line.
    """
    figure, (axis,) = panels(1, 3.0)
    for (name, (segments, values)), colour in zip(curves.items(), cycle(COLOURS), strict=False):
        finite = np.isfinite(values).all(1)
        low, middle, high = np.quantile(values[finite], (0.1, 0.5, 0.9), axis=1)
        axis.plot(segments[finite], middle, "o-", ms=3.5, color=colour, label=name)
        axis.fill_between(segments[finite], low, high, color=colour, alpha=0.2, linewidth=0)
        axis.axvline(needed[name], color=colour, ls=":", lw=1.5)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.annotate(
            f"$nk+1={needed[name]}$",
            (needed[name], 0.0),
            (4, 4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=colour,
        )
    axis.set(xlabel="segments $M$", ylabel=y_label)
    if log:
        axis.set_yscale("log")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def erased(
    x: Array, clean: Mapping[str, Array], noisy: Mapping[str, Array], t: Array, modulus: Array
) -> Figure:
    """Draw two noise-free densities, the noise's characteristic function, and the noisy densities.

    ``clean`` and ``noisy`` map the two models' names to values at x (G,); ``modulus`` is that of
    the noise at frequencies t.
    """
    figure, (left, middle, right) = panels(3, 2.5)
    looks = ((BLUE, 2.2, "-"), (ORANGE, 1.4, (0, (4, 2))))
    for axis, curves, title in ((left, clean, "without noise"), (right, noisy, "with noise")):
        for (name, values), (colour, width, dashes) in zip(curves.items(), looks, strict=True):
            axis.plot(x, values, label=name, color=colour, lw=width, ls=dashes)
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

    The report is from :func:`ivae.theory.rank.spread_report`. The left panel has room for ``most``
    segments and the right one reaches up to ``highest``, so that frames can be compared.
    """
    size = report.matrix.shape[0]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 2.6), width_ratios=(2.2, 1), layout="constrained"
    )
    table = np.full((size, most), np.nan)
    table[:, : len(report.points)] = report.matrix * np.sqrt(len(report.points))
    left.imshow(table, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    left.set_yticks(range(size), [f"$z_{i + 1}$" for i in range(size)])
    left.set_xticks(range(4, most, 5), [str(i + 1) for i in range(4, most, 5)])
    left.set(title="$\\lambda_i(u)$ minus its mean", xlabel="segment $u$")
    values = np.zeros(size)
    values[: len(report.singular_values)] = report.singular_values[:size]
    right.bar(range(1, size + 1), np.maximum(values, 0), color=BLUE)
    told = f"rank {report.rank}, condition {report.condition_number:.3g}"
    right.set(title=told, xlabel="singular value", ylim=(0, highest), xticks=[1, size])
    return figure


def bounds(found: Mapping[str, Mapping[str, Array]], levels: Sequence[str]) -> Figure:
    """Draw bounds on several datasets, a line for each, in a panel for each preset.

    They are differences from the true model's log-likelihood. ``found`` maps presets to the names
    of two models, the truth first, to (R, levels).
    """
    figure, axes = panels(len(found), 3.0, sharey=True)
    places = np.arange(len(levels))
    for axis, (preset, models) in zip(axes, found.items(), strict=True):
        for (name, values), colour in zip(models.items(), (GREY, BLUE), strict=True):
            lines = axis.plot(places, values.T, "o-", ms=4, lw=1.2, color=colour, alpha=0.8)
            lines[0].set_label(name)
        axis.set_xticks(places, levels)
        axis.set(title=preset, xlim=(-0.3, len(levels) - 0.7))
    axes[0].set_ylabel("nats a sample, less the true\nmodel's log-likelihood")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
