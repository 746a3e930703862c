"""Data from tables of means and variances of your own, in the shape of :mod:`ivae.data`'s."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ivae.data import NonstationaryData
from ivae.families import family_named
from ivae.mixing import Mixing
from ivae.recipes import standardised
from ivae.support.checks import finite_array, positive_number, whole_number


def simulate(
    mean: ArrayLike,
    variance: ArrayLike,
    mixing: Mixing,
    *,
    samples_per_segment: int | Sequence[int] | NDArray[np.integer],
    noise_variance: float,
    seed: int,
    family: str | None = None,
) -> NonstationaryData:
    """Draw one dataset from tables of means and variances of your own.

    Parameters
    ----------
    mean, variance
        Of the sources by segment, (M, n) each.
    mixing
        f of Eq. (6), from n latents; :func:`ivae.data.generate` makes some.
    samples_per_segment
        L; or a number for each of the M segments.
    noise_variance
        sigma^2 of the Gaussian noise; 0 for none.
    seed
        Of sources and noise, drawn in this order.
    family
        Name of the sources' family, see :mod:`ivae.families`. By default ``"gaussian-scale"`` where
        every mean is 0, else ``"gaussian"``: that only means move (``"gaussian-location"``), or
        another law (``"laplace"``), is something to assume, not to be read off a table.

    Returns
    -------
    NonstationaryData
        With the preset ``"simulated"``, and N = M * L rows, or as many as the segments have in all.

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
    sizes = _sizes(samples_per_segment, len(means))
    whole_number("seed", seed, at_least=0)
    if noise_variance != 0 or isinstance(noise_variance, bool):
        positive_number("noise_variance", noise_variance)
    if family is not None:
        # Refuses tables that are not of the family.
        family_named(family).natural_parameters(torch.as_tensor(variances), torch.as_tensor(means))
    rng = np.random.default_rng(seed)
    u = np.repeat(np.arange(len(means)), sizes)
    z = means[u] + np.sqrt(variances)[u] * standardised(family, rng, (u.size, n))
    x = mixing(z) + np.sqrt(noise_variance) * rng.standard_normal((u.size, d))
    return NonstationaryData(
        x, u, z, means, variances, mixing, float(noise_variance), "simulated", seed, family
    )


def _sizes(given: int | Sequence[int] | NDArray[np.integer], n_segments: int) -> NDArray[np.int64]:
    """Return the number of samples of each segment, (M,)."""
    if not isinstance(given, (Sequence, np.ndarray)):
        return np.full(n_segments, whole_number("samples_per_segment", given))
    sizes = [whole_number("samples_per_segment", size) for size in given]
    if len(sizes) != n_segments:
        raise ValueError(
            "samples_per_segment must be one number, or one for each of the "
            f"{n_segments} segments; got {len(sizes)}."
        )
    return np.array(sizes)
