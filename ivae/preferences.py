"""Figures of what an objective prefers: who leads on which step, what that costs, where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from ivae.checks import finite_array
from ivae.style import BLUE, COLOURS, GREEN, GREY, ORANGE, panels

Array = NDArray[np.floating[Any]]
MARKERS = "osD^v*"
LINES = (BLUE, ORANGE, GREEN, COLOURS[3], COLOURS[4], "black")
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
    figure, (axis,) = panels(1, 4.2)
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
    """Draw what each step from log-likelihood to bound costs, one panel for each solution.

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
    figure, axes = panels(len(by_place), 3.6, sharey=True)
    for axis, (title, by_name) in zip(axes, by_place.items(), strict=True):
        _some(title, by_name)
        for place, (name, by_variance) in enumerate(by_name.items()):
            _through_means(axis, name, by_variance, place)
        axis.set(title=title, xscale="log", xlabel=r"decoder variance $\sigma^2$")
        axis.set_yscale("symlog", linthresh=NATS)
        axis.axhline(0, color="black", lw=0.6)
    axes[0].set_ylabel("cost, nats a sample")
    _legend(figure, axes)
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
        the start. The left panel shows the gain since the start, as a mean over datasets, on an
        axis that is linear up to one nat; the right one every dataset, thin, and the mean.
    floor
        MCCs of random rotations, of which 5 % to 95 % are drawn as a band.

    Raises
    ------
    ValueError
        When there is no curve, for NaN, or for shapes that do not fit.
    """
    _some("curves", curves)
    figure, (left, right) = panels(2, 3.8)
    if floor is not None:
        low, middle, high = np.quantile(np.asarray(floor), (0.05, 0.5, 0.95))
        right.axhspan(low, high, color=GREY, alpha=0.2, lw=0)
        right.axhline(middle, color=GREY, lw=1.2, ls="--")
    for place, (name, (epochs, objective, mcc)) in enumerate(curves.items()):
        values = finite_array(f"objective of {name}", objective, ("T", "D"), np.float64)
        scores = finite_array(f"MCC of {name}", mcc, values.shape, np.float64)
        when = finite_array(f"epochs of {name}", epochs, (len(values),), np.float64)
        colour, marker = LINES[place % len(LINES)], MARKERS[place % len(MARKERS)]
        few: dict[str, Any] = {"markevery": max(1, len(when) // 6), "ms": 4.5, "marker": marker}
        left.plot(when, (values - values[0]).mean(1), color=colour, lw=2, label=name, **few)
        right.plot(when, scores, color=colour, lw=0.5, alpha=0.35)
        right.plot(when, scores.mean(1), color=colour, lw=2, **few)
    left.set_yscale("symlog", linthresh=NATS)
    left.axhline(0, color="black", lw=0.6)
    left.set(xlabel="epoch", ylabel="objective since the start, nats")
    right.set(xlabel="epoch", ylabel="MCC of posterior means", ylim=(None, 1.0))
    for axis in (left, right):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
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


def _legend(figure: Figure, axes: list[Axes]) -> None:
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)


def _some(name: str, given: Mapping[Any, Any]) -> None:
    if not given:
        raise ValueError(f"{name} must hold at least one entry; got none.")
