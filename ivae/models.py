"""The models of the paper as ensembles: iVAE (Eqs. 5-7) and the VAE it is compared with.

Both have a decoder p(x|z), Gaussian around f(z) or Bernoulli with logits f(z), and a Gaussian
posterior with diagonal covariance. They differ in the prior alone: iVAE's depends on u, the VAE's
is fixed. The VAE's encoder therefore does not see u either: its posterior p(z|x) does not depend
on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ivae.families import ExponentialFamily, family_named
from ivae.generative import GenerativeModel
from ivae.likelihoods import LikelihoodName, likelihood_named
from ivae.nets import MLP, Network
from ivae.passes import Posterior
from ivae.support.checks import one_of, whole_number
from ivae.support.seeds import seeded_generator


class LatentVariableModel(GenerativeModel):
    """iVAEs or VAEs whose networks are MLPs of one shape, each with its seed.

    Build one with :func:`ivae` or :func:`vae`.

    Attributes
    ----------
    network
        Shape of the MLPs.
    decoder, encoder, prior_net
        f; mean and log variance of q(z|x, u); the prior's parameters, None for a VAE.
    """

    def __init__(
        self,
        n_latents: int,
        n_observed: int,
        n_segments: int,
        family: ExponentialFamily,
        seeds: Sequence[int],
        network: Network,
        likelihood: LikelihoodName,
        decoder_variance: float | Sequence[float] | None,
    ) -> None:
        super().__init__()
        whole_number("n_latents", n_latents)
        whole_number("n_observed", n_observed)
        if n_latents > n_observed:
            raise ValueError(
                f"n_latents must be at most n_observed = {n_observed} (Section 3.1); "
                f"got {n_latents}."
            )
        self.seeds = tuple(whole_number("every seed", seed, at_least=0) for seed in seeds)
        if not self.seeds:
            raise ValueError("seeds must name at least one member; got none.")
        self.n_latents, self.n_observed, self.n_segments = n_latents, n_observed, n_segments
        self.family, self.network = family, network
        self.likelihood = likelihood_named(likelihood, decoder_variance, self.n_members)
        generators = [seeded_generator(seed, "initialisation") for seed in self.seeds]
        shape = network.shape
        self.decoder = MLP(generators, (), n_latents, n_observed, **network.decoder_shape)
        self.encoder = MLP(generators, (2,), n_observed, n_latents, n_segments=n_segments, **shape)
        self.prior_net = (
            MLP(generators, (family.k,), 0, n_latents, n_segments=n_segments, **shape)
            if n_segments
            else None
        )

    def encode(self, x: Tensor, u: Tensor) -> Posterior:
        """Return mean and log variance of q(z|x, u) for x (E, B, d) and u (E, B)."""
        self.check_shape("x", x, -1, self.n_observed)
        self.check_shape("u", u, x.shape[1])
        mean, log_variance = self.encoder(x, u if self.is_conditional else None).unbind(1)
        return Posterior(mean, log_variance)

    def prior_table(self) -> Tensor:
        """Return lambda(u) for every segment, (E, M, n, k); M = 1 for an unconditional prior."""
        if self.prior_net is None:
            shape = (self.n_members, 1, self.n_latents)
            return self.family.natural_parameters(self.reference.new_ones(shape))
        return self.prior_from(self.prior_net())


def ivae(
    n_latents: int,
    n_observed: int,
    n_segments: int,
    *,
    seeds: Sequence[int],
    n_components: int = 1,
    family: str | None = None,
    network: Network | None = None,
    likelihood: LikelihoodName = "gaussian",
    decoder_variance: float | Sequence[float] | None = None,
) -> LatentVariableModel:
    """Return an ensemble of iVAEs, Eqs. (5)-(7), with a Gaussian prior given u.

    Parameters
    ----------
    n_latents, n_observed, n_segments
        n <= d and the number M of segments.
    seeds
        One per member.
    n_components
        k: 1 learns the variances of the prior (mean 0), 2 the means as well.
    family
        Name of the prior's family, see :mod:`ivae.families`, where it is none of these two:
        ``"gaussian-location"`` learns the means alone, ``"laplace"`` scales.
    network
        Shape of decoder, encoders and prior networks.
    likelihood
        ``"gaussian"``, or ``"bernoulli"`` for x of 0 and 1 (supplement E): the decoder then gives
        logits.
    decoder_variance
        sigma^2 of the Gaussian noise in Eq. (6), for all members or one for each; by default the
        .01 at which Section 5 fixes it.

    Raises
    ------
    ValueError
        For sizes that are not whole numbers of at least 1, n > d, k other than 1 or 2, an unknown
        family or one of another k, no seeds, an unknown likelihood, or a decoder variance that is
        not positive or has no effect.
    """
    whole_number("n_segments", n_segments)
    if n_components not in (1, 2):
        raise ValueError(f"n_components must be 1 or 2; got {n_components!r}.")
    prior = family_named(family or ("gaussian-scale" if n_components == 1 else "gaussian"))
    if prior.k != n_components:
        raise ValueError(
            f"n_components must be {prior.k} for the {prior.name} family; got {n_components}."
        )
    return LatentVariableModel(
        *(n_latents, n_observed, n_segments, prior, seeds, network or Network()),
        *(likelihood, decoder_variance),
    )


def vae(
    n_latents: int,
    n_observed: int,
    *,
    seeds: Sequence[int],
    prior: str = "gaussian",
    network: Network | None = None,
    likelihood: LikelihoodName = "gaussian",
    decoder_variance: float | Sequence[float] | None = None,
) -> LatentVariableModel:
    """Return an ensemble of VAEs, Eq. (1), with a fixed prior of mean 0 and variance 1.

    Parameters are those of :func:`ivae`, but ``prior``: ``"gaussian"`` or ``"laplace"``
    (Section 5, "Comparisons").

    Raises
    ------
    ValueError
        As :func:`ivae`, and for an unknown prior.
    """
    one_of("prior", prior, ("gaussian", "laplace"))
    family = family_named("gaussian-scale" if prior == "gaussian" else "laplace")
    return LatentVariableModel(
        *(n_latents, n_observed, 0, family, seeds, network or Network()),
        *(likelihood, decoder_variance),
    )
