"""Descent finds a known minimum, trains each member by itself, and refuses what is no length."""

import math

import pytest
import torch
from torch import nn

from ivae.engine.batches import Minibatches
from ivae.engine.descent import minimise

N_ROWS = 60
STEPS_OF_AN_EPOCH = 4  # Of 60 rows, 16 at a time.


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
    defaults = {"n_steps": 400, "learning_rate": 0.1}
    minimise(loss, net.parameters(), batches, **defaults | how)
    return net.slope.detach()[:, 0]


def asked(net, losses):
    """A held-out loss that gives these (K, E) values one after the other, and what it saw."""
    seen, values = [], iter(torch.tensor(losses, dtype=torch.float64))

    def held_out():
        seen.append(net.slope.detach().clone()[:, 0])
        return next(values)

    return held_out, seen


def test_the_minimum_is_found():
    torch.testing.assert_close(slopes((1, 2)), torch.tensor([1.0, 2.0]).double(), rtol=1e-3, atol=0)


def test_members_do_not_touch():
    few = {"n_steps": 2 * STEPS_OF_AN_EPOCH + 1}
    torch.testing.assert_close(slopes((1, 3), **few)[1:], slopes((3,), **few))


def test_the_rate_falls_to_nothing():
    """Adam's steps are at most about the rate: four steps along half a cosine move by its sum."""
    moved = slopes((100,), n_steps=4, learning_rate=0.1)
    half_cosine = sum(0.05 * (1 + torch.cos(torch.tensor(torch.pi * k / 4))) for k in range(4))
    torch.testing.assert_close(moved, half_cosine.double().view(1), rtol=0.05, atol=0)


def test_the_rate_rises_first():
    """As above, with the first steps shortened: a quarter, a half, three quarters, all of it."""
    moved = slopes((100,), n_steps=8, warm_up=4, learning_rate=0.1)
    factors = [min(1, (k + 1) / 4) * 0.05 * (1 + math.cos(math.pi * k / 8)) for k in range(8)]
    torch.testing.assert_close(moved, torch.tensor([sum(factors)]).double(), rtol=0.05, atol=0)


def test_only_what_is_named_is_trained():
    net, loss, batches = regression((1, 2))
    net.other = nn.Parameter(torch.ones(2, 1, dtype=torch.float64))
    minimise(lambda *batch: loss(*batch) + net.other.square().sum(), [net.slope], batches, 4)
    assert (net.slope != 0).all()
    assert (net.other == 1).all()


def test_each_member_ends_with_its_own_best():
    net, loss, batches = regression((1, 2, 3))
    losses = [[9.0, 9.0, 9.0], [3.0, 5.0, 8.0], [4.0, 2.0, 7.0], [5.0, 3.0, 6.0]]
    held_out, seen = asked(net, losses)
    minimise(loss, net.parameters(), batches, 3, held_out=held_out)
    best = torch.stack([seen[1][0], seen[2][1], seen[3][2]])
    assert torch.equal(net.slope.detach()[:, 0], best)
    assert len({float(one[0]) for one in seen}) == 4  # Each check saw other parameters.


def test_the_start_is_kept_where_nothing_is_better():
    net, loss, batches = regression((1, 2))
    held_out, seen = asked(net, [[1.0, 1.0], [2.0, 0.5], [3.0, 0.7]])
    minimise(loss, net.parameters(), batches, 2, held_out=held_out)
    assert torch.equal(net.slope.detach()[:, 0], torch.stack([seen[0][0], seen[1][1]]))


def test_nan_never_wins():
    nan = math.nan
    net, loss, batches = regression((1, 2, 3))
    held_out, seen = asked(net, [[9.0, 9.0, 9.0], [nan, 5.0, 5.0], [4.0, nan, 4.0], [nan] * 3])
    minimise(loss, net.parameters(), batches, 3, held_out=held_out)
    assert torch.equal(net.slope.detach()[:, 0], torch.stack([seen[2][0], seen[1][1], seen[2][2]]))


def test_a_member_that_has_only_diverged_is_not_put_back_to_its_start():
    """It would look like one that was trained, and badly."""
    net, _, batches = regression((1, 2))

    def loss(x, u, noise):
        slope = net.slope * torch.tensor([[math.inf], [1.0]])  # 0 * inf is NaN.
        return (x[..., 1] - slope * x[..., 0]).square().mean(1).sum()

    def held_out():
        return (net.slope.detach()[:, 0] - 1).square()

    minimise(loss, net.parameters(), batches, 40, 0.1, held_out=held_out)
    assert net.slope.isnan().flatten().tolist() == [True, False]


@pytest.mark.parametrize("n_steps", [1, 7, 19, 20, 21, 39, 59, 400])
def test_the_held_out_loss_is_asked_at_the_start_and_twenty_times(n_steps):
    """In every step of fewer than twenty; the progress is told as often, and ends at 1."""
    net, loss, batches = regression((1,))
    held_out, seen = asked(net, [[1.0]] * 50)
    told = []
    how = {"held_out": held_out, "note": told.append}
    minimise(loss, net.parameters(), batches, n_steps, **how)
    assert len(seen) - 1 == len(told) == min(n_steps, 20)
    assert told == sorted(set(told))
    assert told[-1] == 1


def test_bad_lengths_and_rates_are_named():
    with pytest.raises(ValueError, match="n_steps must be a whole number >= 1"):
        slopes((1,), n_steps=0)
    with pytest.raises(ValueError, match="learning_rate must be a finite number above 0"):
        slopes((1,), learning_rate=-0.1)
    with pytest.raises(ValueError, match="warm_up must be a whole number >= 0"):
        slopes((1,), warm_up=-1)
