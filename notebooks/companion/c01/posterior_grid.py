"""log p(x) and p(z|x) of a model with two latents, by quadrature on a grid."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from ivae.support.checks import Array
from ivae.theory.exact import standard_normal_log_density


class GridPosterior(NamedTuple):
    """What the quadrature gives for B observations.

    Attributes
    ----------
    axis
        Grid coordinates of either latent, (G,).
    log_evidence
        log p(x), (B,).
    density
        p(z|x) on the grid, (B, G, G), indexed by z_1, then z_2.
    """

    axis: Array
    log_evidence: Array
    density: Array


def grid_posterior(
    decode: Callable[[Array], Array],
    x: Array,
    noise_variance: float,
    *,
    half_width: float = 7.0,
    n_points: int = 401,
) -> GridPosterior:
    """Integrate p(x|z) N(z; 0, I), p(x|z) = N(f(z), sigma^2 I), over two latents (Eq. 2).

    The integrand is smooth and dies out well inside the grid, so the trapezoidal rule converges
    faster than any power of the spacing, once the spacing resolves the noise.

    Parameters
    ----------
    decode
        f, from (N, 2) to (N, d).
    x, noise_variance
        Observations (B, d), and sigma^2.
    half_width, n_points
        The grid runs from -half_width to half_width with n_points a side.
    """
    axis = np.linspace(-half_width, half_width, n_points)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    decoded = decode(grid)
    log_prior = standard_normal_log_density(grid)
    constant = -0.5 * decoded.shape[1] * math.log(2 * math.pi * noise_variance)
    squares = [((decoded - row) ** 2).sum(1) for row in x]
    log_joint = np.stack([log_prior + constant - one / (2 * noise_variance) for one in squares])
    cell = (2 * half_width / (n_points - 1)) ** 2
    log_evidence = logsumexp(log_joint, axis=1) + math.log(cell)
    density = np.exp(log_joint - log_evidence[:, None]).reshape(-1, n_points, n_points)
    return GridPosterior(axis, log_evidence, density)
