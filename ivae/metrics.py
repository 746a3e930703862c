"""How well sources were recovered: correlations, matching, MCC, and what an MCC is worth.

Sources z are (N, n), estimates (N, n'). All functions take anything numpy can read.

>>> z = np.random.default_rng(0).standard_normal((1000, 2))
>>> round(mcc(z, -3 * z[:, ::-1]), 6)  # Order, sign and scale do not count.
1.0
>>> bool(rotation_floor(z).mean() > 0.8)  # Who knows all but the axes scores this.
True
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import ortho_group, rankdata

from ivae.support.checks import Array, finite_array, one_of, whole_number

Correlation = Literal["pearson", "spearman"]


def correlation_matrix(z: ArrayLike, estimate: ArrayLike, kind: Correlation = "pearson") -> Array:
    """Return the correlation of every source with every estimate, shape (n, n').

    Parameters
    ----------
    z, estimate
        (N, n) and (N, n') with N >= 2.
    kind
        ``"pearson"``, the paper's, or ``"spearman"``, which ignores monotone warps.

    A column that does not vary has no correlation with anything; it is given 0.

    Raises
    ------
    ValueError
        For NaN, unequal numbers of rows, fewer than two rows, or an unknown kind.
    """
    one_of("kind", kind, ("pearson", "spearman"))
    true = finite_array("z", z, ("N", "n"), np.float64)
    guess = finite_array("estimate", estimate, ("N", "n'"), np.float64)
    if true.shape[0] != guess.shape[0] or true.shape[0] < 2:
        raise ValueError(
            "z and estimate must have the same number of rows, at least 2; "
            f"got {true.shape[0]} and {guess.shape[0]}."
        )
    if kind == "spearman":
        true, guess = rankdata(true, axis=0), rankdata(guess, axis=0)
    return np.asarray(_standardise(true).T @ _standardise(guess) / true.shape[0])


@dataclass(frozen=True)
class Matching:
    """The best one-to-one assignment of estimates to sources.

    Attributes
    ----------
    columns
        Estimate assigned to each source, (n,).
    correlations
        Signed correlation of each source with its estimate, (n,).
    """

    columns: NDArray[np.int64]
    correlations: Array

    @property
    def mcc(self) -> float:
        """Mean of the absolute matched correlations, the paper's MCC."""
        return float(np.abs(self.correlations).mean())


def match(z: ArrayLike, estimate: ArrayLike, kind: Correlation = "pearson") -> Matching:
    """Assign one estimate to each source so that the absolute correlations sum highest.

    Arguments and errors are those of :func:`correlation_matrix`; there must be at least as many
    estimates as sources.
    """
    correlations = correlation_matrix(z, estimate, kind)
    n, n_estimates = correlations.shape
    if n_estimates < n:
        raise ValueError(
            f"estimate must have at least as many columns as z has ({n}); got {n_estimates}."
        )
    rows, columns = linear_sum_assignment(-np.abs(correlations))
    return Matching(columns.astype(np.int64), correlations[rows, columns])


def mcc(z: ArrayLike, estimate: ArrayLike, kind: Correlation = "pearson") -> float:
    """Return the mean correlation coefficient of Section 5 ("Performance metric").

    It ignores permutation, sign and scale of the estimates, and counts anything else, rotations
    included. Arguments and errors are those of :func:`match`.
    """
    return match(z, estimate, kind).mcc


def minibatch_mcc(z: ArrayLike, estimate: ArrayLike, size: int = 64, seed: int = 0) -> float:
    """Return the mean of the MCCs of random minibatches, as a training loop reports it.

    It is biased upwards: in few samples each minibatch finds a matching that suits its chance
    correlations. Rows that do not fill a minibatch are left out.

    Parameters
    ----------
    z, estimate
        As for :func:`mcc`.
    size
        Samples in a minibatch, from 2 to N.
    seed
        Of the shuffling.
    """
    true, guess = np.asarray(z), np.asarray(estimate)
    whole_number("size", size, at_least=2)
    if len(true) != len(guess):
        raise ValueError(
            f"z and estimate must have the same number of rows; got {len(true)} and {len(guess)}."
        )
    if size > len(true):
        raise ValueError(f"size must be at most the number of rows, {len(true)}; got {size}.")
    order = np.random.default_rng(seed).permutation(len(true))
    batches = order[: len(true) // size * size].reshape(-1, size)
    return float(np.mean([mcc(true[rows], guess[rows]) for rows in batches]))


@dataclass(frozen=True)
class Alignment:
    """The map from estimates to sources that undoes permutation, sign, scale and offset.

    Attributes
    ----------
    columns
        Estimate matched to each source, (n,).
    slope, offset
        The line that gives each matched estimate its source's sign, mean and deviation, (n,) each.
    """

    columns: NDArray[np.int64]
    slope: Array
    offset: Array

    def apply(self, estimate: ArrayLike) -> Array:
        """Map estimates or locations (..., n') to the sources' coordinates, (..., n)."""
        return np.asarray(self.offset + self.slope * np.asarray(estimate)[..., self.columns])

    def scale(self, deviation: ArrayLike) -> Array:
        """Map standard deviations (..., n') to the sources' scale, (..., n)."""
        return np.asarray(np.abs(self.slope) * np.asarray(deviation)[..., self.columns])


def alignment(z: ArrayLike, estimate: ArrayLike) -> Alignment:
    """Fit the alignment of estimates (N, n') with sources (N, n): a line for each matched pair.

    This undoes permutation, sign and scale, which the paper names under Figure 1, and the mean (the
    constant c of Eq. 12), and nothing else. Deviations are matched, not regressed: a least-squares
    slope would shrink an estimate by its correlation.
    Arguments and errors are those of :func:`match`.
    """
    matching = match(z, estimate)
    true = np.asarray(z, dtype=np.float64)
    guess = np.asarray(estimate, dtype=np.float64)[:, matching.columns]
    slope = np.sign(matching.correlations) * _ratio(true.std(0), guess.std(0))
    return Alignment(matching.columns, slope, true.mean(0) - slope * guess.mean(0))


def pairwise_mcc(estimates: ArrayLike, z: ArrayLike) -> Array:
    """Return the MCC between every two members' estimates, and with the truth as the last one.

    Parameters
    ----------
    estimates
        (E, N, n), one estimate for each member.
    z
        True sources (N, n).

    Returns
    -------
    Symmetric matrix (E + 1, E + 1) with ones on its diagonal.
    """
    stack = finite_array("estimates", estimates, ("E", "N", "n"), np.float64)
    everyone = [*stack, finite_array("z", z, stack.shape[1:], np.float64)]
    matrix = np.eye(len(everyone))
    for i, j in combinations(range(len(everyone)), 2):
        matrix[i, j] = matrix[j, i] = mcc(everyone[i], everyone[j])
    return matrix


def between_runs(matrix: ArrayLike) -> Array:
    """Return the entries of :func:`pairwise_mcc` that compare two runs, each pair once."""
    square = finite_array("matrix", matrix, ("E+1", "E+1"))
    runs = square[:-1, :-1]
    return np.asarray(runs[np.tril_indices(len(runs), -1)])


def random_rotations(n: int, size: int, seed: int = 0) -> Array:
    """Return orthogonal matrices drawn uniformly (Haar measure), (size, n, n), for n >= 2."""
    whole_number("n", n, at_least=2)
    whole_number("size", size)
    return np.asarray(ortho_group.rvs(n, size=size, random_state=seed).reshape(size, n, n))


def rotation_floor(z: ArrayLike, n_rotations: int = 100, seed: int = 0) -> Array:
    """Return the MCC of the sources with random rotations of themselves, (n_rotations,).

    Someone who knows the sources but not their axes scores this: the typical score to draw under an
    MCC. It is no lower bound; a nonlinear mixture can score less. Sources are scaled to unit
    variance first.

    Raises
    ------
    ValueError
        For NaN, or fewer than two sources (a single one cannot be rotated).
    """
    true = finite_array("z", z, ("N", "n"), np.float64)
    whole_number("n_rotations", n_rotations)
    if true.shape[1] < 2:
        raise ValueError(f"z must have at least 2 columns to rotate; got {true.shape[1]}.")
    # corr(z, z R) needs the covariance of z alone, not its rows.
    covariance = correlation_matrix(true, true)
    rotations = random_rotations(true.shape[1], n_rotations, seed)
    cross = covariance @ rotations
    deviations = np.sqrt(np.einsum("rij,ik,rkj->rj", rotations, covariance, rotations))
    absolute = np.abs(cross / deviations[:, None, :])
    return np.array([a[linear_sum_assignment(-a)].mean() for a in absolute])


def gaussian_overlap(
    mean: ArrayLike, deviation: ArrayLike, other_mean: ArrayLike, other_deviation: ArrayLike
) -> Array:
    """Return the Bhattacharyya coefficient of Gaussians with diagonal covariances, (M,).

    It is the integral of sqrt(p q): 1 for equal densities, 0 for densities that do not overlap.

    Parameters
    ----------
    mean, deviation, other_mean, other_deviation
        Means and standard deviations of M pairs of Gaussians, (M, n) each.

    Raises
    ------
    ValueError
        For NaN, unequal shapes, or a deviation that is not positive.
    """
    first = finite_array("mean", mean, ("M", "n"), np.float64)
    others = (("other_mean", other_mean), ("deviation", deviation))
    second, s = (finite_array(name, v, first.shape, np.float64) for name, v in others)
    t = finite_array("other_deviation", other_deviation, first.shape, np.float64)
    if (s <= 0).any() or (t <= 0).any():
        raise ValueError("deviation and other_deviation must be positive everywhere.")
    both = s**2 + t**2
    terms = 0.5 * np.log(2 * s * t / both) - (first - second) ** 2 / (4 * both)
    return np.asarray(np.exp(terms.sum(1)))


def _standardise(columns: Array) -> Array:
    centred = columns - columns.mean(0)
    return _ratio(centred, centred.std(0), 1e-12 * np.abs(columns).max(0))


def _ratio(value: Array, scale: Array, floor: Array | float = 0.0) -> Array:
    """Divide, giving 0 where the scale is no more than rounding."""
    moves = scale > floor
    return np.asarray(np.where(moves, value / np.where(moves, scale, 1.0), 0.0))
