"""The figure of training: ELBO and MCC over epochs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from companion.style import COLOURS, floor_band, panels
from ivae.support.checks import Array


def training_curves(
    elbo: Mapping[str, tuple[Array, Array]],
    mcc: Mapping[str, tuple[Array, Array]],
    floor: Array,
) -> Figure:
    """Draw ELBO and MCC over epochs: a thin line per run, a thick one for their mean.

    Values are (epochs (T,), runs (T, E)); ``floor`` holds the MCC of random rotations.
    """
    figure, (left, right) = panels(2, 3.1)
    for axis, curves in ((left, elbo), (right, mcc)):
        for (name, (epochs, runs)), colour in zip(curves.items(), cycle(COLOURS), strict=False):
            axis.plot(epochs, runs, color=colour, lw=0.7, alpha=0.5)
            axis.plot(epochs, runs.mean(1), color=colour, lw=2.4, label=name)
        axis.set_xlabel("epoch")
    left.set(ylabel="ELBO, nats a sample")
    floor_band(right, floor, label="random rotation")
    right.axhline(0.95, color="black", lw=1.0, ls=":", label="the paper's .95")
    right.set(ylabel="MCC", ylim=(None, 1.0))
    for axis in (left, right):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure
