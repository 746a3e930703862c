"""A stack of networks computes what each network alone would compute."""

import math

import pytest
import torch

from ivae.nets import MLP, Linear, LinearOfSegment, Network, pick_rows, row_index
from ivae.support.seeds import seeded_generator


def generators(n=3):
    return [seeded_generator(seed, "initialisation") for seed in range(n)]


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
    stacked = x.expand(3, 2, 8, 4).reshape(6, 8, 4)
    out = layer(stacked, row_index(u, (3, 2), 6))
    torch.testing.assert_close(out.view(3, 2, 8, 5), expected)


def test_without_input_the_segment_layer_returns_a_row_for_every_segment():
    layer = LinearOfSegment(generators(), (1,), 0, 6, 5)
    everything = layer(None, None)
    u = torch.randint(0, 6, (3, 8))
    index = row_index(u, (3, 1), 6)
    torch.testing.assert_close(layer(None, index), pick_rows(everything, index))


def test_picked_rows_are_the_rows():
    table = torch.randn(2, 3, 5, 4)
    u = torch.randint(0, 5, (2, 7))
    index = row_index(u, (2, 3), 5)
    picked = pick_rows(table.flatten(0, 1), index).view(2, 3, 7, 4)
    for e in range(2):
        for head in range(3):
            torch.testing.assert_close(picked[e, head], table[e, head, u[e]])


def layers(n_in, n_out, n_segments, *initialisation):
    """Return the weights of a layer, all draws in one, and its biases."""
    made = generators()
    if not n_segments:
        layer = Linear(made, (2,), n_in, n_out, *initialisation)
        return [layer.weight], layer.bias
    layer = LinearOfSegment(made, (2,), n_in, n_segments, n_out, *initialisation)
    return [layer.weight, layer.rows] if n_in else [layer.rows], layer.bias


shapes = pytest.mark.parametrize(
    ("n_in", "n_out", "n_segments"), [(5, 100, 0), (100, 5, 0), (5, 60, 40), (0, 60, 40)]
)


@shapes
def test_xavier_weights_fill_glorots_bounds(n_in, n_out, n_segments):
    weights, _ = layers(n_in, n_out, n_segments, "xavier")
    # One-hot u counts as inputs: the layer is one on (x, u).
    bound = math.sqrt(6 / (n_in + n_segments + n_out))
    for weight in weights:
        assert weight.abs().max() <= bound
        assert weight.max() > 0.98 * bound
        assert weight.min() < -0.98 * bound
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


@shapes
def test_xavier_scales_the_weights_and_leaves_the_biases(n_in, n_out, n_segments):
    weights, bias = layers(n_in, n_out, n_segments)
    scaled, unchanged = layers(n_in, n_out, n_segments, "xavier")
    assert torch.equal(bias, unchanged)
    fan_in = n_in + n_segments
    ratio = math.sqrt(6 / (fan_in + n_out)) * math.sqrt(fan_in)
    assert abs(ratio - 1) > 0.1
    for weight, other in zip(weights, scaled, strict=True):
        torch.testing.assert_close(other, weight * ratio)


def test_by_default_weights_and_biases_are_the_generators_draws():
    shape = {"hidden": 7, "n_layers": 3, "activation": "xtanh"}
    net = MLP(generators(), (2,), 4, 5, n_segments=6, **shape)
    drawn = [[], [], []]
    shapes = [((2, 4, 7), 10), ((2, 6, 7), 10), ((2, 1, 7), 10), ((2, 7, 7), 7), ((2, 1, 7), 7)]
    for of_member, own in zip(drawn, generators(), strict=True):
        for shape, fan_in in [*shapes, ((2, 7, 5), 7), ((2, 1, 5), 7)]:
            of_member.append((2 * torch.rand(shape, generator=own) - 1) / math.sqrt(fan_in))
    for parameter, *members in zip(net.parameters(), *drawn, strict=True):
        torch.testing.assert_close(parameter.detach(), torch.stack(members))


def test_a_network_says_its_shape_and_that_of_the_decoder():
    net = Network(hidden=5, n_layers=4, decoder_layers=1)
    assert net.shape == Network(hidden=5, n_layers=4).decoder_shape
    assert net.decoder_shape == net.shape | {"n_layers": 1}
    assert Network(decoder_layers=3) == Network()  # As many as the others have anyway.
    assert hash(Network(decoder_layers=3)) == hash(Network())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden": 0}, "hidden must be a whole number >= 1; got 0"),
        ({"n_layers": 1.5}, "n_layers must be a whole number >= 1; got 1.5"),
        ({"activation": "relu"}, "activation must be one of xtanh, leaky-relu"),
        ({"initialisation": "he"}, "initialisation must be one of uniform, xavier, lecun; got"),
        ({"decoder_layers": 0}, "decoder_layers must be a whole number >= 1; got 0"),
    ],
)
def test_networks_that_cannot_be_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Network(**values)
