"""Other latents with the same law: what any unconditional prior leaves open (supplement F).

Both constructions send the latents to independent standard Gaussians, turn these, which nobody can
see (Eq. 30), and go back. Latents z are (N, n); rotations R act on rows, z' = z R'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri_exp

from companion.c01.quadrature import Box, Conditional, Density, Marginal
from ivae.support.checks import Array


def turn(degrees: float) -> Array:
    """Return the matrix (2, 2) that turns the plane counter-clockwise by an angle in degrees."""
    angle = np.radians(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def rotate_through_gaussian(z: Array, marginals: Sequence[Any], rotation: Array) -> Array:
    """Return z' = F^-1(Phi(Phi^-1(F(z)) R')), shape (N, n), with the law of independent z.

    Supplement F.1, for frozen distributions of ``scipy.stats`` with cdfs F_i and an orthogonal R,
    (n, n). Its inverse is the same with the transposed rotation. Either tail is computed from its
    own side, through logarithms on the way out, so that it keeps its relative precision; double
    precision reaches 37 standard deviations of the Gaussian.
    """
    columns = []
    for marginal, column in zip(marginals, z.T, strict=True):
        low, high = marginal.logcdf(column), marginal.logsf(column)
        columns.append(np.where(low < high, ndtri_exp(low), -ndtri_exp(high)))
    turned = np.stack(columns, 1) @ rotation.T
    tails = ndtr(-np.abs(turned))
    other = [
        np.where(y < 0, marginal.ppf(tail), marginal.isf(tail))
        for marginal, y, tail in zip(marginals, turned.T, tails.T, strict=True)
    ]
    return np.stack(other, 1)


class Darmois:
    """The map g of Theorem 4 for a density in the plane: g(z) has independent Gaussian components.

    g(z) = (Phi^-1(F_1(z_1)), Phi^-1(F_{2|1}(z_2 | z_1))): the Gram-Schmidt of distributions
    (Hyvarinen and Pajunen 1999, after Darmois; Rosenblatt 1952). The density, from points (N, 2) to
    (N,), is positive in the box ((lowest z_1, highest z_1), (lowest z_2, highest z_2)), outside of
    which there is no mass to speak of. Where it is smooth at the scale of a panel, 1/40 of the box
    by default, g is good to about 1e-9 and its inverse undoes it to about 1e-10.
    """

    def __init__(self, density: Density, box: Box, *, n_panels: int = 40) -> None:
        self._first = Marginal(density, box, 0, n_panels)
        self._second = Conditional(density, box[1], n_panels)

    def forward(self, z: Array) -> Array:
        """Return g(z), (N, 2)."""
        first = self._first.gaussian(z[:, 0])
        return np.stack((first, self._second.gaussian(z[:, 0], z[:, 1])), 1)

    def inverse(self, y: Array) -> Array:
        """Return g^-1(y), (N, 2)."""
        first = self._first.inverse(y[:, 0])
        return np.stack((first, self._second.inverse(first, y[:, 1])), 1)


class MarginalsAlone:
    """The wrong map h: both marginals become Gaussian, and what ties the components stays.

    h(z) = (Phi^-1(F_1(z_1)), Phi^-1(F_2(z_2))), with F_2 where :class:`Darmois` has F_{2|1}. It is
    F.1 applied to a density that is not factorial, so that turning h(z) changes the law.
    """

    def __init__(self, density: Density, box: Box, *, n_panels: int = 40) -> None:
        self._axes = [Marginal(density, box, axis, n_panels) for axis in (0, 1)]

    def forward(self, z: Array) -> Array:
        """Return h(z), (N, 2)."""
        return np.stack([axis.gaussian(c) for axis, c in zip(self._axes, z.T, strict=True)], 1)

    def inverse(self, y: Array) -> Array:
        """Return h^-1(y), (N, 2)."""
        return np.stack([axis.inverse(c) for axis, c in zip(self._axes, y.T, strict=True)], 1)


def another_latent(g: Darmois | MarginalsAlone, z: Array, rotation: Array) -> Array:
    """Return z' = g^-1(g(z) R'), (N, 2), for R orthogonal: the last construction of supplement F.2.

    With the g of :class:`Darmois` z' has the law of z, for any law with a density.
    """
    return g.inverse(g.forward(z) @ rotation.T)


def log_density_ratio(
    density: Density, transform: Callable[[Array], Array], z: Array, *, step: float = 1e-4
) -> Array:
    """Return log p_z'(z') - log p(z') at z' = t(z) for z with density p, shape (N,).

    By change of variables log p_z'(t(z)) = log p(z) - log |det J_t(z)|. The ratio is zero
    everywhere just where z' has the law of z: a check that knows nothing of how t was made, which
    maps each row of z (N, n) by itself. J_t is by five-point differences, with an error of order
    step^4.
    """
    columns = []
    for direction in step * np.eye(z.shape[1]):
        near = transform(z + direction) - transform(z - direction)
        far = transform(z + 2 * direction) - transform(z - 2 * direction)
        columns.append((8 * near - far) / (12 * step))
    log_volume = np.linalg.slogdet(np.stack(columns, -1)).logabsdet
    return np.asarray(np.log(density(z)) - log_volume - np.log(density(transform(z))))


class BandAndDisc:
    """A density in the plane that is not factorial: a bent band, and a disc above its bend.

    With probability 2/3 z_1 is N(0, 1.2^2) and z_2 is N(c(z_1), .4^2), c(z_1) = sqrt(1 + 3 z_1^2)
    - 2; otherwise z is N((0, 2), .5^2 I). Ours, made to be far from a product of its marginals.
    """

    box = ((-9.5, 9.5), (-5.0, 18.0))
    """Outside of it there is no mass to speak of."""

    def density(self, z: Array) -> Array:
        """Return p(z), (N,), of points z (N, 2)."""
        first, second = z.T
        band = _normal(first / 1.2) * _normal((second - _middle(first)) / 0.4) / (1.2 * 0.4)
        disc = _normal(first / 0.5) * _normal((second - 2) / 0.5) / 0.5**2
        return np.asarray((2 * band + disc) / 3)

    def sample(self, size: int, rng: np.random.Generator) -> Array:
        """Return independent draws, (size, 2)."""
        noise = rng.standard_normal((size, 2))
        first = 1.2 * noise[:, 0]
        band = np.stack((first, _middle(first) + 0.4 * noise[:, 1]), 1)
        in_band = rng.random(size) < 2 / 3
        return np.where(in_band[:, None], band, 0.5 * noise + [0.0, 2.0])


def _middle(first: Array) -> Array:
    return np.asarray(np.sqrt(1 + 3 * first**2) - 2)


def _normal(x: Array) -> Array:
    return np.asarray(np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi))
