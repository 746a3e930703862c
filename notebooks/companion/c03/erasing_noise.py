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
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ivae.support.checks import finite_array, positive_number, whole_number
from ivae.theory.noise import squared_sinc

Array = NDArray[np.floating[Any]]

STEP, REACH = 0.05, 400.0  # Of the quadrature that adds noise: the integrand ends in frequency.


@dataclass(frozen=True)
class ErasedPair:
    """The two models.

    Attributes
    ----------
    widths
        w_0 and w_1; p_u has frequencies up to 2 w_u, and is the wider the smaller w_u is.
    ripple, frequency
        eps in (0, 1), and b.
    bandwidth
        Of the noise; b must exceed it by more than 2 w_0.
    """

    widths: tuple[float, float] = (1.0, 0.6)
    ripple: float = 0.95
    frequency: float = 2.6
    bandwidth: float = 0.5

    def __post_init__(self) -> None:
        for width in self.widths:
            positive_number("every width", width)
        positive_number("bandwidth", self.bandwidth)
        if not 0 < self.ripple < 1:
            raise ValueError(f"ripple must lie between 0 and 1; got {self.ripple!r}.")
        least = self.bandwidth + 2 * self.widths[0]
        if positive_number("frequency", self.frequency) <= least:
            raise ValueError(
                f"frequency must exceed bandwidth + 2 w_0 = {least:g}, else noise leaves some of "
                f"the ripple; got {self.frequency:g}."
            )

    def density(self, u: int, x: ArrayLike, rippled: bool = False) -> Array:
        """Return p_u(x), or p'_u(x) of the second model, (G,)."""
        points = np.asarray(x, dtype=np.float64)
        plain = _bump(points, self.widths[_segment(u)])
        has_ripple = float(rippled and u == 0)
        return np.asarray(plain * (1 + has_ripple * self.ripple * np.cos(self.frequency * points)))

    def noisy_density(self, u: int, x: ArrayLike, rippled: bool = False) -> Array:
        """Return the density of x + noise, (G,), by quadrature over the noise-free x."""
        points = finite_array("x", x, ("G",), np.float64)
        inner = np.arange(-REACH, REACH + STEP / 2, STEP)
        weights = STEP * self.density(u, inner, rippled)
        law = squared_sinc(self.bandwidth)
        return np.array([law.density(point - inner) @ weights for point in points])

    def statistic(self, x: ArrayLike, rippled: bool = False) -> Array:
        """Return T(x) = log p_1(x) / p_0(x), or T'(x), (G,)."""
        return np.asarray(np.log(self.density(1, x) / self.density(0, x, rippled)))

    def draw(
        self, rng: np.random.Generator, u: int, size: int, *, rippled: bool, noisy: bool
    ) -> Array:
        """Return independent draws (size, 1) of x given u, with or without noise."""
        wanted = whole_number("size", size)
        width, kept = self.widths[_segment(u)], np.empty(0)
        proposal = squared_sinc(width)
        while kept.size < wanted:
            # A squared sinc accepted with its own value is a sinc to the fourth.
            x = proposal.draw(rng, (2 * wanted,))
            x = x[rng.random(len(x)) < np.sinc(width * x / (2 * math.pi)) ** 2]
            x = x + rng.choice((-1, 1), len(x)) * math.pi / (2 * width)
            if rippled and u == 0:
                height = 1 + self.ripple * np.cos(self.frequency * x)
                x = x[rng.random(len(x)) * (1 + self.ripple) < height]
            kept = np.concatenate((kept, x))
        noise = squared_sinc(self.bandwidth).draw(rng, (wanted,)) if noisy else 0.0
        return np.asarray(kept[:wanted] + noise)[:, None]


def _segment(u: int) -> int:
    if u not in (0, 1):
        raise ValueError(f"u must be 0 or 1; got {u!r}.")
    return int(u)


def _bump(x: Array, width: float) -> Array:
    """Return the mean of two sinc-to-the-fourth densities, apart so that it is 0 nowhere."""

    def one(x: Array) -> Array:
        return np.asarray(3 * width / (4 * math.pi) * np.sinc(width * x / (2 * math.pi)) ** 4)

    shift = math.pi / (2 * width)
    return np.asarray((one(x - shift) + one(x + shift)) / 2)
