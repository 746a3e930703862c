"""Figures of a score against a setting, with what the theory asks for marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from companion.c10.increments import Rises
from companion.style import BLUE, COLOURS, GREEN, GREY, ORANGE, panels

ASIDE = 0.12  # Of the dots from their interval, which would hide them.
LINES = (BLUE, ORANGE, GREEN, COLOURS[4])


@dataclass(frozen=True)
class Trend:
    """One panel: scores at the values of one setting.

    Attributes
    ----------
    label
        Of the horizontal axis.
    runs
        {name: {value of the setting: MCCs (R,)}}; runs that diverged are NaN.
    ceilings
        {value of the setting: MCC}, a dotted line; may be empty.
    floor
        MCCs of random rotations, of which 5 % to 95 % are drawn as a band.
    marks
        {text: value of the setting}, dashed vertical lines.
    log
        Whether the setting has a logarithmic axis.
    ticks
        Where the axis is numbered; by default matplotlib's choice (log: the values of the runs).
    """

    label: str
    runs: Mapping[str, Mapping[float, ArrayLike]]
    ceilings: Mapping[float, float] = field(default_factory=dict)
    floor: ArrayLike | None = None
    marks: Mapping[str, float] = field(default_factory=dict)
    log: bool = False
    ticks: Sequence[float] | None = None


def against_setting(
    trends: Sequence[Trend],
    *,
    y_label: str = "MCC of posterior means",
    ceiling: str = "true decoder",
    height: float = 3.6,
) -> Figure:
    """Draw a dot for each run and a line through the medians, one panel for each setting.

    ``ceiling`` names the dotted line of the ceilings.

    Raises
    ------
    ValueError
        When there is no trend, or one has no runs.
    """
    if not trends or any(not trend.runs for trend in trends):
        raise ValueError("trends must hold at least one Trend, each with runs.")
    figure, axes = panels(len(trends), height, sharey=True)
    names = dict.fromkeys(name for trend in trends for name in trend.runs)
    colours = dict(zip(names, cycle(LINES), strict=False))
    for axis, trend in zip(axes, trends, strict=True):
        _scale(axis, trend)
        if trend.floor is not None:
            low, middle, high = np.quantile(np.asarray(trend.floor), (0.05, 0.5, 0.95))
            axis.axhspan(low, high, color=GREY, alpha=0.2, lw=0)
            axis.axhline(middle, color=GREY, lw=1.2, ls="--", label="random rotation")
        for name, by_value in trend.runs.items():
            _scores(axis, name, by_value, colours[name])
        if trend.ceilings:
            points = sorted(trend.ceilings.items())
            axis.plot(*zip(*points, strict=True), color="black", lw=1.2, ls=":", label=ceiling)
        for text, value in trend.marks.items():
            _mark(axis, text, value)
        axis.set(xlabel=trend.label, ylim=(None, 1.0))
    axes[0].set_ylabel(y_label)
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


def rises_between(
    found: Rises, *, marks: Mapping[str, float] | None = None, label: str = "into $M$ segments"
) -> Figure:
    """Draw each rise of a score: a small dot for each dataset, the mean and its interval.

    ``marks`` maps texts to settings, drawn as dashed vertical lines; ``label`` names the axis.
    """
    figure, (axis,) = panels(1, 2.8)
    axis.axhline(0, color=GREY, lw=1)
    for text, value in (marks or {}).items():
        _mark(axis, text, value)
    for place, values in zip(found.into, found.values, strict=True):
        beside = np.full(len(values), place - ASIDE)
        axis.plot(beside, values, ".", ms=6, mew=0, color=BLUE, alpha=0.6)
    axis.vlines(found.into, found.low, found.high, color=ORANGE, lw=2)
    axis.plot(found.into, found.mean, "o", ms=6, color=ORANGE, ls="none")
    axis.set(xlabel=label, ylabel="rise in MCC")
    axis.xaxis.set_major_locator(FixedLocator(found.into.tolist()))
    axis.set_xticks(found.into, [f"{place:g}" for place in found.into])
    return figure


def _mark(axis: Axes, text: str, value: float) -> None:
    axis.axvline(value, color="black", lw=1, ls="--")
    axis.annotate(
        text,
        (value, 0.0),
        (4, 5),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        fontsize=9,
    )
