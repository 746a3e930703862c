"""Figures of what runs gave: agreement, curves, correlations, scores, the paper's Figure 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from companion.style import BLUE, COLOURS, GREEN, GREY, ORANGE, WIDTH, panels

Array = NDArray[np.floating[Any]]

MAX_POINTS = 4000  # More points make a scatter plot slower, not clearer.


def agreement(matrices: Mapping[str, Array]) -> Figure:
    """Draw the MCC between every two runs, and with the truth (last row), as annotated squares."""
    figure, axes = panels(len(matrices), 3.6)
    for axis, (title, matrix) in zip(axes, matrices.items(), strict=True):
        names = [f"run {i + 1}" for i in range(len(matrix) - 1)] + ["truth"]
        hidden = np.triu(np.ones_like(matrix, dtype=bool))[1:, :-1]
        _squares(axis, matrix[1:, :-1], names[1:], names[:-1], vmin=0.5, mask=hidden)
        axis.set_title(title)
        axis.set_xticklabels(axis.get_xticklabels(), rotation=45, ha="right")
    return figure


def training_curves(
    elbo: Mapping[str, tuple[Array, Array]],
    mcc: Mapping[str, tuple[Array, Array]],
    floor: Array,
) -> Figure:
    """Draw ELBO and MCC over epochs: a thin line per run, a thick one for their mean.

    Values are (epochs (T,), runs (T, E)); ``floor`` holds the MCC of random rotations.
    """
    figure, (left, right) = panels(2, 3.1)
    for axis, curves in ((left, elbo), (right, mcc)):
        for (name, (epochs, runs)), colour in zip(curves.items(), cycle(COLOURS), strict=False):
            axis.plot(epochs, runs, color=colour, lw=0.7, alpha=0.5)
            axis.plot(epochs, runs.mean(1), color=colour, lw=2.4, label=name)
        axis.set_xlabel("epoch")
    left.set(ylabel="ELBO, nats a sample")
    low, middle, high = np.quantile(floor, (0.05, 0.5, 0.95))
    right.axhspan(low, high, color=GREY, alpha=0.2, lw=0)
    right.axhline(middle, color=GREY, lw=1.2, ls="--", label="random rotation")
    right.axhline(0.95, color="black", lw=1.0, ls=":", label="the paper's .95")
    right.set(ylabel="MCC", ylim=(None, 1.0))
    for axis in (left, right):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def correlations(matrices: Mapping[str, Array]) -> Figure:
    """Draw absolute correlations of sources (rows) with matched estimates (columns)."""
    figure, axes = panels(len(matrices), 3.1)
    for axis, (title, matrix) in zip(axes, matrices.items(), strict=True):
        rows = [f"$z_{{{i + 1}}}$" for i in range(matrix.shape[0])]
        columns = [f"$\\hat z_{{{i + 1}}}$" for i in range(matrix.shape[1])]
        _squares(axis, np.abs(matrix), rows, columns, vmin=0.0)
        axis.set_title(title)
    return figure


def mcc_by_dataset(
    groups: Mapping[str, Array],
    floors: Mapping[str, Array],
    baselines: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw one dot per run, one column per dataset, over the dataset's rotation floor.

    ``groups`` and ``floors`` map datasets to the MCCs of runs and of random rotations;
    ``baselines`` maps names to one MCC per dataset, drawn as open marks.
    """
    figure, (axis,) = panels(1, 3.0)
    for column, (name, values) in enumerate(groups.items()):
        low, middle, high = np.quantile(floors[name], (0.05, 0.5, 0.95))
        axis.fill_between([column - 0.3, column + 0.3], low, high, color=GREY, alpha=0.2, lw=0)
        axis.plot([column - 0.3, column + 0.3], [middle, middle], color=GREY, ls="--", lw=1.2)
        offsets = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else [0.0]
        label = "runs" if column == 0 else None
        axis.plot(column + np.asarray(offsets), values, "o", ms=5, color=BLUE, label=label)
    marks = cycle((("^", ORANGE), ("s", GREEN)))
    for (name, scores), (shape, colour) in zip(baselines.items(), marks, strict=False):
        axis.plot(range(len(scores)), scores, shape, ms=8, mfc="none", color=colour, label=name)
    axis.set_xticks(range(len(groups)), list(groups))
    axis.set(ylabel="MCC", ylim=(None, 1.0))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def mcc_by_size(
    groups: Mapping[str, Mapping[str, Array]],
    floors: Mapping[str, Array],
    ceilings: Mapping[str, Mapping[str, float]],
) -> Figure:
    """Draw one dot per run, one column per size of the problem, contenders side by side.

    ``groups`` maps sizes to {contender: MCCs}, ``floors`` the same sizes to MCCs of random
    rotations, ``ceilings`` to {name: MCC}, drawn as black lines.
    """
    figure, (axis,) = panels(1, 3.8)
    looks = (("o", BLUE), ("s", GREEN), ("^", ORANGE))
    styles = dict(zip(next(iter(groups.values())), looks, strict=False))
    dashes = dict(zip(next(iter(ceilings.values())), ("-", ":"), strict=False))
    for column, (size, by_name) in enumerate(groups.items()):
        ends = np.array([column - 0.38, column + 0.38])
        low, middle, high = np.quantile(floors[size], (0.05, 0.5, 0.95))
        first = column == 0
        axis.fill_between(ends, low, high, color=GREY, alpha=0.2, lw=0)
        label = "random rotations" if first else None
        axis.plot(ends, [middle] * 2, color=GREY, ls="--", lw=1.2, label=label)
        for name, level in ceilings[size].items():
            label = name if first else None
            axis.plot(ends, [level] * 2, color="black", ls=dashes[name], lw=1.4, label=label)
        for place, (name, values) in enumerate(by_name.items()):
            mark, colour = styles[name]
            middle_of = column + 0.24 * (place - (len(by_name) - 1) / 2)
            spread = np.linspace(-0.07, 0.07, len(values)) if len(values) > 1 else [0.0]
            options = {"ms": 6, "mfc": "none", "mew": 1.4, "color": colour}
            label = name if first else None
            axis.plot(middle_of + np.asarray(spread), values, mark, label=label, **options)
    axis.set_xticks(range(len(groups)), list(groups))
    axis.set(ylabel="MCC of posterior means", ylim=(None, 1.0))
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def figure_1(
    clouds: Mapping[str, Array],
    u: NDArray[np.int64],
    priors: Mapping[str, tuple[Array, Array]],
) -> Figure:
    """Draw the panels of the paper's Figure 1 in two rows, segments in colours.

    ``clouds`` maps the titles of panels (a)-(d) to (N, 2) points, ``priors`` further titles to the
    means and deviations of Gaussians, each (M, 2), drawn as ellipses of one and two deviations.
    Panel (a) and the second row, which all show latents, share their axes.
    """
    figure, grid = plt.subplots(2, 3, figsize=(WIDTH, 4.6))
    axes = list(grid.flat)
    colours = np.array(COLOURS)[np.arange(u.max() + 1) % len(COLOURS)]
    shown = np.arange(len(u))[:: max(1, len(u) // MAX_POINTS)]
    for axis, (title, cloud) in zip(axes, clouds.items(), strict=False):
        rows = cloud[shown]
        axis.scatter(rows[:, 0], rows[:, 1], c=colours[u[shown]], s=4, linewidths=0, alpha=0.7)
        axis.set_title(title)
    for axis, (title, moments) in zip(axes[len(clouds) :], priors.items(), strict=True):
        for mean, deviation, colour in zip(*moments, colours, strict=True):
            for times in (1, 2):
                width, height = 2 * times * deviation
                axis.add_patch(Ellipse(tuple(mean), width, height, color=colour, alpha=0.35))
        axis.set_title(title)
    sources, *_, recovered = clouds.values()
    both = np.concatenate((sources, recovered))
    low, high = both.min(0) - 0.5, both.max(0) + 0.5
    for axis in (axes[0], *axes[3:]):
        axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    return figure


def by_segments(
    groups: Mapping[str, Mapping[str, Mapping[int, Array]]],
    floors: Mapping[str, Array],
    y_label: str,
) -> Figure:
    """Draw scores against the number of segments, one panel for each group.

    ``groups`` maps titles to {name: {M: scores (R,)}}, drawn as medians and 10-90 % ranges over R
    datasets; ``floors`` maps titles to what random rotations score, where it is to be shown.
    """
    figure, axes = panels(len(groups), 3.4, sharey=True)
    for axis, (title, curves) in zip(axes, groups.items(), strict=True):
        if title in floors:
            low, middle, high = np.quantile(floors[title], (0.05, 0.5, 0.95))
            axis.axhspan(low, high, color=GREY, alpha=0.2, lw=0)
            axis.axhline(middle, color=GREY, lw=1.2, ls="--")
        styles = zip(cycle(COLOURS), cycle("os^D"), strict=False)
        for (name, by_m), (colour, marker) in zip(curves.items(), styles, strict=False):
            bounds = np.quantile(list(by_m.values()), (0.1, 0.5, 0.9), axis=1)
            axis.fill_between(list(by_m), bounds[0], bounds[2], color=colour, alpha=0.15, lw=0)
            axis.plot(list(by_m), bounds[1], marker=marker, ms=4, color=colour, label=name)
        axis.set(title=title, xlabel="segments $M$", xscale="log", ylim=(None, 1.005))
        axis.set_xticks(list(by_m), [str(m) for m in by_m])
        axis.minorticks_off()
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22))
    axes[0].set_ylabel(y_label)
    return figure


def _squares(
    axis: Axes,
    values: Array,
    rows: list[str],
    columns: list[str],
    *,
    vmin: float,
    mask: NDArray[np.bool_] | None = None,
) -> None:
    """Draw a table of numbers up to 1 as coloured squares with the numbers in them."""
    # More than seven columns in half a page leave room for small digits only.
    digits = {"size": 9 if len(columns) <= 7 else 6}
    sns.heatmap(
        values,
        mask=mask,
        ax=axis,
        vmin=vmin,
        vmax=1.0,
        cmap="cividis",
        annot=True,
        fmt=".2f",
        annot_kws=digits,
        cbar=False,
        square=True,
        xticklabels=columns,
        yticklabels=rows,
    )
    axis.tick_params(length=0, rotation=0)
