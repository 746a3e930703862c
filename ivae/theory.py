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
class LReport:
    """What L says about condition (iii).

    Attributes
    ----------
    points
        Segments used, u^0 first.
    matrix
        L of Eq. (13), shape (n k, len(points) - 1): square when n k + 1 points are used.
    singular_values
        Of L, largest first.
    rank
        Number of singular values above rounding error.
    """

    points: NDArray[np.int64]
    matrix: Array
    singular_values: Array
    rank: int

    @property
    def holds(self) -> bool:
        """Whether L has full rank n k, so that condition (iii) is met."""
        return bool(self.rank == self.matrix.shape[0])

    @property
    def smallest_singular_value(self) -> float:
        """Margin of condition (iii): distance from L to the nearest matrix that violates it."""
        wanted = self.matrix.shape[0]
        return (
            float(self.singular_values[wanted - 1]) if len(self.singular_values) >= wanted else 0.0
        )

    @property
    def condition_number(self) -> float:
        """Largest over smallest singular value; infinite where L does not have full rank."""
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


def l_report(lam: ArrayLike, points: ArrayLike | None = None) -> LReport:
    """Form L of Eq. (13) at chosen points and report its rank and conditioning.

    Parameters
    ----------
    lam
        Natural parameters lambda, (M, n, k).
    points
        Segments to use, the first of them as u^0; all M where left out.

    Raises
    ------
    ValueError
        For NaN, a table that is not (M, n, k), fewer than two points, or points that are not
        distinct segments.
    """
    table = finite_array("lam", lam, ("M", "n", "k"))
    flat = table.reshape(len(table), -1)
    chosen = np.arange(len(table)) if points is None else np.asarray(points)
    if (
        chosen.ndim != 1
        or chosen.dtype.kind not in "iu"
        or len(chosen) < 2
        or len(np.unique(chosen)) != len(chosen)
        or chosen.min() < 0
        or chosen.max() >= len(table)
    ):
        raise ValueError(
            f"points must be at least 2 distinct segments from 0 to {len(table) - 1}; "
            f"got {chosen.tolist()}."
        )
    matrix = (flat[chosen[1:]] - flat[chosen[0]]).T
    singular_values = np.linalg.svd(matrix, compute_uv=False)
    # The rounding of the table itself bounds what can be told from zero.
    precision = np.finfo(flat.dtype).eps if flat.dtype.kind == "f" else np.finfo(float).eps
    tolerance = max(matrix.shape) * precision * np.abs(flat).max()
    rank = int((singular_values > tolerance).sum())
    return LReport(chosen.astype(np.int64), matrix, singular_values, rank)


def best_points(lam: ArrayLike) -> NDArray[np.int64]:
    """Return n k + 1 well-conditioned points for L, u^0 first.

    |det L| is the determinant of the columns (lambda(u), 1), so points with a large determinant
    are found by QR with column pivoting on those, each coordinate first brought to unit spread.

    Raises
    ------
    ValueError
        For NaN, a table that is not (M, n, k), or fewer than n k + 1 segments.
    """
    table = finite_array("lam", lam, ("M", "n", "k"), np.float64)
    flat = table.reshape(len(table), -1)
    needed = points_needed(*table.shape[1:])
    if len(table) < needed:
        raise ValueError(
            f"lam must have at least n k + 1 = {needed} segments to choose from; got {len(table)}."
        )
    spread = flat.std(0)
    lifted = np.column_stack(
        ((flat - flat.mean(0)) / np.where(spread > 0, spread, 1.0), np.ones(len(flat)))
    )
    _, _, order = qr(lifted.T, mode="economic", pivoting=True)
    return np.asarray(order[:needed], dtype=np.int64)
