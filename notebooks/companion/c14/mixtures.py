"""Mixtures of sources that a classifier with tied constants does not exclude: T = z^2."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from ivae.support.checks import Array


def tied_twin(lam: Array, matrix: Array, first: Array) -> tuple[Array, Array]:
    """Return lambda' (n + 1, n) and c (n,) with which h^2 = z^2 A + c classifies as z^2 does.

    ``lam`` is lambda of the n + 1 segments, ``matrix`` is A, and ``first``, (n,), is lambda' of the
    first segment. Slopes of the logits give all other lambda', and the constants, which Bayes' rule
    ties to lambda, are n linear equations for c.
    """
    other = first + (lam - lam[0]) @ np.linalg.inv(matrix).T
    constants = np.log(lam / other).sum(1) / 2
    return other, np.linalg.solve((other - other[0])[1:], (constants - constants[0])[1:])


def probabilities(lam: Array, squares: Array) -> Array:
    """Return p(u|z), (N, M), by Bayes' rule, of equal shares: z^2 is (N, n), lambda (M, n)."""
    return np.asarray(softmax(squares @ lam.T + np.log(-2 * lam).sum(1) / 2, axis=1))
