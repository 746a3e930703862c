"""Minibatches: the data on the model's device, in each member's own order, with its own noise."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import torch
from torch import Tensor

from ivae.support.seeds import seeded_generator

MINIBATCHES_AT_ONCE = 32
"""Rows are gathered, and noise is drawn, for so many at a time."""
ROWS_AT_ONCE = 4096


class Minibatches:
    """What E members see of their data, epoch by epoch.

    Nothing here depends on what was asked for before: any step of any epoch can be had at any time,
    which is how a resumed training finds its place.

    Parameters
    ----------
    x, u
        Checked data (E, N, d) and (E, N) on the model's device; a dataset that all members share
        has stride 0 along E and is kept once.
    seeds
        Of the members.
    batch_size
        Samples in a minibatch; the last of an epoch may have fewer.
    held_out
        Share of the rows that is kept from training.
    noise_shape
        Shape of one sample's standard normal draws: (n,), or (K, n) for K draws.

    Raises
    ------
    ValueError
        When nothing is left to train on, or to evaluate.
    """

    def __init__(
        self,
        x: Tensor,
        u: Tensor,
        seeds: Sequence[int],
        batch_size: int,
        held_out: float,
        noise_shape: tuple[int, ...],
    ) -> None:
        self.x, self.u, self.seeds = x, u, tuple(seeds)
        self.batch_size, self.noise_shape = batch_size, noise_shape
        n_held = round(held_out * x.shape[1])
        self.n_rows = x.shape[1] - n_held
        if held_out and not 0 < n_held < x.shape[1]:
            raise ValueError(
                f"held_out = {held_out} of {x.shape[1]} samples leaves {self.n_rows} to train on "
                f"and {n_held} to evaluate; each needs at least 1."
            )
        self.steps_per_epoch = math.ceil(self.n_rows / batch_size)
        self._shuffled = self._set_aside() if n_held else None
        self._order: tuple[int, Tensor] | None = None

    def of(self, members: Sequence[int]) -> Minibatches:
        """Return what these members see, the same as before."""
        kept = list(members)
        shared = self.x.stride(0) == 0
        part = copy.copy(self)
        part.seeds = tuple(self.seeds[member] for member in kept)
        part.x = self.x[: len(kept)] if shared else self.x[kept]
        part.u = self.u[: len(kept)] if self.u.stride(0) == 0 else self.u[kept]
        part._shuffled = None if self._shuffled is None else self._shuffled[kept]
        part._order = None
        return part

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the minibatches of one epoch after another, without end."""
        for epoch in count():
            yield from self.of_epoch(epoch)

    def of_epoch(
        self, epoch: int, first: int = 0, last: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (x, u, noise) of the minibatches first .. last - 1 of an epoch, by default all.

        Their shapes are (E, B, d), (E, B) and (E, B, *noise_shape).
        """
        last = self.steps_per_epoch if last is None else last
        order = self._order_of(epoch)
        size = self.batch_size
        for part in range(first // MINIBATCHES_AT_ONCE, math.ceil(last / MINIBATCHES_AT_ONCE)):
            begin = part * MINIBATCHES_AT_ONCE
            rows = order[:, begin * size : (begin + MINIBATCHES_AT_ONCE) * size]
            x, u = self._gather(rows)
            noise = self._noise(epoch, part, rows.shape[1]).to(x)
            for batch in range(max(first, begin), min(last, begin + MINIBATCHES_AT_ONCE)):
                here = slice((batch - begin) * size, (batch - begin + 1) * size)
                yield x[:, here], u[:, here], noise[:, here]

    def held_out(self) -> tuple[Tensor, Tensor] | None:
        """Return x (E, H, d) and u (E, H) of the rows kept from training, None without any."""
        return None if self._shuffled is None else self._gather(self._shuffled[:, self.n_rows :])

    def _set_aside(self) -> Tensor:
        generators = [seeded_generator(seed, "held out") for seed in self.seeds]
        rows = [torch.randperm(self.x.shape[1], generator=g) for g in generators]
        return torch.stack(rows).to(self.x.device)

    def _order_of(self, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != epoch:
            self._order = None  # Freed before the next is made: with much data they are large.
            generators = [seeded_generator(seed, "minibatches", epoch) for seed in self.seeds]
            order = torch.stack([torch.randperm(self.n_rows, generator=g) for g in generators])
            order = order.to(self.x.device)
            if self._shuffled is not None:
                order = self._shuffled.gather(1, order)
            self._order = epoch, order
        return self._order[1]

    def _noise(self, epoch: int, part: int, n_rows: int) -> Tensor:
        generators = [seeded_generator(s, "posterior noise", epoch, part) for s in self.seeds]
        shape = (n_rows, *self.noise_shape)
        return torch.stack([torch.randn(shape, generator=g) for g in generators])

    def _gather(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return _pick(self.x, rows), _pick(self.u, rows)


@torch.no_grad()
def in_pieces(function: Callable[..., Tensor], *data: Tensor) -> Tensor:
    """Return a function of data (E, N, ...) piece by piece, so that activations stay small."""
    pieces = zip(*(part.split(ROWS_AT_ONCE, 1) for part in data), strict=True)
    return torch.cat([function(*piece) for piece in pieces], 1)


def _pick(data: Tensor, rows: Tensor) -> Tensor:
    """Return data[e, rows[e, i]], (E, R, ...), of data (E, N, ...)."""
    if len(data) == 1 or data.stride(0) == 0:
        picked = data[0].index_select(0, rows.flatten())
        return picked.reshape(*rows.shape, *data.shape[2:])
    member = torch.arange(len(rows), device=rows.device).unsqueeze(1)
    return data[member, rows]
