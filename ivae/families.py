"""Exponential families of Eq. (7): p(z_i | u) = Q(z_i) / Z(u) exp(sum_j T_j(z_i) lambda_ij(u)).

The families of the paper's Section 5 have the base measure Q = 1; the one in which only the mean
moves needs Q(z) = exp(-z^2 / 2). Arrays end in the axis of the latents, natural parameters and
statistics in one more axis of length k:

    z (..., n)      lambda (..., n, k)      T(z) (..., n, k)

All functions take and return torch tensors, keep their dtype and can be differentiated.

>>> family = family_named("gaussian-scale")
>>> family.natural_parameters(torch.tensor([0.5, 2.0]))
tensor([[-1.0000],
        [-0.2500]])
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ivae.support.checks import one_of


class ExponentialFamily(ABC):
    """A univariate exponential family, applied to each latent on its own."""

    name: str
    k: int
    has_mean: bool
    """Whether the location is a parameter; otherwise it is fixed at 0."""
    has_variance: bool = True
    """Whether the variance is a parameter; otherwise it is fixed at 1."""

    @abstractmethod
    def statistics(self, z: Tensor) -> Tensor:
        """Return the sufficient statistics T(z), shape (..., n, k), of latents z (..., n)."""

    @abstractmethod
    def log_normalizer(self, lam: Tensor) -> Tensor:
        """Return log Z, shape (..., n), at natural parameters lambda (..., n, k)."""

    @abstractmethod
    def natural_parameters(self, variance: Tensor, mean: Tensor | None = None) -> Tensor:
        """Return lambda (..., n, k) of the member with this variance (..., n) and mean.

        Raises ValueError when a mean is given to a family whose mean is fixed at 0, or a variance
        other than 1 to one whose variance is fixed.
        """

    @abstractmethod
    def moments(self, lam: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance, each (..., n), at natural parameters lambda (..., n, k)."""

    @abstractmethod
    def expected_statistics(self, mean: Tensor, variance: Tensor) -> Tensor:
        """Return E[T(z)], shape (..., n, k), for z ~ N(mean, variance), each (..., n).

        This is all that the closed-form Kullback-Leibler term of Eq. (8) needs to know.
        """

    @abstractmethod
    def sample(self, lam: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw z (..., n), one value for every lambda (..., n, k)."""

    def log_base_measure(self, z: Tensor) -> Tensor:
        """Return log Q, shape (..., n), of latents z (..., n); 0 unless a family says otherwise."""
        return torch.zeros_like(z)

    def expected_log_base_measure(self, mean: Tensor, variance: Tensor) -> Tensor:
        """Return E[log Q(z)], shape (..., n), for z ~ N(mean, variance), each (..., n)."""
        return torch.zeros_like(mean)

    def log_density(self, z: Tensor, lam: Tensor) -> Tensor:
        """Return log p(z_i) of Eq. (7), shape (..., n), without summing over the latents."""
        exponent = (self.statistics(z) * lam).sum(-1) + self.log_base_measure(z)
        return exponent - self.log_normalizer(lam)

    def _refuse_mean(self, mean: Tensor | None) -> None:
        if mean is not None and bool((mean != 0).any()):
            raise ValueError(
                f"mean must be 0 (or left out) for the {self.name} family, whose location is "
                "fixed; use the gaussian family for sources with means."
            )


class GaussianScale(ExponentialFamily):
    """N(0, v): k = 1, T(z) = z^2, lambda = -1 / (2 v). The family of Section 5 and Figure 2."""

    name, k, has_mean = "gaussian-scale", 1, False

    def statistics(self, z: Tensor) -> Tensor:
        return z.square().unsqueeze(-1)

    def log_normalizer(self, lam: Tensor) -> Tensor:
        return 0.5 * torch.log(math.pi / -lam[..., 0])

    def natural_parameters(self, variance: Tensor, mean: Tensor | None = None) -> Tensor:
        self._refuse_mean(mean)
        return (-0.5 / variance).unsqueeze(-1)

    def moments(self, lam: Tensor) -> tuple[Tensor, Tensor]:
        variance = -0.5 / lam[..., 0]
        return torch.zeros_like(variance), variance

    def expected_statistics(self, mean: Tensor, variance: Tensor) -> Tensor:
        return (mean.square() + variance).unsqueeze(-1)

    def sample(self, lam: Tensor, generator: torch.Generator | None = None) -> Tensor:
        _, variance = self.moments(lam)
        return variance.sqrt() * _standard_normal(variance, generator)


class Gaussian(ExponentialFamily):
    """N(m, v): k = 2, T(z) = (z^2, z), lambda = (-1 / (2 v), m / v). The family of Figure 1."""

    name, k, has_mean = "gaussian", 2, True

    def statistics(self, z: Tensor) -> Tensor:
        return torch.stack((z.square(), z), -1)

    def log_normalizer(self, lam: Tensor) -> Tensor:
        precision = -2 * lam[..., 0]
        return 0.5 * (lam[..., 1].square() / precision + torch.log(2 * math.pi / precision))

    def natural_parameters(self, variance: Tensor, mean: Tensor | None = None) -> Tensor:
        location = torch.zeros_like(variance) if mean is None else mean
        return torch.stack((-0.5 / variance, location / variance), -1)

    def moments(self, lam: Tensor) -> tuple[Tensor, Tensor]:
        variance = -0.5 / lam[..., 0]
        return lam[..., 1] * variance, variance

    def expected_statistics(self, mean: Tensor, variance: Tensor) -> Tensor:
        return torch.stack((mean.square() + variance, mean), -1)

    def sample(self, lam: Tensor, generator: torch.Generator | None = None) -> Tensor:
        mean, variance = self.moments(lam)
        return mean + variance.sqrt() * _standard_normal(variance, generator)


class GaussianLocation(ExponentialFamily):
    """N(m, 1): k = 1, T(z) = z, lambda = m, Q(z) = exp(-z^2 / 2). Only the mean moves.

    T is monotonic, so Theorem 2 does not apply: condition (iii) can hold and A stay open.
    """

    name, k, has_mean, has_variance = "gaussian-location", 1, True, False

    def statistics(self, z: Tensor) -> Tensor:
        return z.unsqueeze(-1)

    def log_normalizer(self, lam: Tensor) -> Tensor:
        return 0.5 * (lam[..., 0].square() + math.log(2 * math.pi))

    def log_base_measure(self, z: Tensor) -> Tensor:
        return -0.5 * z.square()

    def expected_log_base_measure(self, mean: Tensor, variance: Tensor) -> Tensor:
        return -0.5 * (mean.square() + variance)

    def natural_parameters(self, variance: Tensor, mean: Tensor | None = None) -> Tensor:
        if bool((variance != 1).any()):
            raise ValueError(
                f"variance must be 1 for the {self.name} family, in which only the mean moves; use "
                "the gaussian family for sources whose variance moves too."
            )
        return (torch.zeros_like(variance) if mean is None else mean).unsqueeze(-1)

    def moments(self, lam: Tensor) -> tuple[Tensor, Tensor]:
        mean = lam[..., 0]
        return mean, torch.ones_like(mean)

    def expected_statistics(self, mean: Tensor, variance: Tensor) -> Tensor:
        return mean.unsqueeze(-1)

    def sample(self, lam: Tensor, generator: torch.Generator | None = None) -> Tensor:
        mean, _ = self.moments(lam)
        return mean + _standard_normal(mean, generator)


class Laplace(ExponentialFamily):
    """Laplace with mean 0 and scale b: k = 1, T(z) = |z|, lambda = -1 / b, variance 2 b^2."""

    name, k, has_mean = "laplace", 1, False

    def statistics(self, z: Tensor) -> Tensor:
        return z.abs().unsqueeze(-1)

    def log_normalizer(self, lam: Tensor) -> Tensor:
        return torch.log(-2 / lam[..., 0])

    def natural_parameters(self, variance: Tensor, mean: Tensor | None = None) -> Tensor:
        self._refuse_mean(mean)
        return -torch.rsqrt(variance / 2).unsqueeze(-1)

    def moments(self, lam: Tensor) -> tuple[Tensor, Tensor]:
        variance = 2 / lam[..., 0].square()
        return torch.zeros_like(variance), variance

    def expected_statistics(self, mean: Tensor, variance: Tensor) -> Tensor:
        # The mean of a folded normal distribution.
        scaled = mean / torch.sqrt(2 * variance)
        folded = torch.sqrt(2 * variance / math.pi) * torch.exp(-scaled.square())
        return (folded + mean * torch.erf(scaled)).unsqueeze(-1)

    def sample(self, lam: Tensor, generator: torch.Generator | None = None) -> Tensor:
        scale = -1 / lam[..., 0]
        uniform = torch.rand(scale.shape, generator=generator, dtype=scale.dtype) - 0.5
        # A draw of exactly 0, one in 2^24 of float32's, would be at infinity.
        least = torch.finfo(scale.dtype).eps / 2
        return -scale * uniform.sign() * torch.log1p((-2 * uniform.abs()).clamp(min=least - 1))


FAMILIES: dict[str, ExponentialFamily] = {
    family.name: family for family in (GaussianScale(), Gaussian(), GaussianLocation(), Laplace())
}


def family_named(name: str) -> ExponentialFamily:
    """Return the shipped family of this name; a ValueError lists the names."""
    return FAMILIES[one_of("family", name, FAMILIES)]


def _standard_normal(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype)


def standardised(family_name: str | None, rng: Any, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Draw from a family's law of mean 0 and variance 1: of Laplace's, else of the Gaussian.

    ``rng`` is a generator of numpy's, or its legacy ``RandomState``.
    """
    if family_name == "laplace":
        return np.asarray(rng.laplace(scale=1 / math.sqrt(2), size=shape))
    return np.asarray(rng.standard_normal(shape))
