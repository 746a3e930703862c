"""Training: a whole ensemble in one loop.

The members share a program and nothing else. Each has its own initial weights, minibatches and
posterior noise, drawn from its own seed; the loss is the sum over members; Adam works element by
element. So E members trained together are E runs, and a test holds them equal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ivae import streams
from ivae.checks import finite_array, positive_number, whole_number
from ivae.metrics import mcc
from ivae.models import LatentVariableModel
from ivae.objectives import elbo
from ivae.progress import ProgressLine

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes
    ----------
    epochs
        Passes over the data. 20 passes over 40,000 samples are the released code's 12,500 steps.
    batch_size
        Samples in a minibatch; the paper's 64.
    learning_rate
        Adam's, at the start; the paper's grid is {.01, .001}. It falls to 0 along a half cosine,
        so that the last epochs average the minibatch noise away.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        whole_number("epochs", self.epochs)
        whole_number("batch_size", self.batch_size)
        positive_number("learning_rate", self.learning_rate)


@dataclass(frozen=True)
class History:
    """What was measured while E members trained for T epochs.

    Attributes
    ----------
    elbo, reconstruction, kl
        Mean over an epoch's minibatches, in nats for one sample, each (T, E).
    mcc, mcc_sampled
        After each epoch, over all samples, (T, E): of the posterior mean, and of one draw from the
        posterior (the paper's). None where the sources are not known.
    seconds
        Wall time of the whole training.
    """

    elbo: Array
    reconstruction: Array
    kl: Array
    mcc: Array | None
    mcc_sampled: Array | None
    seconds: float

    @property
    def epochs(self) -> NDArray[np.int64]:
        """Epoch numbers 1 .. T, to plot against."""
        return np.arange(1, len(self.elbo) + 1)


def train(
    model: LatentVariableModel,
    x: ArrayLike,
    u: ArrayLike,
    z: ArrayLike | None = None,
    *,
    schedule: Schedule | None = None,
    label: str = "training",
    progress: bool = True,
) -> History:
    """Maximise the ELBO of Eq. (8) for every member, in place.

    Parameters
    ----------
    model
        Ensemble of E members, from :func:`ivae.models.ivae` or :func:`ivae.models.vae`.
    x
        Observations, (N, d) for all members or (E, N, d) with one dataset for each.
    u
        Segment labels 0 .. M - 1, (N,) or (E, N) as x. Each segment needs at least one sample.
    z
        True sources (N, n) or (E, N, n), only ever used to measure the MCC.
    schedule
        Epochs, minibatch size, learning rate.
    label, progress
        Name on the progress line, and whether to show one.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        When shapes do not fit the model, for NaN in x or z, for labels that are not the integers
        0 .. M - 1 or leave a segment empty.
    FloatingPointError
        When a member's objective is no longer finite; it names the members.
    """
    schedule = schedule or Schedule()
    data = _Batches(model, x, u, schedule.batch_size)
    sources = None if z is None else _sources(model, z, data.n_rows)
    optimiser = torch.optim.Adam(model.parameters(), lr=schedule.learning_rate, fused=True)
    n_steps = schedule.epochs * data.n_batches
    line = ProgressLine(label, shown=progress)
    rows: list[list[Array]] = []
    for epoch in range(schedule.epochs):
        totals = torch.zeros(2, model.n_members, dtype=torch.float64, device=data.x.device)
        for batch, (x_batch, u_batch, noise) in enumerate(data.epoch(epoch)):
            step = epoch * data.n_batches + batch
            for group in optimiser.param_groups:
                group["lr"] = schedule.learning_rate * _half_cosine(step / n_steps)
            terms = elbo(model, x_batch, u_batch, noise)
            loss = -terms.value.mean(1).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            totals += torch.stack((terms.reconstruction.detach(), terms.kl.detach())).sum(-1)
        reconstruction, kl = (totals / data.n_rows).cpu().numpy()
        _refuse_divergence(model, reconstruction - kl, epoch)
        scores = [] if sources is None else list(_scores(model, data, sources, epoch))
        rows.append([reconstruction - kl, reconstruction, kl, *scores])
        shown = f", MCC {np.mean(scores[0]):.3f}" if scores else ""
        line.report(
            f"epoch {epoch + 1} of {schedule.epochs}, ELBO {np.mean(rows[-1][0]):.3f}{shown}"
        )
    line.close()
    value, reconstruction, kl, *scores = (np.stack(column) for column in zip(*rows, strict=True))
    of_means, of_draws = scores if scores else (None, None)
    return History(value, reconstruction, kl, of_means, of_draws, line.elapsed)


class _Batches:
    """The data on the model's device, cut into each member's own minibatches epoch by epoch."""

    def __init__(
        self, model: LatentVariableModel, x: ArrayLike, u: ArrayLike, batch_size: int
    ) -> None:
        self.x, self.u = model.check_data(x, u, every_segment=True)
        self.n_rows = self.x.shape[1]
        self.seeds, self.n_latents, self.batch_size = model.seeds, model.n_latents, batch_size
        self.n_batches = math.ceil(self.n_rows / batch_size)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (x, u, noise) for each minibatch: (E, B, d), (E, B) and (E, B, n)."""
        orders, noises = [], []
        for seed in self.seeds:
            minibatches = streams.generator(seed, "minibatches", epoch)
            posterior = streams.generator(seed, "posterior noise", epoch)
            orders.append(torch.randperm(self.n_rows, generator=minibatches))
            noises.append(torch.randn(self.n_rows, self.n_latents, generator=posterior))
        order = torch.stack(orders).to(self.x.device)
        noise = torch.stack(noises).to(self.x)
        member = torch.arange(len(self.seeds), device=order.device).unsqueeze(1)
        for i in range(0, self.n_rows, self.batch_size):
            rows = order[:, i : i + self.batch_size]
            yield self.x[member, rows], self.u[member, rows], noise[:, i : i + self.batch_size]


def _sources(model: LatentVariableModel, z: ArrayLike, n_rows: int) -> Array:
    array = np.asarray(z)
    lead: tuple[str | int, ...] = (model.n_members,) if array.ndim == 3 else ()
    array = finite_array("z", array, (*lead, n_rows, model.n_latents))
    return array if array.ndim == 3 else np.broadcast_to(array, (model.n_members, *array.shape))


def _scores(
    model: LatentVariableModel, data: _Batches, sources: Array, epoch: int
) -> tuple[Array, Array]:
    """MCC of posterior means and of one posterior draw, each (E,), on all samples."""
    posterior = model.infer(data.x, data.u)
    draws = posterior.sample(model.evaluation_noise(posterior.mean, epoch))
    return _mcc_by_member(sources, posterior.mean), _mcc_by_member(sources, draws)


def _mcc_by_member(sources: Array, estimates: Tensor) -> Array:
    pairs = zip(sources, estimates.cpu().numpy(), strict=True)
    return np.array([mcc(true, estimate) for true, estimate in pairs])


def _refuse_divergence(model: LatentVariableModel, value: Array, epoch: int) -> None:
    lost = np.flatnonzero(~np.isfinite(value))
    if lost.size:
        named = ", ".join(f"member {e} (seed {model.seeds[e]})" for e in lost)
        raise FloatingPointError(
            f"the ELBO of {named} is no longer finite in epoch {epoch + 1}; "
            "lower the learning rate or raise the decoder variance."
        )


def _half_cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))
