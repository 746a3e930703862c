"""Linear ICA on recovered statistics: Section 3.3's way to resolve the matrix A of Eq. (12).

Theorem 1 leaves T = A T' + c. The paper proposes that linear ICA then finds A, "since the
component-wise transformations of the latents are still independent, and typically non-Gaussian".
They are independent given u. FastICA sees them pooled over u, where they are independent only if
the natural parameters of different sources vary independently over u, which no condition of the
theorems says.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from ivae.support.checks import Array
from ivae.theory.equivalence import amari_distance


class Resolution(NamedTuple):
    """What FastICA made of p statistics, from the start with the highest contrast.

    Attributes
    ----------
    unmixing, mean
        W, (p, p), and the statistics' mean (p,): signals are (s - mean) W'.
    contrasts, converged, chosen
        :func:`contrast` of every start, (S,), which of them converged, and which one was kept.
    distances
        Amari distance between where each start and the chosen one ended, (S,). Large ones say that
        the signals do not determine their axes.
    """

    unmixing: Array
    mean: Array
    contrasts: Array
    converged: NDArray[np.bool_]
    chosen: int
    distances: Array

    def apply(self, statistics: Array) -> Array:
        """Return the signals, (N, p), of statistics (N, p); of unit variance where fitted."""
        return np.asarray((statistics - self.mean) @ self.unmixing.T)


def resolve(
    statistics: Array,
    *,
    seed: int = 0,
    n_starts: int = 5,
    max_iterations: int = 500,
    tolerance: float = 1e-5,
) -> Resolution:
    """Run scikit-learn's FastICA on statistics (N, p), p >= 2, from several random starts.

    They are one model's T(z) at N observations, see
    :func:`ivae.theory.equivalence.statistics_of`. Segments are pooled: labels are not used.
    Statistics are whitened, and refused where they are linearly dependent; symmetric FastICA with
    G = log cosh (Hyvärinen 1999) then turns them from a random rotation. A start has converged when
    an iteration turns no signal by more than an angle with cosine 1 - tolerance. The start whose
    signals have the highest contrast is kept: the truth has no part in the choice. A start that has
    not converged is kept only if none has.
    """
    mean, whitening = _whitening(statistics)
    white = (statistics - mean) @ whitening.T
    rng = np.random.default_rng(seed)
    turns, converged, contrasts = [], [], []
    for _ in range(n_starts):
        turn, is_done = _fastica(white, rng, max_iterations, tolerance)
        turns.append(turn)
        converged.append(is_done)
        contrasts.append(contrast(white @ turn.T))
    done, score = np.array(converged), np.array(contrasts)
    best = int(np.where(done | ~done.any(), score, -np.inf).argmax())
    distances = np.array([amari_distance(turn @ turns[best].T) for turn in turns])
    return Resolution(turns[best] @ whitening, mean, score, done, best, distances)


def contrast(signals: Array) -> float:
    """Return how far signals are from Gaussian: the sum of (E G(y_i) - E G(nu))^2, G = log cosh.

    Up to a factor it is the approximation of the signals' negentropies that FastICA rests on
    (Hyvärinen 1999), nu being standard normal. Signals (N, p) are standardised first.
    """
    standard = _standardised(signals)
    return float(((_log_cosh(standard).mean(0) - _gaussian_log_cosh()) ** 2).sum())


def dependence(signals: Array) -> Array:
    """Return how strongly signals (N, p) depend on each other in pairs, (p, p), 0 on the diagonal.

    Signals out of ICA are uncorrelated, so dependence shows in their sizes: the entry (i, j) is the
    sum of the squared correlations of y_i and \\|y_i\\| with y_j and \\|y_j\\|.
    """
    standard = _standardised(signals)
    features = np.stack((standard, np.abs(standard)), 1)
    features = features - features.mean(0)
    # A signal of two values has a size that does not vary, and so tells nothing.
    spread = features.std(0)
    features = features / np.where(spread > 1e-12, spread, np.inf)
    across = np.einsum("nfi,ngj->fgij", features, features) / len(standard)
    found = np.asarray((across**2).sum((0, 1)))
    np.fill_diagonal(found, 0.0)
    return found


def pair_up(signals: Array) -> NDArray[np.int64]:
    """Group 2 n signals (N, 2 n) into n pairs so that :func:`dependence` within pairs sums highest.

    Where k = 2 statistics belong to each latent, linear ICA can at best separate the latents'
    planes (independent subspace analysis); which two signals share a plane is then still open.
    The search is exact, by dynamic programming over the 2^2n sets of signals.

    Returns columns in pairs, (n, 2), ordered by the first of each pair;
    ``signals[:, pairs.ravel()]`` has the statistics of a latent side by side.
    """
    weight = dependence(signals)

    @cache
    def best(left: frozenset[int]) -> tuple[float, tuple[tuple[int, int], ...]]:
        if not left:
            return 0.0, ()
        first = min(left)
        choices = []
        for other in left - {first}:
            rest, pairs = best(left - {first, other})
            choices.append((rest + float(weight[first, other]), ((first, other), *pairs)))
        return max(choices)

    return np.array(best(frozenset(range(signals.shape[1])))[1], dtype=np.int64)


def _whitening(array: Array) -> tuple[Array, Array]:
    """Return the mean (p,) and a matrix (p, p) that whitens the statistics."""
    mean = array.mean(0)
    scale = array.std(0)
    standard = (array - mean) / np.where(scale > 0, scale, 1.0)  # A constant one is dependent.
    values, vectors = np.linalg.eigh(standard.T @ standard / len(array))
    if values[0] <= 1e-10 * values[-1]:
        raise ValueError(
            "statistics must vary and be linearly independent; the eigenvalues of their "
            f"correlations go from {values[0]:.2g} to {values[-1]:.2g}."
        )
    return mean, (vectors / np.sqrt(values)).T / scale


def _fastica(
    white: Array, rng: np.random.Generator, max_iterations: int, tolerance: float
) -> tuple[Array, bool]:
    """Return the rotation that FastICA reaches from a random start, and whether it converged."""
    size = white.shape[1]
    ica = FastICA(
        whiten=False,
        fun="logcosh",
        max_iter=max_iterations,
        tol=tolerance,
        w_init=rng.standard_normal((size, size)),
    )
    with warnings.catch_warnings():
        # Told by `converged` instead: a warning would not say which start, and stop a test.
        warnings.simplefilter("ignore", ConvergenceWarning)
        ica.fit(white)
    return np.asarray(ica.components_), bool(ica.n_iter_ < max_iterations)


def _standardised(signals: Array) -> Array:
    return np.asarray((signals - signals.mean(0)) / signals.std(0))


def _log_cosh(y: Array) -> Array:
    """Return log cosh y without overflow."""
    return np.asarray(np.logaddexp(y, -y) - np.log(2))


@cache
def _gaussian_log_cosh() -> float:
    """Return E log cosh of a standard normal variable, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    return float(weights @ _log_cosh(nodes) / weights.sum())
