"""Other latents with the same law: what any unconditional prior leaves open (supplement F).

Both constructions send the latents to independent standard Gaussians, turn these, which nobody can
see (Eq. 30), and go back. Latents z are (N, n); rotations R act as z' = R z on each row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri_exp

from companion.c01.quadrature import Conditional, Density, Marginal
from ivae.support.checks import finite_array, positive_number, whole_number

Array = NDArray[np.floating[Any]]


class Distribution(Protocol):
    """What is used of a frozen continuous distribution of ``scipy.stats``."""

    def logcdf(self, x: Array) -> Array: ...
    def logsf(self, x: Array) -> Array: ...
    def ppf(self, q: Array) -> Array: ...
    def isf(self, q: Array) -> Array: ...


class ToGaussian(Protocol):
    """An invertible map from latents (N, 2) to variables that are standard Gaussian, (N, 2)."""

    def forward(self, z: ArrayLike) -> Array: ...
    def inverse(self, y: ArrayLike) -> Array: ...


def turn(degrees: float) -> Array:
    """Return the matrix (2, 2) that turns the plane counter-clockwise by an angle in degrees."""
    angle = np.radians(float(degrees))
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def rotate_through_gaussian(
    z: ArrayLike, marginals: Sequence[Distribution], rotation: ArrayLike
) -> Array:
    """Return z' = F^-1(Phi(R Phi^-1(F(z)))), shape (N, n), with the law of independent z.

    Supplement F.1. Its inverse is the same with the transposed rotation. Either tail is computed
    from its own side, through logarithms on the way out, so that it keeps its relative precision.

    Parameters
    ----------
    z
        (N, n), inside the supports of the marginals.
    marginals
        n frozen distributions of ``scipy.stats``, with cdfs F_i. The law is kept if z has these
        marginals and independent components.
    rotation
        Orthogonal R, (n, n).

    Raises
    ------
    ValueError
        For NaN, unequal sizes, a matrix that is not orthogonal, values outside a support, or values
        so far out that double precision cannot turn them (beyond 37 standard deviations of the
        Gaussian).
    """
    n = len(marginals)
    rows = finite_array("z", z, ("N", n), np.float64)
    matrix = _orthogonal(rotation, n)
    gaussian = np.empty_like(rows)
    for i, marginal in enumerate(marginals):
        with np.errstate(divide="ignore"):  # log 0 outside the support is named below.
            low, high = marginal.logcdf(rows[:, i]), marginal.logsf(rows[:, i])
        gaussian[:, i] = np.where(low < high, ndtri_exp(low), -ndtri_exp(high))
    if not np.isfinite(gaussian).all():
        column = int(np.argwhere(~np.isfinite(gaussian))[0, 1])
        raise ValueError(
            f"z must lie inside the supports of the marginals; column {column} leaves."
        )
    turned = gaussian @ matrix.T
    if np.abs(turned).max() > 37:
        raise ValueError("z lies too far in a tail: double precision has no quantile for its turn.")
    other = np.empty_like(rows)
    for i, marginal in enumerate(marginals):
        y = turned[:, i]
        tail = ndtr(-np.abs(y))
        other[:, i] = np.where(y < 0, marginal.ppf(tail), marginal.isf(tail))
    return other


class Darmois:
    """The map g of Theorem 4 for a density in the plane: g(z) has independent Gaussian components.

    g(z) = (Phi^-1(F_1(z_1)), Phi^-1(F_{2|1}(z_2 | z_1))): the Gram-Schmidt of distributions
    (Hyvarinen and Pajunen 1999, after Darmois; Rosenblatt 1952). For a density that is smooth at
    the scale of a panel, 1/40 of the box by default, g is good to about 1e-9 and its inverse undoes
    it to about 1e-10.

    Parameters
    ----------
    density
        From points (N, 2) to p(z), (N,), positive inside the box; it integrates to 1.
    box
        ((lowest z_1, highest z_1), (lowest z_2, highest z_2)), outside of which there is no mass to
        speak of.
    n_panels
        Panels of a side, each with 8 Gauss nodes.

    Raises
    ------
    ValueError
        When the density's integral over the box is not 1 within 1e-6, or a point lies outside the
        box or farther in a tail than the quadrature resolves (about 7 standard deviations).
    """

    def __init__(
        self, density: Density, box: Sequence[tuple[float, float]], *, n_panels: int = 40
    ) -> None:
        self._first = Marginal(density, box, 0, n_panels)
        self._second = Conditional(density, box[1], n_panels)

    def forward(self, z: ArrayLike) -> Array:
        """Return g(z), (N, 2)."""
        rows = finite_array("z", z, ("N", 2), np.float64)
        first = self._first.gaussian(rows[:, 0])
        return np.stack((first, self._second.gaussian(rows[:, 0], rows[:, 1])), 1)

    def inverse(self, y: ArrayLike) -> Array:
        """Return g^-1(y), (N, 2)."""
        rows = finite_array("y", y, ("N", 2), np.float64)
        first = self._first.inverse(rows[:, 0])
        return np.stack((first, self._second.inverse(first, rows[:, 1])), 1)


class MarginalsAlone:
    """The wrong map h: both marginals become Gaussian, and what ties the components stays.

    h(z) = (Phi^-1(F_1(z_1)), Phi^-1(F_2(z_2))), with F_2 where :class:`Darmois` has F_{2|1}. It is
    F.1 applied to a density that is not factorial, so that turning h(z) changes the law. The
    arguments and errors are those of :class:`Darmois`.
    """

    def __init__(
        self, density: Density, box: Sequence[tuple[float, float]], *, n_panels: int = 40
    ) -> None:
        self._axes = [Marginal(density, box, axis, n_panels) for axis in (0, 1)]

    def forward(self, z: ArrayLike) -> Array:
        """Return h(z), (N, 2)."""
        rows = finite_array("z", z, ("N", 2), np.float64)
        return np.stack([axis.gaussian(c) for axis, c in zip(self._axes, rows.T, strict=True)], 1)

    def inverse(self, y: ArrayLike) -> Array:
        """Return h^-1(y), (N, 2)."""
        rows = finite_array("y", y, ("N", 2), np.float64)
        return np.stack([axis.inverse(c) for axis, c in zip(self._axes, rows.T, strict=True)], 1)


def another_latent(g: ToGaussian, z: ArrayLike, rotation: ArrayLike) -> Array:
    """Return z' = g^-1(M g(z)), (N, 2): the last construction of supplement F.2.

    With the g of :class:`Darmois` z' has the law of z, for any law with a density.

    Parameters
    ----------
    g
        :class:`Darmois`, or another map to Gaussians.
    z
        (N, 2).
    rotation
        Orthogonal M, (2, 2).
    """
    return g.inverse(g.forward(z) @ _orthogonal(rotation, 2).T)


def log_density_ratio(
    density: Density,
    transform: Callable[[Array], Array],
    z: ArrayLike,
    *,
    step: float = 1e-4,
) -> Array:
    """Return log p_z'(z') - log p(z') at z' = t(z) for z with density p, shape (N,).

    By change of variables log p_z'(t(z)) = log p(z) - log |det J_t(z)|. The ratio is zero
    everywhere just where z' has the law of z: a check that knows nothing of how t was made. J_t is
    by five-point differences, with an error of order step^4.

    Parameters
    ----------
    density
        p, from (N, n) to (N,).
    transform
        t, invertible, from (N, n) to (N, n), each row by itself.
    z
        (N, n), where p is positive.
    step
        Spacing of the differences.
    """
    rows = finite_array("z", z, ("N", "n"), np.float64)
    positive_number("step", step)
    columns = []
    for direction in step * np.eye(rows.shape[1]):
        near = transform(rows + direction) - transform(rows - direction)
        far = transform(rows + 2 * direction) - transform(rows - 2 * direction)
        columns.append((8 * near - far) / (12 * step))
    log_volume = np.linalg.slogdet(np.stack(columns, -1)).logabsdet
    return np.asarray(np.log(density(rows)) - log_volume - np.log(density(transform(rows))))


class BandAndDisc:
    """A density in the plane that is not factorial: a bent band, and a disc above its bend.

    With probability 2/3 z_1 is N(0, 1.2^2) and z_2 is N(c(z_1), .4^2), c(z_1) = sqrt(1 + 3 z_1^2)
    - 2; otherwise z is N((0, 2), .5^2 I). Ours, made to be far from a product of its marginals.
    """

    box = ((-9.5, 9.5), (-5.0, 18.0))
    """Outside of it there is no mass to speak of."""

    def density(self, z: ArrayLike) -> Array:
        """Return p(z), (N,), of points z (N, 2)."""
        first, second = finite_array("z", z, ("N", 2), np.float64).T
        band = _normal(first / 1.2) * _normal((second - _middle(first)) / 0.4) / (1.2 * 0.4)
        disc = _normal(first / 0.5) * _normal((second - 2) / 0.5) / 0.5**2
        return np.asarray((2 * band + disc) / 3)

    def sample(self, size: int, rng: np.random.Generator) -> Array:
        """Return independent draws, (size, 2)."""
        noise = rng.standard_normal((whole_number("size", size), 2))
        first = 1.2 * noise[:, 0]
        band = np.stack((first, _middle(first) + 0.4 * noise[:, 1]), 1)
        in_band = rng.random(size) < 2 / 3
        return np.where(in_band[:, None], band, 0.5 * noise + [0.0, 2.0])


def _orthogonal(rotation: ArrayLike, n: int) -> Array:
    matrix = finite_array("rotation", rotation, (n, n), np.float64)
    error = np.abs(matrix @ matrix.T - np.eye(n)).max()
    if error > 1e-9:
        raise ValueError(
            f"rotation must be orthogonal, R R' = I; got one that is off by {error:.1e}."
        )
    return matrix


def _middle(first: Array) -> Array:
    return np.asarray(np.sqrt(1 + 3 * first**2) - 2)


def _normal(x: Array) -> Array:
    return np.asarray(np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi))
