"""The figure of a score's rise from setting to setting."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from companion.c10.increments import Increments
from companion.style import BLUE, GREY, ORANGE, mark, panels

ASIDE = 0.12  # Of the dots from their interval, which would hide them.


def increments_between(found: Increments, marks: Mapping[str, float]) -> Figure:
    """Draw each rise of a score: a small dot for each dataset, the mean and its interval.

    ``marks`` maps texts to settings, drawn as dashed vertical lines.
    """
    figure, (axis,) = panels(1, 2.8)
    axis.axhline(0, color=GREY, lw=1)
    for text, value in marks.items():
        mark(axis, text, value)
    for place, values in zip(found.into, found.values, strict=True):
        beside = np.full(len(values), place - ASIDE)
        axis.plot(beside, values, ".", ms=6, mew=0, color=BLUE, alpha=0.6)
    axis.vlines(found.into, found.low, found.high, color=ORANGE, lw=2)
    axis.plot(found.into, found.mean, "o", ms=6, color=ORANGE, ls="none")
    axis.set(xlabel="into $M$ segments", ylabel="rise in MCC")
    axis.xaxis.set_major_locator(FixedLocator(found.into.tolist()))
    axis.set_xticks(found.into, [f"{place:g}" for place in found.into])
    return figure
