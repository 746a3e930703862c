"""Condition (iii) of Theorem 1 for a concrete model: the matrix L of Eq. (13), and by what margin.

Natural parameters come as a table lambda (M, n, k): one row per segment, from a dataset's truth or
from a learned prior. L exists and is invertible for *some* choice of n k + 1 points exactly when
the table's differences span all n k directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr

from ivae.checks import finite_array

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class RankReport:
    """Rank and conditioning of a matrix whose full rank n k is condition (iii).

    Attributes
    ----------
    points
        Segments used; for L of Eq. (13) the first is u^0.
    matrix
        n k rows, one column for each difference.
    singular_values
        Largest first.
    rank
        Number of singular values above the rounding of the table.
    """

    points: NDArray[np.int64]
    matrix: Array
    singular_values: Array
    rank: int

    @property
    def holds(self) -> bool:
        """Whether the rank is n k, so that condition (iii) is met."""
        return bool(self.rank == self.matrix.shape[0])

    @property
    def smallest_singular_value(self) -> float:
        """Distance (spectral or Frobenius norm) to the nearest matrix of lower rank than n k.

        It has the units of lambda, and so depends on the scale of the latents.
        """
        wanted, found = self.matrix.shape[0], self.singular_values
        return float(found[wanted - 1]) if len(found) >= wanted else 0.0

    @property
    def condition_number(self) -> float:
        """Largest over smallest singular value; infinite where the rank is not full."""
        if not self.holds:
            return float("inf")
        return float(self.singular_values[0] / self.smallest_singular_value)

    def __str__(self) -> str:
        nk, n_points = self.matrix.shape[0], len(self.points)
        verdict = "holds" if self.holds else "fails"
        return (
            f"(iii) {verdict}: rank {self.rank} of {nk} from {n_points} points; "
            f"smallest singular value {self.smallest_singular_value:.3g}, "
            f"condition {self.condition_number:.3g}"
        )


def points_needed(n_latents: int, n_components: int) -> int:
    """Return n k + 1, the number of points that condition (iii) asks for."""
    return n_latents * n_components + 1


def l_report(lam: ArrayLike, points: ArrayLike) -> RankReport:
    """Form L of Eq. (13) at chosen points and report its rank and conditioning.

    The rank does not depend on which of the points is u^0; the conditioning does.

    Parameters
    ----------
    lam
        Natural parameters lambda, (M, n, k).
    points
        Segments to use, u^0 first; n k + 1 of them make L square.

    Raises
    ------
    ValueError
        For NaN, a table that is not (M, n, k), fewer than two points, or points that are not
        distinct segments.
    """
    flat = _flat(lam)
    chosen = np.asarray(points)
    if (
        chosen.ndim != 1
        or chosen.dtype.kind not in "iu"
        or len(chosen) < 2
        or len(np.unique(chosen)) != len(chosen)
        or chosen.min() < 0
        or chosen.max() >= len(flat)
    ):
        raise ValueError(
            f"points must be at least 2 distinct segments from 0 to {len(flat) - 1}; "
            f"got {chosen.tolist()}."
        )
    return _report(chosen.astype(np.int64), (flat[chosen[1:]] - flat[chosen[0]]).T, flat)


def spread_report(lam: ArrayLike) -> RankReport:
    """Report rank and conditioning of lambda(u) minus its mean over u, divided by sqrt(M).

    It has the rank of the differences of Eq. (13) over all segments, singles out no u^0, and its
    size does not grow with the number of segments, so tables of different M can be compared.

    Parameters
    ----------
    lam
        Natural parameters lambda, (M, n, k).

    Raises
    ------
    ValueError
        For NaN, or a table that is not (M, n, k).
    """
    flat = _flat(lam)
    centred = (flat - flat.mean(0)) / np.sqrt(len(flat))
    return _report(np.arange(len(flat)), centred.T, flat)


def best_points(lam: ArrayLike) -> NDArray[np.int64]:
    """Return n k + 1 points for a well-conditioned L, u^0 first.

    |det L| is that of the square matrix with the columns (lambda(u), 1), whatever u^0. Points with
    a large determinant are found by QR with column pivoting, a greedy choice, each coordinate first
    brought to unit spread; u^0 is the one of them that conditions L best.

    Raises
    ------
    ValueError
        For NaN, a table that is not (M, n, k), or fewer than n k + 1 segments.
    """
    flat = _flat(lam).astype(np.float64)
    needed = flat.shape[1] + 1
    if len(flat) < needed:
        raise ValueError(
            f"lam must have at least n k + 1 = {needed} segments to choose from; got {len(flat)}."
        )
    spread = flat.std(0)
    standard = (flat - flat.mean(0)) / np.where(spread > 0, spread, 1.0)
    _, _, order = qr(np.column_stack((standard, np.ones(len(flat)))).T, pivoting=True)
    chosen = np.asarray(order[:needed], dtype=np.int64)
    turns = [np.roll(chosen, -first) for first in range(needed)]
    return min(turns, key=lambda turn: l_report(lam, turn).condition_number)


def _flat(lam: ArrayLike) -> Array:
    table = finite_array("lam", lam, ("M", "n", "k"))
    return table.reshape(len(table), -1)


def _report(points: NDArray[np.int64], matrix: Array, table: Array) -> RankReport:
    singular_values = np.linalg.svd(matrix, compute_uv=False)
    # The rounding of the table itself bounds what can be told from zero.
    precision = np.finfo(table.dtype).eps if table.dtype.kind == "f" else np.finfo(float).eps
    tolerance = max(matrix.shape) * precision * np.abs(table).max()
    return RankReport(points, matrix, singular_values, int((singular_values > tolerance).sum()))
