"""Synthetic data of Section 5: sources by segment, a smooth mixing, noise; two protocols.

``paper`` is what the text says, ``released`` what the authors' published code does. They differ in
more than detail (variances or standard deviations, noise or none, the mixing's matrices), so a
dataset always knows which of the two it came from. Two further presets, ours, take the difficulty
out of the mixing and nothing else: ``orthogonal`` and ``linear``. A last one, ours too, has binary
observations: ``bernoulli``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from scipy.stats import ortho_group

from ivae.families import ExponentialFamily, family_named
from ivae.likelihoods import LikelihoodName
from ivae.mixing import (
    N_TRIAL_MATRICES,
    Mixing,
    first_well_conditioned,
    stretched,
    three_layers,
    unit_columns,
)
from ivae.recipes import MEAN_BOUND, PRESETS, SPREAD, Recipe, Spread, changed, standardised
from ivae.support.checks import finite_array, one_of, whole_number

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class NonstationaryData:
    """One dataset with its truth. Segments are contiguous blocks, as a rule of L rows each.

    Attributes
    ----------
    x, u, z
        Observations (N, d), segment labels (N,) from 0 to M - 1, sources (N, n).
    mean, variance
        Of the sources by segment, each (M, n).
    mixing
        The function f of Eq. (6).
    noise_variance
        sigma^2 of the Gaussian noise that was added; 0 for none.
    preset, seed
        Where the dataset came from.
    family_name
        Of the sources; by default the Gaussian family that the means decide.
    """

    x: Array
    u: NDArray[np.int64]
    z: Array
    mean: Array
    variance: Array
    mixing: Mixing
    noise_variance: float
    preset: str
    seed: int
    family_name: str | None = None

    @property
    def n_latents(self) -> int:
        return int(self.z.shape[1])

    @property
    def n_observed(self) -> int:
        return int(self.x.shape[1])

    @property
    def n_segments(self) -> int:
        return int(self.variance.shape[0])

    @property
    def samples_per_segment(self) -> int:
        """L; a ValueError where segments differ in size, see :attr:`segment_sizes`."""
        least, most = int(self.segment_sizes.min()), int(self.segment_sizes.max())
        if least != most:
            raise ValueError(
                f"samples_per_segment is one number, and segments here have from {least} to {most} "
                "samples; segment_sizes has them all."
            )
        return most

    @property
    def segment_sizes(self) -> NDArray[np.int64]:
        """Samples in each segment, (M,)."""
        return np.bincount(self.u, minlength=self.n_segments)

    @property
    def likelihood(self) -> LikelihoodName:
        """The law of x given f(z): Bernoulli where x is binary, else Gaussian."""
        return "bernoulli" if self.preset == "bernoulli" else "gaussian"

    @property
    def family(self) -> ExponentialFamily:
        """The sources' family: unless named, k = 1 where every mean is 0, else k = 2."""
        by_means = "gaussian" if bool(np.any(self.mean)) else "gaussian-scale"
        return family_named(self.family_name or by_means)

    @property
    def expected_sources(self) -> Array:
        """Mean of each sample's segment, (N, n): the best guess of z from the label alone."""
        return np.asarray(self.mean[self.u])

    @property
    def natural_parameters(self) -> NDArray[np.float64]:
        """The true lambda(u), shape (M, n, k)."""
        lam = self.family.natural_parameters(
            torch.as_tensor(self.variance, dtype=torch.float64),
            torch.as_tensor(self.mean, dtype=torch.float64),
        )
        return np.asarray(lam.numpy())


def generate(
    preset: str,
    seed: int,
    n_latents: int = 5,
    n_observed: int = 5,
    n_segments: int = 40,
    samples_per_segment: int = 1000,
    centred: bool = True,
    spread: Spread | None = None,
    noise_variance: float | None = None,
    one_matrix: bool | None = None,
    condition: float | None = None,
    common_factor: bool | None = None,
    nested: bool | None = None,
    activation: str | None = None,
    source_family: str | None = None,
) -> NonstationaryData:
    """Generate one dataset of Section 5.

    Parameters
    ----------
    preset
        ``"paper"``: variances uniform on [.5, 3], noise of variance .01, three matrices drawn
        independently (the text says only "3-layer MLP"; the law of the matrices is that of
        ``released``). ``"released"``: *standard deviations* uniform on [.5, 3], no noise, and
        one square matrix used wherever a square one is needed. ``"orthogonal"``: as ``paper``,
        with three random orthogonal matrices. ``"linear"``: as ``paper``, with one of them and no
        nonlinearity. ``"bernoulli"``: standard deviations uniform on [.5, 3], since
        bits say little about a variance; x of zeros and ones with p(x_j = 1|z) = sigmoid(f_j(z)),
        Eq. (29), and f(z) = z W linear. W's columns have length 1, so that logits deviate by some
        1.9, and directions uniform on the sphere, a law that knows no axis of the latents.
    seed
        Of the generator that draws everything, a whole number >= 0 (``released``: below 2**32).
    n_latents, n_observed
        n and d, with n <= d.
    n_segments, samples_per_segment
        M and L.
    centred
        True: all means are 0 (k = 1). False: means uniform on [-5, 5] (k = 2, Figure 1).
    spread, noise_variance, one_matrix, condition, common_factor, nested, activation, source_family
        To change one thing about a preset, see :class:`ivae.recipes.Recipe`; by default its own.
        Sources, matrices and noise are drawn in this order from one generator: what is drawn
        before the thing changed stays the same.

    Returns
    -------
    NonstationaryData
        With N = M * L rows.

    Raises
    ------
    ValueError
        For an unknown preset, n > d, a size that is not a whole number of at least 1, or a change
        that :func:`ivae.recipes.changed` refuses.
    """
    one_of("preset", preset, PRESETS)
    whole_number("seed", seed, at_least=0)
    whole_number("n_latents", n_latents)
    whole_number("n_observed", n_observed)
    whole_number("n_segments", n_segments)
    whole_number("samples_per_segment", samples_per_segment)
    if n_latents > n_observed:
        raise ValueError(
            f"n_latents must be at most n_observed = {n_observed}, else f is not injective; "
            f"got {n_latents}."
        )
    recipe = changed(
        preset,
        n_latents,
        centred,
        spread=spread,
        noise_variance=noise_variance,
        one_matrix=one_matrix,
        condition=condition,
        common_factor=common_factor,
        nested=nested,
        activation=activation,
        source_family=source_family,
    )
    make = _released if preset == "released" else partial(_as_in_the_text, preset)
    return make(recipe, seed, n_latents, n_observed, n_segments, samples_per_segment, centred)


def stack(datasets: Sequence[NonstationaryData]) -> tuple[Array, NDArray[np.int64], Array]:
    """Return x (E, N, d), u (E, N) and z (E, N, n) of datasets of equal size, one per member.

    Raises
    ------
    ValueError
        When there is no dataset, or their sizes differ.
    """
    sizes = {(dataset.x.shape, dataset.z.shape) for dataset in datasets}
    if len(sizes) != 1:
        raise ValueError(
            "datasets must be at least one and of equal size; got x and z of shapes "
            f"{sorted(sizes)}."
        )
    x, u, z = (np.stack([getattr(one, name) for one in datasets]) for name in ("x", "u", "z"))
    return x, u, z


def whiten(x: ArrayLike) -> Array:
    """Return x with mean 0 and covariance I, shape (N, d), by the symmetric (ZCA) transform.

    Raises
    ------
    ValueError
        For NaN, or when a direction of x carries no variance that could be scaled to 1.
    """
    array = finite_array("x", x, ("N", "d"), np.float64)
    centred = array - array.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    if values[0] <= np.finfo(np.float64).eps * values.shape[0] * values[-1]:
        raise ValueError(
            "x must vary in every direction to be whitened; its covariance has eigenvalues from "
            f"{values[0]:.2g} to {values[-1]:.2g}. Drop columns that the others determine."
        )
    return np.asarray(centred @ (vectors / np.sqrt(values)) @ vectors.T)


def _as_in_the_text(
    preset: str,
    recipe: Recipe,
    seed: int,
    n: int,
    d: int,
    n_segments: int,
    per_segment: int,
    centred: bool,
) -> NonstationaryData:
    rng = np.random.default_rng(seed)
    of_variances, of_means, of_sources, rng, of_noise = rng.spawn(5) if recipe.nested else [rng] * 5
    by_segment = (n_segments, n)
    variance = _drawn(of_variances, by_segment, recipe) ** recipe.power
    mean = np.zeros(by_segment)
    if not centred:
        mean = of_means.uniform(-MEAN_BOUND, MEAN_BOUND, by_segment)
    u = np.repeat(np.arange(n_segments), per_segment)
    z = mean[u] + np.sqrt(variance)[u] * standardised(recipe.family_name, of_sources, (u.size, n))

    def matrix(rows: int) -> Array:
        if preset != "paper":
            turned = np.asarray(ortho_group.rvs(d, random_state=rng).reshape(d, d)[:rows])
            # A spawned generator leaves the draws of `rng` as they are.
            return stretched(turned, recipe.condition, rng.spawn(1)[0])
        trials = unit_columns(rng.uniform(-1, 1, (N_TRIAL_MATRICES, rows, d)))
        return first_well_conditioned(trials, lambda: rng.uniform(-1, 1, (rows, d)))

    if preset == "bernoulli":
        mixing = Mixing((unit_columns(rng.standard_normal((n, d))),))
        x = (rng.random((u.size, d)) < expit(mixing(z))).astype(np.float64)
        return NonstationaryData(x, u, z, mean, variance, mixing, 0.0, preset, seed)
    layers = recipe.one_matrix, recipe.activation
    mixing = Mixing((matrix(n),)) if preset == "linear" else three_layers(matrix, n, d, *layers)
    x = mixing(z) + np.sqrt(recipe.noise_variance) * of_noise.standard_normal((u.size, d))
    noise_variance, family = recipe.noise_variance, recipe.family_name
    return NonstationaryData(x, u, z, mean, variance, mixing, noise_variance, preset, seed, family)


def _released(
    recipe: Recipe, seed: int, n: int, d: int, n_segments: int, per_segment: int, centred: bool
) -> NonstationaryData:
    # numpy's legacy generator, this order of draws and float32 products: the published data.
    if seed >= 2**32:
        raise ValueError(f"seed must be below 2**32 for the released preset; got {seed}.")
    rng = np.random.RandomState(seed)
    by_segment = (n_segments, n)
    scale = _drawn(rng, by_segment, recipe) ** (recipe.power / 2)
    mean = np.zeros(by_segment) if centred else rng.uniform(-MEAN_BOUND, MEAN_BOUND, by_segment)
    u = np.repeat(np.arange(n_segments), per_segment)
    z = standardised(recipe.family_name, rng, (u.size, n)).astype(np.float32)
    z *= scale[u]
    z += mean[u]

    def matrix(rows: int) -> Array:
        trials = unit_columns(rng.uniform(-1, 1, (N_TRIAL_MATRICES, rows, d)).astype(np.float32))
        return first_well_conditioned(
            trials, lambda: (rng.uniform(0, 2, (rows, d)) - 1).astype(np.float32)
        )

    mixing = three_layers(matrix, n, d, recipe.one_matrix, recipe.activation)
    x = mixing(z)
    if recipe.noise_variance:  # Drawn last, and as float32: without it x is the published data.
        noise = rng.randn(u.size, d).astype(np.float32)
        x = x + np.float32(np.sqrt(recipe.noise_variance)) * noise
    drawn = (x, u, z, mean, scale**2, mixing)
    return NonstationaryData(*drawn, recipe.noise_variance, "released", seed, recipe.family_name)


def _drawn(rng: Any, by_segment: tuple[int, int], recipe: Recipe) -> Array:
    drawn: Array = rng.uniform(*SPREAD, by_segment)
    return np.broadcast_to(drawn[:, :1], by_segment) if recipe.common_factor else drawn
