"""Activations are what they are called, written as they are or through a sigmoid."""

import numpy as np
import pytest
import torch

from ivae.support.activations import ACTIVATIONS, activate, through_activation, xtanh

A = torch.cat((torch.linspace(-3, 3, 25), torch.tensor([-200.0, 200.0]))).double()
EXPECTED = {
    "xtanh": torch.tanh(A) + 0.1 * A,
    "leaky-relu": torch.where(A > 0, A, 0.1 * A),
}


def test_xtanh_is_the_same_function_of_tensors_and_arrays():
    torch.testing.assert_close(xtanh(A), EXPECTED["xtanh"])
    np.testing.assert_array_equal(xtanh(A.numpy()), np.tanh(A.numpy()) + A.numpy() / 10)
    assert xtanh(A.numpy().astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_and_its_derivative_are_autograds(name):
    a = A.clone().requires_grad_()
    grad = torch.randn(len(A), dtype=torch.float64)
    (expected,) = torch.autograd.grad(activate(name, a)[0], a, grad)
    with torch.no_grad():
        value, kept = activate(name, a)
        torch.testing.assert_close(value, EXPECTED[name])
        torch.testing.assert_close(through_activation(name, grad.clone(), kept), expected)
