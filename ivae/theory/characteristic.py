"""Condition (i) of Theorem 1 for a density of your own, by quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ivae.support.checks import Array, positive_number, whole_number
from ivae.theory.findings import Finding

FEWEST_POINTS = 3  # Of the frequency grid, below which a gap counts as an isolated zero.


class NumericalCharacteristic(NamedTuple):
    """The characteristic function of a density that is known by its values alone.

    Attributes
    ----------
    t, modulus
        Frequencies from 0 upwards, and |phi(t)|, (G,) each.
    error
        Below this |phi| cannot be told from 0: what quadrature and the cut-off tails may amount to.
    gaps
        Intervals on which |phi| is below the error, between frequencies at which it is above; an
        isolated zero is no gap.
    tail
        Frequency from which |phi| stays below the error up to the last; None if it does not.
    """

    t: Array
    modulus: Array
    error: float
    gaps: tuple[tuple[float, float], ...]
    tail: float | None

    def finding(self) -> Finding:
        """Judge condition (i), as far as numbers can.

        That |phi| is zero in a gap, or from some frequency on, rather than smaller than the error,
        no computation can show: where it is below the error on an interval, nothing is decided.
        """
        below, last = f"|phi| is below its error of {self.error:.1g}", self.t[-1]
        if self.gaps:
            told = ", ".join(f"{a:.3g} to {b:.3g}" for a, b in self.gaps)
            reason = f"given density: {below} on {told}; zero or small, numbers cannot tell"
            return Finding("(i) noise", None, reason)
        if self.tail is not None:
            reason = (
                f"given density: {below} from t = {self.tail:.3g} on; whether it decays or ends "
                "there, numbers cannot tell; a closed form can"
            )
            return Finding("(i) noise", None, reason)
        reason = f"given density: |phi| exceeds its error of {self.error:.1g} up to t = {last:.3g}"
        told = f"{reason}, but for isolated points"
        return Finding("(i) noise", True, told, is_certain=False)


def from_density(
    density: Callable[[Array], Array],
    half_width: float,
    *,
    highest: float = 50.0,
    n_points: int = 20_001,
    n_frequencies: int = 1001,
) -> NumericalCharacteristic:
    """Compute |phi| of a given density of one coordinate, and the set where it vanishes.

    The trapezoidal rule on [-half_width, half_width] converges faster than any power of the
    spacing for smooth densities, as long as the spacing resolves the highest frequency.

    ``density`` goes from points (G,) to values (G,), and what lies outside counts as error; the
    frequencies go from 0 to ``highest``, and ``n_points`` is odd. A ValueError names values that
    are not finite and >= 0, an integral that is not 1 within .01, and a spacing that does not
    resolve the highest frequency.
    """
    bound, top = positive_number("half_width", half_width), positive_number("highest", highest)
    size = whole_number("n_points", n_points, at_least=101)
    whole_number("n_frequencies", n_frequencies, at_least=10)
    if size % 2 == 0:
        raise ValueError(f"n_points must be odd, so that every second point is a grid; got {size}.")
    x, step = np.linspace(-bound, bound, size, retstep=True)
    if top * 2 * step > math.pi:
        raise ValueError(
            f"n_points must be at least {math.ceil(4 * bound * top / math.pi) + 1} to resolve the "
            f"highest frequency, {top:g}, on [-{bound:g}, {bound:g}]; got {size}."
        )
    values = np.asarray(density(x), dtype=np.float64)
    if values.shape != x.shape or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("density must return a finite value >= 0 for every point it is given.")
    weights = np.full(size, float(step))
    weights[[0, -1]] /= 2
    mass = float(values @ weights)
    if abs(mass - 1) > 0.01:
        raise ValueError(
            f"density must integrate to 1; on [-{bound:g}, {bound:g}] it gives {mass:.4f}. Widen "
            "half_width, or normalise it."
        )
    t = np.linspace(0, top, n_frequencies)
    fine = _transform(values * weights, x, t)
    coarse = values[::2] * float(2 * step)
    coarse[[0, -1]] /= 2
    error = float(np.abs(fine - _transform(coarse, x[::2], t)).max())
    error = 2 * max(error, abs(mass - 1)) + 1e-13 * math.sqrt(size)
    modulus = np.abs(fine)
    gaps, tail = _vanishing(t, modulus <= error)
    return NumericalCharacteristic(t, modulus, error, gaps, tail)


def _transform(weighted: Array, x: Array, t: Array) -> NDArray[np.complex128]:
    return np.asarray([np.exp(1j * frequency * x) @ weighted for frequency in t])


def _vanishing(
    t: Array, below: NDArray[np.bool_]
) -> tuple[tuple[tuple[float, float], ...], float | None]:
    """Return gaps, and where the tail begins, of frequencies at which |phi| is below its error."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], below.astype(np.int8), [0]))))
    starts, ends = edges[::2], edges[1::2]  # Runs of True, [start, end).
    runs = [(int(a), int(b)) for a, b in zip(starts, ends, strict=True) if b - a >= FEWEST_POINTS]
    tail = float(t[runs[-1][0]]) if runs and runs[-1][1] == len(t) else None
    inner = runs if tail is None else runs[:-1]
    return tuple((float(t[a]), float(t[b - 1])) for a, b in inner), tail
