"""The objective of Eq. (8), term by term; every function keeps members and samples apart.

Values are in nats for one sample and have shape (E, B). A training step maximises the mean over B
and *sums* over members, so that the gradient of a member does not depend on how many there are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ivae.families import ExponentialFamily
from ivae.models import LatentVariableModel, Posterior


class Elbo(NamedTuple):
    """The two terms of Eq. (8), each (E, B): E_q log p(x|z) by one draw, and KL(q || p(z|u))."""

    reconstruction: Tensor
    kl: Tensor

    @property
    def value(self) -> Tensor:
        """The evidence lower bound, reconstruction - KL."""
        return self.reconstruction - self.kl


def elbo(model: LatentVariableModel, x: Tensor, u: Tensor, noise: Tensor) -> Elbo:
    """Return the ELBO of Eq. (8), its KL term in closed form.

    Parameters
    ----------
    model
        Ensemble of E members.
    x, u, noise
        Observations (E, B, d), segment labels (E, B), and standard normal draws (E, B, n) that
        reparameterise the posterior: z = mean + deviation * noise.

    Raises
    ------
    ValueError
        When shapes do not fit the model or each other, or labels are not integers below M.
    """
    _check_batch(model, x, u, noise)
    posterior = model.encode(x, u)
    z = posterior.sample(noise)
    reconstruction = gaussian_log_density(x, model.decode(z), model.decoder_variance)
    return Elbo(reconstruction, kl_to_prior(posterior, model.family, model.prior(u)))


def sampled_elbo(model: LatentVariableModel, x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
    """Return log p(x, z|u) - log q(z|x, u) at one draw z: the integrand of Eq. (8), (E, B).

    Its mean is the ELBO. Where q is the exact posterior, every draw gives log p(x|u) exactly.
    Arguments and errors are those of :func:`elbo`.
    """
    _check_batch(model, x, u, noise)
    posterior = model.encode(x, u)
    z = posterior.sample(noise)
    log_likelihood = gaussian_log_density(x, model.decode(z), model.decoder_variance)
    log_prior = model.family.log_density(z, model.prior(u)).sum(-1)
    # log q at z = mean + deviation * noise needs the noise alone.
    log_q = -0.5 * (math.log(2 * math.pi) + posterior.log_variance + noise.square()).sum(-1)
    return log_likelihood + log_prior - log_q


def kl_to_prior(posterior: Posterior, family: ExponentialFamily, lam: Tensor) -> Tensor:
    """Return KL(q || p), (E, B), from a diagonal Gaussian q to the prior of Eq. (7).

    With Q = 1 it is minus the entropy of q, minus <lambda, E_q T(z)>, plus log Z: one formula for
    every family that knows E_q T(z).
    """
    variance = posterior.log_variance.exp()
    entropy = 0.5 * (math.log(2 * math.pi * math.e) + posterior.log_variance)
    expected = (family.expected_statistics(posterior.mean, variance) * lam).sum(-1)
    return (family.log_normalizer(lam) - expected - entropy).sum(-1)


def gaussian_log_density(x: Tensor, mean: Tensor, variance: float) -> Tensor:
    """Return log N(x; mean, variance I), shape (E, B), for x and mean (E, B, d)."""
    d = x.shape[-1]
    squares = (x - mean).square().sum(-1)
    return -0.5 * (d * math.log(2 * math.pi * variance) + squares / variance)


def _check_batch(model: LatentVariableModel, x: Tensor, u: Tensor, noise: Tensor) -> None:
    model.check_shape("x", x, -1, model.n_observed)
    model.check_shape("u", u, x.shape[1])
    model.check_shape("noise", noise, x.shape[1], model.n_latents)
    if u.dtype != torch.int64:
        raise ValueError(f"u must hold segment labels of dtype int64; got {u.dtype}.")
    # Out of range, a label would pick another member's row. A GPU is not made to wait for the
    # answer: there train() has checked the whole dataset before.
    if model.is_conditional and not u.is_cuda and int(u.max()) >= model.n_segments:
        raise ValueError(f"u must hold labels below {model.n_segments}; got {int(u.max())}.")
