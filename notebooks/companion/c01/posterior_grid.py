"""log p(x) and p(z|x) of a model with two latents, by quadrature on a grid."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from ivae.support.checks import Array
from ivae.theory.exact import standard_normal_log_density

HALF_WIDTH, N_POINTS = 7.0, 401  # Of a grid's side, around 0.


class GridPosterior(NamedTuple):
    """Coordinates (G,) of either latent, log p(x), (B,), and p(z|x) at (z_1, z_2), (B, G, G)."""

    axis: Array
    log_evidence: Array
    density: Array


def grid_posterior(
    decode: Callable[[Array], Array], x: Array, noise_variance: float
) -> GridPosterior:
    """Integrate p(x|z) N(z; 0, I), p(x|z) = N(f(z), sigma^2 I), over two latents (Eq. 2).

    ``decode`` is f, from (N, 2) to (N, d), and x are B observations, (B, d). The integrand is
    smooth and dies out well inside the grid, so the trapezoidal rule converges faster than any
    power of the spacing, once the spacing resolves the noise.
    """
    axis = np.linspace(-HALF_WIDTH, HALF_WIDTH, N_POINTS)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    decoded = decode(grid)
    log_prior = standard_normal_log_density(grid)
    constant = -0.5 * decoded.shape[1] * math.log(2 * math.pi * noise_variance)
    squares = [((decoded - row) ** 2).sum(1) for row in x]
    log_joint = np.stack([log_prior + constant - one / (2 * noise_variance) for one in squares])
    cell = (2 * HALF_WIDTH / (N_POINTS - 1)) ** 2
    log_evidence = logsumexp(log_joint, axis=1) + math.log(cell)
    density = np.exp(log_joint - log_evidence[:, None]).reshape(-1, N_POINTS, N_POINTS)
    return GridPosterior(axis, log_evidence, density)
