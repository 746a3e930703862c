"""Pairs of samples for the two-sample test: of laws that are equal, and of some that are not."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy import stats

from companion.c01.constructions import (
    BandAndDisc,
    Darmois,
    MarginalsAlone,
    another_latent,
    rotate_through_gaussian,
    turn,
)
from ivae import data
from ivae.mixing import Mixing
from ivae.support.checks import Array

MARGINALS = (stats.uniform(-np.sqrt(3), np.sqrt(12)), stats.laplace(scale=np.sqrt(0.5)))
"""Of the factorial prior: a uniform and a Laplace latent, both of variance 1."""
NOISE_VARIANCE = 0.01
DEGREES = 45.0

Pair = tuple[Array, Array]
Draw = Callable[[int, int, np.random.Generator], Pair]


def decoder(seed: int) -> Mixing:
    """Return f of the paper's protocol for two latents and two observed variables."""
    return data.generate("paper", seed, n_latents=2, n_observed=2).mixing


def observe(
    decode: Callable[[Array], Array], rng: np.random.Generator, size: int, stretch: float = 1.0
) -> Array:
    """Draw x = f(z) + noise, (size, 2), for z ~ N(0, diag(stretch^2, 1))."""
    latents = rng.standard_normal((size, 2)) * [stretch, 1.0]
    noise = np.sqrt(NOISE_VARIANCE) * rng.standard_normal((size, 2))
    return np.asarray(decode(latents) + noise)


def factorial(rng: np.random.Generator, size: int) -> Array:
    """Draw latents of the factorial prior :data:`MARGINALS`, (size, 2)."""
    return np.stack([one.rvs(size, random_state=rng) for one in MARGINALS], 1)


def draw_pair(comparison: str, seed: int, size: int, rng: np.random.Generator) -> Pair:
    """Draw the two samples, (size, 2) each, of one of the :data:`COMPARISONS`.

    ``seed`` decides the decoder, ``rng`` all else.
    """
    return _PAIRS[comparison](seed, size, rng)


def _itself(seed: int, size: int, rng: np.random.Generator) -> Pair:
    f, _ = _decoders(seed)
    return observe(f, rng, size), observe(f, rng, size)


def _rotated(seed: int, size: int, rng: np.random.Generator) -> Pair:
    f, rotated = _decoders(seed)
    return observe(f, rng, size), observe(rotated, rng, size)


def _stretched(seed: int, size: int, rng: np.random.Generator) -> Pair:
    f, _ = _decoders(seed)
    return observe(f, rng, size), observe(f, rng, size, stretch=1.5)


def _by_f1(seed: int, size: int, rng: np.random.Generator) -> Pair:
    other = rotate_through_gaussian(factorial(rng, size), MARGINALS, turn(DEGREES))
    return other, factorial(rng, size)


def _as_they_are(seed: int, size: int, rng: np.random.Generator) -> Pair:
    return factorial(rng, size) @ turn(DEGREES).T, factorial(rng, size)


def _by_f2(seed: int, size: int, rng: np.random.Generator) -> Pair:
    law, g, _ = _band_and_disc()
    return another_latent(g, law.sample(size, rng), turn(DEGREES)), law.sample(size, rng)


def _marginals_alone(seed: int, size: int, rng: np.random.Generator) -> Pair:
    law, _, h = _band_and_disc()
    return another_latent(h, law.sample(size, rng), turn(DEGREES)), law.sample(size, rng)


_PAIRS: dict[str, Draw] = {
    "itself": _itself,
    "rotated": _rotated,
    "stretched": _stretched,
    "f1": _by_f1,
    "plain": _as_they_are,
    "f2": _by_f2,
    "alone": _marginals_alone,
}
COMPARISONS = tuple(_PAIRS)
"""A model with itself, rotated, stretched; F.1, and latents turned as they are; F.2, and with the
marginals alone."""


@cache
def _decoders(seed: int) -> tuple[Mixing, Mixing]:
    f = decoder(seed)
    return f, f.absorb(turn(DEGREES))


@cache
def _band_and_disc() -> tuple[BandAndDisc, Darmois, MarginalsAlone]:
    law = BandAndDisc()
    return law, Darmois(law.density, law.box), MarginalsAlone(law.density, law.box)
