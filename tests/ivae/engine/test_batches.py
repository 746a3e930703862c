"""Each member's minibatches: every row once, its own order, and any step at any time."""

from itertools import chain, islice

import pytest
import torch

from ivae.engine.batches import MINIBATCHES_AT_ONCE, ROWS_AT_ONCE, Minibatches, in_pieces

N_ROWS = 5 * MINIBATCHES_AT_ONCE + 7


def minibatches(seeds=(4, 9), size=4, held_out=0.0, shared=True, noise_shape=(2,)):
    x = torch.arange(N_ROWS, dtype=torch.float64).view(1, -1, 1)
    u = torch.arange(N_ROWS).view(1, -1)
    if shared:
        x, u = x.expand(len(seeds), -1, -1), u.expand(len(seeds), -1)
    else:
        x, u = x.repeat(len(seeds), 1, 1), u.repeat(len(seeds), 1)
    return Minibatches(x, u, seeds, size, held_out, noise_shape)


def together(data, epoch, first=0, last=None):
    parts = list(data.of_epoch(epoch, first, last))
    return [torch.cat([part[i] for part in parts], 1) for i in range(3)]


@pytest.mark.parametrize("size", [1, 4, 64, 1000])
@pytest.mark.parametrize("shared", [True, False])
def test_an_epoch_has_every_row_once(size, shared):
    data = minibatches(size=size, shared=shared)
    sizes = [x.shape[1] for x, _, _ in data.of_epoch(0)]
    assert len(sizes) == data.steps_per_epoch
    assert all(s == size for s in sizes[:-1])
    x, u, noise = together(data, 0)
    for e in range(2):
        assert sorted(u[e].tolist()) == list(range(N_ROWS))
        assert x[e, :, 0].tolist() == u[e].tolist()
    assert noise.shape == (2, N_ROWS, 2)
    assert not torch.equal(u[0], u[1])
    assert not torch.equal(u, together(data, 1)[1])


def test_any_step_can_be_had_at_any_time():
    data, other = minibatches(), minibatches()
    whole = together(data, 3)
    together(other, 7)
    for first, last in [(0, 5), (5, 40), (40, data.steps_per_epoch)]:
        part = together(other, 3, first, last)
        for a, b in zip(part, whole, strict=True):
            assert torch.equal(a, b[:, first * 4 : last * 4])


def test_without_an_end_one_epoch_follows_another():
    data = minibatches()
    one, two = data.of_epoch(0), data.of_epoch(1)
    for ours, expected in zip(islice(data, 2 * data.steps_per_epoch), chain(one, two), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("held_out", [0.0, 0.3])
def test_a_member_sees_the_same_alone(shared, held_out):
    data = minibatches((4, 9, 2), held_out=held_out, shared=shared)
    whole = together(data, 2)
    for a, b in zip(together(data.of([2, 0]), 2), whole, strict=True):
        assert torch.equal(a, b[[2, 0]])
    alone = minibatches((9,), held_out=held_out)
    for a, b in zip(together(alone, 2), whole, strict=True):
        assert torch.equal(a, b[[1]])


def test_what_is_held_out_is_never_trained_on():
    data = minibatches(held_out=0.25)
    assert data.n_rows == N_ROWS - round(0.25 * N_ROWS)
    _, kept = data.held_out()
    for epoch in range(2):
        _, seen, _ = together(data, epoch)
        for e in range(2):
            assert sorted(seen[e].tolist() + kept[e].tolist()) == list(range(N_ROWS))
    assert minibatches().held_out() is None


def test_several_draws_for_each_sample():
    _, _, noise = together(minibatches(noise_shape=(3, 2)), 0)
    assert noise.shape == (2, N_ROWS, 3, 2)
    assert abs(float(noise.mean())) < 0.1
    assert float(noise.std()) == pytest.approx(1, abs=0.1)


def test_a_split_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match=r"held_out = 0.001 of 167 samples leaves 167 to train on"):
        minibatches(held_out=0.001)


def test_a_function_of_pieces_is_the_function_of_all():
    x, u = torch.randn(2, 2 * ROWS_AT_ONCE + 3, 4), torch.randn(2, 2 * ROWS_AT_ONCE + 3)
    seen = []

    def function(x, u):
        seen.append(x.shape[1])
        return x * u.unsqueeze(-1)

    assert torch.equal(in_pieces(function, x, u), x * u.unsqueeze(-1))
    assert seen == [ROWS_AT_ONCE, ROWS_AT_ONCE, 3]
