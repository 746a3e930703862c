"""Figures of what an objective prefers: who leads on which step, what that costs, where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from companion.style import BLUE, COLOURS, GREEN, GREY, ORANGE
from ivae.support.checks import finite_array

Array = NDArray[np.floating[Any]]
MARKERS = "osD^v*"
LINES = (BLUE, ORANGE, GREEN, COLOURS[3], COLOURS[4], "black")
NARROW = 5.2  # Inches.
NATS = 1.0  # From here on axes of nats are logarithmic; within, linear.


def leads(by_step: Mapping[str, Mapping[float, ArrayLike]]) -> Figure:
    """Draw by how much the trained solution leads the truth, against the decoder variance.

    Parameters
    ----------
    by_step
        {name of the step: {decoder variance: leads (D,), one for each dataset, in nats}}.

    Raises
    ------
    ValueError
        When there is no step, or a lead is NaN.
    """
    _some("by_step", by_step)
    figure, (axis,) = _stacked(1, 4.0)
    axis.axhline(0, color="black", lw=1)
    for place, (name, by_variance) in enumerate(by_step.items()):
        _through_means(axis, name, by_variance, place)
    axis.set(xscale="log", xlabel=r"decoder variance $\sigma^2$ of the model")
    axis.set_yscale("symlog", linthresh=NATS)
    axis.set_ylabel("lead of the trained solution, nats")
    for text, height, side in (
        ("training's end leads", 0.97, "top"),
        ("truth leads", 0.03, "bottom"),
    ):
        where: dict[str, Any] = {"transform": axis.transAxes, "ha": "right", "va": side}
        axis.text(0.99, height, text, fontsize=9, color=GREY, style="italic", **where)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def costs(by_place: Mapping[str, Mapping[str, Mapping[float, ArrayLike]]]) -> Figure:
    """Draw what each step from log-likelihood to bound costs, one panel for each solution,
    one below the other.

    Parameters
    ----------
    by_place
        {title: {name of the cost: {decoder variance: costs (D,) in nats}}}.

    Raises
    ------
    ValueError
        When there is no panel or no cost, or a cost is NaN.
    """
    _some("by_place", by_place)
    figure, axes = _stacked(len(by_place), 2.6, sharex=True, sharey=True)
    for axis, (title, by_name) in zip(axes, by_place.items(), strict=True):
        _some(title, by_name)
        # From 1: a step keeps its colour from figure to figure, and log-likelihood costs nothing.
        for place, (name, by_variance) in enumerate(by_name.items(), start=1):
            _through_means(axis, name, by_variance, place)
        axis.set(title=title, xscale="log", ylabel="cost, nats a sample")
        axis.set_yscale("symlog", linthresh=NATS)
        axis.axhline(0, color="black", lw=0.6)
    axes[-1].set_xlabel(r"decoder variance $\sigma^2$ of the model")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


def drifts(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
    floor: ArrayLike | None = None,
) -> Figure:
    """Draw how an objective rises, and what the MCC does meanwhile, from a given start on.

    Parameters
    ----------
    curves
        {objective: (epochs (T,), objective (T, D) in nats, MCC (T, D))}; the first entry of each is
        the start. The upper panel shows the gain since the start, as a mean over datasets, on an
        axis that is linear up to one nat; the lower one every dataset, thin, and the mean.
    floor
        MCCs of random rotations, of which 5 % to 95 % are drawn as a band.

    Raises
    ------
    ValueError
        When there is no curve, for NaN, or for shapes that do not fit.
    """
    _some("curves", curves)
    figure, (upper, lower) = _stacked(2, 2.9, sharex=True)
    if floor is not None:
        low, middle, high = np.quantile(np.asarray(floor), (0.05, 0.5, 0.95))
        lower.axhspan(low, high, color=GREY, alpha=0.2, lw=0)
        lower.axhline(middle, color=GREY, lw=1.2, ls="--")
    for place, (name, (epochs, objective, mcc)) in enumerate(curves.items()):
        values = finite_array(f"objective of {name}", objective, ("T", "D"), np.float64)
        scores = finite_array(f"MCC of {name}", mcc, values.shape, np.float64)
        when = finite_array(f"epochs of {name}", epochs, (len(values),), np.float64)
        colour, marker = LINES[place % len(LINES)], MARKERS[place % len(MARKERS)]
        few: dict[str, Any] = {"markevery": max(1, len(when) // 6), "ms": 4.5, "marker": marker}
        upper.plot(when, (values - values[0]).mean(1), color=colour, lw=2, label=name, **few)
        lower.plot(when, scores, color=colour, lw=0.5, alpha=0.35)
        lower.plot(when, scores.mean(1), color=colour, lw=2, **few)
    upper.set_yscale("symlog", linthresh=NATS)
    upper.axhline(0, color="black", lw=0.6)
    upper.set(ylabel="objective since\nthe start, nats")
    lower.set(xlabel="epoch", ylabel="MCC of posterior means", ylim=(None, 1.0))
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _through_means(
    axis: Axes, name: str, by_variance: Mapping[float, ArrayLike], place: int
) -> None:
    where = sorted(by_variance)
    values = [finite_array(f"{name} at {v:g}", by_variance[v], ("D",), np.float64) for v in where]
    colour, marker = LINES[place % len(LINES)], MARKERS[place % len(MARKERS)]
    for variance, one in zip(where, values, strict=True):
        x = np.full(len(one), variance)
        axis.plot(x, one, marker, ms=3, mew=0, color=colour, alpha=0.4)
    means = [one.mean() for one in values]
    axis.plot(where, means, color=colour, lw=2, marker=marker, ms=5.5, label=name)


def _stacked(n: int, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return n axes one below the other: on a phone their text stays twice as large."""
    figure, axes = plt.subplots(n, 1, figsize=(NARROW, n * height), squeeze=False, **options)
    return figure, list(axes[:, 0])


def _some(name: str, given: Mapping[Any, Any]) -> None:
    if not given:
        raise ValueError(f"{name} must hold at least one entry; got none.")
