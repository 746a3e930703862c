"""Stacked layers and MLPs: one network for each entry of a leading *stack* axis.

The first axis of every stack counts the members of the ensemble; an encoder or a prior adds a
second axis for its outputs (mean, log variance). Batched matrix products carry all of them in one
call, and because nothing mixes the stack's entries, a member trains as it would alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

Activation = Literal["xtanh", "leaky-relu"]
ACTIVATIONS = ("xtanh", "leaky-relu")
SLOPE = 0.1  # Of both leaky activations, as in the released code.


class Linear(nn.Module):
    """``x @ weight + bias`` for each stack entry: weight (E, ..., in, out), bias (E, ..., 1, out).

    Weights and biases start uniform within 1 / sqrt(fan_in), torch's default for a linear layer.
    """

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        heads: tuple[int, ...],
        n_in: int,
        n_out: int,
    ) -> None:
        super().__init__()
        bound = n_in**-0.5
        self.weight = nn.Parameter(_uniform(generators, (*heads, n_in, n_out), bound))
        self.bias = nn.Parameter(_uniform(generators, (*heads, 1, n_out), bound))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (E, ..., B, in), its middle axes broadcastable, to (E, ..., B, out)."""
        return x @ self.weight + self.bias


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
    ) -> None:
        super().__init__()
        bound = (n_in + n_segments) ** -0.5
        if n_in:
            self.weight = nn.Parameter(_uniform(generators, (*heads, n_in, n_out), bound))
        self.rows = nn.Parameter(_uniform(generators, (*heads, n_segments, n_out), bound))
        self.bias = nn.Parameter(_uniform(generators, (*heads, 1, n_out), bound))

    def forward(self, x: Tensor | None, u: Tensor | None) -> Tensor:
        """Map x (E, ..., B, in) and u (E, B) to (E, ..., B, out).

        Without x and u the result has one row for each segment, (E, ..., M, out).
        """
        if u is None:
            return self.rows + self.bias
        picked = pick_rows(self.rows, u) + self.bias
        return picked if x is None else x @ self.weight + picked


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
        n_segments: int = 0,
    ) -> None:
        super().__init__()
        widths = [n_in] + [hidden] * (n_layers - 1) + [n_out]
        self.activation = activation
        self.n_middle_axes = len(heads)
        self.first: Linear | LinearOfSegment = (
            LinearOfSegment(generators, heads, n_in, n_segments, widths[1])
            if n_segments
            else Linear(generators, heads, n_in, widths[1])
        )
        self.rest = nn.ModuleList(Linear(generators, heads, a, b) for a, b in pairwise(widths[1:]))

    def forward(self, x: Tensor | None = None, u: Tensor | None = None) -> Tensor:
        """Map x (E, B, in), and u (E, B) where the network sees it, to (E, heads..., B, out)."""
        if x is not None:
            for _ in range(self.n_middle_axes):
                x = x.unsqueeze(1)
        h: Tensor
        h = self.first(x, u) if isinstance(self.first, LinearOfSegment) else self.first(x)
        for layer in self.rest:
            h = layer(self._activate(h))
        return h

    def _activate(self, a: Tensor) -> Tensor:
        if self.activation == "xtanh":
            return torch.add(torch.tanh(a), a, alpha=SLOPE)
        return nn.functional.leaky_relu(a, SLOPE)


def pick_rows(table: Tensor, u: Tensor) -> Tensor:
    """Return row ``u[e, b]`` of each table: (E, ..., M, c) and (E, B) give (E, ..., B, c)."""
    *stack, n_rows, n_columns = table.shape
    starts = torch.arange(math.prod(stack), device=u.device).mul_(n_rows).reshape(*stack, 1)
    index = u.reshape(u.shape[0], *[1] * (len(stack) - 1), u.shape[-1]) + starts
    return nn.functional.embedding(index, table.reshape(-1, n_columns))


def _uniform(generators: Sequence[torch.Generator], shape: tuple[int, ...], bound: float) -> Tensor:
    """One block of uniform(-bound, bound) draws per generator, stacked along the member axis."""
    return torch.stack([(2 * torch.rand(shape, generator=g) - 1) * bound for g in generators])
