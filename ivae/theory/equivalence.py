"""The equivalence of Eq. (12), fitted: how two models' sufficient statistics hang together.

Theorem 1 promises T(f^-1(x)) = A T'(f'^-1(x)) + c. Here A and c are estimated from samples, and two
questions get numbers: *is* the relation affine (R^2 on samples that were not fitted), and is A a
permutation with scales (the Amari distance), as Theorem 2 promises besides?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from ivae.families import ExponentialFamily
from ivae.support.checks import Array, finite_array, whole_number


@dataclass(frozen=True)
class Equivalence:
    """An affine map from one model's statistics to another's.

    Attributes
    ----------
    matrix, standard
        A, (n k, n k): rows are the first model's statistics (i, j), columns the second's; and the
        same in units of standard deviations, which takes scales out.
    r2
        R^2 of each of the first model's statistics on samples that A and c were not fitted to.
    n_components
        k.
    """

    matrix: Array
    standard: Array
    r2: Array
    n_components: int

    @property
    def amari(self) -> float:
        """Distance of A from a permutation of latents, 0 to 1, see :func:`amari_distance`.

        For k > 1 blocks of k statistics count by their Frobenius norms, so that what happens within
        a latent is free.
        """
        k = self.n_components
        blocks = self.standard.reshape(len(self.standard) // k, k, -1, k)
        return amari_distance(np.sqrt((blocks**2).sum((1, 3))))

    def __str__(self) -> str:
        return (
            f"R^2 on held-out samples {self.r2.min():.3f} to {self.r2.max():.3f}; "
            f"Amari distance of A from a scaled permutation {self.amari:.3f}"
        )


def statistics_of(family: ExponentialFamily, z: ArrayLike) -> Array:
    """Return T(z), (N, n k), of latents z (N, n): T_11, ..., T_1k, T_21, ..."""
    latents = finite_array("z", z, ("N", "n"), np.float64)
    return family.statistics(torch.as_tensor(latents)).flatten(1).numpy()


def fit_equivalence(first: ArrayLike, second: ArrayLike, *, n_components: int = 1) -> Equivalence:
    """Fit A and c of Eq. (12) by least squares on a random half, and judge them on the other half.

    ``first`` and ``second`` are the two models' statistics at the same observations, (N, n k) each
    for ``n_components`` k, see :func:`statistics_of`; for a trained model those of posterior means.
    A ValueError names NaN, other shapes, too few samples, and a statistic that does not vary.
    """
    one = finite_array("first", first, ("N", "nk"), np.float64)
    two = finite_array("second", second, one.shape, np.float64)
    k = whole_number("n_components", n_components)
    n_rows, size = one.shape
    if size % k:
        raise ValueError(f"first must have a multiple of k = {k} columns; got {size}.")
    if n_rows < 4 * (size + 1):
        raise ValueError(
            f"first must have at least {4 * (size + 1)} rows to fit A and c on half of them; "
            f"got {n_rows}."
        )
    deviations = one.std(0), two.std(0)
    for name, deviation in zip(("first", "second"), deviations, strict=True):
        if (deviation == 0).any():
            raise ValueError(
                f"{name} must vary in every column; column {deviation.argmin()} is constant."
            )
    order = np.random.default_rng(0).permutation(n_rows)  # The same halves for the same data.
    fitted, held_out = order[: n_rows // 2], order[n_rows // 2 :]
    design = np.column_stack((two, np.ones(n_rows)))
    solution, *_ = np.linalg.lstsq(design[fitted], one[fitted], rcond=None)
    residual = (one - design @ solution)[held_out]
    matrix = solution[:-1].T
    standard = matrix * deviations[1] / deviations[0][:, None]
    return Equivalence(matrix, standard, 1 - residual.var(0) / one[held_out].var(0), k)


def amari_distance(matrix: ArrayLike) -> float:
    """Return how far a square matrix is from a permutation with scales: 0 if it is one, at most 1.

    The mean, over rows and columns, of the summed absolute entries besides the largest, in units of
    the largest, divided by n - 1 (Amari, Cichocki and Yang 1996). It depends on the scales of rows
    and columns: bring them to common units first. A ValueError names NaN, a matrix that is not
    square, and a row or column of zeros.
    """
    square = np.abs(finite_array("matrix", matrix, ("n", "n"), np.float64))
    n = len(square)
    if square.shape[1] != n:
        raise ValueError(f"matrix must be square; got {square.shape}.")
    if n == 1:
        return 0.0
    peaks = square.max(0), square.max(1)
    if min(peaks[0].min(), peaks[1].min()) == 0:
        raise ValueError("matrix must have a non-zero entry in every row and column.")
    excess = [(square.sum(axis) / peak - 1).mean() / (n - 1) for axis, peak in enumerate(peaks)]
    return float(np.mean(excess))
