"""Linear ICA on recovered statistics: Section 3.3's way to resolve the matrix A of Eq. (12).

Theorem 1 leaves T = A T' + c. The paper proposes that linear ICA then finds A, "since the
component-wise transformations of the latents are still independent, and typically non-Gaussian".
They are independent given u. FastICA sees them pooled over u, where they are independent only if
the natural parameters of different sources vary independently over u, which no condition of the
theorems says.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from ivae.support.checks import finite_array, positive_number, whole_number
from ivae.theory.equivalence import amari_distance

Array = NDArray[np.floating[Any]]

MOST_SIGNALS = 16  # The exact search for pairs visits 2 to this power sets.


@dataclass(frozen=True)
class Resolution:
    """What FastICA made of p statistics, from the start with the highest contrast.

    Attributes
    ----------
    unmixing, mean
        W, (p, p), and the statistics' mean (p,): signals are (s - mean) W'.
    contrasts
        Contrast of every start, (S,), see :func:`contrast`.
    converged
        Which starts converged, (S,).
    chosen
        The start that was kept: of those that converged the one with the highest contrast.
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

    @property
    def outcome(self) -> str:
        """``"converged"``, ``"some starts did not converge"`` or ``"no start converged"``."""
        if not self.converged.any():
            return "no start converged"
        return "converged" if self.converged.all() else "some starts did not converge"

    def apply(self, statistics: ArrayLike) -> Array:
        """Return the signals, (N, p), of statistics (N, p); unit variance where they were fitted.

        Raises
        ------
        ValueError
            For NaN, or another number of columns.
        """
        array = finite_array("statistics", statistics, ("N", len(self.mean)), np.float64)
        return np.asarray((array - self.mean) @ self.unmixing.T)


def resolve(
    statistics: ArrayLike,
    *,
    seed: int = 0,
    n_starts: int = 5,
    max_iterations: int = 500,
    tolerance: float = 1e-5,
) -> Resolution:
    """Run scikit-learn's FastICA on statistics, from several random starts.

    Statistics are whitened; symmetric FastICA with G = log cosh (Hyvärinen 1999) then turns them
    from a random rotation. The start whose signals have the highest contrast is kept: the truth has
    no part in the choice. A start that has not converged is kept only if none has.

    Parameters
    ----------
    statistics
        (N, p), p >= 2: one model's T(z) at N observations, see
        :func:`ivae.theory.equivalence.statistics_of`. Segments are pooled: labels are not used.
    seed, n_starts
        Of the random rotations, and their number S.
    max_iterations, tolerance
        A start has converged when an iteration turns no signal by more than an angle with cosine
        1 - tolerance.

    Raises
    ------
    ValueError
        For NaN, one column alone, no more rows than columns, or statistics that are linearly
        dependent.
    """
    array = finite_array("statistics", statistics, ("N", "p"), np.float64)
    n_rows, size = array.shape
    whole_number("n_starts", n_starts)
    whole_number("seed", seed, at_least=0)
    whole_number("max_iterations", max_iterations)
    positive_number("tolerance", tolerance)
    if size < 2:
        raise ValueError("statistics must have at least 2 columns; one signal has nothing to mix.")
    if n_rows <= size:
        raise ValueError(f"statistics must have more rows than columns; got {array.shape}.")
    mean, whitening = _whitening(array)
    white = (array - mean) @ whitening.T
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


def contrast(signals: ArrayLike) -> float:
    """Return how far signals are from Gaussian: the sum of (E G(y_i) - E G(nu))^2, G = log cosh.

    Up to a factor it is the approximation of the signals' negentropies that FastICA rests on
    (Hyvärinen 1999), nu being standard normal. Signals (N, p) are standardised first.

    Raises
    ------
    ValueError
        For NaN, or a signal that does not vary.
    """
    standard = _standardised(signals)
    return float(((_log_cosh(standard).mean(0) - _gaussian_log_cosh()) ** 2).sum())


def dependence(signals: ArrayLike) -> Array:
    """Return how strongly signals depend on each other in pairs, (p, p), 0 on the diagonal.

    Signals out of ICA are uncorrelated, so dependence shows in their sizes: the entry (i, j) is the
    sum of the squared correlations of y_i and \\|y_i\\| with y_j and \\|y_j\\|.

    Parameters
    ----------
    signals
        (N, p), with N >= 2. They are standardised first.

    Raises
    ------
    ValueError
        For NaN, or a signal that does not vary.
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


def pair_up(signals: ArrayLike) -> NDArray[np.int64]:
    """Group 2 n signals into n pairs so that :func:`dependence` within pairs sums highest.

    Where k = 2 statistics belong to each latent, linear ICA can at best separate the latents'
    planes (independent subspace analysis); which two signals share a plane is then still open.
    The search is exact, by dynamic programming over sets of signals.

    Parameters
    ----------
    signals
        (N, 2 n), at most 16 columns.

    Returns
    -------
    Columns in pairs, (n, 2), ordered by the first of each pair. ``signals[:, pairs.ravel()]`` has
    the statistics of a latent side by side.

    Raises
    ------
    ValueError
        For NaN, an odd number of columns or more than 16, or a signal that does not vary.
    """
    array = finite_array("signals", signals, ("N", "2n"), np.float64)
    size = array.shape[1]
    if size % 2 or size > MOST_SIGNALS:
        raise ValueError(
            f"signals must have an even number of columns, at most {MOST_SIGNALS}; got {size}."
        )
    weight = dependence(array)

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

    return np.array(best(frozenset(range(size)))[1], dtype=np.int64)


def _whitening(array: Array) -> tuple[Array, Array]:
    """Return the mean (p,) and a matrix (p, p) that whitens the statistics."""
    mean = array.mean(0)
    scale = array.std(0)
    if (scale == 0).any():
        raise ValueError(f"statistics must vary; column {scale.argmin()} is constant.")
    standard = (array - mean) / scale
    values, vectors = np.linalg.eigh(standard.T @ standard / len(array))
    if values[0] <= 1e-10 * values[-1]:
        raise ValueError(
            "statistics must be linearly independent; the eigenvalues of their correlations go "
            f"from {values[0]:.2g} to {values[-1]:.2g}. Drop columns that the others determine."
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
        # Told by the outcome instead: a warning would not say which start, and stop a test.
        warnings.simplefilter("ignore", ConvergenceWarning)
        ica.fit(white)
    return np.asarray(ica.components_), bool(ica.n_iter_ < max_iterations)


def _standardised(signals: ArrayLike) -> Array:
    array = finite_array("signals", signals, ("N", "p"), np.float64)
    deviation = array.std(0)
    if (deviation == 0).any():
        raise ValueError(f"signals must vary; column {deviation.argmin()} is constant.")
    return np.asarray((array - array.mean(0)) / deviation)


def _log_cosh(y: Array) -> Array:
    """Return log cosh y without overflow."""
    return np.asarray(np.logaddexp(y, -y) - np.log(2))


@cache
def _gaussian_log_cosh() -> float:
    """Return E log cosh of a standard normal variable, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    return float(weights @ _log_cosh(nodes) / weights.sum())
