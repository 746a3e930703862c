"""Condition (ii) of Theorem 1, and what Theorem 2 asks: sufficient statistics, judged.

For the shipped families the answers are known facts. For a user's own T they are numbers on a grid:
the share of the support on which a derivative vanishes, and by how much 1, T_1, ..., T_k are
linearly independent, on the whole support and on pieces of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from ivae.families import ExponentialFamily
from ivae.support.checks import Array
from ivae.theory.findings import Finding

N_GRID = 4001
REACH = 5.0  # How far out to look where an end of the support is infinite.
N_PIECES = 8
FLAT = 1e-11  # A slope is 0 below this share of T's mean slope over its support: rounding.
DEPENDENT = 1e-7  # Singular values of standardised statistics below this are rounding.
MOST_FLAT = 1e-3  # A larger share of flat grid cells is an interval, not isolated points.
SAME = 1e-9  # Two extrema are equal within this share of T's range.


@dataclass(frozen=True)
class Statistics:
    """Sufficient statistics of a user's own family, for one latent.

    ``function`` is T, from latents (G,) to (G, k), or (G,) for k = 1, and ``support`` where the
    latent lives, (low, high); either end may be infinite.
    """

    function: Callable[[Array], Array]
    support: tuple[float, float] = (-np.inf, np.inf)
    name: str = "given statistics"

    def __post_init__(self) -> None:
        low, high = self.support
        if not low < high:
            raise ValueError(f"support must be (low, high) with low < high; got {self.support}.")
        values = self(self.grid())
        if values.ndim != 2 or len(values) != N_GRID or not np.isfinite(values).all():
            raise ValueError(
                "function must return finite values of shape (G, k) for latents (G,); got shape "
                f"{values.shape} for G = {N_GRID}."
            )

    def __call__(self, z: Array) -> Array:
        """Return T(z), (G, k), of latents (G,)."""
        values = np.asarray(self.function(z), dtype=np.float64)
        return values[:, None] if values.ndim == 1 else values

    @property
    def k(self) -> int:
        """Number of statistics."""
        return int(self(self.grid()).shape[1])

    def grid(self) -> Array:
        """Return the points at which T is looked at, (G,)."""
        low, high = self.support
        first = low if np.isfinite(low) else min(-REACH, high - REACH)
        last = high if np.isfinite(high) else max(REACH, low + REACH)
        return np.linspace(first, last, N_GRID)


class Facts(NamedTuple):
    """What is known of a shipped family's statistics."""

    formula: str
    derivative: str
    extremum: str
    has_extremum: bool


FACTS = {
    "gaussian-scale": Facts(
        "T = z^2", "2 z, is 0 at z = 0 alone", "a unique minimum, at z = 0", True
    ),
    "gaussian": Facts(
        "T = (z^2, z)", "(2 z, 1), has a 0 at z = 0 alone", "not asked, k = 2", False
    ),
    "laplace": Facts(
        "T = |z|", "sign(z), exists but at z = 0, is never 0", "a unique minimum, at z = 0", True
    ),
    "gaussian-location": Facts("T = z", "1, is never 0", "neither minimum nor maximum", False),
}


def finding_of_statistics(statistics: ExponentialFamily | Statistics) -> Finding:
    """Judge condition (ii), with the assumption that Lemma 1 needs beside it.

    Every T_j must have a derivative that is almost nowhere 0, and no combination of T_1, ..., T_k
    may be constant on the latent's support. The paper states the first half; the second is what
    makes A of Eq. (12) invertible, see chapter 3. (Later versions ask for it on every set of
    positive measure, which is enough whatever the support: pieces on which it fails are named.)
    """
    if isinstance(statistics, ExponentialFamily):
        facts = FACTS[statistics.name]
        told = f"{facts.formula}: the derivative, {facts.derivative}"
        return Finding("(ii) statistics", True, f"{told}; linearly independent on every interval")
    shares, whole, worst = derivative_zero_share(statistics), *independence(statistics)
    numbers = (
        f"{statistics.name}: a derivative vanishes on {100 * shares.max():.2g} % of the support; "
        f"smallest singular value of the standardised statistics {whole:.2g}, on the worst of "
        f"{N_PIECES} pieces {worst:.2g}"
    )
    if shares.max() > MOST_FLAT:
        return Finding("(ii) statistics", False, f"{numbers}: T is constant on an interval")
    if whole < DEPENDENT:
        return Finding("(ii) statistics", False, f"{numbers}: they are linearly dependent")
    if worst < DEPENDENT:
        numbers += ": were the support that piece alone, they would be linearly dependent"
    return Finding("(ii) statistics", True, numbers, is_certain=False)


def finding_extremum(statistics: ExponentialFamily | Statistics, k: int) -> Finding:
    """Judge what Theorem 2 asks beyond Theorem 1: k = 1, and a T with a minimum or a maximum.

    The paper prints "a unique minimum". The proof in chapter 3 uses that T reaches an end of its
    range, and no more: -T with -lambda is the same model, and two equal minima do no harm. The
    finding is about what is proved, and its reason says where that is more than what is printed.
    """
    name = "extremum (Theorem 2)"
    if k != 1:
        return Finding(name, False, f"k = {k}, and it asks for k = 1")
    if isinstance(statistics, ExponentialFamily):
        facts = FACTS[statistics.name]
        return Finding(name, facts.has_extremum, f"{facts.formula} has {facts.extremum}")
    for kind, sign in (("minimum", 1.0), ("maximum", -1.0)):
        places, at_open_end = minima(statistics, sign)
        if not at_open_end:
            where = ", ".join(f"{place:.3g}" for place in places)
            as_printed = kind == "minimum" and len(places) == 1
            more = "" if as_printed else "; as printed, Theorem 2 asks for a unique minimum"
            return Finding(name, True, f"T has a {kind} at z = {where}{more}", is_certain=False)
    first, *_, last = statistics.grid()
    reason = f"no extremum of T but at open ends of what was looked at, {first:.3g} to {last:.3g}"
    return Finding(name, None, reason)


def derivative_zero_share(statistics: Statistics) -> Array:
    """Return the share of the grid on which each T_j is flat, (k,)."""
    z = statistics.grid()
    values = statistics(z)
    # Forward differences: a central one would call the top of a symmetric kink flat.
    slopes = np.diff(values, axis=0) / np.diff(z)[:, None]
    scale = np.ptp(values, axis=0) / np.ptp(z)
    return np.asarray((np.abs(slopes) <= FLAT * scale).mean(0))


def independence(statistics: Statistics) -> tuple[float, float]:
    """Return how far 1, T_1, ..., T_k are from linear dependence, on the support and on pieces.

    Each number is the smallest singular value of the statistics brought to mean 0 and deviation 1,
    divided by the root of the number of points: the square root of the smallest eigenvalue of
    their Gram matrix. It is 1 for uncorrelated statistics and 0 for dependent ones; on short pieces
    any smooth statistics come near dependence, so only rounding counts as 0.
    """
    values = statistics(statistics.grid())
    pieces = np.array_split(values, N_PIECES)
    return _smallest(values), min(_smallest(piece) for piece in pieces)


def minima(statistics: Statistics, sign: float = 1.0) -> tuple[list[float], bool]:
    """Return where T (k = 1) is lowest, and whether an end that is no end of the support is.

    Local minima of the grid are refined; those that are equally deep count together. With the sign
    -1, where it is highest.
    """
    z = statistics.grid()
    t = sign * statistics(z)[:, 0]
    padded = np.concatenate(([np.inf], t, [np.inf]))
    lowest = np.flatnonzero((t <= padded[:-2]) & (t < padded[2:]))
    found: list[tuple[float, float]] = []
    for i in lowest.tolist():
        bounds = z[[max(i - 1, 0), min(i + 1, len(z) - 1)]]
        refined: Any = minimize_scalar(
            lambda x: sign * float(statistics(np.array([x]))[0, 0]),
            bounds=tuple(bounds),
            method="bounded",
            options={"xatol": 1e-10},
        )
        found.append(min((float(refined.fun), float(refined.x)), (float(t[i]), float(z[i]))))
    best = min(found)[0]
    places: list[float] = [
        place for value, place in found if value <= best + SAME * float(np.ptp(t))
    ]
    is_open = [not np.isfinite(end) for end in statistics.support]
    ends = [z[0] if is_open[0] else None, z[-1] if is_open[1] else None]
    return places, any(place in ends for place in places)


def _smallest(values: Array) -> float:
    centred = values - values.mean(0)
    deviation = centred.std(0)
    if (deviation <= DEPENDENT**2 * np.abs(values).max(0)).any():
        return 0.0
    return float(np.linalg.svd(centred / deviation, compute_uv=False)[-1] / np.sqrt(len(values)))
