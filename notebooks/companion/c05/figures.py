"""The panels of the paper's Figure 1."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import NDArray

from companion.style import COLOURS, WIDTH
from ivae.support.checks import Array

MAX_POINTS = 4000  # More points make a scatter plot slower, not clearer.


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
