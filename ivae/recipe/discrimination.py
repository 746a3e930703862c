"""p(u|x) by Bayes' rule on the model's own prior: the discriminative term of the recipe.

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

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ivae.families import ExponentialFamily

SPREAD_OF_WEIGHTS = 0.1  # Standard deviation of the first weights, so that latents differ.


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
