"""The tables of correlations beside the paper's Figure 4."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from companion import style
from ivae.support.checks import Array

DIGITS = 9.0
"""Size of the numbers, in points: with ten columns they can be read on a narrow screen too."""


def pairs(matrices: Mapping[str, Array]) -> Figure:
    """Draw absolute correlations of sources (rows) with matched latents, one table above another.

    ``matrices`` maps titles to (n, n).
    """
    size = (0.7 * style.WIDTH, 4.9 * len(matrices))
    figure, grid = plt.subplots(len(matrices), 1, figsize=size, squeeze=False)
    for axis, (title, matrix) in zip(grid[:, 0], matrices.items(), strict=True):
        rows = [f"$z_{{{i + 1}}}$" for i in range(len(matrix))]
        columns = [f"$\\hat z_{{{i + 1}}}$" for i in range(len(matrix))]
        style.squares(axis, np.asarray(matrix), rows, columns, vmin=0.0)
        for number in axis.texts:
            number.set_fontsize(DIGITS)
        axis.set_title(title)
    return figure
