"""Figures, in one style: colour-blind safe, readable at the width of a page, white ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]

WIDTH = 7.2  # Inches; narrow, so that the text can still be read on a phone.
COLOURS = sns.color_palette("colorblind")
BLUE, ORANGE, GREEN, GREY = COLOURS[0], COLOURS[1], COLOURS[2], (0.45, 0.45, 0.45)
WHEEL = sns.husl_palette(256, l=0.6, as_cmap=True)  # Angles: cyclic, of one lightness.
MAX_POINTS = 4000  # More points make a scatter plot slower, not clearer.


def use_style() -> None:
    """Set the book's style for every figure drawn after."""
    sns.set_theme(
        style="ticks",
        palette="colorblind",
        rc={
            "figure.dpi": 144,
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10,
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
        },
    )


def close(figure: Figure) -> None:
    """Free a figure, and keep the notebook from showing it a second time."""
    plt.close(figure)


def panels(n: int, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return a page-wide figure with n axes side by side."""
    figure, axes = plt.subplots(1, n, figsize=(WIDTH, height), squeeze=False, **options)
    return figure, list(axes[0])


def scatters(
    points: Mapping[str, ArrayLike],
    colour: ArrayLike,
    axis_names: Sequence[str],
    marks: Mapping[str, ArrayLike] | None = None,
) -> Figure:
    """Draw clouds of 2-d points side by side, the same row in the same colour in each.

    ``points`` maps titles to (N, 2); ``colour`` is an angle per row, (N,); ``marks`` maps the same
    titles to a few (K, 2) points that are numbered.
    """
    figure, axes = panels(len(points), 2.7)
    for axis, (title, cloud), name in zip(axes, points.items(), axis_names, strict=True):
        rows = np.asarray(cloud)
        axis.scatter(rows[:, 0], rows[:, 1], c=np.asarray(colour), cmap=WHEEL, s=4, linewidths=0)
        for number, mark in enumerate(np.asarray(marks[title]) if marks else (), start=1):
            axis.plot(*mark, "o", ms=15, mfc="white", mec="black", zorder=3)
            axis.text(
                mark[0], mark[1], str(number), ha="center", va="center", fontsize=10, zorder=4
            )
        axis.set(title=title, xlabel=f"${name}_1$", ylabel=f"${name}_2$")
        axis.set_aspect("equal", "datalim")
    return figure


def posterior_contours(
    axis_values: Array, densities: Mapping[str, Array], half_width: float = 3.0
) -> Figure:
    """Draw 2-d densities as filled contours; ``densities`` maps titles to (B, G, G)."""
    figure, axes = panels(len(densities), 3.2)
    for axis, (title, stack) in zip(axes, densities.items(), strict=True):
        circle = np.linspace(0, 2 * np.pi, 100)
        axis.plot(np.cos(circle), np.sin(circle), color=GREY, lw=0.8, ls="--")
        for number, density in enumerate(stack, start=1):
            levels = np.array([0.05, 0.3, 0.6, 1.0]) * density.max()
            axis.contourf(axis_values, axis_values, density.T, levels, cmap="Blues", vmin=0)
            i, j = np.unravel_index(density.argmax(), density.shape)
            axis.annotate(
                str(number),
                (axis_values[i], axis_values[j]),
                (9, 9),
                textcoords="offset points",
                fontsize=11,
            )
        axis.set(title=title, xlabel="$z_1$", ylabel="$z_2$")
        axis.set(xlim=(-half_width, half_width), ylim=(-half_width, half_width))
        axis.set_aspect("equal")
    return figure


def agreement(matrices: Mapping[str, Array]) -> Figure:
    """Draw the MCC between every two runs, and with the truth (last row), as annotated squares."""
    figure, axes = panels(len(matrices), 3.6)
    for axis, (title, matrix) in zip(axes, matrices.items(), strict=True):
        size = len(matrix)
        hidden = np.triu(np.ones_like(matrix, dtype=bool))
        names = [f"run {i + 1}" for i in range(size - 1)] + ["truth"]
        sns.heatmap(
            matrix[1:, :-1],
            mask=hidden[1:, :-1],
            ax=axis,
            vmin=0.5,
            vmax=1.0,
            cmap="cividis",
            annot=True,
            fmt=".2f",
            annot_kws={"size": 9},
            cbar=False,
            square=True,
            xticklabels=names[:-1],
            yticklabels=names[1:],
        )
        axis.set_title(title)
        axis.tick_params(length=0, rotation=0)
        axis.set_xticklabels(axis.get_xticklabels(), rotation=45, ha="right")
    return figure


def source_traces(z: Array, u: NDArray[np.int64], deviation: Array, rows: slice) -> Figure:
    """Draw a contiguous stretch of every source between lines at two standard deviations."""
    n = z.shape[1]
    figure, axes = plt.subplots(n, 1, figsize=(WIDTH, 0.8 * n + 0.6), sharex=True, squeeze=False)
    time = np.arange(len(z))[rows]
    for i, axis in enumerate(axes[:, 0]):
        axis.plot(time, z[rows, i], color=BLUE, lw=0.4, alpha=0.7)
        for times in (-2, 2):
            axis.plot(time, times * deviation[u[rows], i], color=ORANGE, lw=2)
        axis.set_ylabel(f"$z_{i + 1}$")
    axes[-1, 0].set(xlabel="sample", xlim=(time[0], time[-1]))
    return figure


def prior_densities(z: Array, densities: Mapping[str, Array]) -> Figure:
    """Draw one density per segment in each panel; ``densities`` maps titles to (M, G)."""
    figure, axes = panels(len(densities), 2.4)
    for axis, (title, rows) in zip(axes, densities.items(), strict=True):
        for row, colour in zip(rows, COLOURS, strict=False):
            axis.plot(z, row, color=colour, lw=1.8)
        axis.set(title=title, xlabel="$z_i$", ylim=(0, None))
    axes[0].set_ylabel("$p(z_i\\,|\\,u)$")
    return figure


def warped_grids(grids: Mapping[str, Array], noise: tuple[str, Array, Array]) -> Figure:
    """Draw images of a square grid of lines, and what noise makes of single points.

    ``grids`` maps titles to (G, G, 2) points; ``noise`` holds a title, points f(z) and the same
    points with noise, (N, 2) each.
    """
    figure, axes = panels(len(grids) + 1, 2.2)
    for axis, (title, grid) in zip(axes, grids.items(), strict=False):
        across = grid.transpose(1, 0, 2)
        axis.add_collection(LineCollection(list(grid), colors=[BLUE], linewidths=0.9))
        axis.add_collection(LineCollection(list(across), colors=[ORANGE], linewidths=0.9))
        axis.autoscale()
        axis.set_title(title)
    title, clean, noisy = noise
    steps = list(np.stack((clean, noisy), 1))
    axes[-1].add_collection(LineCollection(steps, colors=[GREY], linewidths=0.7))
    axes[-1].scatter(clean[:, 0], clean[:, 1], s=6, color=BLUE, linewidths=0)
    axes[-1].scatter(noisy[:, 0], noisy[:, 1], s=6, color=ORANGE, linewidths=0)
    axes[-1].set_title(title)
    for axis in axes:
        axis.set_aspect("equal", "datalim")
    return figure


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
    for (name, (segments, values)), colour in zip(curves.items(), (BLUE, ORANGE), strict=False):
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
        for (name, (epochs, runs)), colour in zip(curves.items(), COLOURS, strict=False):
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
        sns.heatmap(
            np.abs(matrix),
            ax=axis,
            vmin=0,
            vmax=1,
            cmap="cividis",
            annot=True,
            fmt=".2f",
            annot_kws={"size": 10},
            cbar=False,
            square=True,
            xticklabels=[f"$\\hat z_{i + 1}$" for i in range(matrix.shape[1])],
            yticklabels=[f"$z_{i + 1}$" for i in range(matrix.shape[0])],
        )
        axis.set_title(title)
        axis.tick_params(length=0, rotation=0)
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
    for (name, scores), shape, colour in zip(
        baselines.items(), "^s", (ORANGE, GREEN), strict=False
    ):
        axis.plot(range(len(scores)), scores, shape, ms=8, mfc="none", color=colour, label=name)
    axis.set_xticks(range(len(groups)), list(groups))
    axis.set(ylabel="MCC", ylim=(None, 1.0))
    figure.legend(loc="outside upper center", ncols=3)
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
    both = np.concatenate([clouds[title] for title in (*clouds,)[:: len(clouds) - 1]])
    low, high = both.min(0) - 0.5, both.max(0) + 0.5
    for axis in (axes[0], *axes[3:]):
        axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    return figure
