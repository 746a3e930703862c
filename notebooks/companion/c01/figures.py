"""Figures of what may be turned: latents, angles, posteriors, and how runs agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from numpy.typing import ArrayLike

from companion import style
from companion.c01.constructions import turn
from companion.figures import scatters
from companion.style import COLOURS, GREY, panels
from ivae.metrics import mcc
from ivae.support.checks import Array


def turned(z: Array, decode: Callable[[Array], Array], marked: Array, degrees: float) -> Figure:
    """Draw latents z (N, 2) turned by an angle in degrees, beside their observations f(z).

    These stay as they are, since the decoder of the turned latents turns them back. Colour is the
    direction in z; the ``marked`` latents (K, 2) are numbered in both panels.
    """
    rotation = turn(degrees)
    other = z @ rotation.T
    title, seen = f"$z'$: MCC with $z$ {mcc(z, other):.2f}", "observations $x$"
    return scatters(
        {title: other, seen: decode(z)},
        np.arctan2(z[:, 1], z[:, 0]),
        ("z'", "x"),
        {title: marked @ rotation.T, seen: decode(marked)},
        width=5.4,
        half_widths=(4.2, None),
    )


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
            style.cloud(axis, cloud, colour)
            if i in (0, n - 1):
                axis.contour(first, second, density.T, levels, colors="black", linewidths=0.7)
            axis.set(title=title, ylabel=f"${axis_names[i]}_2$")
            axis.locator_params(nbins=5, integer=True)
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


def posterior_contours(axis_values: Array, densities: Mapping[str, Array]) -> Figure:
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
        axis.set(title=title, xlabel="$z_1$", ylabel="$z_2$", xlim=(-3, 3), ylim=(-3, 3))
        axis.set_aspect("equal")
    return figure


def pairwise_mcc(matrices: Mapping[str, Array]) -> Figure:
    """Draw the MCC between every two runs, and with the truth (last row), as annotated squares."""
    figure, axes = panels(len(matrices), 3.6)
    for axis, (title, matrix) in zip(axes, matrices.items(), strict=True):
        names = [f"run {i + 1}" for i in range(len(matrix) - 1)] + ["truth"]
        hidden = np.triu(np.ones_like(matrix, dtype=bool))[1:, :-1]
        style.squares(axis, matrix[1:, :-1], names[1:], names[:-1], vmin=0.5, mask=hidden)
        axis.set_title(title)
        axis.set_xticklabels(axis.get_xticklabels(), rotation=45, ha="right")
    return figure
