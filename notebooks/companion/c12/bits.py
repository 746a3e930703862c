"""What bits of a linear map tell about its latents: ranks, the best estimate, and its floor.

The setting is Eq. (29) with f(z) = z W and the Gaussian prior of Eq. (7). Nothing here is the
paper's: it states supplement E for any f and tries it on no data.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit

from ivae.data import NonstationaryData
from ivae.metrics import mcc, random_rotations
from ivae.support.checks import Array

N_NODES = 40  # Of the quadrature over two logits, a side.
ROWS_AT_ONCE = 500  # Of the draws of an estimate, so that they stay small.
# Of the t distribution that proposes draws: where all bits agree with a sign, the posterior has
# tails that a Gaussian's do not cover.
FREEDOM = 5


class LinearRank(NamedTuple):
    """Whether bits of a linear map pin it down locally: a Jacobian's rank.

    That is how many directions of the n d + M n parameters change the pairs' probabilities, the
    equations; ``gap`` is the smallest singular value that counts over the largest that does not.
    """

    n_parameters: int
    n_equations: int
    rank: int
    gap: float

    @property
    def n_free(self) -> int:
        """Directions in parameter space that no pair of bits sees; n are the latents' scales."""
        return self.n_parameters - self.rank


def pair_jacobian(w: Array, v: Array) -> Array:
    """Return the Jacobian of (W, log v) -> P(x_i = x_j = 1|u), (M d (d - 1) / 2, n d + M n).

    For m = z W with z ~ N(0, diag(v_u)), W (n, d) and v (M, n), the logits are Gaussian with
    covariance Sigma_u = W' diag(v_u) W, and the derivatives of E[sigmoid(m_i) sigmoid(m_j)] in
    Sigma follow from Price's theorem; two-dimensional Gauss-Hermite quadrature computes them.
    """
    n, d = w.shape
    i, j = np.array(list(combinations(range(d), 2))).T
    rows = []
    for u, row in enumerate(v):
        sigma = (w.T * row) @ w
        of_cross, of_first, of_second = _price(sigma[i, i], sigma[j, j], sigma[i, j])
        of_w, of_v = np.zeros((len(i), n, d)), np.zeros((len(i), len(v), n))
        pair, scaled = np.arange(len(i)), w.T * row  # (d, n): d Sigma_ij / d w_ki = v_k w_kj.
        of_w[pair, :, i] += of_cross[:, None] * scaled[j] + 2 * of_first[:, None] * scaled[i]
        of_w[pair, :, j] += of_cross[:, None] * scaled[i] + 2 * of_second[:, None] * scaled[j]
        a, b = w.T[i], w.T[j]
        of_v[:, u] = row * (
            of_cross[:, None] * a * b + of_first[:, None] * a**2 + of_second[:, None] * b**2
        )
        rows.append(np.concatenate((of_w.reshape(len(i), -1), of_v.reshape(len(i), -1)), 1))
    return np.concatenate(rows)


def linear_rank(w: Array, v: Array) -> LinearRank:
    """Return the rank of :func:`pair_jacobian` (ours).

    Columns are scaled to length 1 first. Where all but the n directions of the latents' scales are
    seen, W and v are locally identified up to these.
    """
    jacobian = pair_jacobian(w, v)
    values = np.linalg.svd(jacobian / np.linalg.norm(jacobian, axis=0), compute_uv=False)
    values = np.concatenate((values, np.zeros(max(0, jacobian.shape[1] - len(values)))))
    rank = int((values > 1e-9 * values[0]).sum())
    below = values[rank] if rank < len(values) else 0.0
    return LinearRank(
        jacobian.shape[1], len(jacobian), rank, float(values[rank - 1] / max(below, 1e-300))
    )


class Posterior(NamedTuple):
    """E[z|x, u] and one draw of p(z|x, u), (R, n) each."""

    mean: Array
    draw: Array


def true_posterior(
    dataset: NonstationaryData, rows: ArrayLike, n_draws: int = 200, seed: int = 0
) -> Posterior:
    """Return the posterior under the true model of binary data with a linear map.

    The posterior is log-concave: Newton's method finds its mode, the Hessian there the scale of a
    t distribution, and draws from it, weighted by importance, the mean; one of them is drawn again
    by its weight. No estimate has a smaller squared error than the mean. The dataset is of the
    preset ``"bernoulli"``, and R of its rows are looked at.
    """
    chosen = np.asarray(rows)
    (w,) = dataset.mixing.matrices
    rng = np.random.default_rng(seed)
    pieces = []
    for some in np.array_split(chosen, -(-len(chosen) // ROWS_AT_ONCE)):
        u = dataset.u[some]
        noise = rng.standard_normal((len(some), n_draws // 2 + 1, len(w)))
        noise /= np.sqrt(rng.chisquare(FREEDOM, noise.shape[:2]) / FREEDOM)[..., None]
        noise = np.concatenate((noise, -noise), 1)  # Antithetic: odd errors cancel.
        prior = dataset.mean[u], 1 / dataset.variance[u]
        draws, weight = _weighted(w, dataset.x[some], *prior, noise)
        mean = (weight[..., None] * draws).sum(1)
        chance = rng.random((len(some), 1))
        one = (weight.cumsum(1) > chance).argmax(1)
        pieces.append(Posterior(mean, draws[np.arange(len(some)), one]))
    return Posterior(*(np.concatenate(part) for part in zip(*pieces, strict=True)))


def rotated_floor(
    z: Array,
    estimate: Array,
    size: int = 100,
    seed: int = 0,
    score: Callable[[Array, Array], float] = mcc,
) -> Array:
    """Return scores of sources with random rotations of an estimate of them, (N, n) each: (size,).

    Who knows all but the axes, from observations with noise, scores this; without noise the
    estimate is z and the MCC is :func:`ivae.metrics.rotation_floor`.
    """
    guess = estimate / z.std(0)
    return np.array([score(z, guess @ turn) for turn in random_rotations(z.shape[1], size, seed)])


def _weighted(
    w: Array, x: Array, mean: Array, precision: Array, noise: Array
) -> tuple[Array, Array]:
    """Return draws (R, K, n) and their weights, (R, K), for prior means and precisions (R, n)."""
    z = mean.copy()
    for _ in range(30):
        p = expit(z @ w)
        gradient = (x - p) @ w.T - precision * (z - mean)
        hessian = np.einsum("id,rd,jd->rij", w, p * (1 - p), w, optimize=True)
        hessian += precision[:, :, None] * np.eye(len(w))
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        # Far from the mode a full step can overshoot; no step moves a latent by more than 2.
        z += step / np.maximum(1, np.abs(step).max(1, keepdims=True) / 2)
        if np.abs(step).max() < 1e-10:
            break
    factor = np.linalg.inv(np.linalg.cholesky(hessian)).transpose(0, 2, 1)
    draws = z[:, None] + np.einsum("rij,rkj->rki", factor, noise)
    logits, squares = draws @ w, (precision[:, None] * (draws - mean[:, None]) ** 2).sum(-1)
    log_weight = (x[:, None] * logits + log_expit(-logits)).sum(-1) - 0.5 * squares
    log_weight += 0.5 * (FREEDOM + len(w)) * np.log1p((noise**2).sum(-1) / FREEDOM)
    weight = np.exp(log_weight - log_weight.max(1, keepdims=True))
    return draws, weight / weight.sum(1, keepdims=True)


def _price(first: Array, second: Array, cross: Array) -> tuple[Array, Array, Array]:
    """Return the derivatives of E[sigmoid(m_i) sigmoid(m_j)] in Sigma_ij, Sigma_ii and Sigma_jj."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODES)
    a, b = (grid.ravel() for grid in np.meshgrid(nodes, nodes, indexing="ij"))
    weight = np.outer(weights, weights).ravel() / (2 * np.pi)
    left = np.sqrt(first)[:, None] * a
    slope = cross / np.sqrt(first)
    right = slope[:, None] * a + np.sqrt(np.maximum(second - slope**2, 0))[:, None] * b
    p, q = expit(left), expit(right)
    dp, dq = p * (1 - p), q * (1 - q)
    of_first, of_second = dp * (1 - 2 * p) * q, p * dq * (1 - 2 * q)
    return (dp * dq) @ weight, 0.5 * of_first @ weight, 0.5 * of_second @ weight
