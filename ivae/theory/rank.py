"""Condition (iii) of Theorem 1 for a concrete model: the matrix L of Eq. (13), and by what margin.

Natural parameters come as a table lambda (M, n, k): one row per segment, from a dataset's truth or
from a learned prior; NaN and other shapes are refused. L exists and is invertible for *some* choice
of n k + 1 points exactly when the table's differences span all n k directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr

from ivae.families import ExponentialFamily
from ivae.support.checks import Array, finite_array, whole_number
from ivae.theory.findings import Finding


@dataclass(frozen=True)
class RankReport:
    """Rank and conditioning of a matrix whose full rank n k is condition (iii).

    It has n k rows and a column for each difference of segments ``points``; for L of Eq. (13) the
    first of them is u^0. The rank counts singular values, which come largest first, above the
    rounding of the table.
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

    ``points`` are segments, u^0 first, at least two and distinct; n k + 1 of them make L square.
    The rank does not depend on which of them is u^0; the conditioning does.
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
    """
    flat = _flat(lam)
    centred = (flat - flat.mean(0)) / np.sqrt(len(flat))
    return _report(np.arange(len(flat)), centred.T, flat)


def best_points(lam: ArrayLike) -> NDArray[np.int64]:
    """Return n k + 1 points for a well-conditioned L, u^0 first, of at least as many segments.

    |det L| is that of the square matrix with the columns (lambda(u), 1), whatever u^0. Points with
    a large determinant are found by QR with column pivoting, a greedy choice, each coordinate first
    brought to unit spread; u^0 is the one of them that conditions L best.
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


def estimation_error(family: ExponentialFamily, lam: ArrayLike, samples_per_segment: int) -> float:
    """Return how large a singular value of :func:`spread_report` estimation alone would make.

    Even someone who sees the latents knows lambda(u), ``lam`` (M, n, k), only up to the error of a
    maximum likelihood estimate from L samples in each segment, whose covariance tends to the
    inverse of L Cov[T | u] (Fisher information). Of a matrix of independent errors with these
    variances the spectral norm is about the largest root of a row's summed variances plus that of a
    column's (Bandeira and van Handel 2016). By Weyl's inequality no singular value moves by more
    than the norm of the error. So one below it may be made by estimation; one above it is more than
    such errors typically make, but a trained table, whose latents are themselves estimated, can be
    off by more.
    """
    whole_number("samples_per_segment", samples_per_segment)
    table = finite_array("lam", lam, ("M", "n", family.k), np.float64)
    natural = torch.as_tensor(table).requires_grad_()
    # Cov[T | u] is the Hessian of log Z, which has one block for each u and i.
    (mean,) = torch.autograd.grad(family.log_normalizer(natural).sum(), natural, create_graph=True)
    rows = [torch.autograd.grad(m.sum(), natural, retain_graph=True)[0] for m in mean.unbind(-1)]
    covariance = torch.linalg.inv(torch.stack(rows, -1)).flatten(0, 1)
    variance = covariance.diagonal(dim1=1, dim2=2).reshape(len(table), -1).numpy()
    variance = variance / (samples_per_segment * len(table))  # A spread is divided by sqrt(M).
    return float(np.sqrt(variance.sum(0).max()) + np.sqrt(variance.sum(1).max()))


def finding_of_segments(
    lam: ArrayLike,
    family: ExponentialFamily | None = None,
    samples_per_segment: int | None = None,
) -> Finding:
    """Judge condition (iii) for natural parameters (M, n, k).

    A learned table always has full rank. Given the family and the samples per segment that it was
    learned from, the smallest singular value is held against :func:`estimation_error`.
    """
    report = spread_report(lam)
    n_segments = len(report.points)
    needed, rank = report.matrix.shape[0] + 1, report.rank
    name = "(iii) segments"
    if not report.holds:
        few = f", {needed} are needed" if n_segments < needed else ""
        reason = f"lambda has rank {rank} of {needed - 1} over {n_segments} segments{few}"
        return Finding(name, False, reason)
    best = l_report(lam, best_points(lam))
    numbers = (
        f"lambda has rank {rank} of {needed - 1} over {n_segments} segments; smallest singular "
        f"value {report.smallest_singular_value:.3g}, condition {report.condition_number:.3g}; "
        f"the best L has condition {best.condition_number:.3g}"
    )
    if family is None or samples_per_segment is None:
        return Finding(name, True, numbers)
    error = estimation_error(family, lam, samples_per_segment)
    margin = report.smallest_singular_value / error
    told = f"{numbers}; {margin:.2g} times what sampling alone typically makes"
    return Finding(name, True if margin > 1 else None, told, is_certain=False)


def _flat(lam: ArrayLike) -> Array:
    table = finite_array("lam", lam, ("M", "n", "k"))
    return table.reshape(len(table), -1)


def _report(points: NDArray[np.int64], matrix: Array, table: Array) -> RankReport:
    singular_values = np.linalg.svd(matrix, compute_uv=False)
    # The rounding of the table itself bounds what can be told from zero.
    precision = np.finfo(table.dtype).eps if table.dtype.kind == "f" else np.finfo(float).eps
    tolerance = max(matrix.shape) * precision * np.abs(table).max()
    return RankReport(points, matrix, singular_values, int((singular_values > tolerance).sum()))
