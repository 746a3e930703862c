"""The iVAE of the recipe, and p(u|z) by Bayes' rule on its prior.

Draws of q are to say about u what x says, and no more; an encoder that is told u would write it
into them. So q is q(z|x). Without noise nothing is lost by that: z is a function of x. The mixing
of Section 5 squeezes: its inverse is steep where a tanh is flat, and an MLP of the paper's shape,
even one trained on the true sources, does not follow it closely. Hidden layers that add to what
came before, with a smooth activation that does not saturate, do.

Without noise x = f(z), and the density of x in segment u is that of z = f^-1(x) = h(x) times the
volume factor |det J_h(x)|. In Bayes' rule the factor cancels, since it does not know u:

    p(u|x) = p(u) p(h(x)|u) / sum_v p(v) p(h(x)|v)

and with Eq. (7) what is left is a softmax whose logits are linear in the sufficient statistics,

    log p(u) + sum_ij T_ij(h_i(x)) lambda_ij(u) - sum_i log Z_i(lambda_i(u)).

So the prior of an iVAE *is* a classifier of segments, for any family and any k; the base measure Q
cancels like the volume. Time-contrastive learning (Hyvarinen and Morioka 2016) learns such a
classifier with free features in the place of T. Segments of different sizes enter through p(u).
With noise the rule holds for z, not for x: p(u|x) is then the mean of p(u|z) over p(z|x).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from ivae.families import ExponentialFamily
from ivae.likelihoods import GaussianLikelihood
from ivae.models import LatentVariableModel
from ivae.nets import MLP, Linear, Posterior, PriorTable
from ivae.support.activations import xtanh
from ivae.support.checks import one_of
from ivae.support.seeds import seeded_generator

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"silu": silu, "xtanh": xtanh}
START_LOG_VARIANCE = -4.0  # Draws stay near the means at first, so that latents can be told apart.
SPREAD_OF_WEIGHTS = 0.1  # Standard deviation of the first weights, so that latents differ.


class Separator(nn.Module):
    """q(z|x) = N(h(x), diag(v(x))) for E members.

    h(x) is a linear map of x plus a network with one hidden layer and ``n_blocks`` residual ones.
    Neither h nor v sees u: what h(x) says about u it has from x.

    Parameters
    ----------
    generators
        One per member; a member's initial weights come from its own generator alone.
    n_observed, n_latents
        d and n. Columns of x are meant to have mean 0 and variance 1.
    hidden, n_blocks
        Width of the hidden layers and number of residual ones.
    activation
        ``"silu"``, a / (1 + exp(-a)), or the paper's ``"xtanh"``.
    """

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        n_observed: int,
        n_latents: int,
        hidden: int,
        n_blocks: int,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        self.hidden, self.n_blocks = hidden, n_blocks
        self.activation = one_of("activation", activation, ACTIVATIONS)
        self.skip = Linear(generators, (), n_observed, n_latents, "lecun")
        self.first = Linear(generators, (), n_observed, hidden, "lecun")
        blocks = [Linear(generators, (), hidden, hidden, "lecun") for _ in range(n_blocks)]
        self.blocks = cast(Sequence[Linear], nn.ModuleList(blocks))
        self.mean = Linear(generators, (), hidden, n_latents, "lecun")
        self.log_variance = Linear(generators, (), hidden, n_latents, "lecun")
        with torch.no_grad():
            self.log_variance.bias.add_(START_LOG_VARIANCE)

    def forward(self, x: Tensor, u: Tensor | None = None) -> Posterior:
        """Return h(x) and log v(x), each (E, B, n), for x (E, B, d); u is not looked at."""
        activate = ACTIVATIONS[self.activation]
        a = activate(self.first(x))
        for block in self.blocks:
            a = a + activate(block(a))
        return Posterior(self.mean(a) + self.skip(x), self.log_variance(a))


def log_probabilities(
    family: ExponentialFamily, lam: Tensor, log_share: Tensor, z: Tensor
) -> Tensor:
    """Return log p(u|z), (E, B, M), of every segment by Bayes' rule.

    Parameters
    ----------
    family
        Of the sources.
    lam
        lambda(u) of every segment, (E, M, n, k).
    log_share
        log p(u), (E, M).
    z
        Latents, (E, B, n).
    """
    statistics = family.statistics(z).flatten(2)
    logits = statistics @ lam.flatten(2).mT
    logits = logits + (log_share - family.log_normalizer(lam).sum(-1)).unsqueeze(1)
    return torch.log_softmax(logits, -1)


class SegmentClassifier(nn.Module):
    """Bayes' rule with free numbers for lambda(u) and for the constants of a segment.

    Freed from each other the numbers are found faster (softmax regression on T(z)), and the rule
    is among what they can be. lambda is determined up to what all segments share.

    Parameters
    ----------
    generators
        One per member.
    family
        Whose statistics T are the regressors.
    n_latents
        n.
    log_share
        log p(u), (M,): the constants to start from.
    """

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        family: ExponentialFamily,
        n_latents: int,
        log_share: Tensor,
    ) -> None:
        super().__init__()
        self.family = family
        shape = (len(log_share), n_latents * family.k)
        draws = torch.stack([torch.randn(shape, generator=g) for g in generators])
        self.weight = nn.Parameter(SPREAD_OF_WEIGHTS * draws)
        self.bias = nn.Parameter(log_share.expand(len(draws), 1, -1).clone())

    def forward(self, z: Tensor) -> Tensor:
        """Return log p(u|z) of every segment, (E, B, M), for latents (E, B, n)."""
        statistics = self.family.statistics(z).flatten(2)
        return torch.log_softmax(torch.baddbmm(self.bias, statistics, self.weight.mT), -1)

    def cross_entropy(self, z: Tensor, u: Tensor) -> Tensor:
        """Return -log p(u|z) of each row's own segment, (E, B), for labels u (E, B)."""
        own: Tensor = self(z).gather(-1, u.unsqueeze(-1)).squeeze(-1)
        return -own


def compose(
    seeds: Sequence[int],
    n_observed: int,
    n_latents: int,
    log_share: Tensor,
    family: ExponentialFamily,
    hidden: int,
    n_blocks: int,
    activation: str,
) -> tuple[LatentVariableModel, SegmentClassifier]:
    """Return E untrained models for x with columns of mean 0 and variance 1, and classifiers.

    q(z|x) is a :class:`Separator`, f an MLP of three linear maps with xtanh, and the prior a table
    of numbers. Nothing but training uses the classifier, which has numbers of its own.
    ``log_share`` is log p(u), (M,); the last three arguments are the separator's.
    """
    generators = [seeded_generator(seed, "initialisation") for seed in seeds]
    encoder = Separator(generators, n_observed, n_latents, hidden, n_blocks, activation)
    decoder = MLP(
        generators, (), n_latents, n_observed, hidden=hidden, n_layers=3, activation="xtanh"
    )
    classifier = SegmentClassifier(generators, family, n_latents, log_share)
    prior = PriorTable((len(seeds), family.k, len(log_share), n_latents))
    likelihood = GaussianLikelihood([1.0] * len(seeds))
    model = LatentVariableModel(decoder, encoder, prior, family, likelihood, seeds, len(log_share))
    return model, classifier


def separator_of(model: LatentVariableModel) -> Separator:
    """Return the encoder of a model from :func:`compose`."""
    assert isinstance(model.encoder, Separator)
    return model.encoder
