"""Figures that several chapters draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from companion import style
from companion.style import BLUE, COLOURS, GREEN, GREY, ORANGE, panels
from ivae.support.checks import Array

LINES = (BLUE, ORANGE, GREEN, COLOURS[4])


def scatters(
    points: Mapping[str, ArrayLike],
    colour: ArrayLike,
    axis_names: Sequence[str],
    marks: Mapping[str, ArrayLike] | None = None,
    *,
    width: float = style.WIDTH,
    half_widths: Sequence[float | None] | None = None,
) -> Figure:
    """Draw clouds of 2-d points side by side, the same row in the same colour in each.

    ``points`` maps titles to (N, 2); ``colour`` is an angle per row, (N,); ``marks`` maps the same
    titles to a few (K, 2) points that are numbered. ``half_widths`` fixes the limits of the panels
    for which it is not None, around 0, where clouds or frames are to be compared.
    """
    figure, axes = panels(len(points), 2.7, width)
    for axis, (title, cloud), name in zip(axes, points.items(), axis_names, strict=True):
        style.cloud(axis, cloud, colour)
        for number, mark in enumerate(np.asarray(marks[title]) if marks else (), start=1):
            x, y = mark
            axis.plot(x, y, "o", ms=15, mfc="white", mec="black", zorder=3)
            axis.text(x, y, str(number), ha="center", va="center", fontsize=10, zorder=4)
        axis.set(title=title, xlabel=f"${name}_1$", ylabel=f"${name}_2$")
        axis.set_aspect("equal", "datalim")
    for axis, half in zip(axes, half_widths or (), strict=half_widths is not None):
        if half is not None:
            axis.set_aspect("equal", "box")
            axis.set(xlim=(-half, half), ylim=(-half, half))
            for side in (axis.xaxis, axis.yaxis):
                side.set_major_locator(MaxNLocator(4, integer=True))
    return figure


def correlations(matrices: Mapping[str, Array]) -> Figure:
    """Draw absolute correlations of sources (rows) with matched estimates (columns)."""
    figure, axes = panels(len(matrices), 3.1)
    for axis, (title, matrix) in zip(axes, matrices.items(), strict=True):
        rows = [f"$z_{{{i + 1}}}$" for i in range(matrix.shape[0])]
        columns = [f"$\\hat z_{{{i + 1}}}$" for i in range(matrix.shape[1])]
        style.squares(axis, np.abs(matrix), rows, columns, vmin=0.0)
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
        style.floor_band(axis, 2 * [floors[name]], [column - 0.3, column + 0.3])
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


def by_dimension(
    groups: Mapping[str, Mapping[str, Mapping[int, Array]]],
    floors: Mapping[int, Array],
    ceilings: Mapping[str, Mapping[int, float]],
) -> Figure:
    """Draw MCC against the number of latents, one panel for each group.

    ``groups`` maps titles to {contender: {n: MCCs (R,)}}, drawn as dots and a line through their
    means; ``floors`` maps n to MCCs of random rotations, ``ceilings`` titles to {n: MCC}.
    """
    figure, axes = panels(len(groups), 3.6, sharey=True)
    for axis, (title, by_name) in zip(axes, groups.items(), strict=True):
        n_values = sorted(floors)
        style.floor_band(axis, [floors[n] for n in n_values], n_values)
        last = float(np.median(floors[n_values[-1]]))
        ends: dict[str, tuple[float, Any]] = {"rotation": (last, GREY)}
        for place, (name, by_n) in enumerate(by_name.items()):
            colour = style.CONTENDER_COLOURS[name]
            means = [float(np.mean(values)) for values in by_n.values()]
            axis.plot(list(by_n), means, color=colour, lw=2)
            for n, values in by_n.items():
                at = np.full(len(values), n + 0.04 * (place - (len(by_name) - 1) / 2))
                axis.plot(at, values, "o", ms=3, color=colour, alpha=0.6)
            ends[name] = means[-1], colour
        if title in ceilings:
            levels = list(ceilings[title].values())
            axis.plot(list(ceilings[title]), levels, color="black", lw=1, ls=":")
            ends["supervised"] = levels[-1], "black"
        axis.set(title=title, xlabel="latents $n$", ylim=(0, 1), xticks=n_values)
        style.label_ends(axis, ends)
    axes[0].set_ylabel("MCC of posterior samples")
    return figure


def by_setting(
    rows: Mapping[str, Mapping[str, ArrayLike]],
    floor: Array | None = None,
    *,
    lines: Mapping[str, float] | None = None,
    x_label: str = "MCC of posterior samples",
) -> Figure:
    """Draw one row of dots for each setting, without diverged runs; bars mark medians of several.

    ``rows`` maps settings to {group: MCCs}, up to four groups: the first one's dots are filled, the
    others' open. ``floor`` holds MCCs of random rotations; ``lines`` maps names to levels to mark.
    """
    figure, (axis,) = panels(1, 0.27 * len(rows) + 1.1)
    if floor is not None:
        style.floor_band(axis, floor, upright=True)
    for name, level in (lines or {}).items():
        axis.axvline(level, color="black", lw=1, ls=":")
        axis.annotate(
            name,
            (level, 1.0),
            (-3, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right",
            fontsize=9,
        )
    seen: dict[str, Any] = {}
    for row, by_group in enumerate(rows.values()):
        for place, (group, values) in enumerate(by_group.items()):
            array = np.asarray(values)
            array = array[np.isfinite(array)]  # Without the runs that diverged.
            colour = COLOURS[place]
            fill, mark = (colour, "o") if place == 0 else ("none", "oos^"[place])
            height = row + 0.22 * (place - (len(by_group) - 1) / 2)
            heights = np.full(len(array), height)
            (dots,) = axis.plot(array, heights, mark, ms=4, mec=colour, mfc=fill, alpha=0.8)
            if array.size > 1:
                ends = [height - 0.17, height + 0.17]
                axis.plot(2 * [np.median(array)], ends, color=colour, lw=2.5)
            seen[group] = dots
    axis.set_yticks(range(len(rows)), list(rows))
    axis.set(xlabel=x_label, xlim=(None, 1.0), ylim=(len(rows) - 0.4, -0.6))
    axis.grid(axis="y", lw=0.4, alpha=0.6)
    if len(seen) > 1:
        figure.legend(seen.values(), seen.keys(), loc="outside lower center", ncols=len(seen))
    return figure


def traces(z: Array, estimates: Mapping[str, Array], correlations: Mapping[str, Array]) -> Figure:
    """Draw a stretch of true sources (dashed blue) and estimates, as the paper's Figures 3 and 4.

    Estimates of each model are matched and aligned to the sources, (T, n); ``correlations`` are
    absolute ones over the whole dataset, (n,).
    """
    n = z.shape[1]
    size = (style.WIDTH, 0.62 * n + 0.7)
    figure, grid = plt.subplots(
        n, len(estimates), figsize=size, sharex=True, sharey="row", squeeze=False
    )
    for column, (name, estimate) in enumerate(estimates.items()):
        for i, axis in enumerate(grid[:, column]):
            axis.plot(estimate[:, i], color=ORANGE, lw=1.3)
            axis.plot(z[:, i], color=BLUE, lw=1.1, ls=(0, (3, 1.5)))
            axis.set_title(f"{correlations[name][i]:.2f}", loc="right", fontsize=9, pad=2)
            axis.set(xticks=[], yticks=[])
        grid[0, column].set_title(name, loc="left", fontsize=10, pad=2)
    for i, axis in enumerate(grid[:, 0]):
        axis.set_ylabel(f"$z_{{{i + 1}}}$", rotation=0, labelpad=12, va="center")
    return figure


@dataclass(frozen=True)
class Trend:
    """One panel: scores at the values of one setting, which the horizontal axis is labelled with.

    ``runs`` maps names to {value: MCCs (R,)}, NaN where a run diverged; ``floor`` holds MCCs of
    random rotations; ``ceilings`` maps values to the true decoder's MCC, a dotted line; ``marks``
    maps texts to values, dashed vertical lines. The axis is numbered at ``ticks``, by default where
    matplotlib chooses, or at the values of the runs where it is logarithmic.
    """

    label: str
    runs: Mapping[str, Mapping[float, ArrayLike]]
    floor: Array
    ceilings: Mapping[float, float] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)
    log: bool = False
    ticks: Sequence[float] | None = None


def against_setting(trends: Sequence[Trend]) -> Figure:
    """Draw a dot for each run and a line through the medians, one panel for each setting."""
    figure, axes = panels(len(trends), 3.6, sharey=True)
    names = dict.fromkeys(name for trend in trends for name in trend.runs)
    colours = dict(zip(names, cycle(LINES), strict=False))
    for axis, trend in zip(axes, trends, strict=True):
        _scale(axis, trend)
        style.floor_band(axis, trend.floor, label="random rotation")
        for name, by_value in trend.runs.items():
            _scores(axis, name, by_value, colours[name])
        if trend.ceilings:
            places = sorted(trend.ceilings)
            levels = [trend.ceilings[place] for place in places]
            axis.plot(places, levels, color="black", lw=1.2, ls=":", label="true decoder")
        for text, value in trend.marks.items():
            style.mark(axis, text, value)
        axis.set(xlabel=trend.label, ylim=(None, 1.0))
    axes[0].set_ylabel("MCC of posterior means")
    named = {
        name: handle
        for axis in axes
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    named = {name: named[name] for name in (*names, *named)}  # Models first.
    figure.legend(
        named.values(), named.keys(), loc="outside lower center", ncols=min(4, len(named))
    )
    return figure


def _scores(axis: Axes, name: str, by_value: Mapping[float, ArrayLike], colour: object) -> None:
    values = sorted(by_value)
    finite = {v: np.asarray(by_value[v], float) for v in values}
    finite = {v: runs[np.isfinite(runs)] for v, runs in finite.items()}
    shown = [v for v in values if finite[v].size]
    medians = [float(np.median(finite[v])) for v in shown]
    for v in shown:
        x = np.full(finite[v].size, v)
        axis.plot(x, finite[v], "o", ms=3, mew=0, color=colour, alpha=0.45)
    axis.plot(shown, medians, color=colour, lw=2, label=name)


def _scale(axis: Axes, trend: Trend) -> None:
    ticks = trend.ticks
    if trend.log:
        axis.set_xscale("log")
        axis.xaxis.set_minor_locator(NullLocator())
        ticks = ticks or sorted({v for by_value in trend.runs.values() for v in by_value})
    if ticks is not None:
        axis.xaxis.set_major_locator(FixedLocator(list(ticks)))
        axis.set_xticks(list(ticks), [f"{tick:g}" for tick in ticks])
    else:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
