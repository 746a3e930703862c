"""The iVAE of the recipe: decoder and prior of Eqs. (5)-(7), an encoder that does not see u.

Draws of q are to say about u what x says, and no more; an encoder that is told u would write it
into them. So q is q(z|x). Without noise nothing is lost by that: z is a function of x.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ivae.families import ExponentialFamily
from ivae.generative import GenerativeModel
from ivae.likelihoods import GaussianLikelihood
from ivae.nets import MLP
from ivae.passes import Posterior
from ivae.recipe.discrimination import SegmentClassifier
from ivae.recipe.separator import Separator
from ivae.support.seeds import seeded_generator


class RecoveredModel(GenerativeModel):
    """E iVAEs for x with columns of mean 0 and variance 1, from :func:`ivae.recipe.recovery.recover`.

    Attributes
    ----------
    separator
        q(z|x).
    decoder
        f, an MLP of three linear maps with xtanh.
    classifier
        p(u|z), with numbers of its own beside those of the prior; nothing but training uses it.
    raw_prior
        Log variance, and mean where the family has one, of every segment's latents, (E, k, M, n).
    """

    likelihood: GaussianLikelihood

    def __init__(
        self,
        seeds: Sequence[int],
        n_observed: int,
        n_latents: int,
        log_share: Tensor,
        family: ExponentialFamily,
        hidden: int,
        n_blocks: int,
        activation: str,
    ) -> None:
        super().__init__()
        self.seeds = tuple(seeds)
        self.family = family
        self.n_latents, self.n_observed, self.n_segments = n_latents, n_observed, len(log_share)
        generators = [seeded_generator(seed, "initialisation") for seed in self.seeds]
        self.separator = Separator(generators, n_observed, n_latents, hidden, n_blocks, activation)
        self.decoder = MLP(
            generators, (), n_latents, n_observed, hidden=hidden, n_layers=3, activation="xtanh"
        )
        self.classifier = SegmentClassifier(generators, family, n_latents, log_share)
        self.raw_prior = nn.Parameter(torch.zeros(len(seeds), family.k, self.n_segments, n_latents))
        self.likelihood = GaussianLikelihood([1.0] * len(seeds))

    def encode(self, x: Tensor, u: Tensor) -> Posterior:
        """Return mean and log variance of q(z|x), (E, B, n) each, for x (E, B, d) and u (E, B)."""
        self.check_shape("x", x, -1, self.n_observed)
        self.check_shape("u", u, x.shape[1])
        return Posterior(*self.separator(x))

    def prior_table(self) -> Tensor:
        """Return lambda(u) for every segment, (E, M, n, k)."""
        return self.prior_from(self.raw_prior)
