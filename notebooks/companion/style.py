"""One style for every figure: colour-blind safe, readable at the width of a page, white ground."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 7.2  # Inches; narrow, so that the text can still be read on a phone.
COLOURS = sns.color_palette("colorblind")
BLUE, ORANGE, GREEN, GREY = COLOURS[0], COLOURS[1], COLOURS[2], (0.45, 0.45, 0.45)
WHEEL = sns.husl_palette(256, l=0.6, as_cmap=True)  # Angles: cyclic, of one lightness.


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
