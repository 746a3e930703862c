"""The models of the paper as ensembles: decoder p(x|z), encoder q(z|x, u) and prior p(z|u).

:func:`ivae` and :func:`vae` compose MLPs, and differ in the prior alone: iVAE's depends on u, the
VAE's is fixed, so that its posterior, and its encoder, does not depend on u either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ivae.families import ExponentialFamily, family_named
from ivae.likelihoods import GaussianLikelihood, Likelihood, LikelihoodName, likelihood_named
from ivae.nets import (
    MLP,
    MLPEncoder,
    Network,
    Posterior,
    PriorTable,
    members_of,
    pick_rows,
    row_index,
)
from ivae.support.checks import data_of_members, one_of, whole_number
from ivae.support.seeds import seeded_generator


class ForwardPass(NamedTuple):
    """What an objective needs of a minibatch: ``z`` is shaped as the noise, (E, B, n) or with K
    draws (E, B, K, n), ``decoded`` is f(z), (E, B, d) or (E, B K, d), ``prior`` (E, B, n, k)."""

    x: Tensor
    noise: Tensor
    posterior: Posterior
    z: Tensor
    decoded: Tensor
    prior: Tensor
    family: ExponentialFamily
    likelihood: Likelihood


class LatentVariableModel(nn.Module):
    """An ensemble of E models p(x|z) p(z|u) with their posteriors q(z|x, u).

    Every parameter and every buffer has the member axis E first.

    Attributes
    ----------
    decoder, encoder
        f; and from x (E, B, d) and u (E, B) to a :class:`ivae.nets.Posterior`.
    prior_net
        Called without arguments it returns log variances, then means, of the prior in every
        segment, (E, k, M, n), with M = 1 for a prior that does not depend on u.
    family
        Exponential family of the prior.
    likelihood
        What the decoder's output means: p(x|z).
    seeds
        One seed per member, for its initial weights and all that is drawn when it trains.
    n_segments
        M; 0 where the prior does not see u. ``n_latents`` and ``n_observed`` are n and d.
    """

    def __init__(
        self,
        decoder: MLP,
        encoder: nn.Module,
        prior_net: nn.Module,
        family: ExponentialFamily,
        likelihood: Likelihood,
        seeds: Sequence[int],
        n_segments: int,
    ) -> None:
        super().__init__()
        self.decoder, self.encoder, self.prior_net = decoder, encoder, prior_net
        self.family, self.likelihood, self.seeds = family, likelihood, tuple(seeds)
        self.n_latents, self.n_observed, self.n_segments = decoder.n_in, decoder.n_out, n_segments

    @property
    def n_members(self) -> int:
        """E."""
        return len(self.seeds)

    @property
    def decoder_variance(self) -> Tensor:
        """sigma^2 of Eq. (6), (E,); a ValueError for a decoder that has none."""
        if not isinstance(self.likelihood, GaussianLikelihood):
            raise ValueError(f"a {self.likelihood.name} decoder has no decoder_variance.")
        return self.likelihood.variance

    @property
    def reference(self) -> Tensor:
        """A parameter, whose dtype and device are those of the model."""
        return next(self.parameters())

    @property
    def is_conditional(self) -> bool:
        """Whether the prior sees u: True for iVAE, False for the VAE."""
        return self.n_segments > 0

    def of(self, members: Sequence[int]) -> Self:
        """Return these members as an ensemble of their own, with copies of their weights."""
        part = members_of(self, members)
        part.seeds = tuple(self.seeds[member] for member in members)
        return part

    def assign(self, members: Sequence[int], part: LatentVariableModel) -> None:
        """Give these members the weights of ``part``, an ensemble as :meth:`of` returns."""
        for own, new in zip(self.parameters(), part.parameters(), strict=True):
            own.data[list(members)] = new.data.to(own)

    def decode(self, z: Tensor) -> Tensor:
        """Return f(z), shape (E, B, d), of latents (E, B, n)."""
        self.check_shape("z", z, -1, self.n_latents)
        return torch.as_tensor(self.decoder(z))

    def decoder_jacobian(self, z: Tensor) -> Tensor:
        """Return the decoder's Jacobian at z (E, B, n): (E, B, n, d), entry (i, j) df_j / dz_i."""
        at = z.detach().requires_grad_(True)
        outputs = self.decode(at).unbind(-1)
        columns = [torch.autograd.grad(f.sum(), at, retain_graph=True)[0] for f in outputs]
        return torch.stack(columns, -1)

    def encode(self, x: Tensor, u: Tensor) -> Posterior:
        """Return mean and log variance of q(z|x, u) for x (E, B, d) and u (E, B)."""
        self.check_shape("x", x, -1, self.n_observed)
        self.check_shape("u", u, x.shape[1])
        return Posterior(*self.encoder(x, u))

    def prior_table(self) -> Tensor:
        """Return lambda(u) for every segment, (E, M, n, k); M = 1 for an unconditional prior."""
        return self.prior_from(self.prior_net())

    def prior_from(self, raw: Tensor) -> Tensor:
        """Return lambda (E, M, n, k) of numbers (E, k, M, n): log variances, then means."""
        if not self.family.has_variance:
            return self.family.natural_parameters(torch.ones_like(raw[:, 0]), raw[:, 0])
        mean = raw[:, 1] if self.family.has_mean else None
        return self.family.natural_parameters(raw[:, 0].exp(), mean)

    def prior(self, u: Tensor) -> Tensor:
        """Return lambda(u), shape (E, B, n, k), for segment labels u (E, B)."""
        return self.prior_of(self.prior_table(), u)

    def prior_of(self, table: Tensor, u: Tensor) -> Tensor:
        """Return the rows (E, B, n, k) of a :meth:`prior_table` for segment labels u (E, B)."""
        if not self.is_conditional:
            return table.expand(-1, u.shape[1], -1, -1)
        index = row_index(u, (self.n_members,), self.n_segments)
        return pick_rows(table.flatten(2), index).view(*u.shape, *table.shape[2:])

    def forward(self, x: Tensor, u: Tensor, noise: Tensor) -> ForwardPass:
        """Return posterior, draws, their decoding and the prior for a minibatch.

        ``x`` is (E, B, d), ``u`` (E, B), and ``noise`` (E, B, n), or (E, B, K, n) for K draws each.
        """
        return self.complete(self.encode(x, u), x, u, noise)

    def complete(self, posterior: Posterior, x: Tensor, u: Tensor, noise: Tensor) -> ForwardPass:
        """Do what :meth:`forward` does from a posterior on."""
        z = posterior.sample(noise)
        decoded = self.decode(z.reshape(self.n_members, -1, self.n_latents))
        prior = self.prior(u)
        return ForwardPass(x, noise, posterior, z, decoded, prior, self.family, self.likelihood)

    def check_shape(self, name: str, tensor: Tensor, *sizes: int) -> None:
        """Raise a ValueError that names the tensor unless its shape is (E, *sizes); -1 is any."""
        shape = (self.n_members, *sizes)
        pairs = zip(tensor.shape, shape, strict=False)
        if tensor.dim() != len(shape) or not all(want in (-1, size) for size, want in pairs):
            wanted = str(shape).replace("-1", "B")
            raise ValueError(f"{name} must have shape {wanted}; got {tuple(tensor.shape)}.")

    def check_data(
        self, x: ArrayLike, u: ArrayLike, *, every_segment: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return data as tensors (E, N, d) and (E, N), in the model's dtype and on its device.

        ``x`` is (N, d) for all members or (E, N, d), ``u`` labels 0 .. M - 1 (a VAE takes any);
        ``every_segment`` asks for a row of each. A ValueError names what does not fit.
        """
        sizes = self.n_members, self.n_observed, self.n_segments
        every_one = every_segment and self.is_conditional
        observed, labels = data_of_members(x, u, sizes, every_one=every_one)
        self.likelihood.check(observed)
        rows = torch.as_tensor(observed).to(self.reference).expand(self.n_members, -1, -1)
        return rows, torch.as_tensor(labels).to(rows.device).expand(self.n_members, -1)

    def infer(self, x: ArrayLike, u: ArrayLike) -> Posterior:
        """Return q(z|x, u) for a whole dataset; ``x`` and ``u`` are those of :meth:`check_data`."""
        return self.infer_checked(*self.check_data(x, u))

    @torch.no_grad()
    def infer_checked(self, x: Tensor, u: Tensor) -> Posterior:
        """Return q(z|x, u) for data (E, N, d) and (E, N) that :meth:`check_data` has returned."""
        rows = max(64, 4096 // self.n_members)  # A piece's activations fit in the cache.
        # Filled piece by piece: pieces kept in a list would leave holes all over the memory.
        whole = Posterior(*(x.new_empty(*x.shape[:2], self.n_latents) for _ in range(2)))
        for i in range(0, x.shape[1], rows):
            piece = self.encode(x[:, i : i + rows], u[:, i : i + rows])
            for filled, part in zip(whole, piece, strict=True):
                filled[:, i : i + rows] = part
        return whole

    def draw_latents(self, x: ArrayLike, u: ArrayLike, draw: int = 0) -> Tensor:
        """Return one posterior sample of every row, (E, N, n); ``draw`` numbers the draws."""
        posterior = self.infer(x, u)
        return posterior.sample(self.evaluation_noise(posterior.mean, draw))

    def evaluation_noise(self, like: Tensor, draw: int) -> Tensor:
        """Return standard normal draws like a posterior mean (E, N, n), from each member's seed."""
        generators = [seeded_generator(seed, "evaluation", draw) for seed in self.seeds]
        return torch.stack([torch.randn(like.shape[1:], generator=g) for g in generators]).to(like)

    @torch.no_grad()
    def prior_moments(self) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the prior in every segment, each (E, M, n)."""
        return self.family.moments(self.prior_table())


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
    """Return an ensemble of iVAEs, Eqs. (5)-(7), untrained.

    Parameters
    ----------
    n_latents, n_observed, n_segments
        n <= d and the number M of segments.
    seeds
        One per member.
    n_components
        k: 1 learns the variances of a Gaussian prior of mean 0, 2 the means as well.
    family
        Of the prior, see :mod:`ivae.families`, where it is none of these two:
        ``"gaussian-location"`` learns the means alone, ``"laplace"`` scales.
    network
        Shape of decoder, encoders and prior networks.
    likelihood, decoder_variance
        ``"gaussian"``, with sigma^2 of Eq. (6) for all members or one for each, by default Section
        5's .01; or ``"bernoulli"``, for x of 0 and 1 (supplement E).

    A ValueError names sizes, families, seeds, likelihoods and variances that cannot be.

    >>> ivae(2, 3, 10, seeds=[0, 1]).prior_table().shape
    torch.Size([2, 10, 2, 1])
    """
    whole_number("n_segments", n_segments)
    if n_components not in (1, 2):
        raise ValueError(f"n_components must be 1 or 2; got {n_components!r}.")
    prior = family_named(family or ("gaussian-scale" if n_components == 1 else "gaussian"))
    if prior.k != n_components:
        raise ValueError(
            f"n_components must be {prior.k} for the {prior.name} family; got {n_components}."
        )
    return _compose(
        n_latents, n_observed, n_segments, prior, seeds, network, likelihood, decoder_variance
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
    """Return an ensemble of VAEs, Eq. (1), whose prior has mean 0 and variance 1.

    It is ``"gaussian"`` or ``"laplace"`` (Section 5, "Comparisons"); all else is :func:`ivae`'s.
    """
    one_of("prior", prior, ("gaussian", "laplace"))
    family = family_named("gaussian-scale" if prior == "gaussian" else "laplace")
    return _compose(n_latents, n_observed, 0, family, seeds, network, likelihood, decoder_variance)


def _compose(
    n: int,
    d: int,
    n_segments: int,
    family: ExponentialFamily,
    seeds: Sequence[int],
    network: Network | None,
    likelihood: LikelihoodName,
    decoder_variance: float | Sequence[float] | None,
) -> LatentVariableModel:
    """Compose a model of MLPs, each member's drawn from its own seed: decoder, encoder, prior."""
    if whole_number("n_latents", n) > whole_number("n_observed", d):
        raise ValueError(f"n_latents must be at most n_observed = {d} (Section 3.1); got {n}.")
    checked = [whole_number("every seed", seed, at_least=0) for seed in seeds]
    if not checked:
        raise ValueError("seeds must name at least one member; got none.")
    generators = [seeded_generator(seed, "initialisation") for seed in checked]
    net = network or Network()
    seeing_u: dict[str, Any] = {"n_segments": n_segments, **net.shape}
    decoder = MLP(generators, (), n, d, **net.decoder_shape)
    encoder = MLPEncoder(MLP(generators, (2,), d, n, **seeing_u))
    prior = (
        MLP(generators, (family.k,), 0, n, **seeing_u)
        if n_segments
        else PriorTable((len(checked), family.k, 1, n), is_fixed=True)
    )
    law = likelihood_named(likelihood, decoder_variance, len(checked))
    return LatentVariableModel(decoder, encoder, prior, family, law, checked, n_segments)
