"""Exact and locally exact quantities of small models, in float64: densities and gaps."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike

from ivae.data import NonstationaryData
from ivae.mixing import Mixing
from ivae.support.checks import Array, finite_array, positive_number


def standard_normal_log_density(z: ArrayLike) -> Array:
    """Return log N(z; 0, I), shape (N,), of rows z (N, n)."""
    rows = finite_array("z", z, ("N", "n"), np.float64)
    return np.asarray(-0.5 * ((rows**2).sum(1) + rows.shape[1] * math.log(2 * math.pi)))


def log_density_of_mixture(mixing: Mixing, z: ArrayLike) -> Array:
    """Return log p(x) at x = f(z), shape (N,), for z ~ N(0, I) and no noise.

    By change of variables (n = d): log p(x) = log N(z; 0, I) - log |det J_f(z)|.
    """
    return standard_normal_log_density(z) - _log_volume(mixing, z)


def log_density_given_segment(dataset: NonstationaryData) -> Array:
    """Return the true log p(x|u) of every sample, (N,), as it is without noise (n = d).

    By change of variables: log p(x|u) = log p(z|u) - log |det J_f(z)|.
    """
    z = dataset.z.astype(np.float64)
    if dataset.family.name.startswith("gaussian"):
        variance = dataset.variance[dataset.u]
        squares = (z - dataset.expected_sources) ** 2 / variance
        log_prior = -0.5 * (squares + np.log(2 * math.pi * variance))
    else:
        lam = torch.as_tensor(dataset.natural_parameters[dataset.u])
        log_prior = dataset.family.log_density(torch.as_tensor(z), lam).numpy()
    return np.asarray(log_prior.sum(1) - _log_volume(dataset.mixing, z))


def mean_field_gap(
    jacobian: ArrayLike,
    decoder_variance: float,
    rotation: ArrayLike | None = None,
    *,
    prior_variance: ArrayLike = 1.0,
) -> float:
    """Return what a diagonal posterior costs, in nats for one sample, with the decoder linearised.

    Around z the posterior under a Gaussian prior of variances v is then Gaussian with the precision
    P = diag(1 / v) + J J' / sigma^2. Among Gaussians q with a diagonal covariance KL(q || p(z|x)),
    the ELBO's own gap in Eq. (25), is least for variances 1 / P_ii, and is
    (sum log P_ii - log det P) / 2. Rotating the latents of a standard normal prior by an orthogonal
    R, (n, n), turns P into R P R', which leaves p(x) as it is and changes this gap.

    ``jacobian`` holds decoder Jacobians J at many points, (B, n, d), entry (i, j) df_j / dz_i, and
    ``prior_variance`` v as one number, (n,), or (B, n).
    """
    slopes = finite_array("jacobian", jacobian, ("B", "n", "d"), np.float64)
    variance = positive_number("decoder_variance", decoder_variance)
    n = slopes.shape[1]
    of_prior = np.broadcast_to(1 / np.asarray(prior_variance, np.float64), (len(slopes), n))
    precision = of_prior[:, :, None] * np.eye(n) + slopes @ slopes.transpose(0, 2, 1) / variance
    if rotation is not None:
        matrix = finite_array("rotation", rotation, (n, n), np.float64)
        precision = matrix @ precision @ matrix.T
    _, log_volume = np.linalg.slogdet(precision)
    diagonal = np.log(np.diagonal(precision, axis1=1, axis2=2)).sum(1)
    return float(0.5 * (diagonal - log_volume).mean())


def _log_volume(mixing: Mixing, z: ArrayLike) -> Array:
    n, d = mixing.matrices[0].shape[0], mixing.matrices[-1].shape[1]
    if n != d:
        raise ValueError(f"mixing must have as many outputs as inputs; got n = {n} and d = {d}.")
    rows = finite_array("z", z, ("N", n), np.float64)
    return np.asarray(np.linalg.slogdet(mixing.jacobian(rows)).logabsdet)
