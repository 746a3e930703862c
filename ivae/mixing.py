"""The mixing f of Section 5, a small network, and how its matrices are chosen.

>>> f = Mixing((np.eye(2), 2 * np.eye(2)))
>>> f(np.array([[0.0, 1.0]])).round(2)
array([[0.  , 1.72]])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.stats import ortho_group
from torch import Tensor
from torch.nn.functional import leaky_relu

from ivae.support.activations import Activation, xtanh
from ivae.support.checks import Array, finite_array, one_of

N_TRIAL_MATRICES = 10_000  # `released`: matrices drawn to find the 25th percentile below.
CONDITION_PERCENTILE = 25  # `released`: a mixing matrix must be conditioned at least this well.
LEAK = 0.2  # Slope of the leaky ReLU below 0: ours. The released code's generator has .1 for it.


class Nonlinearity(NamedTuple):
    """A function of one variable and its derivative, for arrays, and the function for tensors."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    in_torch: Callable[[Tensor], Tensor]


NONLINEARITIES = {
    "xtanh": Nonlinearity(xtanh, lambda a: 1.1 - np.tanh(a) ** 2, xtanh),
    "leaky-relu": Nonlinearity(
        lambda a: np.maximum(a, LEAK * a),
        lambda a: np.where(a > 0, 1, LEAK).astype(a.dtype),
        lambda a: leaky_relu(a, LEAK),
    ),
}
"""What can stand between the layers of a :class:`Mixing`, by name."""


@dataclass(frozen=True)
class Mixing:
    """A network f without biases, s between its layers: x = s(s(z W1) W2) W3.

    Every s strictly increases and maps the line onto itself, so f is injective whenever the
    matrices have full row rank. A single matrix makes f linear.

    Attributes
    ----------
    matrices
        W1 (n, d), then (d, d) each; they act on rows.
    activation
        s: ``"xtanh"``, tanh(a) + a / 10, is smooth; ``"leaky-relu"``, max(a, a / 5), makes f linear
        by pieces. It has no Jacobian where an s is at its kink, a set of measure 0; there
        :meth:`jacobian` has the slope below the kink, 1/5.

    Raises
    ------
    ValueError
        For an unknown activation.
    """

    matrices: tuple[Array, ...]
    activation: str = "xtanh"

    def __post_init__(self) -> None:
        one_of("activation of the mixing", self.activation, NONLINEARITIES)

    def __call__(self, z: Array) -> Array:
        """Return f(z), shape (N, d), of latents (N, n)."""
        first, *rest = self.matrices
        s = NONLINEARITIES[self.activation]
        a = finite_array("z", z, ("N", first.shape[0])) @ first
        for matrix in rest:
            a = s.value(a) @ matrix
        return np.asarray(a)

    def jacobian(self, z: Array) -> Array:
        """Return the Jacobian at each row of z, (N, n, d): entry (i, j) is df_j / dz_i."""
        first, *rest = self.matrices
        s = NONLINEARITIES[self.activation]
        a = finite_array("z", z, ("N", first.shape[0])) @ first
        slopes = np.broadcast_to(first, (len(a), *first.shape))
        for matrix in rest:
            slopes = (slopes * s.slope(a)[:, None, :]) @ matrix
            a = s.value(a) @ matrix
        return np.asarray(slopes)

    def absorb(self, rotation: ArrayLike) -> Mixing:
        """Return f' with f'(R z) = f(z): the rotation R is undone in the first layer.

        Section 2.2 of the paper. ``rotation`` is R, orthogonal, (n, n).
        """
        n = self.matrices[0].shape[0]
        matrix = finite_array("rotation", rotation, (n, n), np.float64)
        if not np.allclose(matrix @ matrix.T, np.eye(n), atol=1e-8):
            raise ValueError("rotation must be orthogonal, R R' = I; this matrix is not.")
        # On rows z' = z R', so z W = z' (R W).
        return replace(self, matrices=(matrix @ self.matrices[0], *self.matrices[1:]))

    @property
    def condition_numbers(self) -> tuple[float, ...]:
        """Condition number (largest over smallest singular value) of each matrix."""
        return tuple(float(np.linalg.cond(matrix)) for matrix in self.matrices)


def in_torch(mixings: Sequence[Mixing], like: Tensor) -> Callable[[Tensor], Tensor]:
    """Return mixings of equal shapes as one function, from (E, B, n) to (E, B, d) tensors.

    It has the dtype and the device of ``like``, and can be differentiated. A single mixing serves
    every entry of the first axis.

    Raises
    ------
    ValueError
        For no mixing, or mixings of different activations.
    """
    names = {mixing.activation for mixing in mixings}
    if len(names) != 1:
        raise ValueError(
            "mixings must be at least one and have one activation, to be evaluated together; got "
            f"{', '.join(sorted(names)) or 'none'}."
        )
    s = NONLINEARITIES[names.pop()].in_torch
    layers = [
        torch.as_tensor(np.stack(matrices)).to(like)
        for matrices in zip(*(mixing.matrices for mixing in mixings), strict=True)
    ]

    def mix(z: Tensor) -> Tensor:
        a = z @ layers[0]
        for layer in layers[1:]:
            a = s(a) @ layer
        return a

    return mix


def draw_mixing(
    preset: str,
    n: int,
    d: int,
    rng: Any,
    condition: float,
    one_matrix: bool,
    activation: Activation,
) -> Mixing:
    """Draw the mixing of a preset layer by layer, see :class:`ivae.data.DataSettings`.

    With ``one_matrix`` a single square one serves wherever a square one is needed. ``rng`` is a
    generator of numpy's, for ``released`` its legacy ``RandomState``, and the matrices of that
    preset have float32 entries.
    """

    def matrix(rows: int) -> Array:
        if preset == "released":
            trials = rng.uniform(-1, 1, (N_TRIAL_MATRICES, rows, d)).astype(np.float32)
            return first_well_conditioned(
                unit_columns(trials), lambda: (rng.uniform(0, 2, (rows, d)) - 1).astype(np.float32)
            )
        if preset == "paper":
            trials = unit_columns(rng.uniform(-1, 1, (N_TRIAL_MATRICES, rows, d)))
            return first_well_conditioned(trials, lambda: rng.uniform(-1, 1, (rows, d)))
        turned = np.asarray(ortho_group.rvs(d, random_state=rng).reshape(d, d)[:rows])
        # A spawned generator leaves the draws of `rng` as they are.
        return stretched(turned, condition, rng.spawn(1)[0])

    if preset == "bernoulli":
        return Mixing((unit_columns(rng.standard_normal((n, d))),))
    first = matrix(n)
    if preset == "linear":
        return Mixing((first,))
    if not one_matrix:
        return Mixing((first, matrix(d), matrix(d)), activation)
    square = first if n == d else matrix(d)
    return Mixing((first, square, square), activation)


def first_well_conditioned(trials: Array, draw: Callable[[], Array]) -> Array:
    """Return the first drawn matrix conditioned as well as the best quarter of the trials."""
    threshold = np.percentile(np.linalg.cond(trials), CONDITION_PERCENTILE)
    while True:
        candidate = unit_columns(draw())
        if np.linalg.cond(candidate) <= threshold:
            return candidate


def stretched(matrix: Array, condition: float, rng: np.random.Generator) -> Array:
    """Return R diag(s) R' Q for a matrix Q with orthonormal rows (n, d) and a random rotation R.

    The singular values s are spaced evenly on a logarithmic scale around 1, the largest
    ``condition`` times the smallest. Where Q is uniform among such matrices, the left and right
    singular vectors, R and Q'R, are uniform and independent of each other. At condition 1 the
    matrix is returned as it is.
    """
    if condition == 1:
        return matrix
    n = len(matrix)
    turn = ortho_group.rvs(n, random_state=rng)
    sizes = condition ** np.linspace(0.5, -0.5, n)
    return np.asarray((turn * sizes) @ turn.T @ matrix)


def unit_columns(matrices: Array) -> Array:
    """Return matrices (..., n, d) with their columns scaled to length 1."""
    norms = np.sqrt((matrices**2).sum(-2, keepdims=True))
    return np.asarray(matrices / norms)
