"""Linear ICA by the covariances of the segments: what a neighbour without networks makes of x, u.

Where x = z F, and each source has variances of its own over the segments, every segment's
covariance F' diag(v_u) F is made diagonal by the same F^-1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from companion.whitening import principal_components
from ivae.support.checks import finite_array, segment_labels, whole_number
from ivae.theory.linear import fit_linear, segment_covariances

Array = NDArray[np.floating[Any]]

NOISE_VARIANCE = 1e-6
"""sigma^2 of the fit, in units of the variance of x: small enough not to be seen, and it keeps a
segment of less than n + 1 samples, whose own covariance is singular, from deciding alone."""


def separate_by_covariances(
    x: ArrayLike, u: ArrayLike, n_latents: int, *, seed: int = 0, n_starts: int = 5
) -> Array:
    """Return estimates of n sources, (N, n), of unit variance, by joint diagonalisation.

    x is reduced to its n leading principal components. Then F maximises the Gaussian likelihood of
    x = z F with z_i|u ~ N(m_ui, v_ui), which is Pham's (2001) criterion: how far the segments'
    covariances are, in the estimated sources, from diagonal matrices. The likelihood and its
    maximum are those of :func:`ivae.theory.linear.fit_linear`, in its limit without noise, where all of
    its starts have been seen to end in one maximum. Every segment counts the same, whatever its
    size, and means are taken off segment by segment.

    A nonlinear mixing is not undone; what the estimates then share with the sources is what a
    linear map of x can.

    Parameters
    ----------
    x, u
        Observations (N, d) and segment labels (N,), of at least two segments.
    n_latents
        n <= d.
    seed, n_starts
        Of the fit's random starts, and their number; the most likely end is kept.

    Raises
    ------
    ValueError
        For NaN, labels that leave a segment empty, fewer than two segments, n > d, or x that varies
        in fewer than n directions.
    """
    array = finite_array("x", x, ("N", "d"), np.float64)
    labels = segment_labels("u", u, len(array))
    n, n_segments = whole_number("n_latents", n_latents), int(labels.max()) + 1
    whole_number("seed", seed, at_least=0)
    if n_segments < 2:
        raise ValueError("u must name at least two segments; one covariance has no axes to find.")
    if n > array.shape[1]:
        raise ValueError(f"n_latents must be at most d = {array.shape[1]}; got {n}.")
    white = principal_components(array, n)
    n_directions = int(white.any(0).sum())
    if n_directions < n:
        raise ValueError(
            f"x must vary in at least n_latents = {n} directions; it does in {n_directions}."
        )
    means = np.stack([white[labels == segment].mean(0) for segment in range(n_segments)])
    covariances = segment_covariances(white - means[labels], labels)
    fit = fit_linear(covariances, n, NOISE_VARIANCE, seed=seed, n_starts=n_starts)
    sources = white @ np.linalg.inv(fit.best.matrix)
    return np.asarray(sources / sources.std(0))
