"""The recipe's encoder: members apart, draws near their means at first, every weight in use."""

import pytest
import torch
from torch.nn.functional import silu

from ivae.recipe.separator import ACTIVATIONS, Separator
from ivae.support.seeds import seeded_generator

each_activation = pytest.mark.parametrize("activation", list(ACTIVATIONS))


def separator(seeds, n_blocks=2, activation="silu", d=4, n=3, hidden=16):
    generators = [seeded_generator(seed, "initialisation") for seed in seeds]
    return Separator(generators, d, n, hidden, n_blocks, activation)


def rows(n_members, n_rows=300, d=4):
    return torch.randn(n_members, n_rows, d, generator=torch.Generator().manual_seed(1))


@each_activation
@pytest.mark.parametrize("n_blocks", [0, 2])
def test_members_together_are_members_alone(activation, n_blocks):
    x = rows(3)
    together = separator((5, 6, 7), n_blocks, activation)(x)
    for i, seed in enumerate((5, 6, 7)):
        alone = separator((seed,), n_blocks, activation)(x[i : i + 1])
        for part, own in zip(together, alone, strict=True):
            torch.testing.assert_close(part[i], own[0], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(together.mean[0], separator((6,), n_blocks, activation)(x[:1]).mean)


@each_activation
def test_the_log_variance_starts_near_minus_four(activation):
    said = separator(range(8), activation=activation)(rows(8)).log_variance.detach()
    assert abs(float(said.mean()) + 4) < 0.3
    assert float(said.std()) < 1.5


@each_activation
@pytest.mark.parametrize("n_blocks", [0, 1, 3])
def test_the_gradient_reaches_every_parameter(activation, n_blocks):
    net = separator((0, 1), n_blocks, activation)
    said = net(rows(2))
    (said.mean.sin().sum() + said.log_variance.sin().sum()).backward()
    assert len(list(net.blocks)) == n_blocks
    for name, parameter in net.named_parameters():
        moved = parameter.grad.flatten(1).abs().amax(1)
        assert (moved > 0).all(), name


def test_it_is_a_linear_map_beside_a_residual_network():
    """By plain matrix products, one member at a time."""
    net, x = separator((3,)), rows(1)
    weights = {name: parameter.detach()[0] for name, parameter in net.named_parameters()}

    def layer(name, a):
        return a @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    a = silu(layer("first", x[0]))
    a = a + silu(layer("blocks.0", a))
    a = a + silu(layer("blocks.1", a))
    said = net(x)
    torch.testing.assert_close(said.mean[0], layer("mean", a) + layer("skip", x[0]))
    torch.testing.assert_close(said.log_variance[0], layer("log_variance", a))


def test_activations_are_what_they_are_named():
    a = torch.linspace(-3, 3, 13, dtype=torch.float64)
    torch.testing.assert_close(ACTIVATIONS["silu"](a), a / (1 + torch.exp(-a)))
    torch.testing.assert_close(ACTIVATIONS["xtanh"](a), torch.tanh(a) + 0.1 * a)


def test_an_unknown_activation_is_named():
    with pytest.raises(ValueError, match="activation must be one of silu, xtanh; got 'relu'"):
        separator((0,), activation="relu")
