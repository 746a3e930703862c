"""The truth as weights: a model whose decoder and prior are those that made the data.

The mixing of Section 5 is a network of the decoder's kind, xtanh between linear maps, and a table
of variances is a network of one-hot u. So the truth is a point of the space that training searches,
and can be held against the point where training ends, by the same code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ivae.data import NonstationaryData
from ivae.models import LatentVariableModel
from ivae.nets import MLP, LinearOfSegment
from ivae.support.activations import xtanh


@torch.no_grad()
def write_truth(model: LatentVariableModel, datasets: Sequence[NonstationaryData]) -> None:
    """Set decoder and prior of every member to those of its dataset, in place, exactly.

    The first hidden units of each layer become those of the mixing. The others keep their weights,
    but nothing downstream listens to them: the function is the true one, and a training that goes
    on from here can still use them. The encoder is left as it is. The iVAEs are of the datasets'
    sizes and family, with xtanh, a decoder of as many layers as the mixing has matrices, and hidden
    units for each segment and each output.
    """
    for member, dataset in enumerate(datasets):
        _write_mixing(model.decoder, member, [torch.as_tensor(m) for m in dataset.mixing.matrices])
        raw = [torch.as_tensor(dataset.variance).log()]
        if model.family.has_mean:
            raw.append(torch.as_tensor(dataset.mean))
        for head, table in enumerate(raw):
            _write_table(model.prior_net, member, head, table)


def _write_mixing(decoder: MLP, member: int, matrices: Sequence[Tensor]) -> None:
    layers = [decoder.first, *decoder.rest]
    for number, (layer, matrix) in enumerate(zip(layers, matrices, strict=True)):
        rows, columns = matrix.shape
        weight, bias = layer.weight[member], layer.bias[member]
        if number:
            weight[:, :columns] = 0
        weight[:rows, :columns] = matrix.to(weight)
        bias[:, :columns] = 0


def _write_table(net: nn.Module, member: int, head: int, table: Tensor) -> None:
    """Let the first M hidden units of each layer say which segment it is; the last reads a row."""
    assert isinstance(net, MLP) and isinstance(net.first, LinearOfSegment)
    m, n = table.shape
    units = torch.eye(m)
    first = net.first
    first.rows[member, head, :, :m] = units.to(first.rows)
    first.bias[member, head, :, :m] = 0
    level = torch.ones((), dtype=torch.float64)
    for number, layer in enumerate(net.rest, start=1):
        level = xtanh(level)
        weight, bias = layer.weight[member, head], layer.bias[member, head]
        last = number == len(net.rest)
        width = n if last else m
        weight[:, :width] = 0
        weight[:m, :width] = (table / level if last else units).to(weight)
        bias[:, :width] = 0
