"""What is maximised: Eq. (8), its weighted decomposition, the importance-weighted bound.

An objective is a small frozen value that says what to compute; its method ``terms`` does. Values
are in nats for one sample and have shape (E, B). A training step maximises the mean over B and
*sums* over members, so that the gradient of a member does not depend on how many there are. (For a
zero-mean Gaussian prior ``train`` has the formulas once more, :mod:`ivae.engine.gradients`.)

Every objective comes apart into weighted terms, and each weight may be one number, one for each
member, or a :class:`ivae.schedules.Ramp`; :func:`ivae.training.train` turns them into a tensor
(E, number of weights) for each step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ivae.families import ExponentialFamily
from ivae.models import ForwardPass, LatentVariableModel
from ivae.nets import Posterior
from ivae.schedules import Weight, check_weight
from ivae.support.checks import one_of, whole_number

Estimator = Literal["weighted", "stratified"]
RELEASED_WEIGHTS = (100.0, 1.0, 0.0, 10.0)  # a, b, c, d of the released iVAE code.


class Elbo(NamedTuple):
    """The two terms of Eq. (8), each (E, B): E_q log p(x|z) by one draw, and KL(q || p(z|u))."""

    reconstruction: Tensor
    kl: Tensor

    @property
    def value(self) -> Tensor:
        """The evidence lower bound, reconstruction - KL."""
        return self.reconstruction - self.kl


class Terms(NamedTuple):
    """What an objective computes of a minibatch, each (E, B); ``value`` is maximised.

    ``reconstruction`` and ``kl`` make up the ELBO whatever the objective. ``parts`` are the three
    parts of the KL term, from a :class:`Decomposition`; NaN for members that do not need them.
    """

    value: Tensor
    reconstruction: Tensor
    kl: Tensor
    parts: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Bound:
    """The ELBO of Eq. (8), its KL term in closed form; with ``beta`` other than 1 the beta-VAE's.

    Attributes
    ----------
    beta
        Weight of KL(q || p). The paper's comparison takes beta in [1, 45].
    """

    beta: Weight = 1.0
    n_draws: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_weight("beta", self.beta)

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The weight beta."""
        return (self.beta,)

    def terms(self, done: ForwardPass, weights: Tensor, n_data: int) -> Terms:
        """Return the terms; ``weights`` is (E, 1): beta."""
        reconstruction, kl = _elbo(done)
        return Terms(reconstruction - weights * kl, reconstruction, kl)


@dataclass(frozen=True)
class Decomposition:
    """a log p(x|z) - b MI - c TC - d KL', the KL term of the ELBO in three weighted parts.

    At one draw z of q(z|x, u), and with q(z) the mean of q(z|x, u) over the training data,

        mutual information    MI  = log q(z|x, u) - log q(z)
        total correlation     TC  = log q(z) - sum_i log q(z_i)
        dimension-wise KL     KL' = sum_i log q(z_i) - log p(z|u)

    (Chen et al. 2018). They add up to log q(z|x, u) - log p(z|u), so weights (1, 1, 1, 1) give an
    unbiased one-draw estimate of the ELBO's gradient; the parts are then not computed. For a VAE
    each part has a mean of at least 0. For an iVAE, whose prior depends on u, KL' has the mean
    sum_i KL(q(z_i) || mean over u of p(z_i|u)) minus what u tells about the latents under the
    prior, and can be negative; TC need not be 0 for the true model.

    log q(z) is estimated from the minibatch, see :func:`log_aggregate`; that costs a term of size
    B x B x n, computed only for members whose b, c, d are not all equal.

    Attributes
    ----------
    reconstruction, mutual_information, total_correlation, dimension_wise_kl
        The weights a, b, c, d.
    estimator
        ``"weighted"``, the released code's, or ``"stratified"``, which is unbiased for q(z).
    """

    reconstruction: Weight = 1.0
    mutual_information: Weight = 1.0
    total_correlation: Weight = 1.0
    dimension_wise_kl: Weight = 1.0
    estimator: Estimator = "weighted"
    n_draws: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for name, weight in zip("abcd", self.weights, strict=True):
            check_weight(f"weight {name}", weight)
        one_of("estimator", self.estimator, get_args(Estimator))

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The weights a, b, c, d."""
        return (
            self.reconstruction,
            self.mutual_information,
            self.total_correlation,
            self.dimension_wise_kl,
        )

    def terms(self, done: ForwardPass, weights: Tensor, n_data: int) -> Terms:
        """Return the terms; ``weights`` is (E, 4), a to d; ``n_data`` is the size of the data."""
        posterior, z, family = done.posterior, done.z, done.family
        log_likelihood = _log_likelihood(done)
        log_prior = family.log_density(z, done.prior).sum(-1)
        log_q = _log_q_of_draw(posterior, done.noise)
        a, b, c, d = weights.unsqueeze(-1).unbind(1)
        value = a * log_likelihood - b * log_q + d * log_prior
        mi = tc = kl_i = torch.full_like(log_q, math.nan, requires_grad=False)
        rows = indices_of(((b != c) | (c != d)).squeeze(1))
        if len(rows):
            some = Posterior(posterior.mean[rows], posterior.log_variance[rows])
            log_qz, log_product = log_aggregate(z[rows], some, n_data, self.estimator)
            extra = (b - c)[rows] * log_qz + (c - d)[rows] * log_product
            value = value.index_add(0, rows, extra)
            mi = mi.index_copy(0, rows, log_q[rows] - log_qz)
            tc = tc.index_copy(0, rows, log_qz - log_product)
            kl_i = kl_i.index_copy(0, rows, log_product - log_prior[rows])
        return Terms(value, log_likelihood, log_q - log_prior, (mi, tc, kl_i))


@dataclass(frozen=True)
class ImportanceWeighted:
    """The importance-weighted bound of Burda et al. (2016), with ``n_draws`` K draws a sample.

    log (1/K) sum_k p(x, z_k|u) / q(z_k|x, u). With K = 1 it is the sampled ELBO. Its
    mean does not fall with K and tends to log p(x|u), under mild conditions on the weights.
    """

    n_draws: int = 8

    def __post_init__(self) -> None:
        whole_number("n_draws", self.n_draws)

    @property
    def weights(self) -> tuple[Weight, ...]:
        """None."""
        return ()

    def terms(self, done: ForwardPass, weights: Tensor, n_data: int) -> Terms:
        """Return the terms; the pass has K draws for each sample, noise (E, B, K, n)."""
        noise = done.noise.view(*done.x.shape[:2], self.n_draws, -1)
        posterior = Posterior(*(part.unsqueeze(2) for part in done.posterior))
        log_prior = done.family.log_density(done.z.view_as(noise), done.prior.unsqueeze(2))
        log_likelihood = _log_likelihood(done).view(noise.shape[:3])
        kl = _log_q_of_draw(posterior, noise) - log_prior.sum(-1)
        value = torch.logsumexp(log_likelihood - kl, -1) - math.log(self.n_draws)
        return Terms(value, log_likelihood.mean(-1), kl.mean(-1))


Objective = Bound | Decomposition | ImportanceWeighted


def noise_shape(objective: Objective, n_latents: int) -> tuple[int, ...]:
    """Return the shape of one sample's standard normal draws: (n,), or (K, n) for K draws."""
    return (n_latents,) if objective.n_draws == 1 else (objective.n_draws, n_latents)


def beta_tc_vae(
    beta: Weight, *, alpha: Weight = 1.0, gamma: Weight = 1.0, estimator: Estimator = "weighted"
) -> Decomposition:
    """Return the beta-TC-VAE's objective (Chen et al. 2018): TC weighs beta.

    MI weighs alpha, KL' gamma; the paper's comparison has beta in [1, 35], alpha = gamma = 1.
    """
    return Decomposition(1.0, alpha, beta, gamma, estimator)


def released_objective() -> Decomposition:
    """Return what the released iVAE code maximises, weights (100, 1, 0, 10).

    It sets weights alone: build the model with ``decoder_variance=0.1``, as that code does, else
    the reconstruction weighs ten times more.
    """
    return Decomposition(*RELEASED_WEIGHTS)


def elbo(model: LatentVariableModel, x: Tensor, u: Tensor, noise: Tensor) -> Elbo:
    """Return the ELBO of Eq. (8), its KL term in closed form, for x (E, B, d) and u (E, B).

    ``noise`` (E, B, n) reparameterises the posterior: z = mean + deviation * noise. A ValueError
    names shapes that do not fit, and labels that are not integers from 0 to M - 1.

    >>> from ivae.models import ivae
    >>> x, u, noise = torch.zeros(1, 4, 3), torch.tensor([[0, 0, 1, 1]]), torch.zeros(1, 4, 2)
    >>> elbo(ivae(2, 3, 2, seeds=[0]), x, u, noise).value.shape
    torch.Size([1, 4])
    """
    _check_batch(model, x, u, noise)
    return _elbo(model(x, u, noise))


def kl_to_prior(posterior: Posterior, family: ExponentialFamily, lam: Tensor) -> Tensor:
    """Return KL(q || p), (E, B), from a diagonal Gaussian q to the prior of Eq. (7).

    It is minus the entropy of q, minus <lambda, E_q T(z)>, minus E_q log Q(z), plus log Z: one
    formula for every family that knows E_q T(z) and E_q log Q(z).
    """
    variance = posterior.log_variance.exp()
    entropy = 0.5 * (math.log(2 * math.pi * math.e) + posterior.log_variance)
    expected = (family.expected_statistics(posterior.mean, variance) * lam).sum(-1)
    expected = expected + family.expected_log_base_measure(posterior.mean, variance)
    return (family.log_normalizer(lam) - expected - entropy).sum(-1)


def _elbo(done: ForwardPass) -> Elbo:
    return Elbo(_log_likelihood(done), kl_to_prior(done.posterior, done.family, done.prior))


def _log_likelihood(done: ForwardPass) -> Tensor:
    """Return log p(x|z) at each draw, (E, B) or (E, B K)."""
    x = done.x
    if done.decoded.shape[1] != x.shape[1]:
        x = x.repeat_interleave(done.decoded.shape[1] // x.shape[1], 1)
    return done.likelihood.log_density(x, done.decoded)


def _log_q_of_draw(posterior: Posterior, noise: Tensor) -> Tensor:
    # log q at z = mean + deviation * noise needs the noise alone.
    return -0.5 * (math.log(2 * math.pi) + posterior.log_variance + noise.square()).sum(-1)


def log_aggregate(
    z: Tensor, posterior: Posterior, n_data: int, estimator: Estimator = "weighted"
) -> tuple[Tensor, Tensor]:
    """Return minibatch estimates of log q(z) and of sum_i log q(z_i), each (E, B).

    q(z) is the mean of q(z|x, u) over the N = ``n_data`` samples. With B of them in the minibatch
    and one draw z_b from each of their posteriors, z (E, B, n), the estimators of Chen et al.
    (2018) weigh the B densities q(z_b|x_j, u_j):

        weighted     every j by 1 / (B N); too low, by a factor between B and about N
        stratified   j = b by 1 / N, the next of the minibatch, in a circle, by
                     (N - B + 1) / (N (B - 1)), all others by 1 / (B - 1); for B > 1 the weights add
                     up to 1, and its mean is q(z_b)

    The constant 1 / (B N) is in no gradient, but it moves values: with ``weighted`` MI comes out up
    to log N too high, TC by about (n - 1) log N, and KL' by about n log N too low. Compare these
    values between runs of equal B, N and n only; the logarithm of ``stratified`` is biased too.
    """
    # Axes (E, n, B of the draws, B of the posteriors): both reductions run over whole rows.
    point = z.transpose(1, 2).unsqueeze(-1)
    mean, log_variance = (part.transpose(1, 2).unsqueeze(-2) for part in posterior)
    scale = torch.exp(-0.5 * log_variance)
    log_density = -0.5 * (((point - mean) * scale).square() + log_variance + math.log(2 * math.pi))
    log_weight = log_weights(z.shape[1], n_data, estimator, z.dtype, z.device)
    joint = torch.logsumexp(log_density.sum(1) + log_weight, -1)
    marginals = torch.logsumexp(log_density + log_weight, -1).sum(1)
    return joint, marginals


@lru_cache
def log_weights(
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


def indices_of(members: Tensor) -> Tensor:
    """Return the indices of the members that are True; on a GPU all, since to look is to wait."""
    if members.is_cuda:
        return torch.arange(len(members), device=members.device)
    return members.nonzero().squeeze(1)


def _check_batch(model: LatentVariableModel, x: Tensor, u: Tensor, noise: Tensor) -> None:
    model.check_shape("x", x, -1, model.n_observed)
    model.check_shape("u", u, x.shape[1])
    model.check_shape("noise", noise, x.shape[1], model.n_latents)
    if u.dtype != torch.int64:
        raise ValueError(f"u must hold segment labels of dtype int64; got {u.dtype}.")
    # Out of range, a label would pick another member's row. A GPU is not made to wait for the
    # answer: there train() has checked the whole dataset before.
    if model.is_conditional and not u.is_cuda:
        wrong = [v for v in (int(u.min()), int(u.max())) if not 0 <= v < model.n_segments]
        if wrong:
            raise ValueError(
                f"u must hold labels from 0 to {model.n_segments - 1}; got {wrong[0]}."
            )
