"""Pulling back by hand is what autograd does."""

import pytest
import torch

from ivae.engine.backward import pull_back, pull_back_to_input, sum_rows
from ivae.nets import MLP, pick_rows, row_index
from ivae.support.seeds import seeded_generator


@pytest.mark.parametrize("activation", ["xtanh", "leaky-relu"])
@pytest.mark.parametrize("n_layers", [1, 2, 4])
@pytest.mark.parametrize(("n_in", "n_segments"), [(4, 0), (4, 6), (0, 6)])
@pytest.mark.parametrize("hidden", [7, 20])  # Narrow products take another way than wide ones.
def test_pulling_back_is_what_autograd_does(activation, n_layers, n_in, n_segments, hidden):
    generators = [seeded_generator(seed, "initialisation") for seed in range(3)]
    shape = {"hidden": hidden, "n_layers": n_layers, "activation": activation}
    net = MLP(generators, (2,), n_in, 5, n_segments=n_segments, **shape).double()
    x = torch.randn(3, 9, n_in, dtype=torch.float64, requires_grad=True) if n_in else None
    u = torch.randint(0, 6, (3, 9)) if n_in and n_segments else None
    out, tape = net.run(x, u)
    grad = torch.randn_like(out)
    wanted = [*net.parameters(), *([x] if n_in else [])]
    expected = torch.autograd.grad(out, wanted, grad)
    found = [torch.full_like(parameter, torch.nan) for parameter in net.parameters()]
    with torch.no_grad():
        of_first = pull_back(net, tape, grad, found)
        if n_in:
            found.append(pull_back_to_input(net, of_first).view(3, 2, 9, n_in).sum(1))
    for ours, autograds in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, autograds)


def test_summed_rows_are_the_gradient_of_the_picked():
    table = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)
    index = row_index(torch.randint(0, 5, (2, 7)), (2,), 5)
    grad = torch.randn(2, 7, 4, dtype=torch.float64)
    (expected,) = torch.autograd.grad(pick_rows(table, index), table, grad)
    torch.testing.assert_close(sum_rows(grad, index, 10).view(2, 5, 4), expected)
