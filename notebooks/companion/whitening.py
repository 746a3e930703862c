"""Principal components, whitened: coordinates of x that know neither its units nor its axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ivae.support.checks import finite_array, whole_number

Array = NDArray[np.floating[Any]]

LEAST = 1e-10
"""Variance, as a share of the largest, below which a direction holds rounding and no more. Data
kept as float32 have some 1e-14 of it in every direction."""


def principal_components(x: ArrayLike, n_components: int | None = None) -> Array:
    """Return x's leading principal components, scaled to unit variance, (N, c).

    A direction in which x does not vary gives a column of zeros: data of different ranks keep one
    shape. :func:`ivae.data.whiten` stays with the axes of x instead, and refuses such data.

    Parameters
    ----------
    x
        (N, d).
    n_components
        c, at most d; by default d.

    Raises
    ------
    ValueError
        For NaN, c > d, or x that does not vary at all.
    """
    array = finite_array("x", x, ("N", "d"), np.float64)
    d = array.shape[1]
    size = whole_number("n_components", d if n_components is None else n_components)
    if size > d:
        raise ValueError(f"n_components must be at most d = {d}; got {size}.")
    centred = array - array.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    # eigh sorts upwards.
    values, vectors = values[::-1][:size], vectors[:, ::-1][:, :size]
    if values[0] <= 1e-24 * np.square(array).max():
        raise ValueError("x must vary: all its rows are the same.")
    kept = values > LEAST * values[0]
    scale = np.where(kept, np.sqrt(np.where(kept, values, 1.0)), np.inf)
    return np.asarray(centred @ vectors / scale)
