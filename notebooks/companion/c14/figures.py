"""The figure of methods compared dataset by dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from companion.style import COLOURS, floor_band, label_ends, panels
from ivae.support.checks import Array


def by_dataset(scores: Mapping[str, Mapping[int, float]], floor: Array) -> Figure:
    """Draw MCC against data seeds, a line for each method, named at its end.

    ``scores`` maps methods to {data seed: MCC}; the first is drawn thicker. ``floor`` holds MCCs of
    random rotations.
    """
    figure, (axis,) = panels(1, 3.8)
    floor_band(axis, floor)
    ends: dict[str, tuple[float, Any]] = {}
    seeds = list(next(iter(scores.values())))
    for place, (name, by_seed) in enumerate(scores.items()):
        first, colour = place == 0, COLOURS[place]
        values = [by_seed[seed] for seed in seeds]
        mark = "osD^vPX"[place]
        axis.plot(range(len(seeds)), values, mark, ls="-", lw=2.2 if first else 0.9, color=colour)
        ends[name] = values[-1], colour
    axis.set_xticks(range(len(seeds)), [str(seed) for seed in seeds])
    axis.set(xlabel="data seed", ylabel="MCC of posterior means", ylim=(None, 1.01))
    label_ends(axis, ends)
    return figure
