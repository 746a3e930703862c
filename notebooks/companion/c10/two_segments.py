"""Linear mixings undone from two segments, fewer than Theorem 1 asks for."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from ivae.data import NonstationaryData
from ivae.support.checks import Array


def separate_linear(dataset: NonstationaryData, x: Array | None = None) -> Array:
    """Return the sources of a linear mixing with n = d, (N, n), from two segments' covariances.

    They are those behind the observations ``x``, (N, d), by default the dataset's own.

    For f(z) = z F the first two segments have the covariances S_u = F' diag(v_u) F + sigma^2 I.
    Without the noise the generalised eigenvectors of the pair are the rows that undo F, one for
    each ratio v_1i / v_0i of variances: they are unique up to order and scale where no two ratios
    are equal. Two segments are enough, whatever n. The noise is subtracted as far as it is known
    (sigma^2); each estimate keeps its share of it.
    """
    seen = dataset.x.astype(np.float64)
    noise = dataset.noise_variance * np.eye(dataset.n_observed)
    first, second = (np.cov(seen[dataset.u == u].T) - noise for u in (0, 1))
    _, rows = eigh(second, first)
    return np.asarray((seen if x is None else x) @ rows)
