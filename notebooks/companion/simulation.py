"""Data from tables of means and variances, in the shape of :mod:`ivae.data`'s."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import expit

from ivae.data import NonstationaryData
from ivae.families import family_named, standardised
from ivae.likelihoods import LikelihoodName
from ivae.mixing import Mixing


def simulate(
    mean: ArrayLike,
    variance: ArrayLike,
    mixing: Mixing,
    *,
    samples_per_segment: int | Sequence[int],
    noise_variance: float,
    seed: int | Sequence[int],
    family: str | None = None,
    likelihood: LikelihoodName = "gaussian",
) -> NonstationaryData:
    """Draw one dataset, with the preset ``"simulated"``: sources, then noise, or bits.

    ``mean`` and ``variance`` are the sources' by segment, (M, n) each, and ``mixing`` and
    ``noise_variance`` f and sigma^2 of Eq. (6). There are L samples in each segment, or a number
    for each. The sources' family is by default ``"gaussian-scale"`` where every mean is 0, else
    ``"gaussian"``: that only means move (``"gaussian-location"``), or another law (``"laplace"``),
    is something to assume, not to be read off a table. With the likelihood ``"bernoulli"`` x is
    bits, Eq. (29), and the preset that of their data.
    """
    means, variances = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    if family is not None:
        # Refuses tables that are not of the family.
        family_named(family).natural_parameters(torch.as_tensor(variances), torch.as_tensor(means))
    rng = np.random.default_rng(seed)
    u = np.repeat(np.arange(len(means)), samples_per_segment)
    z = means[u] + np.sqrt(variances)[u] * standardised(family, rng, (u.size, means.shape[1]))
    clean = mixing(z)
    if likelihood == "bernoulli":
        x = (rng.random(clean.shape) < expit(clean)).astype(np.float64)
    else:
        x = clean + np.sqrt(noise_variance) * rng.standard_normal(clean.shape)
    preset = "bernoulli" if likelihood == "bernoulli" else "simulated"
    first = seed if isinstance(seed, int) else seed[0]
    origin = (float(noise_variance), preset, first, family)
    return NonstationaryData(x, u, z, means, variances, mixing, *origin)
