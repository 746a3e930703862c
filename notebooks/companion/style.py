"""One style for every figure: colour-blind safe, readable at the width of a page, white ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from ivae.support.checks import Array

WIDTH = 7.2  # Inches; narrow, so that the text can still be read on a phone.
COLOURS = sns.color_palette("colorblind")
BLUE, ORANGE, GREEN, GREY = COLOURS[0], COLOURS[1], COLOURS[2], (0.45, 0.45, 0.45)
WHEEL = sns.husl_palette(256, l=0.6, as_cmap=True)  # Angles: cyclic, of one lightness.
CONTENDER_COLOURS = {
    "iVAE": COLOURS[0],
    "VAE": COLOURS[1],
    "VAE, Laplace": COLOURS[3],
    "β-VAE": COLOURS[2],
    "β-TC-VAE": COLOURS[4],
    "the recipe": COLOURS[5],
}
LEAST_GAP = 0.052  # Between two labels, as a share of the axis: a line of 9 point text.


def use_style() -> None:
    """Set the book's style for every figure drawn after."""
    sns.set_theme(
        style="ticks",
        palette="colorblind",
        rc={
            "figure.dpi": 144,
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10,
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
        },
    )


def close(figure: Figure) -> None:
    """Free a figure, and keep the notebook from showing it a second time."""
    plt.close(figure)


def panels(
    n: int, height: float, width: float = WIDTH, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure, as wide as the page if not told otherwise, with n axes side by side."""
    figure, axes = plt.subplots(1, n, figsize=(width, height), squeeze=False, **options)
    return figure, list(axes[0])


def floor_band(
    axis: Axes,
    floor: Array | Sequence[Array],
    x: Sequence[float] | None = None,
    *,
    upright: bool = False,
    label: str | None = None,
) -> None:
    """Mark what random rotations score: a band from 5 to 95 %, dashed at the median.

    ``floor`` holds their scores, for the whole axis or, (P, R), for each of the places x (P,).
    ``upright`` is for axes on which scores run to the right.
    """
    low, middle, high = np.quantile(floor, (0.05, 0.5, 0.95), axis=None if x is None else 1)
    if x is not None:
        axis.fill_between(x, low, high, color=GREY, alpha=0.2, lw=0)
        axis.plot(x, middle, color=GREY, lw=1.2, ls="--", label=label)
        return
    span, line = (axis.axvspan, axis.axvline) if upright else (axis.axhspan, axis.axhline)
    span(low, high, color=GREY, alpha=0.2, lw=0)
    line(middle, color=GREY, lw=1.2, ls="--", label=label)


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


def mark(axis: Axes, text: str, value: float) -> None:
    """Mark a value of the horizontal axis by a dashed line with a text."""
    axis.axvline(value, color="black", lw=1, ls="--")
    axis.annotate(
        text,
        (value, 0.0),
        (4, 5),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        fontsize=9,
    )


def cloud(axis: Axes, points: ArrayLike, angle: ArrayLike) -> None:
    """Draw 2-d points (N, 2) in the colours of angles (N,)."""
    rows = np.asarray(points)
    axis.scatter(rows[:, 0], rows[:, 1], c=np.asarray(angle), cmap=WHEEL, s=4, linewidths=0)


def squares(
    axis: Axes,
    values: Array,
    rows: list[str],
    columns: list[str],
    *,
    vmin: float,
    mask: NDArray[np.bool_] | None = None,
) -> None:
    """Draw a table of numbers up to 1 as coloured squares with the numbers in them."""
    # More than seven columns in half a page leave room for small digits only.
    digits = {"size": 9 if len(columns) <= 7 else 6}
    sns.heatmap(
        values,
        mask=mask,
        ax=axis,
        vmin=vmin,
        vmax=1.0,
        cmap="cividis",
        annot=True,
        fmt=".2f",
        annot_kws=digits,
        cbar=False,
        square=True,
        xticklabels=columns,
        yticklabels=rows,
    )
    axis.tick_params(length=0, rotation=0)
