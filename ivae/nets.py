"""Stacked layers and MLPs: one network for each entry of a leading *stack* axis.

The first axis of every stack counts the members of the ensemble; an encoder or a prior adds a
second axis for its outputs (mean, log variance). Batched matrix products carry all of them in one
call, and because nothing mixes the stack's entries, a member trains as it would alone.

Autograd can differentiate all of this. :func:`ivae.training.train` does not let it: see
:mod:`ivae.engine.backward`, which works from what :meth:`MLP.run` keeps.

>>> generators = [torch.Generator().manual_seed(seed) for seed in (0, 1, 2)]
>>> net = MLP(generators, (), 2, 5, **Network(hidden=8).shape)  # Three networks, 2 to 5.
>>> net(torch.zeros(3, 10, 2)).shape
torch.Size([3, 10, 5])
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args

import torch
from torch import Tensor, nn

from ivae.support.activations import ACTIVATIONS, Activation, activate
from ivae.support.checks import one_of, settle, whole_number

Initialisation = Literal["uniform", "xavier", "lecun"]
INITIALISATIONS = get_args(Initialisation)


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
            own = whole_number("decoder_layers", self.decoder_layers)
            settle(self, decoder_layers=None if own == self.n_layers else own)

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


class Tape(NamedTuple):
    """What the gradients of an MLP need: inputs, and (activated, kept) for each hidden layer."""

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
        self.n_in, self.n_out, self.hidden, self.n_layers = n_in, n_out, hidden, n_layers
        self.first: Linear | LinearOfSegment = (
            LinearOfSegment(generators, heads, n_in, n_segments, widths[1], initialisation)
            if n_segments
            else Linear(generators, heads, n_in, widths[1], initialisation)
        )
        inner = pairwise(widths[1:])
        hidden_layers = [Linear(generators, heads, a, b, initialisation) for a, b in inner]
        self.rest = cast(Sequence[Linear], nn.ModuleList(hidden_layers))

    @property
    def shape(self) -> dict[str, Any]:
        """Width, number of linear maps and activation."""
        return {name: getattr(self, name) for name in ("hidden", "n_layers", "activation")}

    def forward(self, x: Tensor | None = None, u: Tensor | None = None) -> Tensor:
        """Map x (E, B, in), and u (E, B) where the network sees it, to (E, heads..., B, out)."""
        return self.run(x, u)[0]

    def run(self, x: Tensor | None = None, u: Tensor | None = None) -> tuple[Tensor, Tape]:
        """Do what :meth:`forward` does, and return what its gradients need besides."""
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
            h, kept = activate(self.activation, a)
            layers.append((h, kept))
            a = layer(h)
        return a.view(*stack, *a.shape[-2:]), Tape(x, index, layers)


class Posterior(NamedTuple):
    """Mean and log variance of q(z|x, u), each (E, B, n)."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Return mean + deviation * noise for standard normal noise (E, B, n) or (E, B, K, n)."""
        mean, deviation = self.mean, torch.exp(0.5 * self.log_variance)
        if noise.dim() > mean.dim():
            mean, deviation = mean.unsqueeze(2), deviation.unsqueeze(2)
        return mean + deviation * noise


class MLPEncoder(nn.Module):
    """q(z|x, u) = N(m, diag(v)): an MLP for m and one for log v, which see u where they are to."""

    def __init__(self, net: MLP) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, u: Tensor) -> Posterior:
        """Return mean and log variance, (E, B, n) each, for x (E, B, d) and u (E, B)."""
        mean, log_variance = self.net(x, u if self.net.n_segments else None).unbind(1)
        return Posterior(mean, log_variance)


class PriorTable(nn.Module):
    """A prior's numbers for each segment that no network computes, (E, k, M, n), from 0 on."""

    values: Tensor

    def __init__(self, shape: tuple[int, int, int, int], is_fixed: bool = False) -> None:
        super().__init__()
        if is_fixed:
            self.register_buffer("values", torch.zeros(shape))
        else:
            self.values = nn.Parameter(torch.zeros(shape))

    def forward(self) -> Tensor:
        """Return the numbers."""
        return self.values


Members = TypeVar("Members", bound=nn.Module)


def members_of(module: Members, members: Sequence[int]) -> Members:
    """Return a copy that holds these members alone, every tensor having the member axis first."""
    part = copy.deepcopy(module)
    for tensor in (*part.parameters(), *part.buffers()):
        tensor.data = tensor.data[list(members)]
    return part


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


@lru_cache
def _starts(n_tables: int, n_rows: int, device: torch.device) -> Tensor:
    return torch.arange(0, n_tables * n_rows, n_rows, device=device).unsqueeze(1)


def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if is_narrow(weight):
        return product(x, weight) + bias
    return torch.baddbmm(bias, x, weight)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b; by way of its transpose where b is narrow: BLAS is four times faster there."""
    return torch.bmm(b.mT, a.mT).mT if is_narrow(b) else torch.bmm(a, b)


def is_narrow(b: Tensor) -> bool:
    return b.shape[-1] < 16


def _bound(initialisation: Initialisation, fan_in: int, fan_out: int) -> float:
    if initialisation == "xavier":
        return math.sqrt(6 / (fan_in + fan_out))
    return math.sqrt(3 / fan_in) if initialisation == "lecun" else float(fan_in**-0.5)


def _uniform(generators: Sequence[torch.Generator], shape: tuple[int, ...], bound: float) -> Tensor:
    """One block of uniform(-bound, bound) draws per generator, stacked along the member axis."""
    return torch.stack([(2 * torch.rand(shape, generator=g) - 1) * bound for g in generators])
