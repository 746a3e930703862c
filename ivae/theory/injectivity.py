"""Evidence that a mixing f is injective, with a Jacobian of full rank: what Eq. (6) presumes.

For the mixings of this package it is a fact about their matrices. For a given function no finite
number of evaluations proves it, but some disprove it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from ivae.mixing import Mixing
from ivae.support.checks import Array, finite_array
from ivae.theory.findings import Finding

Function = Callable[[Array], Array]

N_NEIGHBOURS = 4
FOLD = 0.01  # Pairs whose images are this much nearer than the Jacobian allows hint at a fold.


class Injectivity(NamedTuple):
    """What a mixing looks like at a sample of latents.

    Attributes
    ----------
    singular_values, rank
        Of the Jacobian at each sample, (N, n), largest first; and the lowest rank found.
    turns_over
        Whether its determinant has both signs (n = d): then a continuously differentiable f on a
        connected domain is not injective, since an injective map keeps its orientation.
    nearest
        Least ratio, over pairs of samples whose images are neighbours, of |f(z) - f(z')| to the
        smallest singular value at z times |z - z'|. Around 1 for a map that is regular between
        them, near 0 where f brings distant points together.
    """

    singular_values: Array
    rank: int
    turns_over: bool
    nearest: float

    def finding(self) -> Finding:
        """Judge whether f is injective with a Jacobian of full rank, as far as samples tell."""
        n_samples, n = self.singular_values.shape
        least = self.singular_values[:, -1]
        numbers = (
            f"at {n_samples:,} samples the smallest singular value of the Jacobian is "
            f"{least.min():.2g} or more, median {np.median(least):.2g}"
        )
        if self.rank < n:
            reason = f"the Jacobian has rank {self.rank} of {n} at some of {n_samples:,} samples"
            return Finding("mixing f", False, reason)
        if self.turns_over:
            reason = f"{numbers}; its determinant changes sign, so f folds"
            return Finding("mixing f", False, reason)
        if self.nearest < FOLD:
            reason = f"{numbers}; but some samples that lie apart have almost the same image"
            return Finding("mixing f", None, reason)
        return Finding("mixing f", True, f"{numbers}; no fold seen", is_certain=False)


def finding_of_mixing(mixing: Mixing | Function, z: ArrayLike) -> Finding:
    """Judge a mixing at latents z (N, n).

    A :class:`ivae.mixing.Mixing` is injective when its matrices have full row rank; for n = d
    exactly then, for n < d it may be so without. Any other function is judged by
    :func:`injectivity`.
    """
    if not isinstance(mixing, Mixing):
        return injectivity(mixing, z).finding()
    least = np.linalg.svd(mixing.jacobian(_latents(z)), compute_uv=False)[:, -1]
    ranks = [int(np.linalg.matrix_rank(matrix)) for matrix in mixing.matrices]
    full = all(rank == len(matrix) for rank, matrix in zip(ranks, mixing.matrices, strict=True))
    if not full:
        shapes = ", ".join(f"{r} of {len(m)}" for r, m in zip(ranks, mixing.matrices, strict=True))
        holds = False if len(mixing.matrices[0]) == mixing.matrices[-1].shape[1] else None
        return Finding("mixing f", holds, f"its matrices have the row ranks {shapes}")
    return Finding(
        "mixing f",
        True,
        "every matrix has full row rank and every nonlinearity increases; smallest singular value "
        f"of the Jacobian at {len(least):,} samples {least.min():.2g} or more, median "
        f"{np.median(least):.2g}",
    )


def injectivity(mixing: Function, z: ArrayLike) -> Injectivity:
    """Look at a function f from (N, n) to (N, d), n <= d, at latents z (N, n).

    A ValueError names NaN in z or f(z), and images that are not (N, d) with d >= n.
    """
    latents = _latents(z)
    x = finite_array("f(z)", mixing(latents), (len(latents), "d"), np.float64)
    n, d = latents.shape[1], x.shape[1]
    if d < n:
        raise ValueError(f"f must map to at least n = {n} dimensions to be injective; got {d}.")
    jacobian = numerical_jacobian(mixing, latents)
    values = np.linalg.svd(jacobian, compute_uv=False)
    ranks = (values > 1e-7 * values.max()).sum(1)
    signs = np.sign(np.linalg.det(jacobian)) if n == d else np.ones(1)
    turns = bool((signs > 0).any() and (signs < 0).any())
    return Injectivity(values, int(ranks.min()), turns, _nearest(latents, x, values[:, -1]))


def numerical_jacobian(mixing: Mixing | Function, z: ArrayLike) -> Array:
    """Return the Jacobian at each row of z, (N, n, d), entry (i, j) df_j / dz_i.

    In closed form for a :class:`ivae.mixing.Mixing`, else by central differences.
    """
    latents = _latents(z)
    if isinstance(mixing, Mixing):
        return mixing.jacobian(latents)
    steps = 1e-5 * np.maximum(latents.std(0), 1e-3)
    rows = []
    for i, step in enumerate(steps):
        move = np.zeros(latents.shape[1])
        move[i] = step
        rows.append((mixing(latents + move) - mixing(latents - move)) / (2 * step))
    return np.stack(rows, 1)


def _nearest(z: Array, x: Array, smallest: Array) -> float:
    """Return the least ratio of a distance in x to what the Jacobian allows, over neighbours."""
    n_near = min(N_NEIGHBOURS, len(x) - 1)
    if not n_near:
        return np.inf
    distance, near = (np.asarray(found)[:, 1:] for found in cKDTree(x).query(x, n_near + 1))
    apart = np.linalg.norm(z[near] - z[:, None], axis=-1)
    allowed = smallest[:, None] * apart
    regular = allowed > 0
    return float((distance[regular] / allowed[regular]).min()) if regular.any() else np.inf


def _latents(z: ArrayLike) -> Array:
    return finite_array("latents", z, ("N", "n"), np.float64)
