"""Principal components, whitened: coordinates of x that know neither its units nor its axes."""

from __future__ import annotations

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


def whiten(x: ArrayLike) -> Array:
    """Return x with mean 0 and covariance I, shape (N, d), by the symmetric (ZCA) transform."""
    array = np.asarray(x, np.float64)
    centred = array - array.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    return np.asarray(centred @ (vectors / np.sqrt(values)) @ vectors.T)
