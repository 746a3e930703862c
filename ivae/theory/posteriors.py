"""Gaussian posteriors fitted sample by sample, and how far the ELBO is from log p(x|u).

Theorem 3 presumes that q contains the true posterior. What is lost where it does not is the gap of
Eq. (25), log p(x|u) - ELBO = KL(q || p(z|x, u)). To see what the *family* of q costs, q is fitted
here to every observation by itself, so that no encoder network stands between; log p(x|u) comes
from importance sampling.

The smaller the decoder variance, the narrower the posterior, and the nearer to the Gaussian of
:func:`at_mode`, whose precision is J J' / sigma^2 plus that of the prior.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ivae.data import NonstationaryData
from ivae.engine.descent import minimise
from ivae.mixing import in_torch
from ivae.models import LatentVariableModel
from ivae.support.checks import Array, positive_number, whole_number

Joint = Callable[[Tensor], Tensor]
LEARNING_RATE = 0.05
DEGREES_OF_FREEDOM = 5  # Of the proposal: heavier tails than the posterior's keep weights bounded.


class Problem(NamedTuple):
    """A model at B observations, in float64.

    Attributes
    ----------
    log_joint
        log p(x, z|u) of latents z (B, K, n), as (B, K).
    mean, covariance
        A Gaussian approximation of each posterior to start from, (B, n) and (B, n, n).
    precision
        diag(1 / v) + J J' / sigma^2 at latents (B, n), as (B, n, n): the inverse covariance of the
        posterior with the decoder linearised there, v being the prior's variances.
    """

    log_joint: Joint
    mean: Tensor
    covariance: Tensor
    precision: Joint


class Posteriors(NamedTuple):
    """A Gaussian q for each observation: means (B, n), lower factors (B, n, n) of covariances."""

    mean: Tensor
    factor: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Return mean + factor noise, (B, K, n), for standard normal noise (B, K, n)."""
        return self.mean.unsqueeze(1) + noise @ self.factor.mT

    def log_density(self, noise: Tensor) -> Tensor:
        """Return log q at those samples, (B, K)."""
        log_volume = self.factor.diagonal(dim1=1, dim2=2).abs().log().sum(-1, keepdim=True)
        n = noise.shape[-1]
        return -0.5 * (noise.square().sum(-1) + n * math.log(2 * math.pi)) - log_volume


class Gap(NamedTuple):
    """What :func:`measure_gap` found for B observations, in nats, (B,) each.

    log p(x|u) is by importance sampling, on average too low rather than too high; ``effective`` is
    the share of its samples that count (effective sample size / K). ``mean_field`` and ``full`` are
    the ELBO of the best diagonal and the best full-covariance Gaussian.
    """

    log_likelihood: Array
    mean_field: Array
    full: Array
    effective: Array


def problem_of_dataset(
    dataset: NonstationaryData, rows: ArrayLike, decoder_variance: float | None = None
) -> Problem:
    """Return the true f and prior of a dataset at some of its observations, started at the true z.

    The model assumes ``decoder_variance`` for sigma^2 of Eq. (6), by default that of the noise in
    the data; with another one it is wrong about the noise. A ValueError names a variance that is
    not positive, and data without noise, whose posteriors are points, where none is given.
    """
    noise = dataset.noise_variance if decoder_variance is None else decoder_variance
    if decoder_variance is None and not noise:
        raise ValueError(
            "dataset must have noise: without, p(z|x, u) is a point. Give the decoder_variance "
            "that a model assumes."
        )
    positive_number("decoder_variance", noise)
    chosen = np.asarray(rows)
    u = dataset.u[chosen]
    family = dataset.family
    lam = torch.as_tensor(dataset.natural_parameters[u])

    def log_prior(z: Tensor) -> Tensor:
        return family.log_density(z, lam.unsqueeze(1)).sum(-1)

    x = torch.as_tensor(dataset.x[chosen], dtype=torch.float64)
    z = torch.as_tensor(dataset.z[chosen], dtype=torch.float64)
    variance = torch.as_tensor(dataset.variance[u])
    decode = in_torch([dataset.mixing], x)

    def jacobian(z: Tensor) -> Tensor:
        return torch.as_tensor(np.array(dataset.mixing.jacobian(z.numpy()), np.float64))

    return _problem(decode, log_prior, x, z, jacobian, variance, noise)


def problem_of_model(
    model: LatentVariableModel, member: int, x: ArrayLike, u: ArrayLike
) -> Problem:
    """Return one member of a model at observations x (B, d), started at its encoder's means."""
    part = model.of([member]).double().requires_grad_(False)
    rows, labels = part.check_data(x, u)
    posterior = part.encode(rows, labels)
    lam = part.prior(labels)[0]

    def decode(z: Tensor) -> Tensor:
        flat = part.decode(z.reshape(1, -1, part.n_latents))
        return flat.view(*z.shape[:-1], part.n_observed)

    def log_prior(z: Tensor) -> Tensor:
        return part.family.log_density(z, lam.unsqueeze(1)).sum(-1)

    def jacobian(z: Tensor) -> Tensor:
        return part.decoder_jacobian(z.unsqueeze(0))[0].detach()

    _, variance = part.family.moments(lam)
    noise = float(part.decoder_variance[0])
    return _problem(decode, log_prior, rows[0], posterior.mean[0], jacobian, variance, noise)


def encoded(model: LatentVariableModel, member: int, x: ArrayLike, u: ArrayLike) -> Posteriors:
    """Return the encoder's posteriors of rows x (N, d) in segments u (N,), of one member."""
    found = model.of([member]).double().infer(x, u)
    return Posteriors(found.mean[0], torch.diag_embed((0.5 * found.log_variance[0]).exp()))


def at_mode(problem: Problem, *, n_steps: int = 100) -> Problem:
    """Return the problem started at a mode of each posterior: the Laplace approximation.

    Levenberg and Marquardt's steps from the problem's own start, each kept only where it raises
    log p(x, z|u), so that no observation ends lower than it began; ``n_steps`` tries for each.
    """
    whole_number("n_steps", n_steps)
    z, damping = problem.mean.detach(), torch.full_like(problem.mean[:, :1], 1e-3)

    def look(at: Tensor) -> tuple[Tensor, Tensor]:
        point = at.clone().requires_grad_()
        value = problem.log_joint(point.unsqueeze(1))
        (slope,) = torch.autograd.grad(value.sum(), point)
        return value.detach(), slope

    value, slope = look(z)
    for _ in range(n_steps):
        precision = problem.precision(z)
        diagonal = precision.diagonal(dim1=1, dim2=2)
        damped = precision + torch.diag_embed(damping * diagonal)
        trial = z + torch.linalg.solve(damped, slope)
        new_value, new_slope = look(trial)
        better = new_value > value
        z, slope = torch.where(better, trial, z), torch.where(better, new_slope, slope)
        value = torch.where(better, new_value, value)
        damping = torch.where(better, damping / 3, damping * 4).clamp(1e-12, 1e12)
    return problem._replace(mean=z, covariance=torch.linalg.inv(problem.precision(z)))


def measure_gap(problem: Problem, *, n_steps: int = 300, n_draws: int = 2000, seed: int = 0) -> Gap:
    """Fit the best diagonal and full Gaussians, and estimate log p(x|u) with the latter.

    Adam takes ``n_steps`` for each fit; there are ``n_draws`` importance samples K, and as many
    draws for each ELBO.
    """
    whole_number("n_steps", n_steps)
    whole_number("n_draws", n_draws, at_least=2)
    generator = torch.Generator().manual_seed(whole_number("seed", seed, at_least=0))
    diagonal, full = (
        fit_gaussians(problem, is_full, n_steps, generator) for is_full in (False, True)
    )
    of_diagonal, of_full = (bound(problem, q, n_draws, generator) for q in (diagonal, full))
    likelihood, effective = _importance(problem, full, n_draws, generator)
    return Gap(likelihood.numpy(), of_diagonal.numpy(), of_full.numpy(), effective.numpy())


@torch.no_grad()
def bound(problem: Problem, q: Posteriors, n_draws: int, generator: torch.Generator) -> Tensor:
    """Return the ELBO of Eq. (8) with these posteriors, (B,), by K draws in antithetic pairs."""
    half = _normal(problem, -(-n_draws // 2), generator)
    noise = torch.cat((half, -half), 1)
    return (problem.log_joint(q.sample(noise)) - q.log_density(noise)).mean(1)


def fit_gaussians(
    problem: Problem, is_full: bool, n_steps: int, generator: torch.Generator
) -> Posteriors:
    """Return the Gaussians that maximise the ELBO, with full or diagonal covariances.

    Adam on fresh draws, 8 in antithetic pairs a step, its rate falling along a half cosine.
    """
    start = problem.covariance
    if not is_full:
        # The best diagonal fit to a Gaussian has the precisions of its diagonal.
        start = torch.diag_embed(1 / torch.linalg.inv(start).diagonal(dim1=1, dim2=2))
    factor = torch.linalg.cholesky(start)
    # In units of the start every direction is equally steep.
    n = factor.shape[-1]
    shift = torch.zeros_like(problem.mean).requires_grad_()
    log_scale = torch.zeros_like(problem.mean).requires_grad_()
    below = torch.zeros_like(factor).requires_grad_()
    parameters = [shift, log_scale, *([below] if is_full else [])]
    lower = torch.tril(torch.ones(n, n, dtype=factor.dtype), -1)

    def posteriors() -> Posteriors:
        inner = torch.diag_embed(log_scale.exp()) + below * lower
        return Posteriors(problem.mean + (factor @ shift.unsqueeze(-1))[..., 0], factor @ inner)

    def loss(half: Tensor) -> Tensor:
        noise = torch.cat((half, -half), 1)
        q = posteriors()
        return -(problem.log_joint(q.sample(noise)) - q.log_density(noise)).mean(1).sum()

    draws = ((_normal(problem, 4, generator),) for _ in range(n_steps))
    minimise(loss, parameters, draws, n_steps, LEARNING_RATE)
    with torch.no_grad():
        return posteriors()


@torch.no_grad()
def _importance(
    problem: Problem, q: Posteriors, n_draws: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return log p(x|u) and the effective share of draws, from q widened to a Student's t."""
    noise = _normal(problem, n_draws, generator)
    df, n = DEGREES_OF_FREEDOM, noise.shape[-1]
    chi_square = sum(
        torch.randn(noise.shape[:2], generator=generator, dtype=noise.dtype).square()
        for _ in range(df)
    )
    heavy = noise * torch.rsqrt(torch.as_tensor(chi_square) / df).unsqueeze(-1)
    constant = math.lgamma((df + n) / 2) - math.lgamma(df / 2) - n / 2 * math.log(df * math.pi)
    log_proposal = constant - (df + n) / 2 * torch.log1p(heavy.square().sum(-1) / df)
    log_volume = q.factor.diagonal(dim1=1, dim2=2).abs().log().sum(-1, keepdim=True)
    log_weight = problem.log_joint(q.sample(heavy)) - (log_proposal - log_volume)
    log_sum = torch.logsumexp(log_weight, 1)
    effective = torch.exp(2 * log_sum - torch.logsumexp(2 * log_weight, 1)) / n_draws
    return log_sum - math.log(n_draws), effective


def _problem(
    decode: Callable[[Tensor], Tensor],
    log_prior: Callable[[Tensor], Tensor],
    x: Tensor,
    z: Tensor,
    jacobian: Joint,
    variance: Tensor,
    noise_variance: float,
) -> Problem:
    """Put log p(x|z) + log p(z|u) together, with the Gaussian of the decoder linearised at z."""

    def log_joint(latents: Tensor) -> Tensor:
        squares = (x.unsqueeze(1) - decode(latents)).square().sum(-1)
        constant = x.shape[1] * math.log(2 * math.pi * noise_variance)
        return log_prior(latents) - 0.5 * (squares / noise_variance + constant)

    def precision(latents: Tensor) -> Tensor:
        slopes = jacobian(latents)
        return torch.diag_embed(1 / variance) + slopes @ slopes.mT / noise_variance

    return Problem(log_joint, z, torch.linalg.inv(precision(z)), precision)


def _normal(problem: Problem, n_draws: int, generator: torch.Generator) -> Tensor:
    size, n = problem.mean.shape
    return torch.randn(size, n_draws, n, generator=generator, dtype=problem.mean.dtype)
