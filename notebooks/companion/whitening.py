"""Principal components, whitened: coordinates of x that know neither its units nor its axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ivae.support.checks import Array

LEAST = 1e-10
"""Variance, as a share of the largest, below which a direction holds rounding and no more. Data
kept as float32 have some 1e-14 of it in every direction."""


def principal_components(x: ArrayLike, n_components: int | None = None) -> Array:
    """Return x's leading principal components, scaled to unit variance, (N, c).

    A direction in which x does not vary gives a column of zeros: data of different ranks keep one
    shape. :func:`whiten` stays with the axes of x instead, which must all vary. Without a number of
    components c = d.
    """
    array = np.asarray(x, np.float64)
    centred = array - array.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    # eigh sorts upwards.
    values, vectors = values[::-1][:n_components], vectors[:, ::-1][:, :n_components]
    kept = values > LEAST * values[0]
    scale = np.where(kept, np.sqrt(np.where(kept, values, 1.0)), np.inf)
    return np.asarray(centred @ vectors / scale)


def whitening(x: ArrayLike) -> Callable[[ArrayLike], Array]:
    """Return the map that gives x (N, d) mean 0 and covariance I, for x and for other rows.

    It is the symmetric (ZCA) transform, which stays with the axes of x.
    """
    array = np.asarray(x, np.float64)
    mean = array.mean(0)
    centred = array - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    scaled = vectors / np.sqrt(values)

    def apply(rows: ArrayLike) -> Array:
        return np.asarray((np.asarray(rows, np.float64) - mean) @ scaled @ vectors.T)

    return apply


def whiten(x: ArrayLike) -> Array:
    """Return x with mean 0 and covariance I, shape (N, d), by :func:`whitening`."""
    return whitening(x)(x)
