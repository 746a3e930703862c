"""Figures of what an objective prefers: who leads on which step, what that costs, where it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from companion.style import BLUE, COLOURS, GREEN, GREY, ORANGE, floor_band
from ivae.support.checks import Array

MARKERS = "osD^v*"
LINES = (BLUE, ORANGE, GREEN, COLOURS[3], COLOURS[4], "black")
NARROW = 5.2  # Inches.
NATS = 1.0  # From here on axes of nats are logarithmic; within, linear.


def leads(variances: Sequence[float], by_step: Mapping[str, Array]) -> Figure:
    """Draw by how much the trained solution leads the truth, against the S decoder variances.

    ``by_step`` maps names of steps to the leads (S, D) of the datasets, in nats.
    """
    figure, (axis,) = _stacked(1, 4.0)
    axis.axhline(0, color="black", lw=1)
    for place, (name, values) in enumerate(by_step.items()):
        _through_means(axis, name, variances, values, place)
    axis.set(xscale="log", xlabel=r"decoder variance $\sigma^2$ of the model")
    axis.set_yscale("symlog", linthresh=NATS)
    axis.set_ylabel("lead of the trained solution, nats")
    for text, height in (("training's end leads", 0.97), ("truth leads", 0.03)):
        side = "top" if height > 0.5 else "bottom"
        told = axis.text(0.99, height, text, ha="right", va=side, transform=axis.transAxes)
        told.set(fontsize=9, color=GREY, style="italic")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def costs(variances: Sequence[float], by_place: Mapping[str, Mapping[str, Array]]) -> Figure:
    """Draw what each step from log-likelihood to bound costs, one panel for each solution,
    one below the other.

    ``by_place`` maps titles to {name of the cost: costs (S, D) in nats}, of D datasets at each of
    the S decoder variances.
    """
    figure, axes = _stacked(len(by_place), 2.6, sharex=True, sharey=True)
    for axis, (title, by_name) in zip(axes, by_place.items(), strict=True):
        # From 1: a step keeps its colour from figure to figure, and log-likelihood costs nothing.
        for place, (name, values) in enumerate(by_name.items(), start=1):
            _through_means(axis, name, variances, values, place)
        axis.set(title=title, xscale="log", ylabel="cost, nats a sample")
        axis.set_yscale("symlog", linthresh=NATS)
        axis.axhline(0, color="black", lw=0.6)
    axes[-1].set_xlabel(r"decoder variance $\sigma^2$ of the model")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


def drifts(curves: Mapping[str, tuple[Array, Array, Array]], floor: Array) -> Figure:
    """Draw how an objective rises, and what the MCC does meanwhile, from a given start on.

    ``curves`` maps names to (epochs (T,), objective (T, D) in nats, MCC (T, D)), the start first.
    The upper panel shows the gain since the start, as a mean over datasets, on an axis that is
    linear up to one nat; the lower one every dataset, thin, the mean, and the MCCs of random
    rotations, ``floor``.
    """
    figure, (upper, lower) = _stacked(2, 2.9, sharex=True)
    floor_band(lower, floor)
    for place, (name, (epochs, objective, mcc)) in enumerate(curves.items()):
        colour, marker = LINES[place % len(LINES)], MARKERS[place % len(MARKERS)]
        lower.plot(epochs, mcc, color=colour, lw=0.5, alpha=0.35)
        (gain,) = upper.plot(epochs, (objective - objective[0]).mean(1), label=name)
        (score,) = lower.plot(epochs, mcc.mean(1))
        for line in (gain, score):
            line.set(color=colour, lw=2, marker=marker, ms=4.5, markevery=max(1, len(epochs) // 6))
    upper.set_yscale("symlog", linthresh=NATS)
    upper.axhline(0, color="black", lw=0.6)
    upper.set(ylabel="objective since\nthe start, nats")
    lower.set(xlabel="epoch", ylabel="MCC of posterior means", ylim=(None, 1.0))
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _through_means(
    axis: Axes, name: str, variances: Sequence[float], values: Array, place: int
) -> None:
    colour, marker = LINES[place % len(LINES)], MARKERS[place % len(MARKERS)]
    order = np.argsort(variances)
    where, each = np.asarray(variances)[order], np.asarray(values)[order]
    axis.plot(where, each, marker, ms=3, mew=0, color=colour, alpha=0.4)
    axis.plot(where, each.mean(1), color=colour, lw=2, marker=marker, ms=5.5, label=name)


def _stacked(n: int, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return n axes one below the other: on a phone their text stays twice as large."""
    figure, axes = plt.subplots(n, 1, figsize=(NARROW, n * height), squeeze=False, **options)
    return figure, list(axes[:, 0])
