"""Condition (i) of Theorem 1: noise densities and where their characteristic functions vanish.

Noise here has independent coordinates of one law, as every noise in the paper's examples has. The
characteristic function on R^d is then the product over coordinates, and vanishes on a set of
measure zero exactly when the function of one coordinate does. So one coordinate is all we look at:

    phi(t) = E exp(i t eps),    t and eps real.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln, kv

from ivae.checks import positive_number, whole_number
from ivae.findings import Finding

Array = NDArray[np.floating[Any]]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
FEWEST_POINTS = 3  # Of the frequency grid, below which a gap counts as an isolated zero.


@dataclass(frozen=True)
class Noise:
    """The law of one coordinate of the noise in Eq. (6), in closed form.

    Attributes
    ----------
    name
        With its parameters.
    characteristic
        phi, from frequencies (G,) to values (G,); real, since every law here is symmetric.
    density
        Of one coordinate, from points (G,) to values (G,).
    draw
        ``draw(generator, shape)`` returns independent draws.
    zeros
        Where phi vanishes: nowhere, at isolated points, or on whole intervals.
    where
        The same in words.
    variance
        Of one coordinate; infinite or 0 where it is.
    """

    name: str
    characteristic: Callable[[Array], Array]
    density: Callable[[Array], Array]
    draw: Draw
    zeros: Literal["nowhere", "isolated", "intervals"]
    where: str
    variance: float

    @property
    def is_gaussian(self) -> bool:
        """Whether it is normal, with a positive variance."""
        return self.name.startswith("Gaussian")

    def finding(self) -> Finding:
        """Judge condition (i): the zeros of the characteristic function have measure zero."""
        holds = self.zeros != "intervals"
        reason = f"{self.name}: its characteristic function {self.where}"
        return Finding("(i) noise", holds, reason)


def none() -> Noise:
    """Return the absence of noise: a point mass at 0, for which deconvolution is not needed."""
    return Noise(
        "no noise",
        np.ones_like,
        lambda x: np.where(x == 0, np.inf, 0.0),
        lambda rng, shape: np.zeros(shape),
        "nowhere",
        "is 1 everywhere",
        0.0,
    )


def gaussian(variance: float) -> Noise:
    """Return N(0, variance), whose phi is exp(-variance t^2 / 2). Section 5 has variance .01."""
    s2 = positive_number("variance", variance)
    return _of_scipy(
        f"Gaussian noise of variance {s2:g}",
        lambda t: np.exp(-0.5 * s2 * t**2),
        stats.norm(scale=math.sqrt(s2)),
    )


def laplace(scale: float) -> Noise:
    """Return the Laplace law, phi(t) = 1 / (1 + scale^2 t^2)."""
    b = positive_number("scale", scale)
    law = stats.laplace(scale=b)
    return _of_scipy(f"Laplace noise of scale {b:g}", lambda t: 1 / (1 + (b * t) ** 2), law)


def logistic(scale: float) -> Noise:
    """Return the logistic law of Eq. (28), phi(t) = pi s t / sinh(pi s t) at scale s."""
    s = positive_number("scale", scale)

    def phi(t: Array) -> Array:
        a = np.abs(math.pi * s * t)
        # a / sinh(a), written so that it neither overflows nor divides by 0.
        safe = np.where(a > 0, a, 1.0)
        return np.where(a > 0, 2 * safe * np.exp(-safe) / -np.expm1(-2 * safe), 1.0)

    return _of_scipy(f"logistic noise of scale {s:g}", phi, stats.logistic(scale=s))


def cauchy(scale: float) -> Noise:
    """Return the Cauchy law, phi(t) = exp(-scale |t|)."""
    g = positive_number("scale", scale)
    law = stats.cauchy(scale=g)
    return _of_scipy(f"Cauchy noise of scale {g:g}", lambda t: np.exp(-g * np.abs(t)), law)


def student(df: float, scale: float = 1.0) -> Noise:
    """Return Student's t; phi is a Bessel function K of order df / 2 times a power of t."""
    nu, s = positive_number("df", df), positive_number("scale", scale)

    def phi(t: Array) -> Array:
        a = math.sqrt(nu) * np.abs(s * t)
        safe = np.where(a > 0, a, 1.0)
        constant = gammaln(nu / 2) + (nu / 2 - 1) * math.log(2)
        value = kv(nu / 2, safe) * np.exp(nu / 2 * np.log(safe) - constant)
        return np.where(a > 0, value, 1.0)

    return _of_scipy(f"Student noise, {nu:g} degrees of freedom", phi, stats.t(nu, scale=s))


def uniform(half_width: float) -> Noise:
    """Return the uniform law on [-a, a]; phi(t) = sin(a t) / (a t) vanishes at isolated points."""
    a = positive_number("half_width", half_width)
    return _of_scipy(
        f"uniform noise on [-{a:g}, {a:g}]",
        lambda t: np.sinc(a * t / math.pi),
        stats.uniform(-a, 2 * a),
        "isolated",
        f"vanishes at isolated points, the multiples of {math.pi / a:.4g} but 0",
    )


def triangular(half_width: float) -> Noise:
    """Return the triangular law on [-a, a]; phi(t) = (sin(a t / 2) / (a t / 2))^2."""
    a = positive_number("half_width", half_width)
    return _of_scipy(
        f"triangular noise on [-{a:g}, {a:g}]",
        lambda t: np.sinc(a * t / (2 * math.pi)) ** 2,
        stats.triang(0.5, -a, 2 * a),
        "isolated",
        f"vanishes at isolated points, the multiples of {2 * math.pi / a:.4g} but 0",
    )


def squared_sinc(bandwidth: float) -> Noise:
    """Return the law with density b / (2 pi) (sin(b x / 2) / (b x / 2))^2, b the bandwidth.

    Its phi(t) = max(0, 1 - |t| / b) is zero for all |t| >= b: noise of this law erases every
    higher frequency of the noise-free density, and violates condition (i).
    """
    b = positive_number("bandwidth", bandwidth)

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        # Rejection from min(1, 1 / y^2), y = b x / 2, which accepts pi / 4 of the proposals.
        wanted, kept = math.prod(shape), np.empty(0)
        while kept.size < wanted:
            size = 2 * (wanted - kept.size) + 16
            tail = rng.choice((-1.0, 1.0), size) / (1 - rng.random(size))
            y = np.where(rng.random(size) < 0.5, rng.uniform(-1, 1, size), tail)
            envelope = np.minimum(1.0, 1 / np.maximum(y**2, 1e-300))
            accepted = rng.random(size) * envelope <= np.sinc(y / math.pi) ** 2
            kept = np.concatenate((kept, y[accepted]))
        return np.asarray((2 / b) * kept[:wanted].reshape(shape))

    return Noise(
        f"squared-sinc noise of bandwidth {b:g}",
        lambda t: np.maximum(0.0, 1 - np.abs(t) / b),
        lambda x: b / (2 * math.pi) * np.sinc(b * x / (2 * math.pi)) ** 2,
        draw,
        "intervals",
        f"is 0 for every |t| >= {b:g}, a set of infinite measure",
        math.inf,
    )


@dataclass(frozen=True)
class NumericalCharacteristic:
    """The characteristic function of a density that is known by its values alone.

    Attributes
    ----------
    t
        Frequencies, (G,), from 0 upwards.
    modulus
        |phi(t)|, (G,).
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

    Parameters
    ----------
    density
        From points (G,) to values (G,).
    half_width
        Where to cut the density off; what lies outside counts as error.
    highest, n_frequencies
        Frequencies go from 0 to ``highest``.
    n_points
        Of the quadrature; an odd number.

    Raises
    ------
    ValueError
        For values that are not finite and >= 0, an integral that is not 1 within .01, or a spacing
        that does not resolve the highest frequency.
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
    return NumericalCharacteristic(t, modulus, error, *_vanishing(t, modulus <= error))


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


def _of_scipy(
    name: str,
    phi: Callable[[Array], Array],
    law: Any,
    zeros: Literal["nowhere", "isolated"] = "nowhere",
    where: str = "vanishes nowhere",
) -> Noise:
    draw = partial(_draw, law)
    return Noise(name, phi, law.pdf, draw, zeros, where, float(law.var()))


def _draw(law: Any, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(law.rvs(size=shape, random_state=rng))
