"""Gradients of networks by hand.

With matrices this small autograd's bookkeeping for an operation costs as much as the operation.
:meth:`ivae.nets.MLP.run` keeps what is needed here; tests hold these gradients equal to autograd's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ivae.nets import MLP, LinearOfSegment, Tape, is_narrow, product
from ivae.support.activations import through_activation


def pull_back(net: MLP, tape: Tape, grad: Tensor, into: Sequence[Tensor]) -> Tensor:
    """Write the gradients of all parameters; return that of the first layer's result.

    ``grad`` is that of the MLP's result; ``into`` holds a tensor for each parameter, in the
    order of :meth:`torch.nn.Module.parameters`.
    """
    grad = grad.reshape(-1, *grad.shape[-2:])
    end = len(into)
    for layer, (h, kept) in zip(reversed(net.rest), reversed(tape.layers), strict=True):
        _of_linear(h, grad, into[end - 2 : end])
        end -= 2
        grad = product(grad, layer.weight.flatten(0, -3).mT)
        grad = through_activation(net.activation, grad, kept)
    if isinstance(net.first, LinearOfSegment):
        _of_segments(tape.x, tape.rows, grad, into[:end])
    elif tape.x is not None:
        _of_linear(tape.x, grad, into[:end])
    return grad


def pull_back_to_input(net: MLP, grad: Tensor) -> Tensor:
    """Return the gradient of x, (S, B, in), given that of the first layer's result."""
    return product(grad, net.first.weight.flatten(0, -3).mT)


def sum_rows(grad: Tensor, index: Tensor, n_rows: int) -> Tensor:
    """Return the gradient (n_rows, c) of :func:`ivae.nets.pick_rows`'s tables, all rows in turn."""
    flat, where = grad.flatten(0, 1), index.flatten()
    summed: Tensor = torch.ops.aten.embedding_dense_backward(flat, where, n_rows, -1, False)
    return summed


def _of_linear(x: Tensor, grad: Tensor, into: Sequence[Tensor]) -> None:
    """Write the gradients of weight and bias, given those of the result, (S, B, out)."""
    of_weight, of_bias = into
    _product_into(x.mT, grad, of_weight.flatten(0, -3))
    torch.sum(grad, 1, keepdim=True, out=of_bias.flatten(0, -3))


def _of_segments(
    x: Tensor | None, index: Tensor | None, grad: Tensor, into: Sequence[Tensor]
) -> None:
    """Write the gradients of weight, rows and bias, given those of the result."""
    *of_weight, of_rows, of_bias = into
    if index is None:
        of_rows.copy_(grad.view_as(of_rows))
    else:
        of_rows.copy_(sum_rows(grad, index, of_rows[..., 0].numel()).view_as(of_rows))
    torch.sum(of_rows, -2, keepdim=True, out=of_bias)
    if x is not None:
        _product_into(x.mT, grad, of_weight[0].flatten(0, -3))


def _product_into(a: Tensor, b: Tensor, out: Tensor) -> None:
    if is_narrow(b):
        out.copy_(product(a, b))
    else:
        torch.bmm(a, b, out=out)
