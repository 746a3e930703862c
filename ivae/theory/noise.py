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
from typing import Any, Literal

import numpy as np
from scipy import stats
from scipy.special import gammaln, kv

from ivae.support.checks import Array, positive_number
from ivae.theory.findings import Finding

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]


@dataclass(frozen=True)
class Noise:
    """The law of one coordinate of the noise in Eq. (6), in closed form.

    Attributes
    ----------
    characteristic, density
        phi, from frequencies (G,) to values (G,), real since every law here is symmetric; and the
        density, from points to values.
    draw
        ``draw(generator, shape)`` returns independent draws.
    zeros, where
        Where phi vanishes: nowhere, at isolated points, or on whole intervals; and that in words.
    variance
        Infinite or 0 where it is.
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


def _of_scipy(
    name: str,
    phi: Callable[[Array], Array],
    law: Any,
    zeros: Literal["nowhere", "isolated"] = "nowhere",
    where: str = "vanishes nowhere",
) -> Noise:
    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.asarray(law.rvs(size=shape, random_state=rng))

    return Noise(name, phi, law.pdf, draw, zeros, where, float(law.var()))
