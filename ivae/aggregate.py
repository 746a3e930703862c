"""The aggregate posterior q(z): the mean of q(z|x, u) over the data, estimated from a minibatch.

Both estimators come from Chen et al. (2018). With B samples of N in the minibatch, z_b drawn from
q(z|x_b, u_b), they weigh the B densities q(z_b|x_j, u_j):

    weighted     every j by 1 / (B N); too low, by a factor between B and about N
    stratified   j = b by 1 / N, the next of the minibatch, in a circle, by
                 (N - B + 1) / (N (B - 1)), all others by 1 / (B - 1); for B > 1 the weights add up
                 to 1, and its mean is q(z_b)

The constant 1 / (B N) is in no gradient, but it moves values: with ``weighted`` MI comes out up to
log N too high, TC by about (n - 1) log N, and KL' by about n log N too low. Compare these values
between runs of equal B, N and n only; ``stratified`` is closer, though its logarithm is biased too.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ivae.passes import Posterior

Estimator = Literal["weighted", "stratified"]


def log_aggregate(
    z: Tensor, posterior: Posterior, n_data: int, estimator: Estimator = "weighted"
) -> tuple[Tensor, Tensor]:
    """Return the estimates of log q(z) and of sum_i log q(z_i), each (E, B).

    Parameters
    ----------
    z, posterior
        One draw for each sample of the minibatch, (E, B, n), and the posteriors they came from.
    n_data
        N, samples in the training data.
    estimator
        ``"weighted"`` or ``"stratified"``.
    """
    # Axes (E, n, B of the draws, B of the posteriors): both reductions run over whole rows.
    point = z.transpose(1, 2).unsqueeze(-1)
    mean, log_variance = (part.transpose(1, 2).unsqueeze(-2) for part in posterior)
    scale = torch.exp(-0.5 * log_variance)
    log_density = -0.5 * (((point - mean) * scale).square() + log_variance + math.log(2 * math.pi))
    log_weight = _log_weights(z.shape[1], n_data, estimator, z.dtype, z.device)
    joint = torch.logsumexp(log_density.sum(1) + log_weight, -1)
    marginals = torch.logsumexp(log_density + log_weight, -1).sum(1)
    return joint, marginals


class Pairs(NamedTuple):
    """What :func:`pull_back` needs of the B x B pairs; axes (E, n, draws, posteriors).

    ``scaled`` is (z - mean) / deviation; ``share`` the share of each posterior in sum_i log q(z_i),
    and ``joint_share``, (E, B, B), in log q(z).
    """

    scale: Tensor
    scaled: Tensor
    share: Tensor
    joint_share: Tensor


def run(
    z: Tensor, posterior: Posterior, n_data: int, estimator: Estimator
) -> tuple[Tensor, Tensor, Pairs]:
    """Do what :func:`log_aggregate` does, and return what :func:`pull_back` needs besides."""
    point = z.mT.unsqueeze(-1)
    mean, log_variance = (part.mT.unsqueeze(-2) for part in posterior)
    scale = torch.exp(-0.5 * log_variance)
    scaled = (point - mean).mul_(scale)
    log_weight = _log_weights(z.shape[1], n_data, estimator, z.dtype, z.device)
    constant = -0.5 * (log_variance + math.log(2 * math.pi))
    log_density = torch.addcmul(constant, scaled, scaled, value=-0.5)
    joint, joint_share = _log_mean(log_density.sum(1).add_(log_weight))
    marginals, share = _log_mean(log_density.add_(log_weight))
    return joint, marginals.sum(1), Pairs(scale, scaled, share, joint_share)


def pull_back(
    pairs: Pairs, of_joint: Tensor, of_marginals: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of z, mean and log variance, each (E, B, n), given both results'."""
    grad = pairs.share * of_marginals[:, None, :, None]
    grad.add_((pairs.joint_share * of_joint.unsqueeze(-1)).unsqueeze(1))
    of_variance = grad.sum(-2)
    grad.mul_(pairs.scaled)
    of_z = -(grad @ pairs.scale.mT).squeeze(-1)
    of_mean = grad.sum(-2).mul_(pairs.scale.squeeze(-2))
    of_variance = grad.mul_(pairs.scaled).sum(-2).sub_(of_variance)
    return of_z.mT, of_mean.mT, 0.5 * of_variance.mT


def _log_mean(log_terms: Tensor) -> tuple[Tensor, Tensor]:
    """Return the log of the sum of exp over the last axis, and each term's share in it.

    torch's softmax does this in one sweep. A draw's own posterior, on the diagonal, is not so
    unlikely in practice that its share would vanish; if it is, the member counts as diverged.
    """
    share = torch.softmax(log_terms, -1)
    own = share.diagonal(dim1=-2, dim2=-1).log()
    return log_terms.diagonal(dim1=-2, dim2=-1) - own, share


@lru_cache
def _log_weights(
    size: int, n_data: int, estimator: Estimator, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return the logarithms of the weights, (B, B), rows for draws; (1, 1) where all are equal."""
    if estimator == "weighted" or size == 1:
        return torch.tensor([[-math.log(size * n_data)]], dtype=dtype, device=device)
    others = size - 1
    weights = torch.full((size, size), 1 / others, dtype=torch.float64)
    weights.fill_diagonal_(1 / n_data)
    here = torch.arange(size)
    weights[here, (here + 1) % size] = (n_data - others) / (n_data * others)
    return weights.log().to(device, dtype)
