"""Two models that noise makes equal: what condition (i) of Theorem 1 is there to exclude.

One latent, f the identity, two values of u, T = log p_1 / p_0, Q = p_0, lambda = 0 and 1: a model
of Eqs. (5)-(7) for any two positive densities p_0 and p_1, which meets (ii) and (iii). A second
model has

    p'_0(x) = p_0(x) (1 + eps cos(b x)),    p'_1 = p_1,

so its T' = log p_1 / p'_0 is no affine function of T, and the two are not equivalent (Eq. 12). The
densities here have characteristic functions that end; the ripple moves a copy of p_0's to
frequencies around b, and squared-sinc noise of a small enough bandwidth erases everything there:
the noisy densities are equal. The construction is ours.
"""

from __future__ import annotations

import math

import numpy as np

from ivae.support.checks import Array
from ivae.theory.noise import squared_sinc

WIDTHS = (1.0, 0.6)
"""w_0 and w_1: p_u has frequencies up to 2 w_u, and is the wider the smaller w_u is."""
RIPPLE = 0.95
"""eps, between 0 and 1."""
BANDWIDTH = 0.5
"""Of the noise."""
FREQUENCY = 2.6
"""b, which must exceed the bandwidth by more than 2 w_0."""
STEP, REACH = 0.05, 400.0  # Of the quadrature that adds noise: the integrand ends in frequency.


def density(u: int, x: Array, rippled: bool = False) -> Array:
    """Return p_u(x), or p'_u(x) of the second model, (G,)."""
    has_ripple = float(rippled and u == 0)
    return np.asarray(_bump(x, WIDTHS[u]) * (1 + has_ripple * RIPPLE * np.cos(FREQUENCY * x)))


def noisy_density(u: int, x: Array, rippled: bool = False) -> Array:
    """Return the density of x + noise, (G,), by quadrature over the noise-free x."""
    inner = np.arange(-REACH, REACH + STEP / 2, STEP)
    weights = STEP * density(u, inner, rippled)
    law = squared_sinc(BANDWIDTH)
    return np.array([law.density(point - inner) @ weights for point in x])


def total_variation(x: Array, one: Array, other: Array) -> float:
    """Return half the integral of |p - p'|, of two densities' values (G,) at evenly spaced x."""
    return float(0.5 * np.abs(one - other).sum() * (x[1] - x[0]))


def statistic(x: Array, rippled: bool = False) -> Array:
    """Return T(x) = log p_1(x) / p_0(x), or T'(x), (G,)."""
    return np.asarray(np.log(density(1, x) / density(0, x, rippled)))


def draw(rng: np.random.Generator, u: int, size: int, *, rippled: bool, noisy: bool) -> Array:
    """Return independent draws (size, 1) of x given u, with or without noise."""
    width, kept = WIDTHS[u], np.empty(0)
    proposal = squared_sinc(width)
    while kept.size < size:
        # A squared sinc accepted with its own value is a sinc to the fourth.
        x = proposal.draw(rng, (2 * size,))
        x = x[rng.random(len(x)) < np.sinc(width * x / (2 * math.pi)) ** 2]
        x = x + rng.choice((-1, 1), len(x)) * math.pi / (2 * width)
        if rippled and u == 0:
            height = 1 + RIPPLE * np.cos(FREQUENCY * x)
            x = x[rng.random(len(x)) * (1 + RIPPLE) < height]
        kept = np.concatenate((kept, x))
    noise = squared_sinc(BANDWIDTH).draw(rng, (size,)) if noisy else 0.0
    return np.asarray(kept[:size] + noise)[:, None]


def _bump(x: Array, width: float) -> Array:
    """Return the mean of two sinc-to-the-fourth densities, apart so that it is 0 nowhere."""

    def one(x: Array) -> Array:
        return np.asarray(3 * width / (4 * math.pi) * np.sinc(width * x / (2 * math.pi)) ** 4)

    shift = math.pi / (2 * width)
    return np.asarray((one(x - shift) + one(x + shift)) / 2)
