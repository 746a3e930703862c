"""The figures of linear ICA: against the number of segments, and before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure

from companion.figures import by_setting
from companion.recorded.store import Result
from companion.style import COLOURS, floor_band, panels
from ivae.support.checks import Array

MIXINGS = {"linear": "linear", "orthogonal": "three layers"}
"""What a preset of the mixing is called in the figure."""


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


def before_and_after(cases: Mapping[tuple[str, str], Result], floor: Array) -> Figure:
    """Draw the MCC of posterior means and of FastICA's signals, pooled and within segments.

    ``cases`` maps laws of the means and presets of the mixing to trainings, two rows each;
    ``floor`` holds MCCs of random rotations, (R,).
    """
    rows = {
        f"{law.removesuffix(' means')}, {MIXINGS[preset]}{where}": {
            "posterior means": runs.values[f"{inside}before"],
            "after FastICA": runs.values[f"{inside}after"],
        }
        for (law, preset), runs in cases.items()
        for where, inside in (("", ""), (", within", "within_"))
    }
    return by_setting(rows, floor, x_label="MCC with the sources")
