"""Gradients of an objective on a minibatch, by the shortest way.

The networks are run and pulled back by hand (:mod:`ivae.engine.backward`). What lies between, an
objective's few formulas of posterior, draw, decoding and prior, is left to autograd, except where
most training is done: with a zero-mean Gaussian prior, Eq. (8) and the decomposition have theirs
written out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from ivae.engine.backward import pull_back, pull_back_to_input, sum_rows
from ivae.families import GaussianScale
from ivae.likelihoods import GaussianLikelihood, Likelihood
from ivae.models import ForwardPass, LatentVariableModel
from ivae.nets import MLP, MLPEncoder, Posterior, pick_rows, row_index
from ivae.objectives import Bound, Decomposition, Estimator, Objective, indices_of, log_weights


class Outputs(NamedTuple):
    """What the networks gave: encoder (E, 2, B, n), decoder (E, B, d), prior (E, k, M, n)."""

    encoded: Tensor
    decoded: Tensor
    raw_prior: Tensor | None


@torch.inference_mode()
def gradients(
    model: LatentVariableModel,
    objective: Objective,
    x: Tensor,
    u: Tensor,
    noise: Tensor,
    weights: Tensor,
    n_data: int,
    into: Sequence[Tensor],
) -> Tensor:
    """Write the gradients of the loss; return the terms' sums over the minibatch, (T, E).

    The loss is minus the value's mean over the minibatch, summed over members.

    Parameters
    ----------
    model, objective
        Ensemble of E members, and what to maximise.
    x, u, noise
        Minibatch (E, B, d), (E, B) and (E, B, n), or (E, B, K, n) with K draws for each sample.
    weights
        Of the objective's terms, (E, k).
    n_data
        Samples in each member's training data.
    into
        A tensor for each of the model's parameters, to write its gradient to.
    """
    encoder, prior = encoder_of(model), model.prior_net
    encoded, encoder_tape = encoder.run(x, u if model.is_conditional else None)
    mean, log_variance = encoded.unbind(1)
    spread = torch.exp(0.5 * log_variance)
    if noise.dim() == 4:
        spread = spread.unsqueeze(2)
    deviation = spread * noise
    z = deviation + (mean.unsqueeze(2) if noise.dim() == 4 else mean)
    decoded, decoder_tape = model.decoder.run(z.view(len(z), -1, model.n_latents))
    raw, prior_tape = prior.run() if isinstance(prior, MLP) else (None, None)
    outputs = Outputs(encoded, decoded, raw)
    known = isinstance(model.family, GaussianScale)
    if isinstance(objective, Bound) and known:
        sums, of_outputs = _of_bound(model, outputs, x, u, weights)
    elif isinstance(objective, Decomposition) and known:
        sums, of_outputs = _of_decomposition(
            model, objective, outputs, x, u, noise, z, weights, n_data
        )
    else:
        sums, of_outputs = _by_autograd(model, objective, outputs, x, u, noise, weights, n_data)
    n_decoder, n_encoder = _n_tensors(model.decoder), _n_tensors(encoder)
    of_decoder, of_encoder = into[:n_decoder], into[n_decoder : n_decoder + n_encoder]
    of_first = pull_back(model.decoder, decoder_tape, of_outputs.decoded, of_decoder)
    # The draw z = mean + deviation leads from the decoder back to the encoder.
    of_z = pull_back_to_input(model.decoder, of_first).view_as(z)
    of_deviation = of_z * deviation
    if noise.dim() == 4:
        of_z, of_deviation = of_z.sum(2), of_deviation.sum(2)
    of_outputs.encoded[:, 0] += of_z
    of_outputs.encoded[:, 1].add_(of_deviation, alpha=0.5)
    pull_back(encoder, encoder_tape, of_outputs.encoded, of_encoder)
    if isinstance(prior, MLP) and prior_tape is not None and of_outputs.raw_prior is not None:
        pull_back(prior, prior_tape, of_outputs.raw_prior, into[n_decoder + n_encoder :])
    return sums


def encoder_of(model: LatentVariableModel) -> MLP:
    """Return the network of a model's encoder; a ValueError says where there is none of its own."""
    if not isinstance(model.encoder, MLPEncoder):
        raise ValueError(
            "model must come from ivae() or vae(), whose networks are MLPs; "
            f"its encoder is a {type(model.encoder).__name__}."
        )
    return model.encoder.net


def _n_tensors(net: MLP) -> int:
    """Return how many tensors hold a network's parameters."""
    return 2 * len(net.rest) + len(list(net.first.parameters()))


def _by_autograd(
    model: LatentVariableModel,
    objective: Objective,
    outputs: Outputs,
    x: Tensor,
    u: Tensor,
    noise: Tensor,
    weights: Tensor,
    n_data: int,
) -> tuple[Tensor, Outputs]:
    """Return the sums, and the gradients of the networks' outputs, through torch's graph."""
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [tensor.clone().requires_grad_() for tensor in outputs if tensor is not None]
        posterior = Posterior(*leaves[0].unbind(1))
        table = model.prior_from(leaves[2]) if model.is_conditional else model.prior_table()
        z = posterior.sample(noise)
        prior = model.prior_of(table, u)
        done = ForwardPass(x, noise, posterior, z, leaves[1], prior, model.family, model.likelihood)
        *terms, parts = objective.terms(done, weights, n_data)
        sums = torch.stack((*terms, *parts)).sum(-1)
        loss = sums[0].sum() / -x.shape[1]
        found = torch.autograd.grad(loss, leaves)
    of_raw = found[2] if len(found) == 3 else None
    return sums.detach(), Outputs(found[0], found[1], of_raw)


def _of_bound(
    model: LatentVariableModel, outputs: Outputs, x: Tensor, u: Tensor, weights: Tensor
) -> tuple[Tensor, Outputs]:
    """Return the same for reconstruction - beta KL, the prior N(0, exp(r)), r from its network.

    With mean m and variance v of q, KL = 1/2 sum_i ((m_i^2 + v_i) exp(-r_i) - 1 + r_i - log v_i).
    """
    mean, log_variance = outputs.encoded.unbind(1)
    share = weights.unsqueeze(-1) / x.shape[1]
    reconstruction, of_decoded = _total_and_slope(model.likelihood, x, outputs.decoded)
    log_prior, index = _log_prior_variance(model, outputs, u)
    precise_mean, ratio, log_ratio = mean, log_variance.exp(), log_variance
    if log_prior is not None:
        precision = torch.exp(-log_prior)
        precise_mean, ratio = mean * precision, ratio * precision
        log_ratio = log_variance - log_prior
    excess = (mean * precise_mean).add_(ratio).sub_(1)  # (m^2 + v) exp(-r) - 1
    kl = 0.5 * (excess - log_ratio).sum((1, 2))
    of_encoded = torch.stack((share * precise_mean, (0.5 * share) * (ratio - 1)), 1)
    of_raw = _of_raw_prior(outputs, index, excess * (-0.5 * share))
    sums = torch.stack((reconstruction - weights[:, 0] * kl, reconstruction, kl))
    return sums, Outputs(of_encoded, of_decoded, of_raw)


def _of_decomposition(
    model: LatentVariableModel,
    objective: Decomposition,
    outputs: Outputs,
    x: Tensor,
    u: Tensor,
    noise: Tensor,
    z: Tensor,
    weights: Tensor,
    n_data: int,
) -> tuple[Tensor, Outputs]:
    """Return the same for a weighted decomposition, with its terms sorted:

        a log p(x|z) - b log q + d log p + (b - c) log q(z) + (c - d) sum_i log q(z_i).

    The last two are what the minibatch's pairs are needed for.
    """
    mean, log_variance = outputs.encoded.unbind(1)
    a, b, c, d = weights.unbind(1)
    size = x.shape[1]
    reconstruction, of_decoded = _total_and_slope(model.likelihood, x, outputs.decoded)
    of_decoded *= a.view(-1, 1, 1)
    log_prior, index = _log_prior_variance(model, outputs, u)
    squares, precise = z.square(), z
    log_p = squares.clone()
    if log_prior is not None:
        precision = torch.exp(-log_prior)
        precise, squares = z * precision, squares * precision
        log_p = squares + log_prior
    constant = model.n_latents * size * math.log(2 * math.pi)
    log_p = -0.5 * (log_p.sum((1, 2)) + constant)
    log_q = -0.5 * ((log_variance + noise.square()).sum((1, 2)) + constant)
    value = a * reconstruction - b * log_q + d * log_p
    share_d = (d / size).view(-1, 1, 1)
    of_z = share_d * precise
    of_mean = of_z.clone()
    of_log_variance = (-0.5 / size) * b.view(-1, 1, 1) + 0.5 * of_z * (z - mean)
    parts = torch.full((3, len(x)), math.nan, dtype=x.dtype, device=x.device)
    rows = indices_of((b != c) | (c != d))
    if len(rows):
        some = Posterior(mean[rows], log_variance[rows])
        joint, marginals, pairs = _run_aggregate(z[rows], some, n_data, objective.estimator)
        of_joint, of_marginals = (
            (-weight[rows] / size).unsqueeze(1).expand(-1, size) for weight in (b - c, c - d)
        )
        of_draw, mean_too, log_variance_too = _pull_back_aggregate(pairs, of_joint, of_marginals)
        of_mean.index_add_(0, rows, of_draw + mean_too)
        log_variance_too.addcmul_(of_draw, (z - mean)[rows], value=0.5)
        of_log_variance.index_add_(0, rows, log_variance_too)
        joint, marginals = joint.sum(1), marginals.sum(1)
        value = value.index_add(0, rows, (b - c)[rows] * joint + (c - d)[rows] * marginals)
        chain = (log_q[rows], joint, marginals, log_p[rows])
        parts[:, rows] = torch.stack([one - two for one, two in pairwise(chain)])
    of_raw = _of_raw_prior(outputs, index, (0.5 * share_d) * (1 - squares))
    sums = torch.cat((torch.stack((value, reconstruction, log_q - log_p)), parts))
    return sums, Outputs(torch.stack((of_mean, of_log_variance), 1), of_decoded, of_raw)


def _total_and_slope(likelihood: Likelihood, x: Tensor, decoded: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of log p(x|z) over a minibatch, (E,), and minus its mean's gradient.

    The gradient is that with respect to ``decoded``, (E, B, d).
    """
    size, d = x.shape[1:]
    if not isinstance(likelihood, GaussianLikelihood):
        total = likelihood.log_density(x, decoded).sum(1)
        return total, decoded.sigmoid().sub_(x).div_(size)
    variance = likelihood.variance.to(x.dtype)
    residual = decoded - x
    total = residual.square().sum((1, 2)) / variance
    total += size * d * torch.log(2 * math.pi * variance)
    return -0.5 * total, residual.mul_((1 / (size * variance)).view(-1, 1, 1))


def _log_prior_variance(
    model: LatentVariableModel, outputs: Outputs, u: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """Return r for each sample, (E, B, n), and where it was picked from; None where it is 0."""
    if outputs.raw_prior is None:
        return None, None
    index = row_index(u, (len(u),), model.n_segments)
    return pick_rows(outputs.raw_prior[:, 0], index), index


def _of_raw_prior(outputs: Outputs, index: Tensor | None, grad: Tensor) -> Tensor | None:
    raw = outputs.raw_prior
    if raw is None or index is None:
        return None
    return sum_rows(grad, index, raw.shape[0] * raw.shape[2]).view_as(raw)


class _Pairs(NamedTuple):
    """What :func:`_pull_back_aggregate` needs of the B x B pairs; axes (E, n, draws, posteriors).

    ``scaled`` is (z - mean) / deviation; ``share`` the share of each posterior in sum_i log q(z_i),
    and ``joint_share``, (E, B, B), in log q(z).
    """

    scale: Tensor
    scaled: Tensor
    share: Tensor
    joint_share: Tensor


def _run_aggregate(
    z: Tensor, posterior: Posterior, n_data: int, estimator: Estimator
) -> tuple[Tensor, Tensor, _Pairs]:
    """Do what :func:`ivae.objectives.log_aggregate` does, and keep what its gradients need."""
    point = z.mT.unsqueeze(-1)
    mean, log_variance = (part.mT.unsqueeze(-2) for part in posterior)
    scale = torch.exp(-0.5 * log_variance)
    scaled = (point - mean).mul_(scale)
    log_weight = log_weights(z.shape[1], n_data, estimator, z.dtype, z.device)
    constant = -0.5 * (log_variance + math.log(2 * math.pi))
    log_density = torch.addcmul(constant, scaled, scaled, value=-0.5)
    joint, joint_share = _log_mean(log_density.sum(1).add_(log_weight))
    marginals, share = _log_mean(log_density.add_(log_weight))
    return joint, marginals.sum(1), _Pairs(scale, scaled, share, joint_share)


def _pull_back_aggregate(
    pairs: _Pairs, of_joint: Tensor, of_marginals: Tensor
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
