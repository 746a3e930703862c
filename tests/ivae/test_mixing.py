"""The nonlinearities of a mixing: each is what it says, everywhere the mixing is used."""

import numpy as np
import pytest
import torch

from ivae.data import generate
from ivae.mixing import NONLINEARITIES, Mixing, in_torch
from ivae.theory import exact, injectivity

each = pytest.mark.parametrize("activation", NONLINEARITIES)


def a_mixing(activation, n=3, d=4, seed=2, dtype=np.float64):
    matrices = generate("paper", seed, n, d, 2, 2).mixing.matrices
    return Mixing(tuple(matrix.astype(dtype) for matrix in matrices), activation)


def some_latents(n=3, size=200):
    return np.random.default_rng(0).standard_normal((size, n))


def test_the_nonlinearities_are_what_they_are_called():
    z = np.linspace(-3, 3, 13)[:, None]
    identity = (np.eye(1), np.eye(1))
    np.testing.assert_array_equal(Mixing(identity)(z), np.tanh(z) + z / 10)
    leaky = Mixing(identity, "leaky-relu")
    np.testing.assert_allclose(leaky(z), np.where(z > 0, z, 0.2 * z), rtol=1e-15)
    # At the kink, the slope below it.
    np.testing.assert_allclose(leaky.jacobian(z)[:, 0], np.where(z > 0, 1.0, 0.2))
    with pytest.raises(ValueError, match="activation of the mixing must be one of xtanh, leaky-re"):
        Mixing(identity, "relu")


@each
def test_every_slope_is_the_derivative(activation):
    """Of the whole mixing: at random latents no kink lies within a step of 1e-6."""
    mixing, z = a_mixing(activation), some_latents()
    jacobian = mixing.jacobian(z)
    for i in range(3):
        step = 1e-6 * np.eye(3)[i]
        slope = (mixing(z + step) - mixing(z - step)) / 2e-6
        np.testing.assert_allclose(jacobian[:, i], slope, atol=1e-8)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mixing_keeps_the_precision_of_its_latents(activation, dtype):
    mixing, z = a_mixing(activation, dtype=dtype), some_latents().astype(dtype)
    assert mixing(z).dtype == mixing.jacobian(z).dtype == dtype


@each
def test_in_torch_every_mixing_is_the_same_function_with_the_same_derivative(activation):
    made = [a_mixing(activation, seed=seed) for seed in (1, 2)]
    z = torch.as_tensor(some_latents()).requires_grad_()
    both = in_torch(made, z)(z.expand(2, -1, -1))
    np.testing.assert_allclose(both.detach(), [mixing(z.detach().numpy()) for mixing in made])
    (gradient,) = torch.autograd.grad(both[1, :, 2].sum(), z)
    np.testing.assert_allclose(gradient, made[1].jacobian(z.detach().numpy())[..., 2], atol=1e-12)


def test_mixings_of_two_activations_are_not_one_function():
    z = torch.zeros(2, 5, 3)
    with pytest.raises(ValueError, match=r"have one activation.*; got leaky-relu, xtanh"):
        in_torch([a_mixing("xtanh"), a_mixing("leaky-relu")], z)
    with pytest.raises(ValueError, match=r"at least one .*; got none"):
        in_torch([], z)


@each
def test_an_absorbed_rotation_leaves_the_activation(activation):
    mixing, z = a_mixing(activation, 2, 2), some_latents(2)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    np.testing.assert_allclose(mixing.absorb(turn)(z @ turn.T), mixing(z), atol=1e-12)
    assert np.abs(mixing.absorb(turn)(z) - mixing(z)).max() > 0.1
    with pytest.raises(ValueError, match="rotation must be orthogonal"):
        mixing.absorb([[1.0, 1.0], [0.0, 1.0]])


def test_latents_of_another_size_are_refused():
    mixing = a_mixing("xtanh", 2, 3)
    for call in (mixing, mixing.jacobian):
        with pytest.raises(ValueError, match=r"z must have shape \(N, 2\); got \(4, 3\)"):
            call(np.ones((4, 3)))


@each
def test_every_activation_is_injective_by_its_matrices_and_by_what_is_seen(activation):
    mixing, z = a_mixing(activation, 2, 2), some_latents(2)
    assert injectivity.finding_of_mixing(mixing, z).holds
    assert injectivity.injectivity(mixing, z).finding().holds


@each
def test_volumes_change_as_the_density_says(activation):
    """The images of a square cover the area that the Jacobians' determinants add up to."""
    mixing = a_mixing(activation, 2, 2)
    axis = np.linspace(-1, 1, 301)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)
    images = mixing(grid.reshape(-1, 2)).reshape(301, 301, 2)
    # The image's outline once around, and its area by the shoelace formula.
    edge = np.concatenate((images[:-1, 0], images[-1, :-1], images[:0:-1, -1], images[0, :0:-1]))
    x, y = edge.T
    area = 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))
    middles = (grid[:-1, :-1] + grid[1:, 1:]).reshape(-1, 2) / 2
    log_prior = exact.standard_normal_log_density(middles)
    volumes = np.exp(log_prior - exact.log_density_of_mixture(mixing, middles))
    assert 4 * volumes.mean() == pytest.approx(area, rel=1e-3)
