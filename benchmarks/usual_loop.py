"""The usual way to train one model: the yardstick of the benchmark and the oracle of the tests.

One nn.Module, one-hot u concatenated to x, a DataLoader, Adam. Plain on purpose: it is written to
be read, and shares no code with ivae.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Xtanh(nn.Module):
    """tanh(a) + a / 10."""

    def forward(self, a: Tensor) -> Tensor:
        return torch.tanh(a) + 0.1 * a


def perceptron(n_in: int, n_out: int, hidden: int = 100, n_layers: int = 3) -> nn.Sequential:
    """An MLP with n_layers linear maps."""
    widths = [n_in] + [hidden] * (n_layers - 1) + [n_out]
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), Xtanh()]
    return nn.Sequential(*layers[:-1])


class UsualModel(nn.Module):
    """A single iVAE (k = 1, prior of mean 0), or with n_segments = 0 a VAE."""

    def __init__(
        self, n: int, d: int, n_segments: int, decoder_variance: float = 0.01, hidden: int = 100
    ) -> None:
        super().__init__()
        self.n_segments, self.decoder_variance = n_segments, decoder_variance
        self.decoder = perceptron(n, d, hidden)
        self.mean = perceptron(d + n_segments, n, hidden)
        self.log_variance = perceptron(d + n_segments, n, hidden)
        if n_segments:
            self.prior_log_variance = perceptron(n_segments, n, hidden)

    def forward(self, x: Tensor, one_hot: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
        """Mean and log variance of q, the draw z, log p(x|z), and the prior's log variance."""
        both = torch.cat((x, one_hot), 1) if self.n_segments else x
        mean, log_variance = self.mean(both), self.log_variance(both)
        z = mean + torch.exp(0.5 * log_variance) * noise
        squares = (x - self.decoder(z)).square().sum(1) / self.decoder_variance
        constant = x.shape[1] * math.log(2 * math.pi * self.decoder_variance)
        prior = self.prior_log_variance(one_hot) if self.n_segments else torch.zeros_like(mean)
        return mean, log_variance, z, -0.5 * (squares + constant), prior

    def elbo(self, x: Tensor, one_hot: Tensor, noise: Tensor, beta: float = 1.0) -> Tensor:
        """Eq. (8) for each sample, (B,); with beta the beta-VAE's objective."""
        mean, log_variance, _, log_likelihood, prior = self(x, one_hot, noise)
        ratio = (mean.square() + log_variance.exp()) / prior.exp()
        return log_likelihood - beta * 0.5 * (ratio - 1 + prior - log_variance).sum(1)

    def decomposition(
        self, x: Tensor, one_hot: Tensor, noise: Tensor, weights: tuple[float, ...], n_data: int
    ) -> Tensor:
        """a log p(x|z) - b MI - c TC - d KL' for each sample, weighted minibatch sampling, (B,)."""
        mean, log_variance, z, log_likelihood, prior = self(x, one_hot, noise)
        log_q = log_normal(z, mean, log_variance).sum(1)
        log_p = log_normal(z, torch.zeros_like(z), prior).sum(1)
        pairs = log_normal(z[:, None], mean[None], log_variance[None])
        log_size = math.log(len(x) * n_data)
        log_qz = torch.logsumexp(pairs.sum(2), 1) - log_size
        log_product = (torch.logsumexp(pairs, 1) - log_size).sum(1)
        a, b, c, d = weights
        parts = b * (log_q - log_qz) + c * (log_qz - log_product) + d * (log_product - log_p)
        return a * log_likelihood - parts


def log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(z; mean, exp(log_variance)), element by element."""
    squares = (z - mean).square() / log_variance.exp()
    return -0.5 * (squares + log_variance + math.log(2 * math.pi))


def train(
    model: UsualModel,
    x: Tensor,
    u: Tensor,
    n_steps: int,
    objective: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
) -> None:
    """Train one model for n_steps minibatches of 64, as everyone does; Eq. (8) by default."""
    objective = objective or model.elbo
    one_hot = nn.functional.one_hot(u, int(u.max()) + 1).to(x.dtype)
    loader = DataLoader(TensorDataset(x, one_hot), batch_size=64, shuffle=True)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    n_latents = model.mean[-1].out_features
    step = 0
    while step < n_steps:
        for x_batch, u_batch in loader:
            noise = torch.randn(len(x_batch), n_latents)
            loss = -objective(x_batch, u_batch, noise).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
            if step == n_steps:
                break
