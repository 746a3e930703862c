"""Descent finds a known minimum, trains each member by itself, and refuses what is no length."""

import pytest
import torch
from torch import nn

from ivae.batches import Minibatches
from ivae.descent import minimise

N_ROWS = 60


def regression(seeds):
    """Slopes (E, 1) of lines through the origin, their loss, and minibatches of y = slope * x."""
    x = torch.randn(N_ROWS, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.stack([torch.stack((x[:, 0], seed * x[:, 0]), 1) for seed in seeds])
    net = nn.Module()
    net.slope = nn.Parameter(torch.zeros(len(seeds), 1, dtype=torch.float64))

    def loss(x, u, noise):
        return (x[..., 1] - net.slope * x[..., 0]).square().mean(1).sum()

    batches = Minibatches(x, torch.zeros(x.shape[:2], dtype=torch.int64), seeds, 16, 0.0, (0,))
    return net, loss, batches


def slopes(seeds, **how):
    net, loss, batches = regression(seeds)
    minimise(loss, net, batches, **{"epochs": 100, "label": "test", "learning_rate": 0.1} | how)
    return net.slope.detach()[:, 0]


def test_the_minimum_is_found():
    torch.testing.assert_close(slopes((1, 2)), torch.tensor([1.0, 2.0]).double(), rtol=1e-3, atol=0)


def test_members_do_not_touch():
    torch.testing.assert_close(slopes((1, 3), epochs=2)[1:], slopes((3,), epochs=2))


def test_the_rate_falls_to_nothing():
    """Adam's steps are at most about the rate: four steps along half a cosine move by its sum."""
    moved = slopes((100,), epochs=1, learning_rate=0.1)
    half_cosine = sum(0.05 * (1 + torch.cos(torch.tensor(torch.pi * k / 4))) for k in range(4))
    torch.testing.assert_close(moved, half_cosine.double().view(1), rtol=0.05, atol=0)


def test_bad_lengths_and_rates_are_named():
    with pytest.raises(ValueError, match="epochs must be a whole number >= 1"):
        slopes((1,), epochs=0)
    with pytest.raises(ValueError, match="learning_rate must be a finite number above 0"):
        slopes((1,), learning_rate=-0.1)
