"""Figures of what is given: densities, sources, mixings, and the theory's matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator
from numpy.typing import ArrayLike, NDArray

from companion.style import BLUE, COLOURS, GREY, ORANGE, WHEEL, WIDTH, panels

Array = NDArray[np.floating[Any]]


def scatters(
    points: Mapping[str, ArrayLike],
    colour: ArrayLike,
    axis_names: Sequence[str],
    marks: Mapping[str, ArrayLike] | None = None,
    *,
    width: float = WIDTH,
    half_widths: Sequence[float | None] | None = None,
) -> Figure:
    """Draw clouds of 2-d points side by side, the same row in the same colour in each.

    ``points`` maps titles to (N, 2); ``colour`` is an angle per row, (N,); ``marks`` maps the same
    titles to a few (K, 2) points that are numbered. ``half_widths`` fixes the limits of the panels
    for which it is not None, around 0, where clouds or frames are to be compared.
    """
    figure, axes = panels(len(points), 2.7, width)
    for axis, (title, cloud), name in zip(axes, points.items(), axis_names, strict=True):
        _scatter(axis, cloud, colour)
        for number, mark in enumerate(np.asarray(marks[title]) if marks else (), start=1):
            axis.plot(*mark, "o", ms=15, mfc="white", mec="black", zorder=3)
            axis.text(
                mark[0], mark[1], str(number), ha="center", va="center", fontsize=10, zorder=4
            )
        axis.set(title=title, xlabel=f"${name}_1$", ylabel=f"${name}_2$")
        axis.set_aspect("equal", "datalim")
    for axis, half in zip(axes, half_widths or (), strict=half_widths is not None):
        if half is not None:
            axis.set_aspect("equal", "box")
            axis.set(xlim=(-half, half), ylim=(-half, half))
            for side in (axis.xaxis, axis.yaxis):
                side.set_major_locator(MaxNLocator(4, integer=True))
    return figure


def scatter_rows(
    rows: Sequence[Mapping[str, ArrayLike]],
    colour: ArrayLike,
    axis_names: Sequence[str],
    outline: tuple[Array, Array, Array],
) -> Figure:
    """Draw rows of clouds, one column below the other with the same limits.

    Each row maps titles to (N, 2); ``colour`` is an angle per point, (N,). ``outline`` is a density
    with the coordinates of its grid, (G,), (H,) and (G, H), drawn as lines in the first and the
    last column; they enclose 95 and 50 % of its mass.
    """
    n = len(axis_names)
    figure, axes = plt.subplots(
        len(rows), n, figsize=(6.2, 2.2 * len(rows)), sharex="col", sharey="col", squeeze=False
    )
    first, second, density = outline
    heights = np.sort(density.ravel())[::-1]
    shares = heights.cumsum() / heights.sum()
    levels = heights[np.searchsorted(shares, (0.95, 0.5))]
    for line, row in zip(axes, rows, strict=True):
        for i, (axis, (title, cloud)) in enumerate(zip(line, row.items(), strict=True)):
            _scatter(axis, cloud, colour)
            if i in (0, n - 1):
                axis.contour(first, second, density.T, levels, colors="black", linewidths=0.7)
            axis.set(title=title, ylabel=f"${axis_names[i]}_2$")
            axis.locator_params(nbins=5)
    for axis, name in zip(axes[-1], axis_names, strict=True):
        axis.set_xlabel(f"${name}_1$")
    return figure


def against_angle(curves: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """Draw the MCC of latents with turned ones against the angle in degrees.

    ``curves`` maps names to (angles (K,), MCCs (K,)).
    """
    figure, (axis,) = panels(1, 2.8, 5.8)
    for (name, (angles, values)), colour, mark in zip(
        curves.items(), cycle(COLOURS), cycle("os^"), strict=False
    ):
        axis.plot(angles, values, f"{mark}-", ms=4, lw=1.2, color=colour, label=name)
    axis.set(xlabel="angle in degrees", ylabel="MCC of $z$ with $z'$", ylim=(None, 1.02))
    axis.xaxis.set_major_locator(MultipleLocator(45))
    figure.legend(loc="outside upper center", ncols=len(curves))
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
        for row, colour in zip(rows, cycle(COLOURS), strict=False):
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


def relaxed_bits(
    cdfs: Mapping[str, tuple[Array, Array]], distances: Mapping[str, tuple[Array, Array, Array]]
) -> Figure:
    """Draw distribution functions of relaxed bits, and how far they are from bits.

    ``cdfs`` maps temperatures to (q, P(x <= q)); ``distances`` maps logits to (temperatures,
    E|x - bit|, the line that it tends to).
    """
    figure, (left, right) = panels(2, 3.4)
    for (name, (q, values)), colour in zip(cdfs.items(), cycle(COLOURS), strict=False):
        left.plot(q, values, color=colour, lw=2, label=name)
    left.set(xlabel="$q$", ylabel="$P(x \\leq q)$", xlim=(0, 1), ylim=(0, 1))
    left.legend(loc="upper left")
    for (name, (t, distance, limit)), colour in zip(
        distances.items(), cycle(COLOURS), strict=False
    ):
        right.plot(t, distance, "o", ms=4, color=colour, label=name)
        right.plot(t, limit, ":", color=colour, lw=1.5)
    right.set(xlabel="temperature $T$", ylabel="$E\\,|x - $bit$|$", xscale="log", yscale="log")
    right.legend(loc="lower right")
    return figure


def probability_maps(axis_values: Array, maps: Mapping[str, Array]) -> Figure:
    """Draw p(x_j = 1|z) over two latents as contours; a row of panels for each decoder.

    ``maps`` maps decoders to (G, G, d), indexed by z_1, then z_2.
    """
    d = next(iter(maps.values())).shape[-1]
    size = (WIDTH, 2.25 * len(maps) + 0.5)
    figure, axes = plt.subplots(len(maps), d, figsize=size, sharex=True, sharey=True, squeeze=False)
    levels = np.linspace(0, 1, 11)
    for row, (name, values) in zip(axes, maps.items(), strict=True):
        for j, axis in enumerate(row):
            z = values[..., j].T
            image = axis.contourf(axis_values, axis_values, z, levels, cmap="cividis")
            axis.contour(axis_values, axis_values, z, [0.5], colors="white", linewidths=1.5)
            axis.set_title(f"{name}: $p(x_{j + 1} = 1\\,|\\,z)$")
            axis.set_aspect("equal")
        row[0].set_ylabel("$z_2$")
    for axis in axes[-1]:
        axis.set_xlabel("$z_1$")
    figure.colorbar(image, ax=axes, shrink=0.7, ticks=[0, 0.5, 1])
    return figure


def distribution_gaps(s: Array, gaps: Array) -> Figure:
    """Draw P'(x_j <= q|u) - P(x_j <= q|u), (M, d, S), against s = T logit(q)."""
    figure, (axis,) = panels(1, 3.0)
    for j, colour in zip(range(gaps.shape[1]), cycle(COLOURS), strict=False):
        lines = axis.plot(s, gaps[:, j].T, color=colour, lw=1.6)
        lines[0].set_label(f"$x_{j + 1}$")
    axis.axhline(0, color=GREY, lw=0.8)
    axis.axvline(0, color="black", lw=1, ls=":", label="all that a bit shows")
    axis.plot(0, 0, "o", ms=8, mfc="white", mec="black", zorder=5)
    axis.set(xlabel="$s = T\\,$logit$(q)$", ylabel="difference of $P(x_j \\leq q\\,|\\,u)$")
    axis.set_xlim(s[0], s[-1])
    figure.legend(loc="outside upper center", ncols=4)
    return figure


def _scatter(axis: Axes, cloud: ArrayLike, colour: ArrayLike) -> None:
    rows = np.asarray(cloud)
    axis.scatter(rows[:, 0], rows[:, 1], c=np.asarray(colour), cmap=WHEEL, s=4, linewidths=0)
