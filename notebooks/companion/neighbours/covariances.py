"""Linear ICA by the covariances of the segments: what a neighbour without networks makes of x, u.

Where x = z F, and each source has variances of its own over the segments, every segment's
covariance F' diag(v_u) F is made diagonal by the same F^-1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from companion.whitening import principal_components
from ivae.support.checks import Array
from ivae.theory.linear import fit_linear, segment_covariances

NOISE_VARIANCE = 1e-6
"""sigma^2 of the fit, in units of the variance of x: small enough not to be seen, and it keeps a
segment of less than n + 1 samples, whose own covariance is singular, from deciding alone."""


def separate_by_covariances(x: Array, u: NDArray[np.int64], n_latents: int) -> Array:
    """Return estimates of n sources, (N, n), of unit variance, by joint diagonalisation.

    x (N, d) is reduced to its n leading principal components. Then F maximises the Gaussian
    likelihood of x = z F with z_i|u ~ N(m_ui, v_ui), which is Pham's (2001) criterion: how far the
    segments' covariances are, in the estimated sources, from diagonal matrices. The likelihood and
    its maximum are those of :func:`ivae.theory.linear.fit_linear`, in its limit without noise,
    where all of its starts have been seen to end in one maximum. Every segment counts the same,
    whatever its size, and means are taken off segment by segment.

    A nonlinear mixing is not undone; what the estimates then share with the sources is what a
    linear map of x can.
    """
    white = principal_components(x, n_latents)
    means = np.stack([white[u == segment].mean(0) for segment in range(u.max() + 1)])
    covariances = segment_covariances(white - means[u], u)
    fit = fit_linear(covariances, n_latents, NOISE_VARIANCE)
    sources = white @ np.linalg.inv(fit.best.matrix)
    return np.asarray(sources / sources.std(0))
