"""Data from tables of means and variances of your own, in the shape of :mod:`ivae.data`'s."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from ivae.checks import finite_array, one_of, positive_number, whole_number
from ivae.data import NonstationaryData
from ivae.families import FAMILIES, family_named
from ivae.mixing import Mixing


def simulate(
    mean: ArrayLike,
    variance: ArrayLike,
    mixing: Mixing,
    *,
    samples_per_segment: int,
    noise_variance: float,
    seed: int,
    family: str | None = None,
) -> NonstationaryData:
    """Draw one dataset from tables of means and variances of your own.

    Parameters
    ----------
    mean, variance
        Of the Gaussian sources by segment, (M, n) each.
    mixing
        f of Eq. (6), from n latents; :func:`ivae.data.generate` makes some.
    samples_per_segment, noise_variance
        L, and sigma^2 of the Gaussian noise; 0 for none.
    seed
        Of sources and noise, drawn in this order.
    family
        Name of the sources' Gaussian family, see :mod:`ivae.families`. By default
        ``"gaussian-scale"`` where every mean is 0, else ``"gaussian"``: that only means move
        (``"gaussian-location"``) is something to assume, not to be read off a table.

    Returns
    -------
    NonstationaryData
        With N = M * L rows and the preset ``"simulated"``.

    Raises
    ------
    ValueError
        For NaN, tables that differ in shape, do not fit the mixing or are not of the family, a
        variance that is not positive, or sizes, noise or a seed out of range.
    """
    means = finite_array("mean", mean, ("M", "n"), np.float64)
    variances = finite_array("variance", variance, means.shape, np.float64)
    if (variances <= 0).any():
        raise ValueError(f"variance must be positive everywhere; the least is {variances.min()}.")
    n, d = mixing.matrices[0].shape[0], mixing.matrices[-1].shape[1]
    if means.shape[1] != n:
        raise ValueError(
            f"mean must have a column for each of the mixing's {n} latents; got {means.shape[1]}."
        )
    whole_number("samples_per_segment", samples_per_segment)
    whole_number("seed", seed, at_least=0)
    if noise_variance != 0 or isinstance(noise_variance, bool):
        positive_number("noise_variance", noise_variance)
    if family is not None:
        known = one_of("family", family, [name for name in FAMILIES if name.startswith("gaussian")])
        # Refuses tables that are not of the family.
        family_named(known).natural_parameters(torch.as_tensor(variances), torch.as_tensor(means))
    rng = np.random.default_rng(seed)
    u = np.repeat(np.arange(len(means)), samples_per_segment)
    z = means[u] + np.sqrt(variances)[u] * rng.standard_normal((u.size, n))
    x = mixing(z) + np.sqrt(noise_variance) * rng.standard_normal((u.size, d))
    return NonstationaryData(
        x, u, z, means, variances, mixing, float(noise_variance), "simulated", seed, family
    )
