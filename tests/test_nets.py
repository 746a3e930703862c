"""A stack of networks computes what each network alone would compute."""

import pytest
import torch

from ivae.nets import MLP, LinearOfSegment, pick_rows
from ivae.streams import generator

torch.set_default_dtype(torch.float32)


def generators(n=3):
    return [generator(seed, "initialisation") for seed in range(n)]


@pytest.mark.parametrize("activation", ["xtanh", "leaky-relu"])
@pytest.mark.parametrize("n_layers", [1, 2, 4])
def test_each_member_is_a_plain_network(activation, n_layers):
    net = MLP(generators(), (2,), 4, 5, hidden=7, n_layers=n_layers, activation=activation).double()
    x = torch.randn(3, 6, 4, dtype=torch.float64)
    out = net(x)
    assert out.shape == (3, 2, 6, 5)
    for member in range(3):
        for head in range(2):
            h = x[member]
            for i, layer in enumerate([net.first, *net.rest]):
                if i:
                    leaky = torch.where(h > 0, h, 0.1 * h)
                    h = leaky if activation == "leaky-relu" else torch.tanh(h) + 0.1 * h
                h = h @ layer.weight[member, head] + layer.bias[member, head]
            torch.testing.assert_close(out[member, head], h)


def test_segment_layer_equals_the_product_with_one_hot_u():
    layer = LinearOfSegment(generators(), (2,), 4, 6, 5).double()
    x = torch.randn(3, 1, 8, 4, dtype=torch.float64)
    u = torch.randint(0, 6, (3, 8))
    one_hot = torch.nn.functional.one_hot(u, 6).double().unsqueeze(1)
    weight = torch.cat((layer.weight, layer.rows), -2)
    expected = torch.cat((x, one_hot), -1).expand(3, 2, 8, 10) @ weight + layer.bias
    torch.testing.assert_close(layer(x, u), expected)


def test_without_input_the_segment_layer_returns_a_row_for_every_segment():
    layer = LinearOfSegment(generators(), (1,), 0, 6, 5)
    everything = layer(None, None)
    u = torch.randint(0, 6, (3, 8))
    torch.testing.assert_close(layer(None, u), pick_rows(everything, u))


def test_picked_rows_are_the_rows():
    table = torch.randn(2, 3, 5, 4)
    u = torch.randint(0, 5, (2, 7))
    picked = pick_rows(table, u)
    for e in range(2):
        for head in range(3):
            torch.testing.assert_close(picked[e, head], table[e, head, u[e]])


def test_a_members_weights_depend_on_its_own_generator_alone():
    def net(seeds):
        made = [generator(seed, "initialisation") for seed in seeds]
        return MLP(made, (2,), 3, 2, hidden=4, n_layers=3, activation="xtanh", n_segments=5)

    together, alone = net([4, 9, 2]), net([9])
    for both, single in zip(together.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(both[1:2], single, rtol=0, atol=0)
        assert not torch.equal(both[0], both[1])
