"""The panels of the paper's Figure 2a; those of 2b are :func:`companion.figures.by_dimension`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from companion.style import CONTENDER_COLOURS, floor_band, label_ends, panels
from ivae.support.checks import Array


def over_training(
    groups: Mapping[str, Mapping[str, Array]],
    floors: Mapping[str, Array],
    ceilings: Mapping[str, Mapping[str, float]],
) -> Figure:
    """Draw MCC over epochs, one panel for each group of runs, with lines named at their ends.

    ``groups`` maps titles to {contender: (T, R)}, drawn as mean and range over runs; ``floors``
    the same titles to the MCCs of random rotations; ``ceilings`` to {name: MCC}.
    """
    figure, axes = panels(len(groups), 3.6, sharey=True)
    for axis, (title, curves) in zip(axes, groups.items(), strict=True):
        floor_band(axis, floors[title])
        ends: dict[str, tuple[float, Any]] = {}
        for name, runs in curves.items():
            epochs = np.arange(1, len(runs) + 1)
            colour = CONTENDER_COLOURS[name]
            axis.fill_between(epochs, runs.min(1), runs.max(1), color=colour, alpha=0.15, lw=0)
            axis.plot(epochs, runs.mean(1), color=colour, lw=2)
            ends[name] = float(runs[-1].mean()), colour
        for name, level in ceilings[title].items():
            axis.axhline(level, color="black", lw=1, ls=":")
            ends[name] = level, "black"
        axis.set(title=title, xlabel="epoch", xlim=(0, len(epochs)), ylim=(0, 1))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        label_ends(axis, ends)
    axes[0].set_ylabel("MCC of posterior samples")
    return figure
