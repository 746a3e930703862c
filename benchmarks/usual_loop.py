"""The usual way to train one iVAE: the yardstick of the benchmark and the oracle of the tests.

One nn.Module, one-hot u concatenated to x, a DataLoader, Adam, Eq. (8). Plain on purpose: it is
written to be read, and shares no code with ivae.
"""

from __future__ import annotations

import math
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


class UsualIVAE(nn.Module):
    """A single iVAE, k = 1, with a zero-mean Gaussian prior given u."""

    def __init__(self, n: int, d: int, n_segments: int, decoder_variance: float = 0.01) -> None:
        super().__init__()
        self.n_segments, self.decoder_variance = n_segments, decoder_variance
        self.decoder = perceptron(n, d)
        self.mean = perceptron(d + n_segments, n)
        self.log_variance = perceptron(d + n_segments, n)
        self.prior_log_variance = perceptron(n_segments, n)

    def elbo(self, x: Tensor, one_hot: Tensor, noise: Tensor) -> Tensor:
        """Eq. (8) for each sample, (B,)."""
        both = torch.cat((x, one_hot), 1)
        mean, log_variance = self.mean(both), self.log_variance(both)
        z = mean + torch.exp(0.5 * log_variance) * noise
        squares = (x - self.decoder(z)).square().sum(1) / self.decoder_variance
        constant = x.shape[1] * math.log(2 * math.pi * self.decoder_variance)
        prior = self.prior_log_variance(one_hot)
        ratio = (mean.square() + log_variance.exp()) / prior.exp()
        kl = 0.5 * (ratio - 1 + prior - log_variance).sum(1)
        return -0.5 * (squares + constant) - kl


def train(x: Tensor, u: Tensor, n: int, n_segments: int, n_steps: int) -> UsualIVAE:
    """Train one iVAE for n_steps minibatches of 64, as everyone does."""
    model = UsualIVAE(n, x.shape[1], n_segments)
    one_hot = nn.functional.one_hot(u, n_segments).to(x.dtype)
    loader = DataLoader(TensorDataset(x, one_hot), batch_size=64, shuffle=True)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    step = 0
    while step < n_steps:
        for x_batch, u_batch in loader:
            loss = -model.elbo(x_batch, u_batch, torch.randn(len(x_batch), n)).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
            if step == n_steps:
                break
    return model
