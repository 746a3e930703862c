"""Stacked layers and MLPs: one network for each entry of a leading *stack* axis.

The first axis of every stack counts the members of the ensemble; an encoder or a prior adds a
second axis for its outputs (mean, log variance). Batched matrix products carry all of them in one
call, and because nothing mixes the stack's entries, a member trains as it would alone.

Training does not go through autograd: with matrices this small its bookkeeping for an operation
costs as much as the operation. :meth:`MLP.run` keeps what :meth:`MLP.pull_back` needs to return
the gradients; tests hold them equal to autograd's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from ivae.support.checks import one_of, whole_number

Activation = Literal["xtanh", "leaky-relu"]
ACTIVATIONS = ("xtanh", "leaky-relu")
Initialisation = Literal["uniform", "xavier", "lecun"]
INITIALISATIONS = ("uniform", "xavier", "lecun")
SLOPE = 0.1  # Of both leaky activations, as in the released code.


@dataclass(frozen=True)
class Network:
    """Shape of every MLP of a model. The paper's grid: hidden 50, 100, 200; 3 to 6 layers.

    ``decoder_layers`` gives the decoder a depth of its own, 1 making it a linear map; None for
    that of the others.
    """

    hidden: int = 100
    n_layers: int = 3
    activation: Activation = "xtanh"
    initialisation: Initialisation = "uniform"
    decoder_layers: int | None = None

    def __post_init__(self) -> None:
        whole_number("hidden", self.hidden)
        whole_number("n_layers", self.n_layers)
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("initialisation", self.initialisation, INITIALISATIONS)
        if self.decoder_layers is not None:
            whole_number("decoder_layers", self.decoder_layers)

    @property
    def shape(self) -> dict[str, Any]:
        """Arguments of the :class:`MLP` of encoder and prior."""
        return {name: v for name, v in asdict(self).items() if name != "decoder_layers"}

    @property
    def decoder_shape(self) -> dict[str, Any]:
        """Arguments of the decoder's :class:`MLP`."""
        return self.shape | {"n_layers": self.decoder_layers or self.n_layers}


class Linear(nn.Module):
    """``x @ weight + bias`` for each stack entry: weight (E, ..., in, out), bias (E, ..., 1, out).

    Weights and biases start uniform within 1 / sqrt(fan_in), torch's default for a linear layer;
    with ``"xavier"`` weights do within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010), with
    ``"lecun"`` within sqrt(3 / fan_in), a variance of 1 / fan_in (LeCun et al. 1998).
    """

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        heads: tuple[int, ...],
        n_in: int,
        n_out: int,
        initialisation: Initialisation = "uniform",
    ) -> None:
        super().__init__()
        bound = _bound(initialisation, n_in, n_out)
        self.weight = nn.Parameter(_uniform(generators, (*heads, n_in, n_out), bound))
        self.bias = nn.Parameter(_uniform(generators, (*heads, 1, n_out), n_in**-0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (S, B, in) to (S, B, out), S being the size of the whole stack."""
        return _affine(x, self.weight.flatten(0, -3), self.bias.flatten(0, -3))

    def pull_back(self, x: Tensor, grad: Tensor, into: Sequence[Tensor]) -> None:
        """Write the gradients of weight and bias, given those of the result, (S, B, out)."""
        of_weight, of_bias = into
        _product_into(x.mT, grad, of_weight.flatten(0, -3))
        torch.sum(grad, 1, keepdim=True, out=of_bias.flatten(0, -3))


class LinearOfSegment(nn.Module):
    """A linear layer on (x, one-hot u), its u part done as a row look-up.

    One-hot u times a matrix picks one of the matrix's rows, so the product is never formed. With
    ``n_in = 0`` the layer sees u alone.
    """

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        heads: tuple[int, ...],
        n_in: int,
        n_segments: int,
        n_out: int,
        initialisation: Initialisation = "uniform",
    ) -> None:
        super().__init__()
        fan_in = n_in + n_segments
        bound = _bound(initialisation, fan_in, n_out)
        if n_in:
            self.weight = nn.Parameter(_uniform(generators, (*heads, n_in, n_out), bound))
        self.rows = nn.Parameter(_uniform(generators, (*heads, n_segments, n_out), bound))
        self.bias = nn.Parameter(_uniform(generators, (*heads, 1, n_out), fan_in**-0.5))

    def forward(self, x: Tensor | None, index: Tensor | None) -> Tensor:
        """Map x (S, B, in) and the rows picked, see :func:`row_index`, to (S, B, out).

        Without an index the result has one row for each segment, (S, M, out).
        """
        rows = (self.rows + self.bias).flatten(0, -3)
        if index is None:
            return rows
        picked = pick_rows(rows, index)
        return picked if x is None else torch.baddbmm(picked, x, self.weight.flatten(0, -3))

    def pull_back(
        self, x: Tensor | None, index: Tensor | None, grad: Tensor, into: Sequence[Tensor]
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


class Tape(NamedTuple):
    """What an MLP's backward pass needs: inputs, and (activated, kept) for each hidden layer."""

    x: Tensor | None
    rows: Tensor | None
    layers: list[tuple[Tensor, Tensor]]


class MLP(nn.Module):
    """A stack of perceptrons with ``n_layers`` linear maps, an activation after all but the last.

    Parameters
    ----------
    generators
        One per member; a member's initial weights come from its own generator alone.
    heads
        Further stack axes after the member axis, e.g. ``(2,)`` for a mean and a log variance.
    n_in, n_out
        Inputs (0: none but u) and outputs.
    hidden, n_layers
        Width of the hidden layers and number of linear maps; 1 layer is a linear map.
    activation
        ``"xtanh"``, tanh(a) + a / 10, or ``"leaky-relu"`` with slope .1.
    initialisation
        ``"uniform"``, ``"xavier"`` or ``"lecun"``, see :class:`Linear`.
    n_segments
        Number of segments when the network also sees u as a one-hot vector, else 0.
    """

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        heads: tuple[int, ...],
        n_in: int,
        n_out: int,
        *,
        hidden: int,
        n_layers: int,
        activation: Activation,
        initialisation: Initialisation = "uniform",
        n_segments: int = 0,
    ) -> None:
        super().__init__()
        widths = [n_in] + [hidden] * (n_layers - 1) + [n_out]
        self.activation, self.n_segments = activation, n_segments
        self.first: Linear | LinearOfSegment = (
            LinearOfSegment(generators, heads, n_in, n_segments, widths[1], initialisation)
            if n_segments
            else Linear(generators, heads, n_in, widths[1], initialisation)
        )
        inner = pairwise(widths[1:])
        hidden_layers = [Linear(generators, heads, a, b, initialisation) for a, b in inner]
        self.rest: Sequence[Linear] = nn.ModuleList(hidden_layers)  # type: ignore[assignment]

    def forward(self, x: Tensor | None = None, u: Tensor | None = None) -> Tensor:
        """Map x (E, B, in), and u (E, B) where the network sees it, to (E, heads..., B, out)."""
        return self.run(x, u)[0]

    def run(self, x: Tensor | None = None, u: Tensor | None = None) -> tuple[Tensor, Tape]:
        """Do what :meth:`forward` does, and return what :meth:`pull_back` needs besides."""
        stack = self.first.bias.shape[:-2]
        if x is not None:
            size, n_in = x.shape[-2:]
            if len(stack) > 1:
                x = x.view(len(x), *[1] * (len(stack) - 1), size, n_in).expand(*stack, size, n_in)
            x = x.reshape(-1, size, n_in)
        index = None if u is None else row_index(u, stack, self.n_segments)
        a = self.first(x, index) if isinstance(self.first, LinearOfSegment) else self.first(x)
        layers = []
        for layer in self.rest:
            h, kept = _activate(self.activation, a)
            layers.append((h, kept))
            a = layer(h)
        return a.view(*stack, *a.shape[-2:]), Tape(x, index, layers)

    def pull_back(self, tape: Tape, grad: Tensor, into: Sequence[Tensor]) -> Tensor:
        """Write the gradients of all parameters; return that of the first layer's result.

        ``grad`` is that of the MLP's result; ``into`` holds a tensor for each parameter, in the
        order of :meth:`torch.nn.Module.parameters`.
        """
        grad = grad.reshape(-1, *grad.shape[-2:])
        end = len(into)
        for layer, (h, kept) in zip(reversed(self.rest), reversed(tape.layers), strict=True):
            layer.pull_back(h, grad, into[end - 2 : end])
            end -= 2
            grad = _product(grad, layer.weight.flatten(0, -3).mT)
            grad = _through_activation(self.activation, grad, kept)
        if isinstance(self.first, LinearOfSegment):
            self.first.pull_back(tape.x, tape.rows, grad, into[:end])
        elif tape.x is not None:
            self.first.pull_back(tape.x, grad, into[:end])
        return grad

    def pull_back_to_input(self, grad: Tensor) -> Tensor:
        """Return the gradient of x, (S, B, in), given that of the first layer's result."""
        return _product(grad, self.first.weight.flatten(0, -3).mT)


def row_index(u: Tensor, stack: Sequence[int], n_rows: int) -> Tensor:
    """Return where u's rows (E, B) are in tables of n_rows stacked (E, ...), as (S, B)."""
    starts = _starts(math.prod(stack), n_rows, u.device)
    heads = math.prod(stack[1:])
    if heads > 1:
        u = u.unsqueeze(1).expand(-1, heads, -1).reshape(-1, u.shape[-1])
    return u + starts


def pick_rows(table: Tensor, index: Tensor) -> Tensor:
    """Return the rows (S, B, c) of tables (S, M, c) that :func:`row_index` names."""
    return nn.functional.embedding(index, table.flatten(0, 1))


def sum_rows(grad: Tensor, index: Tensor, n_rows: int) -> Tensor:
    """Return the gradient (n_rows, c) of :func:`pick_rows`'s tables, all rows one after another."""
    flat, where = grad.flatten(0, 1), index.flatten()
    summed: Tensor = torch.ops.aten.embedding_dense_backward(flat, where, n_rows, -1, False)
    return summed


@lru_cache
def _starts(n_tables: int, n_rows: int, device: torch.device) -> Tensor:
    return torch.arange(0, n_tables * n_rows, n_rows, device=device).unsqueeze(1)


def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if _is_narrow(weight):
        return _product(x, weight) + bias
    return torch.baddbmm(bias, x, weight)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b; by way of its transpose where b is narrow: BLAS is four times faster there."""
    return torch.bmm(b.mT, a.mT).mT if _is_narrow(b) else torch.bmm(a, b)


def _product_into(a: Tensor, b: Tensor, out: Tensor) -> None:
    if _is_narrow(b):
        out.copy_(_product(a, b))
    else:
        torch.bmm(a, b, out=out)


def _is_narrow(b: Tensor) -> bool:
    return b.shape[-1] < 16


def _activate(activation: Activation, a: Tensor) -> tuple[Tensor, Tensor]:
    """Return the activation of a, and what its derivative needs."""
    if activation == "leaky-relu":
        return nn.functional.leaky_relu(a, SLOPE), a
    # tanh(a) = 2 sigmoid(2 a) - 1: the sigmoid is some nine times faster than torch.tanh on a CPU.
    tanh = torch.rsub((a + a).sigmoid_(), -1, alpha=-2)
    return torch.add(tanh, a, alpha=SLOPE), tanh


def _through_activation(activation: Activation, grad: Tensor, kept: Tensor) -> Tensor:
    """Multiply the gradient by the activation's derivative."""
    if activation == "leaky-relu":
        of_leaky: Tensor = torch.ops.aten.leaky_relu_backward(grad, kept, SLOPE, False)
        return of_leaky
    of_tanh: Tensor = torch.ops.aten.tanh_backward(grad, kept)
    return of_tanh.add_(grad, alpha=SLOPE)


def _bound(initialisation: Initialisation, fan_in: int, fan_out: int) -> float:
    if initialisation == "xavier":
        return math.sqrt(6 / (fan_in + fan_out))
    return math.sqrt(3 / fan_in) if initialisation == "lecun" else float(fan_in**-0.5)


def _uniform(generators: Sequence[torch.Generator], shape: tuple[int, ...], bound: float) -> Tensor:
    """One block of uniform(-bound, bound) draws per generator, stacked along the member axis."""
    return torch.stack([(2 * torch.rand(shape, generator=g) - 1) * bound for g in generators])
