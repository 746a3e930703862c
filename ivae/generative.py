"""A generative model p(x|z) p(z|u) with its posterior: all that does not ask how it is built.

What a network computes is left to those that have one, :mod:`ivae.models` and
:mod:`ivae.recipe.model`: the posterior's parameters, the table of the prior. The rest, from checked
data to draws from the posterior, is here.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ivae.families import ExponentialFamily
from ivae.likelihoods import GaussianLikelihood, Likelihood
from ivae.nets import MLP, pick_rows, row_index
from ivae.passes import ForwardPass, Posterior
from ivae.support.checks import finite_array, segment_labels
from ivae.support.seeds import seeded_generator


class GenerativeModel(nn.Module):
    """An ensemble of E models p(x|z) p(z|u) with their posteriors q(z|x, u).

    Every parameter and every buffer has the member axis E first.

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
    decoder
        f.
    """

    seeds: tuple[int, ...]
    family: ExponentialFamily
    n_latents: int
    n_observed: int
    n_segments: int
    likelihood: Likelihood
    decoder: MLP

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
    def reference(self) -> Tensor:
        """A parameter, whose dtype and device are those of the model."""
        return next(self.parameters())

    @property
    def is_conditional(self) -> bool:
        """Whether prior and encoder see u: True for iVAE, False for the VAE."""
        return self.n_segments > 0

    def of(self, members: Sequence[int]) -> Self:
        """Return these members as an ensemble of their own, with copies of their weights."""
        part = copy.deepcopy(self)
        part.seeds = tuple(self.seeds[member] for member in members)
        for tensor in (*part.parameters(), *part.buffers()):
            tensor.data = tensor.data[list(members)]
        return part

    def assign(self, members: Sequence[int], part: GenerativeModel) -> None:
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

    @abstractmethod
    def encode(self, x: Tensor, u: Tensor) -> Posterior:
        """Return mean and log variance of q(z|x, u) for x (E, B, d) and u (E, B)."""

    @abstractmethod
    def prior_table(self) -> Tensor:
        """Return lambda(u) for every segment, (E, M, n, k); M = 1 for an unconditional prior."""

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
        bias = self.reference
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
        generators = [seeded_generator(seed, "evaluation", draw) for seed in self.seeds]
        return torch.stack([torch.randn(like.shape[1:], generator=g) for g in generators]).to(like)

    @torch.no_grad()
    def prior_moments(self) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the prior in every segment, each (E, M, n)."""
        return self.family.moments(self.prior_table())
