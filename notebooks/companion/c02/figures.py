"""Figures of the model: sources in time, their priors, and the mixing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from companion.style import BLUE, COLOURS, GREY, ORANGE, WIDTH, panels
from ivae.support.checks import Array


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
