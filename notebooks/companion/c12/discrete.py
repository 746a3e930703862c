"""Binary observations (supplement E): the limit of Eqs. (26)-(29), and what bits do identify.

Only the limit itself is the paper's. That it loses identifiability and the pair of decoders that
shows it are ours; what a linear map keeps is in :mod:`companion.c12.bits`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations, product
from typing import NamedTuple

import numpy as np
from scipy.integrate import quad
from scipy.special import expit, log_expit, logit

from ivae.support.checks import Array

Decoder = Callable[[Array], Array]
WIDTH = 8.5  # How many of the largest standard deviations a grid's side reaches from 0.
BUMPS_PER_SIDE, SPACING = 9, 1.6  # Of a lattice around 0; bumps are as wide as they lie apart.
MAX_STEPS, TOLERANCE = 50, 1e-13  # The largest |P'(x|u) - P(x|u)| that is small enough.
ALLOWED = 1e-12  # For rounding and quadrature together, in every constraint: far more than seen.


def relax(logits: Array, temperature: float, rng: np.random.Generator) -> Array:
    """Draw x = sigmoid((m + epsilon) / T), (N, d), with logistic noise, Eqs. (26)-(28).

    For small T many entries round to 0 or 1.
    """
    return np.asarray(expit((logits + rng.logistic(size=logits.shape)) / temperature))


def relaxed_cdf(q: Array | float, logit_value: float, temperature: float) -> Array:
    """Return P(x <= q | m), shape as q: sigmoid(T logit(q) - m), for q in (0, 1).

    At q = 1/2 it is sigmoid(-m) at every temperature; for T -> 0 it is so at every q, which is
    Eq. (29). (Ours; it follows from Eqs. 27 and 28 in one line.)
    """
    return np.asarray(expit(temperature * logit(q) - logit_value))


def distance_to_bits(logit_value: float, temperature: float) -> float:
    """Return E|x - [x > 1/2]|, how far a relaxed bit is from the bit that it rounds to.

    With t = |m + epsilon| / T it is T int_0^inf sigmoid(-t) (h(T t - m) + h(T t + m)) dt, h being
    the logistic density; for T -> 0 it tends to 2 ln(2) p (1 - p) T with p = sigmoid(m).
    """
    m, scale = logit_value, temperature

    def integrand(t: float) -> float:
        above, below = (expit(a) * expit(-a) for a in (scale * t - m, scale * t + m))
        return float(expit(-t) * (above + below))

    # Beyond 40 sigmoid(-t) is below 1e-17; the density's peaks are named to the integrator.
    peak = min(abs(m) / scale, 39.0)
    value, _ = quad(integrand, 0, 40, points=[peak], limit=400, epsabs=1e-13, epsrel=1e-11)
    return float(scale * value)


class LatentGrid(NamedTuple):
    """Points (G, n), and p(z|u) times the size of a cell, (M, G), where each row sums to 1."""

    z: Array
    weights: Array


def latent_grid(variance: Array, n_points: int) -> LatentGrid:
    """Return the trapezoidal rule for p(z|u) = N(0, diag(v_u)), v (M, n), ``n_points`` a side.

    For one or two latents: with a step of .8 of the smallest standard deviation the rule integrates
    a Gaussian to 4e-14, with a step of 1 to 3e-9.
    """
    reach, n = WIDTH * np.sqrt(variance.max()), variance.shape[1]
    axis = np.linspace(-reach, reach, n_points)
    z = np.stack(np.meshgrid(*[axis] * n, indexing="ij"), -1).reshape(-1, n)
    weights = np.exp(-0.5 * (z**2 @ (1 / variance).T)).T
    return LatentGrid(z, weights / weights.sum(1, keepdims=True))


def states(d: int) -> Array:
    """Return every x of {0, 1}^d, (2^d, d)."""
    return np.array(list(product((0.0, 1.0), repeat=d)))


def log_likelihood(x: Array, logits: Array) -> Array:
    """Return log p(x|z) of Eq. (29) for every x (S, d) and every row of logits (G, d): (S, G)."""
    return np.asarray(x @ log_expit(logits).T + (1 - x) @ log_expit(-logits).T)


def law(decode: Decoder, grid: LatentGrid) -> Array:
    """Return P(x|u) for every x in {0, 1}^d, (M, 2^d): Eqs. (5) and (29) integrated over z."""
    logits = decode(grid.z)
    return np.asarray(grid.weights @ np.exp(log_likelihood(states(logits.shape[1]), logits)).T)


def posterior_means(decode: Decoder, grid: LatentGrid) -> Array:
    """Return E[z|x, u] for every u and every x in {0, 1}^d, (M, 2^d, n)."""
    logits = decode(grid.z)
    p = np.exp(log_likelihood(states(logits.shape[1]), logits))
    moments = np.einsum("ug,sg,gi->usi", grid.weights, p, grid.z, optimize=True)
    return np.asarray(moments / (grid.weights @ p.T)[..., None])


def cdf_gap(decode: Decoder, other: Decoder, grid: LatentGrid, s: Array) -> Array:
    """Return P'(x_j <= q|u) - P(x_j <= q|u) at s = T logit(q), (M, d, S): the same for every T > 0.

    x_j <= q means m_j + epsilon_j <= s. While q runs through (0, 1), s runs through all real
    numbers, whatever T is; at T = 0 a bit tells on which side of s = 0 it lies and no more.
    """
    first, second = decode(grid.z), other(grid.z)
    gaps = [grid.weights @ (expit(v - second) - expit(v - first)) for v in s]
    return np.stack(gaps, -1)


def square(axis: Array) -> Array:
    """Return the points (G^2, 2) of latent space of which either latent is on an axis (G,)."""
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)


def probability_map(decode: Decoder, axis: Array) -> Array:
    """Return P(x_j = 1|z) over the :func:`square` of an axis (G,), (G, G, d), z_1 first."""
    return np.asarray(expit(decode(square(axis)))).reshape(len(axis), len(axis), -1)


def logit_gap(decode: Decoder, other: Decoder, grid: LatentGrid) -> float:
    """Return the largest root mean squared difference of a logit, over the prior of all u."""
    difference = other(grid.z) - decode(grid.z)
    return float(np.sqrt(grid.weights.mean(0) @ difference**2).max())


class Twin(NamedTuple):
    """A decoder f'(z) = z V + sum_k c_k b_k(z) with the same P(x|u) as f.

    V (n, d) is the linear map that was corrected; the Gaussian bumps b_k have centres (K, n),
    coefficients (K, d) and a deviation. ``gap`` is the largest |P'(x|u) - P(x|u)|, and
    ``n_constraints`` M (2^d - 1), the dimensions of the laws that had to agree.
    """

    matrix: Array
    centres: Array
    coefficients: Array
    width: float
    gap: float
    n_constraints: int

    @property
    def n_bits(self) -> int:
        return int(self.matrix.shape[1])

    def __call__(self, z: Array) -> Array:
        """Return f'(z), (N, d), of latents (N, n)."""
        return np.asarray(z @ self.matrix + _bumps(z, self.centres, self.width) @ self.coefficients)

    def least_stretch(self, z: Array) -> float:
        """Return the least eigenvalue, over points z (N, n), that tells whether f' is injective.

        With V^+ the pseudo-inverse, h(z) = f'(z) V^+ maps latents to latents. Where the symmetric
        part of its Jacobian is positive definite, (a - b) . (h(a) - h(b)) > 0 for any two latents
        on a segment within, so that h, and with it f', is injective. Far from the bumps h(z) = z
        and the eigenvalue is 1.
        """
        away = (self.centres - z[:, None, :]) / self.width**2
        slopes = _bumps(z, self.centres, self.width)[..., None] * away
        jacobians = np.einsum("gki,kd->gid", slopes, self.coefficients, optimize=True)
        turned = np.eye(len(self.matrix)) + jacobians @ np.linalg.pinv(self.matrix)
        return float(np.linalg.eigvalsh((turned + turned.transpose(0, 2, 1)) / 2).min())


def twin(decode: Decoder, matrix: Array, grid: LatentGrid) -> Twin:
    """Correct a linear map until its P(x|u) is that of f for every x and u (ours, not the paper's).

    With M values of u the laws P(x|u) are a point in M (2^d - 1) dimensions. A correction of z V
    with more coefficients than that can meet it exactly: Gauss-Newton steps of least norm, halved
    where they do not help. A RuntimeError says when they do not reach the tolerance.
    """
    target, (n, d) = law(decode, grid), matrix.shape
    bits, base = states(d), grid.z @ matrix
    side = SPACING * (np.arange(BUMPS_PER_SIDE) + 0.5) - SPACING * BUMPS_PER_SIDE / 2
    centres = np.stack(np.meshgrid(*[side] * n, indexing="ij"), -1).reshape(-1, n)
    n_constraints = len(target) * (len(bits) - 1)
    b = _bumps(grid.z, centres, SPACING)
    c = np.zeros((len(centres), d))
    residual = _residual(base, bits, grid, target)
    for _ in range(MAX_STEPS):
        if np.abs(residual).max() <= TOLERANCE:
            break
        jacobian = _jacobian(base + b @ c, b, grid)
        step = np.linalg.lstsq(jacobian, -residual[:, 1:].ravel(), rcond=1e-12)[0]
        size, worst = 1.0, np.linalg.norm(residual)
        while size > 1e-6:
            tried = c + size * step.reshape(d, -1).T
            residual = _residual(base + b @ tried, bits, grid, target)
            if np.linalg.norm(residual) < worst:
                break
            size /= 2
        c = tried
    gap = float(np.abs(residual).max())
    if gap > TOLERANCE:
        raise RuntimeError(f"after {MAX_STEPS} steps the laws differ by {gap:.1e}; move V to f.")
    return Twin(matrix, centres, c, SPACING, gap, n_constraints)


class Nearby(NamedTuple):
    """Why an exact solution lies beside a numerical one, :func:`exact_nearby`.

    The constraints' Jacobian has a rank, and a least singular value. Where ``h`` is at most 1/2
    there are coefficients no farther than ``distance`` from the ones found (in the norm over all of
    them) for which the constraints hold exactly.
    """

    rank: int
    least_singular: float
    h: float
    distance: float


def exact_nearby(decode: Twin, grid: LatentGrid) -> Nearby:
    """Return the theorem of Newton and Kantorovich at a twin's coefficients (ours).

    Steps of least norm stay in the m dimensions that the rows of the Jacobian J span, and there J
    is square. Let sigma be its least singular value, r a bound on each of the m residuals (we take
    :data:`ALLOWED`) and K one on how fast J changes. With eta = sqrt(m) r / sigma, an exact
    solution is within 2 eta of the numerical one if h = K eta / sigma <= 1/2. P(x|z) is a product
    of sigmoids of d logits: its second derivatives are at most 1 / (6 sqrt(3)) in one of them and
    1/16 in two, so that K <= sqrt(m) (1 / (6 sqrt(3)) + (d - 1) / 16) max_u E[|b(z)|^2 | u].
    """
    b, m, d = _bumps(grid.z, decode.centres, decode.width), decode.n_constraints, decode.n_bits
    values = np.linalg.svd(_jacobian(decode(grid.z), b, grid), compute_uv=False)
    curvature = 1 / (6 * np.sqrt(3)) + (d - 1) / 16
    change = np.sqrt(m) * curvature * (grid.weights @ (b**2).sum(1)).max()
    eta = np.sqrt(m) * ALLOWED / values[-1]
    rank = int((values > 1e-9 * values[0]).sum())
    return Nearby(rank, float(values[-1]), float(change * eta / values[-1]), float(2 * eta))


def least_difference(decode: Decoder, other: Decoder, z: Array) -> float:
    """Return how far two decoders stay apart whatever order and signs the latents are given.

    That is the smallest, over the 2^n n! ways, of the largest difference in the probability of a
    bit over points z (N, n). Two decoders that share a prior with variances that differ have no
    other way to be the same but for names.
    """
    n, p = z.shape[1], expit(other(z))
    ways = product(permutations(range(n)), product((1.0, -1.0), repeat=n))
    return min(float(np.abs(expit(decode(z[:, order] * signs)) - p).max()) for order, signs in ways)


def _jacobian(logits: Array, b: Array, grid: LatentGrid) -> Array:
    """Return the derivatives of P(x|u) in the coefficients of bumps b (G, K), (M (2^d - 1), d K).

    They are of all states but the first, since P(x|u) sums to 1.
    """
    bits = states(logits.shape[1])[1:]
    # d P(x|z) / d f_j = P(x|z) (x_j - p_j).
    slopes = np.exp(log_likelihood(bits, logits))[..., None] * (bits[:, None] - expit(logits))
    parts = [grid.weights @ (of[:, :, None] * b[:, None]).reshape(len(b), -1) for of in slopes]
    return np.stack(parts, 1).reshape(len(grid.weights) * len(bits), -1)


def _bumps(z: Array, centres: Array, width: float) -> Array:
    squares = ((z[:, None, :] - centres) ** 2).sum(-1)
    return np.asarray(np.exp(-0.5 * squares / width**2))


def _residual(logits: Array, bits: Array, grid: LatentGrid, target: Array) -> Array:
    """Return P'(x|u) - P(x|u), (M, 2^d)."""
    return np.asarray(grid.weights @ np.exp(log_likelihood(bits, logits)).T - target)
