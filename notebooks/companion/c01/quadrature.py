"""Distribution functions of a density in the plane, and their inverses, by Gauss quadrature.

Everything is on the Gaussian scale, y = Phi^-1(F(z)), where a tail keeps its precision: either side
of a point is integrated by itself, and the smaller one gives y.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline
from scipy.special import ndtri

from ivae.support.checks import Array

Density = Callable[[Array], Array]
Box = Sequence[tuple[float, float]]

LIMIT = 7.5
"""Standard deviations on the Gaussian scale to which tails are resolved; 6e-14 lies beyond."""

_NODES = 8
_ROWS = 512  # Evaluated at a time, so that what a density makes on the way stays small.


class Marginal:
    """y = Phi^-1(F(z)) of one component, ``axis`` 0 or 1, tabulated once.

    The density, from points (N, 2) to (N,), is integrated over the other one in panels. Between 64
    points a panel y is a cubic with the right slope at either end, p(z) / phi(y); the error falls
    with the fourth power of the spacing. An integral over the box that is not 1 within 1e-6 is
    refused.
    """

    def __init__(self, density: Density, box: Box, axis: int, n_panels: int) -> None:
        other = _Panels(box[1 - axis], n_panels)
        table = _Panels(box[axis], 64 * n_panels, n_nodes=3)

        def integrated(points: Array) -> Array:
            values = [
                other.integrate(_on_lines(density, part, other.nodes, axis)).sum(1)
                for part in np.array_split(points, 1 + len(points) // _ROWS)
            ]
            return np.concatenate(values)

        masses = table.integrate(integrated(table.nodes.ravel()).reshape(1, *table.nodes.shape))[0]
        total = masses.sum()
        if not abs(total - 1) < 1e-6:
            raise ValueError(f"density integrates to {total:.8f}; widen the box, or refine it.")
        below, above = masses.cumsum()[:-1], masses[::-1].cumsum()[-2::-1]
        y = _gaussian(below, above)
        seen = np.abs(y) < LIMIT + 0.5
        y, points = y[seen], table.edges[1:-1][seen]
        self._spline = CubicHermiteSpline(points, y, integrated(points) / (_phi(y) * total))
        self._slope = self._spline.derivative()
        self._points, self._y = points, y

    def gaussian(self, z: Array) -> Array:
        """Return y, (N,), of the component's values (N,)."""
        return _resolved(self._spline(_inside(z, self._points[0], self._points[-1])))

    def inverse(self, y: Array) -> Array:
        """Return z, (N,), from y (N,)."""
        right = np.searchsorted(self._y, _resolved(y)).clip(1, len(self._y) - 1)
        ends = self._points[right - 1], self._points[right]
        return _solve(lambda z: (self._spline(z), self._slope(z)), y, *ends)


class Conditional:
    """y = Phi^-1(F(z_2 | z_1)): one quadrature over z_2, whose box is ``side``, for each point."""

    def __init__(self, density: Density, side: tuple[float, float], n_panels: int) -> None:
        self._density = density
        self._panels = _Panels(side, n_panels)

    def gaussian(self, given: Array, z: Array) -> Array:
        """Return y, (N,), of values z of z_2 where z_1 is as given, (N,) each."""
        edges = self._panels.edges
        _inside(z, edges[0], edges[-1])
        found = [
            _resolved(self._line(some)(np.searchsorted(edges, at).clip(1, len(edges) - 1), at)[0])
            for some, at in _parts(given, z)
        ]
        return np.concatenate(found)

    def inverse(self, given: Array, y: Array) -> Array:
        """Return z_2, (N,), from y where z_1 is as given, (N,) each."""
        found = []
        for some, at in _parts(given, _resolved(y)):
            line = self._line(some)
            right = 1 + (line.y < at[:, None]).sum(1)
            ends = self._panels.edges[right - 1], self._panels.edges[right]
            found.append(_solve(partial(line, right), at, *ends))
        return np.concatenate(found)

    def _line(self, given: Array) -> _Line:
        return _Line(self._density, given, self._panels)


class _Line:
    """Densities along z_2 at given values of z_1."""

    def __init__(self, density: Density, given: Array, panels: _Panels) -> None:
        self._density, self._given, self._panels = density, given, panels
        masses = panels.integrate(_on_lines(density, given, panels.nodes, 0))
        nothing = np.zeros((len(given), 1))
        self._below = np.concatenate((nothing, masses.cumsum(1)), 1)
        self._above = np.concatenate((masses[:, ::-1].cumsum(1)[:, ::-1], nothing), 1)
        self.y = _gaussian(self._below[:, 1:-1], self._above[:, 1:-1])

    def __call__(self, right: NDArray[np.int64], z: Array) -> tuple[Array, Array]:
        """Return y and its slope at points z (N,) that lie in the panels that end at ``right``."""
        rows, edges = np.arange(len(z)), self._panels.edges
        below = self._below[rows, right - 1] + self._between(edges[right - 1], z)
        above = self._above[rows, right] + self._between(z, edges[right])
        y = _gaussian(below, above)
        here = self._density(np.stack((self._given, z), 1))
        return y, here / ((below + above) * _phi(y))

    def _between(self, low: Array, high: Array) -> Array:
        half = (high - low)[:, None] / 2
        points = low[:, None] + half * (1 + self._panels.unit)
        lines = np.broadcast_to(self._given[:, None], points.shape)
        values = self._density(np.stack((lines, points), -1).reshape(-1, 2)).reshape(points.shape)
        return np.asarray((half * values) @ self._panels.weights)


class _Panels:
    """Gauss-Legendre quadrature in equal panels: ``nodes`` is (panels, nodes)."""

    def __init__(self, side: tuple[float, float], n_panels: int, n_nodes: int = _NODES) -> None:
        low, high = side
        self.edges = np.linspace(low, high, n_panels + 1)
        self.unit, self.weights = np.polynomial.legendre.leggauss(n_nodes)
        self._half = (high - low) / n_panels / 2
        self.nodes = self.edges[:-1, None] + self._half * (1 + self.unit)

    def integrate(self, values: Array) -> Array:
        """Integrate over each panel: from (N, panels, nodes) to (N, panels)."""
        return np.asarray(values @ self.weights * self._half)


def _on_lines(density: Density, given: Array, nodes: Array, axis: int) -> Array:
    """Evaluate a density where component ``axis`` is given, (N,): (N, panels, nodes)."""
    shape = (len(given), *nodes.shape)
    along = np.broadcast_to(given[:, None, None], shape)
    pair = (along, np.broadcast_to(nodes, shape))
    points = np.stack(pair if axis == 0 else pair[::-1], -1).reshape(-1, 2)
    return density(points).reshape(shape)


def _parts(*arrays: Array) -> list[tuple[Array, ...]]:
    split = [np.array_split(one, 1 + len(one) // _ROWS) for one in arrays]
    return list(zip(*split, strict=True))


def _gaussian(below: Array, above: Array) -> Array:
    with np.errstate(divide="ignore"):
        low, high = ndtri(below / (below + above)), -ndtri(above / (below + above))
    return np.asarray(np.where(below < above, low, high))


def _phi(y: Array) -> Array:
    return np.asarray(np.exp(-0.5 * y**2) / np.sqrt(2 * np.pi))


def _inside(z: Array, low: float, high: float) -> Array:
    if z.min() < low or z.max() > high:
        raise ValueError(f"the density is resolved from {low:.4g} to {high:.4g}; z goes beyond.")
    return z


def _resolved(y: Array) -> Array:
    if not np.abs(y).max() <= LIMIT:
        raise ValueError(f"tails are resolved to {LIMIT} deviations; got {np.abs(y).max():.4g}.")
    return y


def _solve(
    function: Callable[[Array], tuple[Array, Array]], target: Array, low: Array, high: Array
) -> Array:
    """Invert an increasing function between two bounds: Newton's steps, halving where they leave.

    ``function`` gives value and slope, for all points at once.
    """
    z = (low + high) / 2
    for _ in range(80):
        value, slope = function(z)
        error = value - target
        low, high = np.where(error < 0, z, low), np.where(error < 0, high, z)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = z - error / slope
        inside = (step > low) & (step < high)
        following = np.where(inside, step, (low + high) / 2)
        if np.abs(following - z).max() <= 1e-14 * (1 + np.abs(z).max()):
            break
        z = following
    return z
