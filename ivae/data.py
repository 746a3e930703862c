"""Synthetic data of Section 5: sources by segment, a smooth mixing, noise.

Two presets are the two protocols: ``paper`` is what the text says, ``released`` what the authors'
published code does; they differ in more than detail. The others are ours: ``orthogonal`` and
``linear`` take the difficulty out of the mixing and nothing else, ``bernoulli`` has binary x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from ivae.families import ExponentialFamily, family_named, standardised
from ivae.likelihoods import LikelihoodName
from ivae.mixing import Mixing, draw_mixing
from ivae.support.activations import ACTIVATIONS, Activation
from ivae.support.checks import Array, one_of, positive_number, settle, truth_value, whole_number

Spread = Literal["variance", "deviation"] | float
SourceFamily = Literal["gaussian", "laplace"]
POWERS = {"variance": 1.0, "deviation": 2.0}  # Spreads with a name, and the number they stand for.
SPREAD = (0.5, 3.0)  # Section 5: the range of the variances (`released`: standard deviations).
MEAN_BOUND = 5.0  # Section 5, Figure 1: means uniform on [-5, 5].
_PAPER: dict[str, Any] = {
    "spread": "variance",
    "noise_variance": 0.01,  # Section 5: "we fix the noise level sigma^2 = 0.01".
    "one_matrix": False,
    "condition": 1.0,
    "common_factor": False,
    "nested": False,
    "mixing_activation": "xtanh",
    "source_family": "gaussian",
}
PRESETS: dict[str, dict[str, Any]] = {
    "paper": _PAPER,
    "released": _PAPER | {"spread": "deviation", "noise_variance": 0.0, "one_matrix": True},
    "orthogonal": _PAPER,
    "linear": _PAPER,
    "bernoulli": _PAPER | {"spread": "deviation", "noise_variance": 0.0},
}
"""What a preset is like where nothing is said."""
_MOOT = {"one_matrix": ("linear", "bernoulli"), "noise_variance": ("bernoulli",)}
_OF_SOME = {
    "condition": ("orthogonal", "linear"),
    "nested": ("paper", "orthogonal", "linear", "bernoulli"),
    "mixing_activation": ("paper", "released", "orthogonal"),
    "source_family": ("paper", "released", "orthogonal", "linear"),
}
_OF_PRESET: Any = None  # A default that is the preset's.


@dataclass(frozen=True)
class DataSettings:
    """All that decides a dataset. Equal data are equal values, however they were asked for.

    What is left out, or None, is filled in from the preset; so is what a preset leaves no choice in
    (one matrix for a mixing with one layer, Gaussian noise on bits).

    Attributes
    ----------
    preset
        ``"paper"``: variances uniform on [.5, 3], noise of variance .01, three matrices drawn
        independently (the text says only "3-layer MLP"; their law is that of ``released``).
        ``"released"``: *standard deviations* uniform on [.5, 3], no noise, one square matrix used
        wherever a square one is needed. ``"orthogonal"``: as ``paper``, with three random
        orthogonal matrices; ``"linear"``: with one of them and no nonlinearity. ``"bernoulli"``:
        deviations uniform on [.5, 3], since bits say little about a variance; x of 0 and 1 with
        p(x_j = 1|z) = sigmoid(f_j(z)), Eq. (29), f(z) = z W. W's columns are uniform on the unit
        sphere, which knows no axis of the latents, so that logits deviate by some 1.9.
    seed
        Of the generator that draws everything, a whole number >= 0 (``released``: below 2**32).
    n_latents, n_observed, n_segments, samples_per_segment
        n <= d, M and L.
    centred
        True: all means are 0 (k = 1). False: means uniform on [-5, 5] (k = 2, Figure 1).
    spread
        What is uniform on [.5, 3]: each segment's ``"variance"``, or its ``"deviation"``; or a
        number p: variances are p-th powers of such a draw, so that the standard deviation of their
        logarithm is proportional to p. The names are 1 and 2.
    noise_variance
        sigma^2 of the noise added to f(z); 0 for none.
    one_matrix
        Whether one square matrix is used wherever a square one is needed.
    condition
        Condition number of every matrix, see :func:`ivae.mixing.stretched`; ``orthogonal`` and
        ``linear`` alone.
    common_factor
        Whether the sources of a segment share its draw: their variances rise and fall together,
        and condition (iii) of Theorem 1 fails for n > 1, however many the segments.
    nested
        Whether variances, means, sources, matrices and noise have a generator each, so that one
        seed has the same matrices, and first segments, whatever the sizes. Not ``released``.
    mixing_activation
        Between the layers of the mixing, see :class:`ivae.mixing.Mixing`: ``"xtanh"``, or
        ``"leaky-relu"``. Not ``linear`` and ``bernoulli``, whose mixings have one layer.
    source_family
        Law of the sources given u: ``"gaussian"``, or ``"laplace"`` with the same variances and
        mean 0. Not ``bernoulli``. The matrices, drawn after them, are equal only if ``nested``.
    """

    preset: str
    seed: int
    n_latents: int = 5
    n_observed: int = 5
    n_segments: int = 40
    samples_per_segment: int = 1000
    centred: bool = True
    spread: Spread = _OF_PRESET
    noise_variance: float = _OF_PRESET
    one_matrix: bool = _OF_PRESET
    condition: float = _OF_PRESET
    common_factor: bool = _OF_PRESET
    nested: bool = _OF_PRESET
    mixing_activation: Activation = _OF_PRESET
    source_family: SourceFamily = _OF_PRESET

    def __post_init__(self) -> None:
        preset = one_of("preset", self.preset, PRESETS)
        settle(self, seed=whole_number("seed", self.seed, at_least=0))
        for name in ("n_latents", "n_observed", "n_segments", "samples_per_segment"):
            settle(self, **{name: whole_number(name, getattr(self, name))})
        for name, own in PRESETS[preset].items():
            if getattr(self, name) is None:
                settle(self, **{name: own})
        for name in ("centred", "one_matrix", "common_factor", "nested"):
            settle(self, **{name: truth_value(name, getattr(self, name))})
        if isinstance(self.spread, str):
            one_of("spread", self.spread, POWERS)
        else:
            p = positive_number("spread", self.spread)
            settle(self, spread={1.0: "variance", 2.0: "deviation"}.get(p, p))
        if self.noise_variance != 0 or isinstance(self.noise_variance, bool):
            positive_number("noise_variance", self.noise_variance)
        condition = positive_number("condition", self.condition)
        settle(self, noise_variance=float(self.noise_variance), condition=condition)
        one_of("mixing_activation", self.mixing_activation, ACTIVATIONS)
        one_of("source_family", self.source_family, ("gaussian", "laplace"))
        settle(self, **{n: PRESETS[preset][n] for n, some in _MOOT.items() if preset in some})
        self._refuse_what_cannot_be()

    def _refuse_what_cannot_be(self) -> None:
        preset, n = self.preset, self.n_latents
        if n > self.n_observed:
            raise ValueError(
                f"n_latents must be at most n_observed = {self.n_observed}, else f is not injective"
                f"; got {n}."
            )
        if preset == "released" and self.seed >= 2**32:
            raise ValueError(f"seed must be below 2**32 for the preset released; got {self.seed}.")
        if self.condition < 1:
            raise ValueError(f"condition must be at least 1; got {self.condition!r}.")
        for name, presets in _OF_SOME.items():
            if preset not in presets and getattr(self, name) != _PAPER[name]:
                some = ", ".join(presets)
                raise ValueError(f"{name} can be changed for the presets {some}; got {preset!r}.")
        if n == 1 and (self.condition != 1 or self.common_factor):
            raise ValueError("n_latents must be at least 2 for condition or common_factor; got 1.")
        if self.source_family == "laplace" and not self.centred:
            raise ValueError("centred must be True for source_family = 'laplace', whose mean is 0.")

    @property
    def power(self) -> float:
        """The power of the uniform draw that is a variance."""
        return POWERS[self.spread] if isinstance(self.spread, str) else self.spread

    @property
    def family_name(self) -> str | None:
        """Of the sources, in :mod:`ivae.families`; None for the Gaussian that the means decide."""
        return None if self.source_family == "gaussian" else self.source_family

    def generate(self) -> NonstationaryData:
        """Return the dataset, N = M L rows."""
        return _released(self) if self.preset == "released" else _as_in_the_text(self)


@dataclass(frozen=True)
class NonstationaryData:
    """One dataset with its truth. Segments are contiguous blocks of rows.

    Attributes
    ----------
    x, u, z
        Observations (N, d), segment labels (N,) from 0 to M - 1, sources (N, n).
    mean, variance
        Of the sources by segment, each (M, n).
    mixing, noise_variance
        f of Eq. (6), and sigma^2 of the Gaussian noise that was added; 0 for none.
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
        tables = (torch.as_tensor(t, dtype=torch.float64) for t in (self.variance, self.mean))
        return np.asarray(self.family.natural_parameters(*tables).numpy())


def generate(preset: str, seed: int, *sizes: Any, **values: Any) -> NonstationaryData:
    """Generate one dataset of Section 5.

    Arguments, and what they refuse with a ValueError, are those of :class:`DataSettings`, where
    ``sizes`` are n, d, M and L. Sources, matrices and noise are drawn in this order from one
    generator: what is drawn before a thing that is changed stays the same.

    >>> one = generate("paper", seed=1, n_latents=2, n_observed=3, n_segments=4)
    >>> one.x.shape, one.z.shape, one.natural_parameters.shape
    ((4000, 3), (4000, 2), (4, 2, 1))
    """
    return DataSettings(preset, seed, *sizes, **values).generate()


def stack(datasets: Sequence[NonstationaryData]) -> tuple[Array, NDArray[np.int64], Array]:
    """Return x (E, N, d), u (E, N) and z (E, N, n) of datasets of equal size, one per member."""
    sizes = {(dataset.x.shape, dataset.z.shape) for dataset in datasets}
    if len(sizes) != 1:
        raise ValueError(
            "datasets must be at least one and of equal size; got x and z of shapes "
            f"{sorted(sizes)}."
        )
    x, u, z = (np.stack([getattr(one, name) for one in datasets]) for name in ("x", "u", "z"))
    return x, u, z


def _as_in_the_text(one: DataSettings) -> NonstationaryData:
    rng, n = np.random.default_rng(one.seed), one.n_latents
    of_variances, of_means, of_sources, rng, of_noise = rng.spawn(5) if one.nested else [rng] * 5
    variance = _uniform(of_variances, one) ** one.power
    mean = np.zeros(variance.shape)
    if not one.centred:
        mean = of_means.uniform(-MEAN_BOUND, MEAN_BOUND, mean.shape)
    u = np.repeat(np.arange(one.n_segments), one.samples_per_segment)
    z = mean[u] + np.sqrt(variance)[u] * standardised(one.family_name, of_sources, (u.size, n))
    mixing = _mixing(one, rng)
    if one.preset == "bernoulli":
        x = (rng.random((u.size, one.n_observed)) < expit(mixing(z))).astype(np.float64)
    else:
        noise = of_noise.standard_normal((u.size, one.n_observed))
        x = mixing(z) + np.sqrt(one.noise_variance) * noise
    origin = (one.noise_variance, one.preset, one.seed, one.family_name)
    return NonstationaryData(x, u, z, mean, variance, mixing, *origin)


def _released(one: DataSettings) -> NonstationaryData:
    # numpy's legacy generator, this order of draws and float32 products: the published data.
    rng, n = np.random.RandomState(one.seed), one.n_latents
    scale = _uniform(rng, one) ** (one.power / 2)
    mean = np.zeros(scale.shape)
    if not one.centred:
        mean = rng.uniform(-MEAN_BOUND, MEAN_BOUND, mean.shape)
    u = np.repeat(np.arange(one.n_segments), one.samples_per_segment)
    z = standardised(one.family_name, rng, (u.size, n)).astype(np.float32)
    z *= scale[u]
    z += mean[u]
    mixing = _mixing(one, rng)
    x = mixing(z)
    if one.noise_variance:  # Drawn last, and as float32: without it x is the published data.
        noise = rng.randn(u.size, one.n_observed).astype(np.float32)
        x = x + np.float32(np.sqrt(one.noise_variance)) * noise
    origin = (one.noise_variance, one.preset, one.seed, one.family_name)
    return NonstationaryData(x, u, z, mean, scale**2, mixing, *origin)


def _mixing(one: DataSettings, rng: Any) -> Mixing:
    n, d, layers = one.n_latents, one.n_observed, (one.one_matrix, one.mixing_activation)
    return draw_mixing(one.preset, n, d, rng, one.condition, *layers)


def _uniform(rng: Any, one: DataSettings) -> Array:
    drawn: Array = rng.uniform(*SPREAD, (one.n_segments, one.n_latents))
    return np.broadcast_to(drawn[:, :1], drawn.shape) if one.common_factor else drawn
