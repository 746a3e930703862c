"""The figure of linear ICA against the number of segments."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure

from companion.style import COLOURS, floor_band, panels
from ivae.support.checks import Array


def by_segments(
    groups: Mapping[str, Mapping[str, Mapping[int, Array]]],
    floors: Mapping[str, Array],
) -> Figure:
    """Draw the MCC after FastICA against the number of segments, one panel for each group.

    ``groups`` maps titles to {name: {M: scores (R,)}}, drawn as medians and 10-90 % ranges over R
    datasets; ``floors`` maps titles to what random rotations score, where it is to be shown.
    """
    figure, axes = panels(len(groups), 3.4, sharey=True)
    for axis, (title, curves) in zip(axes, groups.items(), strict=True):
        if title in floors:
            floor_band(axis, floors[title])
        styles = zip(cycle(COLOURS), cycle("os^D"), strict=False)
        for (name, by_m), (colour, marker) in zip(curves.items(), styles, strict=False):
            bounds = np.quantile(list(by_m.values()), (0.1, 0.5, 0.9), axis=1)
            axis.fill_between(list(by_m), bounds[0], bounds[2], color=colour, alpha=0.15, lw=0)
            axis.plot(list(by_m), bounds[1], marker=marker, ms=4, color=colour, label=name)
        axis.set(title=title, xlabel="segments $M$", xscale="log", ylim=(None, 1.005))
        axis.set_xticks(list(by_m), [str(m) for m in by_m])
        axis.minorticks_off()
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22))
    axes[0].set_ylabel("MCC after FastICA")
    return figure
