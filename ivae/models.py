"""The models of the paper as ensembles: iVAE (Eqs. 5-7) and the VAE it is compared with.

Both have a decoder p(x|z), Gaussian around f(z) or Bernoulli with logits f(z), and a Gaussian
posterior with diagonal covariance. They differ in the prior alone: iVAE's depends on u, the VAE's
is fixed. The VAE's encoder therefore does not see u either: its posterior p(z|x) does not depend
on it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ivae import streams
from ivae.checks import finite_array, one_of, segment_labels, whole_number
from ivae.families import ExponentialFamily, family_named
from ivae.likelihoods import GaussianLikelihood, Likelihood, LikelihoodName, likelihood_named
from ivae.nets import MLP, Network, pick_rows, row_index
from ivae.passes import ForwardPass, Posterior


class LatentVariableModel(nn.Module):
    """An ensemble of E models p(x|z) p(z|u) with their posteriors q(z|x, u).

    Build one with :func:`ivae` or :func:`vae`. Every parameter has the member axis E first.

    Attributes
    ----------
    seeds
        One seed per member, for its initial weights and all that is drawn when it trains.
    family
        Exponential family of the prior.
    n_latents, n_observed, n_segments
        n, d and M; M = 0 where the model does not see u.
    likelihood
        What the decoder's output means: p(x|z).
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
        self.likelihood: Likelihood = likelihood_named(likelihood, decoder_variance, self.n_members)
        generators = [streams.generator(seed, "initialisation") for seed in self.seeds]
        shape = network.shape
        self.decoder = MLP(generators, (), n_latents, n_observed, **network.decoder_shape)
        self.encoder = MLP(generators, (2,), n_observed, n_latents, n_segments=n_segments, **shape)
        self.prior_net = (
            MLP(generators, (family.k,), 0, n_latents, n_segments=n_segments, **shape)
            if n_segments
            else None
        )

    @property
    def n_members(self) -> int:
        """E, the number of members."""
        return len(self.seeds)

    @property
    def decoder_variance(self) -> Tensor:
        """sigma^2 of Eq. (6) for each member, (E,); a ValueError for a decoder that has none."""
        if not isinstance(self.likelihood, GaussianLikelihood):
            raise ValueError(f"a {self.likelihood.name} decoder has no decoder_variance.")
        return self.likelihood.variance

    @property
    def is_conditional(self) -> bool:
        """Whether prior and encoder see u: True for iVAE, False for the VAE."""
        return self.n_segments > 0

    def of(self, members: Sequence[int]) -> LatentVariableModel:
        """Return these members as an ensemble of their own, with copies of their weights."""
        part = copy.deepcopy(self)
        part.seeds = tuple(self.seeds[member] for member in members)
        for tensor in (*part.parameters(), *part.buffers()):
            tensor.data = tensor.data[list(members)]
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
        mean, log_variance = self.encoder(x, u if self.is_conditional else None).unbind(1)
        return Posterior(mean, log_variance)

    def prior_table(self) -> Tensor:
        """Return lambda(u) for every segment, (E, M, n, k); M = 1 for an unconditional prior."""
        if self.prior_net is None:
            shape = (self.n_members, 1, self.n_latents)
            one = torch.ones(shape, dtype=self.decoder.first.bias.dtype)
            return self.family.natural_parameters(one.to(self.decoder.first.bias.device))
        return self.prior_from(self.prior_net())

    def prior_from(self, raw: Tensor) -> Tensor:
        """Return lambda (E, M, n, k) given the prior network's output, log variances first."""
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
        return pick_rows(table.flatten(2), index).view(*u.shape, self.n_latents, self.family.k)

    def forward(self, x: Tensor, u: Tensor, noise: Tensor) -> ForwardPass:
        """Return posterior, draws, their decoding and the prior for a minibatch.

        ``x`` is (E, B, d), ``u`` (E, B), and ``noise`` (E, B, n), or (E, B, K, n) for K draws each.
        """
        posterior = self.encode(x, u)
        z = posterior.sample(noise)
        decoded = self.decode(z.reshape(self.n_members, -1, self.n_latents))
        prior = self.prior(u)
        return ForwardPass(x, noise, posterior, z, decoded, prior, self.family, self.likelihood)

    def check_shape(self, name: str, tensor: Tensor, *sizes: int) -> None:
        """Raise a ValueError that names the tensor unless its shape is (E, *sizes); -1 is any."""
        shape = (self.n_members, *sizes)
        fits = tensor.dim() == len(shape) and all(
            want in (-1, size) for size, want in zip(tensor.shape, shape, strict=True)
        )
        if not fits:
            wanted = str(shape).replace("-1", "B")
            raise ValueError(f"{name} must have shape {wanted}; got {tuple(tensor.shape)}.")

    def check_data(
        self, x: ArrayLike | Tensor, u: ArrayLike | Tensor, *, every_segment: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return data as tensors (E, N, d) and (E, N), in the model's dtype and on its device.

        Parameters
        ----------
        x
            Observations, (N, d) for all members or (E, N, d) with one dataset for each.
        u
            Segment labels 0 .. M - 1, (N,) or (E, N). A VAE takes any labels.
        every_segment
            Whether each segment needs a sample, as it does for training.

        Raises
        ------
        ValueError
            For other shapes, NaN in x, x other than 0 and 1 where the decoder is Bernoulli's, and
            labels that are not integers of that range.
        """
        observed = x.numpy(force=True) if isinstance(x, Tensor) else np.asarray(x)
        lead = (self.n_members,) if observed.ndim == 3 else ()
        observed = finite_array("x", observed, (*lead, "N", self.n_observed))
        self.likelihood.check(observed)
        n_rows = observed.shape[-2]
        labels = u.numpy(force=True) if isinstance(u, Tensor) else np.asarray(u)
        each = list(labels) if labels.ndim == 2 and len(labels) == self.n_members else [labels]
        every_one = every_segment and self.is_conditional
        checked = [
            segment_labels("u", row, n_rows, self.n_segments or None, every_one=every_one)
            for row in each
        ]
        bias = self.decoder.first.bias
        data = (
            torch.as_tensor(np.ascontiguousarray(observed)).to(bias).expand(self.n_members, -1, -1)
        )
        return data, torch.as_tensor(np.stack(checked)).to(bias.device).expand(self.n_members, -1)

    def infer(self, x: ArrayLike | Tensor, u: ArrayLike | Tensor) -> Posterior:
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

    def draw_latents(self, x: ArrayLike | Tensor, u: ArrayLike | Tensor, draw: int = 0) -> Tensor:
        """Return one posterior sample for every row of x, (E, N, n).

        Arguments are those of :meth:`infer`; ``draw`` numbers the draws, which depend on it and on
        the members' seeds alone.
        """
        posterior = self.infer(x, u)
        return posterior.sample(self.evaluation_noise(posterior.mean, draw))

    def evaluation_noise(self, like: Tensor, draw: int) -> Tensor:
        """Return standard normal draws like a posterior mean (E, N, n), from each member's seed."""
        generators = [streams.generator(seed, "evaluation", draw) for seed in self.seeds]
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
