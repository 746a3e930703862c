"""Figures of comparisons: over training, by dimension, by setting, and in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from companion.style import BLUE, COLOURS, GREY, ORANGE, WIDTH, panels

Array = NDArray[np.floating[Any]]
CONTENDER_COLOURS = {
    "iVAE": COLOURS[0],
    "VAE": COLOURS[1],
    "VAE, Laplace": COLOURS[3],
    "β-VAE": COLOURS[2],
    "β-TC-VAE": COLOURS[4],
    "the recipe": COLOURS[5],
}
LEAST_GAP = 0.052  # Between two labels, as a share of the axis: a line of 9 point text.


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
        _floor(axis, floors[title])
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
        low, middle, high = np.quantile([floors[n] for n in n_values], (0.05, 0.5, 0.95), axis=1)
        axis.fill_between(n_values, low, high, color=GREY, alpha=0.2, lw=0)
        axis.plot(n_values, middle, color=GREY, lw=1.2, ls="--")
        ends: dict[str, tuple[float, Any]] = {"rotation": (float(middle[-1]), GREY)}
        for place, (name, by_n) in enumerate(by_name.items()):
            colour = CONTENDER_COLOURS[name]
            means = [float(np.mean(values)) for values in by_n.values()]
            axis.plot(list(by_n), means, color=colour, lw=2)
            for n, values in by_n.items():
                axis.plot(
                    np.full(len(values), n + 0.04 * (place - (len(by_name) - 1) / 2)),
                    *(values, "o"),
                    **{"ms": 3, "color": colour, "alpha": 0.6},
                )
            ends[name] = means[-1], colour
        if title in ceilings:
            axis.plot(*zip(*ceilings[title].items(), strict=True), color="black", lw=1, ls=":")
            ends["supervised"] = list(ceilings[title].values())[-1], "black"
        axis.set(title=title, xlabel="latents $n$", ylim=(0, 1), xticks=n_values)
        label_ends(axis, ends)
    axes[0].set_ylabel("MCC of posterior samples")
    return figure


def by_dataset(
    scores: Mapping[str, Mapping[int, float]],
    floor: Array,
    *,
    label: str = "MCC of posterior means",
) -> Figure:
    """Draw MCC against data seeds, a line for each method, named at its end.

    ``scores`` maps methods to {data seed: MCC}; the first is drawn thicker. ``floor`` holds MCCs of
    random rotations.
    """
    figure, (axis,) = panels(1, 3.8)
    _floor(axis, floor)
    ends: dict[str, tuple[float, Any]] = {}
    seeds = list(next(iter(scores.values())))
    for place, (name, by_seed) in enumerate(scores.items()):
        first, colour = place == 0, COLOURS[place]
        values = [by_seed[seed] for seed in seeds]
        mark = "osD^vPX"[place]
        axis.plot(range(len(seeds)), values, mark, ls="-", lw=2.2 if first else 0.9, color=colour)
        ends[name] = values[-1], colour
    axis.set_xticks(range(len(seeds)), [str(seed) for seed in seeds])
    axis.set(xlabel="data seed", ylabel=label, ylim=(None, 1.01))
    label_ends(axis, ends)
    return figure


def by_setting(
    rows: Mapping[str, Mapping[str, ArrayLike]],
    floor: ArrayLike | None = None,
    *,
    lines: Mapping[str, float] | None = None,
    x_label: str = "MCC of posterior samples",
) -> Figure:
    """Draw one row of dots for each setting, without diverged runs; bars mark medians of several.

    ``rows`` maps settings to {group: MCCs}, up to four groups: the first one's dots are filled, the
    others' open.
    ``floor`` holds MCCs of random rotations; ``lines`` maps names to levels to mark.
    """
    figure, (axis,) = panels(1, 0.27 * len(rows) + 1.1)
    if floor is not None:
        low, middle, high = np.quantile(np.asarray(floor), (0.05, 0.5, 0.95))
        axis.axvspan(low, high, color=GREY, alpha=0.2, lw=0)
        axis.axvline(middle, color=GREY, lw=1.2, ls="--")
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

    Parameters
    ----------
    z
        True sources (T, n).
    estimates, correlations
        For each model: estimates matched and aligned to the sources (T, n), and their absolute
        correlations over the whole dataset (n,).
    """
    n = z.shape[1]
    size = (WIDTH, 0.62 * n + 0.7)
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


def sensitivity(
    panels_of: Mapping[str, Array], rows: Sequence[str], columns: Sequence[str]
) -> Figure:
    """Draw tables of mean scores as coloured squares with the numbers in them.

    ``panels_of`` maps titles to tables (rows, columns); NaN stands for a run that diverged.
    """
    n_columns = min(2, len(panels_of))
    n_rows = -(-len(panels_of) // n_columns)
    figure, grid = plt.subplots(
        *(n_rows, n_columns),
        figsize=(WIDTH, 0.42 * len(rows) * n_rows + 0.9 * n_rows),
        squeeze=False,
    )
    values = np.stack(list(panels_of.values()))
    low, high = np.nanmin(values), np.nanmax(values)
    for axis in list(grid.flat)[len(panels_of) :]:
        axis.set_visible(False)
    for axis, (title, table) in zip(grid.flat, panels_of.items(), strict=False):
        axis.imshow(table, cmap="cividis", vmin=low, vmax=high, aspect="auto")
        for (i, j), value in np.ndenumerate(table):
            dark = value < low + 0.55 * (high - low)
            axis.text(
                *(j, i, "div." if np.isnan(value) else f"{value:.2f}"),
                **{"ha": "center", "va": "center", "fontsize": 9},
                color="white" if dark else "black",
            )
        axis.set_title(title)
        axis.set_xticks(range(len(columns)), columns)
        axis.set_yticks(range(len(rows)), rows)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    return figure


def against(
    x: ArrayLike,
    y: ArrayLike,
    x_label: str,
    y_label: str,
    names: Sequence[str] | None = None,
    is_open: ArrayLike | None = None,
) -> Figure:
    """Draw one point for each pair, open where ``is_open``, optionally with its name beside it."""
    figure, (axis,) = panels(1, 3.2)
    hollow = np.zeros(np.shape(x), bool) if is_open is None else np.asarray(is_open)
    for chosen, fill in ((~hollow, BLUE), (hollow, "none")):
        axis.plot(
            *(np.asarray(x)[chosen], np.asarray(y)[chosen], "o"),
            **{"ms": 5, "mec": BLUE, "mfc": fill, "alpha": 0.8},
        )
    for name, a, b in zip(names or (), np.asarray(x), np.asarray(y), strict=False):
        axis.annotate(name, (a, b), (4, 3), textcoords="offset points", fontsize=8, color=GREY)
    axis.set(xlabel=x_label, ylabel=y_label)
    return figure


def label_ends(axis: Axes, ends: Mapping[str, tuple[float, Any]]) -> None:
    """Write names right of an axis at their levels, pushed apart where they would overlap.

    ``ends`` maps names to (level, colour).
    """
    low, high = axis.get_ylim()
    gap = LEAST_GAP * (high - low)
    names = sorted(ends, key=lambda name: ends[name][0])
    places = np.array([ends[name][0] for name in names])
    for _ in range(100):
        apart = np.diff(places)
        for i in np.flatnonzero(apart < gap):
            push = (gap - apart[i]) / 2
            places[i] -= push
            places[i + 1] += push
            apart = np.diff(places)
    for name, place in zip(names, places, strict=True):
        axis.annotate(
            name,
            (1.0, place),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=ends[name][1],
            annotation_clip=False,
        )


def _floor(axis: Axes, floor: Array) -> None:
    low, middle, high = np.quantile(floor, (0.05, 0.5, 0.95))
    axis.axhspan(low, high, color=GREY, alpha=0.2, lw=0)
    axis.axhline(middle, color=GREY, lw=1.2, ls="--")
