"""Figures of bits: relaxed ones, what decoders tell them, and how well runs recover z."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from companion.style import BLUE, COLOURS, GREEN, GREY, ORANGE, WIDTH, floor_band, panels
from ivae.support.checks import Array


def relaxed_bits(
    cdfs: Mapping[str, tuple[Array, Array]], distances: Mapping[str, tuple[Array, Array, Array]]
) -> Figure:
    """Draw distribution functions of relaxed bits, and how far they are from bits.

    ``cdfs`` maps temperatures to (q, P(x <= q)); ``distances`` maps logits to (temperatures,
    E|x - bit|, the line that it tends to).
    """
    figure, (left, right) = panels(2, 3.4)
    for (name, (q, values)), colour in zip(cdfs.items(), cycle(COLOURS), strict=False):
        left.plot(q, values, color=colour, lw=2, label=name)
    left.set(xlabel="$q$", ylabel="$P(x \\leq q)$", xlim=(0, 1), ylim=(0, 1))
    left.legend(loc="upper left")
    for (name, (t, distance, limit)), colour in zip(
        distances.items(), cycle(COLOURS), strict=False
    ):
        right.plot(t, distance, "o", ms=4, color=colour, label=name)
        right.plot(t, limit, ":", color=colour, lw=1.5)
    right.set(xlabel="temperature $T$", ylabel="$E\\,|x - $bit$|$", xscale="log", yscale="log")
    right.legend(loc="lower right")
    return figure


def probability_maps(axis_values: Array, maps: Mapping[str, Array]) -> Figure:
    """Draw p(x_j = 1|z) over two latents as contours; a row of panels for each decoder.

    ``maps`` maps decoders to (G, G, d), indexed by z_1, then z_2.
    """
    d = next(iter(maps.values())).shape[-1]
    size = (WIDTH, 2.25 * len(maps) + 0.5)
    figure, axes = plt.subplots(len(maps), d, figsize=size, sharex=True, sharey=True, squeeze=False)
    levels = np.linspace(0, 1, 11)
    for row, (name, values) in zip(axes, maps.items(), strict=True):
        for j, axis in enumerate(row):
            z = values[..., j].T
            image = axis.contourf(axis_values, axis_values, z, levels, cmap="cividis")
            axis.contour(axis_values, axis_values, z, [0.5], colors="white", linewidths=1.5)
            axis.set_title(f"{name}: $p(x_{j + 1} = 1\\,|\\,z)$")
            axis.set_aspect("equal")
        row[0].set_ylabel("$z_2$")
    for axis in axes[-1]:
        axis.set_xlabel("$z_1$")
    figure.colorbar(image, ax=axes, shrink=0.7, ticks=[0, 0.5, 1])
    return figure


def distribution_gaps(s: Array, gaps: Array) -> Figure:
    """Draw P'(x_j <= q|u) - P(x_j <= q|u), (M, d, S), against s = T logit(q)."""
    figure, (axis,) = panels(1, 3.0)
    for j, colour in zip(range(gaps.shape[1]), cycle(COLOURS), strict=False):
        lines = axis.plot(s, gaps[:, j].T, color=colour, lw=1.6)
        lines[0].set_label(f"$x_{j + 1}$")
    axis.axhline(0, color=GREY, lw=0.8)
    axis.axvline(0, color="black", lw=1, ls=":", label="all that a bit shows")
    axis.plot(0, 0, "o", ms=8, mfc="white", mec="black", zorder=5)
    axis.set(xlabel="$s = T\\,$logit$(q)$", ylabel="difference of $P(x_j \\leq q\\,|\\,u)$")
    axis.set_xlim(s[0], s[-1])
    figure.legend(loc="outside upper center", ncols=4)
    return figure


def mcc_by_size(
    groups: Mapping[str, Mapping[str, Array]],
    floors: Mapping[str, Array],
    ceilings: Mapping[str, Mapping[str, float]],
) -> Figure:
    """Draw one dot per run, one column per size of the problem, contenders side by side.

    ``groups`` maps sizes to {contender: MCCs}, ``floors`` the same sizes to MCCs of random
    rotations, ``ceilings`` to {name: MCC}, drawn as black lines.
    """
    figure, (axis,) = panels(1, 3.8)
    looks = (("o", BLUE), ("s", GREEN), ("^", ORANGE))
    styles = dict(zip(next(iter(groups.values())), looks, strict=False))
    dashes = dict(zip(next(iter(ceilings.values())), ("-", ":"), strict=False))
    for column, (size, by_name) in enumerate(groups.items()):
        ends, first = [column - 0.38, column + 0.38], column == 0
        label = "random rotations" if first else None
        floor_band(axis, 2 * [floors[size]], ends, label=label)
        for name, level in ceilings[size].items():
            label = name if first else None
            axis.plot(ends, [level] * 2, color="black", ls=dashes[name], lw=1.4, label=label)
        for place, (name, values) in enumerate(by_name.items()):
            mark, colour = styles[name]
            middle_of = column + 0.24 * (place - (len(by_name) - 1) / 2)
            spread = np.linspace(-0.07, 0.07, len(values)) if len(values) > 1 else [0.0]
            (dots,) = axis.plot(middle_of + np.asarray(spread), values, mark, ms=6, color=colour)
            dots.set(mfc="none", mew=1.4, label=name if first else None)
    axis.set_xticks(range(len(groups)), list(groups))
    axis.set(ylabel="MCC of posterior means", ylim=(None, 1.0))
    figure.legend(loc="outside upper center", ncols=2)
    return figure
