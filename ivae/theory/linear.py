"""The linear-Gaussian case, in which everything is exact: x = z F + noise, z given u normal.

With T(z) = z^2 the covariance of a segment is Sigma_u = F' diag(v_u) F + sigma^2 I. The likelihood
has a closed form, and its maximum over F is joint diagonalisation. So this is where the theory can
be held against an answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from ivae.support.checks import Array, finite_array, positive_number, segment_labels, whole_number
from ivae.theory.findings import Finding

N_STARTS = 5
OPTIONS: Any = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-15, "gtol": 1e-9}


@dataclass(frozen=True)
class LinearModel:
    """x = z F + eps with z_i | u ~ N(0, v_ui) and eps ~ N(0, sigma^2 I).

    ``matrix`` is F, (n, d), ``variance`` v, (M, n), and ``noise_variance`` sigma^2.
    """

    matrix: Array
    variance: Array
    noise_variance: float

    def __post_init__(self) -> None:
        matrix = finite_array("matrix", self.matrix, ("n", "d"), np.float64)
        variance = finite_array("variance", self.variance, ("M", len(matrix)), np.float64)
        positive_number("noise_variance", self.noise_variance)
        if (variance <= 0).any():
            raise ValueError(
                f"variance must be positive everywhere; the least is {variance.min()}."
            )

    @property
    def covariances(self) -> Array:
        """Sigma_u of every segment, (M, d, d)."""
        signal = np.einsum("id,mi,ie->mde", self.matrix, self.variance, self.matrix)
        return np.asarray(signal + self.noise_variance * np.eye(self.matrix.shape[1]))

    def log_likelihood(self, x: ArrayLike, u: ArrayLike) -> Array:
        """Return log p(x|u), (N,), of observations x (N, d) with labels u (N,)."""
        rows = finite_array("x", x, ("N", self.matrix.shape[1]), np.float64)
        labels = segment_labels("u", u, len(rows), len(self.variance), every_one=False)
        covariances = self.covariances
        precision = np.linalg.inv(covariances)[labels]
        squares = np.einsum("nd,nde,ne->n", rows, precision, rows)
        log_volume = np.linalg.slogdet(2 * math.pi * covariances).logabsdet[labels]
        return np.asarray(-0.5 * (squares + log_volume))


def segment_covariances(x: ArrayLike, u: ArrayLike) -> Array:
    """Return the mean of x x' in every segment, (M, d, d): all that x tells about F."""
    rows = finite_array("x", x, ("N", "d"), np.float64)
    labels = segment_labels("u", u, len(rows))
    sums = [rows[labels == s].T @ rows[labels == s] for s in range(labels.max() + 1)]
    return np.stack(sums) / np.bincount(labels)[:, None, None]


class LinearFit(NamedTuple):
    """Where each of S starts ended, best first, with E log p(x|u) in nats a sample, (S,)."""

    models: tuple[LinearModel, ...]
    log_likelihoods: Array

    @property
    def best(self) -> LinearModel:
        """The model of highest likelihood."""
        return self.models[0]


def fit_linear(
    covariances: ArrayLike, n_latents: int, noise_variance: float, *, seed: int = 0
) -> LinearFit:
    """Fit F and all v_u to segment covariances by maximum likelihood, sigma^2 being known.

    ``covariances`` are the means of x x' in every segment, (M, d, d), of equal size; those of the
    population may be given as well as estimates. ``seed`` is that of the five starts, random
    matrices and unit variances. A ValueError names NaN, shapes that do not fit, n > d, and
    covariances that are not symmetric.
    """
    given = finite_array("covariances", covariances, ("M", "d", "d"), np.float64)
    m, d = given.shape[:2]
    n = whole_number("n_latents", n_latents)
    s2 = positive_number("noise_variance", noise_variance)
    if given.shape[2] != d or not np.allclose(given, given.transpose(0, 2, 1)):
        raise ValueError("covariances must be symmetric matrices, one for each segment.")
    if n > d:
        raise ValueError(f"n_latents must be at most d = {d}; got {n}.")
    noise = s2 * np.eye(d)

    def loss(flat: Array) -> tuple[float, Array]:
        matrix, log_variance = _unpack(flat, m, n, d)
        variance = np.exp(log_variance)
        covariance = np.einsum("id,mi,ie->mde", matrix, variance, matrix) + noise
        precision = np.linalg.inv(covariance)
        traces = np.einsum("mde,med->m", precision, given)
        log_volume = np.linalg.slogdet(2 * math.pi * covariance).logabsdet
        # Of a segment's loss by its covariance.
        slope = 0.5 / m * (precision - precision @ given @ precision)
        on_latents = matrix @ slope
        of_matrix = 2 * np.einsum("mi,mid->id", variance, on_latents)
        of_variance = variance * np.einsum("mid,id->mi", on_latents, matrix)
        gradient = np.concatenate((of_matrix.ravel(), of_variance.ravel()))
        return float(0.5 * (traces + log_volume).mean()), gradient

    rng = np.random.default_rng(seed)
    scale = math.sqrt(np.trace(given.mean(0)) / (n * d))
    ends = []
    for _ in range(N_STARTS):
        start = np.concatenate((scale * rng.standard_normal(n * d), np.zeros(m * n)))
        found: Any = minimize(loss, start, jac=True, method="L-BFGS-B", options=OPTIONS)
        matrix, log_variance = _unpack(found.x, m, n, d)
        ends.append((-float(found.fun), LinearModel(matrix, np.exp(log_variance), s2)))
    ends.sort(key=lambda end: -end[0])
    return LinearFit(tuple(model for _, model in ends), np.array([value for value, _ in ends]))


def finding_of_profiles(variance: ArrayLike) -> Finding:
    """Judge whether a linear f with T(z) = z^2 is determined up to order, scale and sign.

    That is so exactly when no two sources have proportional variances v_i(u) over the segments: the
    segment covariances then have one joint diagonaliser (known from blind source separation). Two
    segments can be enough; Theorem 1, which allows any f, asks for n + 1. ``variance`` is (M, n).
    """
    table = finite_array("variance", variance, ("M", "n"), np.float64)
    profiles = table / np.linalg.norm(table, axis=0)
    pairs = list(combinations(range(table.shape[1]), 2))
    # The chord between unit vectors keeps small angles exact.
    apart = [float(np.linalg.norm(profiles[:, i] - profiles[:, j])) for i, j in pairs]
    name = "linear f: no proportional profiles"
    if not pairs:
        return Finding(name, True, "there is one source")
    closest = int(np.argmin(apart))
    i, j = pairs[closest]
    told = f"the most similar ones, of sources {i + 1} and {j + 1}, are {apart[closest]:.2g} apart"
    return Finding(name, apart[closest] > 1e-10, told)


def mixing_recovered(true: ArrayLike, fitted: ArrayLike) -> Array:
    """Return A, (n, n), with z_true = z_fitted A on noise-free observations.

    It is the fitted F times the (pseudo)inverse of the true one, (n, d) each: a scaled permutation
    if F was recovered.
    """
    one = finite_array("true", true, ("n", "d"), np.float64)
    two = finite_array("fitted", fitted, one.shape, np.float64)
    return np.asarray(two @ np.linalg.pinv(one))


def _unpack(flat: Array, m: int, n: int, d: int) -> tuple[Array, Array]:
    return flat[: n * d].reshape(n, d), flat[n * d :].reshape(m, n)
