"""What a model's networks gave for a minibatch: all that an objective needs to know of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ivae.families import ExponentialFamily
from ivae.likelihoods import Likelihood


class Posterior(NamedTuple):
    """Mean and log variance of q(z|x, u), each (E, B, n)."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Return mean + deviation * noise for standard normal noise (E, B, n) or (E, B, K, n)."""
        mean, deviation = self.mean, torch.exp(0.5 * self.log_variance)
        if noise.dim() > mean.dim():
            mean, deviation = mean.unsqueeze(2), deviation.unsqueeze(2)
        return mean + deviation * noise


class ForwardPass(NamedTuple):
    """All that an objective needs to know of a minibatch; shapes as in the model's ``forward``.

    Attributes
    ----------
    x, noise
        As given.
    posterior
        q(z|x, u).
    z, decoded
        The draws, shaped as the noise, and f(z), (E, B, d) or (E, B K, d).
    prior
        lambda(u), (E, B, n, k).
    family, likelihood
        The families that the prior's parameters and the decoder's output belong to.
    """

    x: Tensor
    noise: Tensor
    posterior: Posterior
    z: Tensor
    decoded: Tensor
    prior: Tensor
    family: ExponentialFamily
    likelihood: Likelihood
