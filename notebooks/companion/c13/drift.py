"""From a start that knows the sources, on without supervision: does an objective keep them?

A search that begins at random may fail to find the truth. One that begins at the truth cannot fail
so: where the objective rises from there and the sources are lost, the objective itself prefers
something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ivae.engine.batches import Minibatches
from ivae.engine.descent import minimise
from ivae.metrics import mcc
from ivae.models import LatentVariableModel
from ivae.nets import MLP, Posterior
from ivae.objectives import Objective, noise_shape
from ivae.schedules import Schedule, Weight, Weights
from ivae.support.checks import Array
from ivae.training import train

BATCH_SIZE = Schedule().batch_size


@dataclass(frozen=True)
class MeanTerms:
    """Means of an objective's terms over a dataset, in nats for one sample, (E,) each.

    ``value`` is the objective; ``reconstruction`` - ``kl`` is the ELBO. The three parts of the KL
    term are those of :class:`ivae.objectives.Decomposition`, NaN where it does not compute them.
    """

    value: Array
    reconstruction: Array
    kl: Array
    mutual_information: Array
    total_correlation: Array
    dimension_wise_kl: Array

    @property
    def elbo(self) -> Array:
        """Reconstruction - KL."""
        return np.asarray(self.reconstruction - self.kl)


@dataclass(frozen=True)
class Drift:
    """What training does to a given start.

    Attributes
    ----------
    steps
        Where it was looked at, from 0 on, (T,).
    objective
        What is maximised, (T, E): over the whole data at the start, then means over the minibatches
        since the evaluation before.
    mcc, mcc_sampled
        Of the posterior means and of a posterior sample, (T, E).
    end
        The objective over the whole data at the end, (E,), to hold against ``objective[0]``.
    """

    steps: NDArray[np.int64]
    objective: Array
    mcc: Array
    mcc_sampled: Array
    end: Array


def mean_terms(
    model: LatentVariableModel,
    x: ArrayLike,
    u: ArrayLike,
    objective: Objective,
    *,
    weights: Sequence[float] | None = None,
) -> MeanTerms:
    """Return the means of an objective's terms over a dataset, without training.

    By minibatches of 64, as in training, because the parts of a decomposition are estimated from
    the minibatch and depend on its size.

    Parameters
    ----------
    model, x, u
        As for :func:`ivae.training.train`.
    objective
        What to evaluate.
    weights
        Of its terms instead of its own, one for each: with weights that are all different a
        decomposition computes its three parts, which it leaves out where they do not matter.
    """
    x_data, u_data = model.check_data(x, u)
    batches = _batches(model, x_data, u_data, objective)
    constant = _weights(model, objective.weights if weights is None else weights, batches)
    sums: list[list[Array]] = []
    sizes = []
    with torch.no_grad():
        for batch in batches.of_epoch(0):
            terms = objective.terms(model(*batch), constant, batches.n_rows)
            nothing = torch.full_like(terms.value, torch.nan)
            parts = terms.parts or (nothing,) * 3
            every = (terms.value, terms.reconstruction, terms.kl, *parts)
            sums.append([part.double().sum(1).numpy() for part in every])
            sizes.append(batch[0].shape[1])
    return MeanTerms(*(np.sum(column, 0) / sum(sizes) for column in zip(*sums, strict=True)))


def fit_encoder(
    model: LatentVariableModel,
    x: ArrayLike,
    u: ArrayLike,
    objective: Objective,
    *,
    epochs: int = 20,
) -> None:
    """Maximise an objective by the encoder alone, in place; decoder and prior stay as they are.

    Parameters
    ----------
    model, x, u, objective
        As for :func:`ivae.training.train`.
    epochs
        Passes over the data, with a rate that falls from .01 along a half cosine.
    """
    own = model.encoder.parameters()
    _maximise(model, x, u, objective, epochs, "encoder alone", own, lambda posterior: posterior)


def start_at_sources(
    model: LatentVariableModel,
    net: MLP,
    members: Sequence[int],
    x: ArrayLike,
    u: ArrayLike,
    objective: Objective,
    *,
    epochs: int = 5,
) -> None:
    """Give every posterior the mean that a supervised network has learned, and fit the rest to it.

    Decoder, prior and posterior variances maximise the objective while the means stay fixed. What
    comes out is the best model, for this objective, whose latents are the supervised estimates of
    the sources; in place.

    Parameters
    ----------
    model, x, u, objective
        As for :func:`ivae.training.train`.
    net, members
        From :func:`companion.ceilings.supervised_network`, and which of its networks each of the
        model's members begins with.
    epochs
        As in :func:`fit_encoder`.
    """
    with torch.no_grad():
        for parameter, taught in zip(model.encoder.parameters(), net.parameters(), strict=True):
            parameter[:, 0] = taught[list(members)]

    def with_fixed_means(posterior: Posterior) -> Posterior:
        # Adam does not move what never had a gradient.
        return Posterior(posterior.mean.detach(), posterior.log_variance)

    every = model.parameters()
    _maximise(model, x, u, objective, epochs, "all but the means", every, with_fixed_means)


def follow(
    model: LatentVariableModel,
    x: ArrayLike,
    u: ArrayLike,
    z: ArrayLike,
    objective: Objective,
    schedule: Schedule,
    **options: Any,
) -> Drift:
    """Train a model from where it is, in place, and say what that does to objective and MCC.

    Parameters
    ----------
    model, x, u, z, objective, schedule
        As for :func:`ivae.training.train`; z is only looked at.
    options
        Others of :func:`ivae.training.train`.
    """
    before = mean_terms(model, x, u, objective).value
    scores = _scores(model, x, u, z)
    history = train(model, x, u, z, objective=objective, schedule=schedule, **options)
    assert history.mcc is not None and history.mcc_sampled is not None
    curves = [
        np.concatenate((first[None], later))
        for first, later in zip(
            (before, *scores), (history.objective, history.mcc, history.mcc_sampled), strict=True
        )
    ]
    objectives, means, draws = curves
    end = mean_terms(model, x, u, objective).value
    return Drift(np.concatenate(([0], history.steps)), objectives, means, draws, end)


def _maximise(
    model: LatentVariableModel,
    x: ArrayLike,
    u: ArrayLike,
    objective: Objective,
    epochs: int,
    label: str,
    parameters: Iterable[Tensor],
    seen: Callable[[Posterior], Posterior],
) -> None:
    """Maximise an objective by some parameters; gradients pass what ``seen`` returns."""
    x_data, u_data = model.check_data(x, u, every_segment=True)
    batches = _batches(model, x_data, u_data, objective)
    constant = _weights(model, objective.weights, batches)

    def loss(x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        done = model.complete(seen(model.encode(x, u)), x, u, noise)
        return -objective.terms(done, constant, batches.n_rows).value.mean(1).sum()

    minimise(loss, parameters, batches, epochs * batches.steps_per_epoch, label)


def _weights(model: LatentVariableModel, weights: Sequence[Weight], batches: Minibatches) -> Tensor:
    return torch.from_numpy(Weights(weights, model.n_members).at(np.ones(1))[0]).to(batches.x)


def _batches(model: LatentVariableModel, x: Tensor, u: Tensor, objective: Objective) -> Minibatches:
    draws = noise_shape(objective, model.n_latents)
    return Minibatches(x, u, model.seeds, BATCH_SIZE, 0.0, draws)


def _scores(
    model: LatentVariableModel, x: ArrayLike, u: ArrayLike, z: ArrayLike
) -> tuple[Array, Array]:
    posterior = model.infer(x, u)
    draws = posterior.sample(model.evaluation_noise(posterior.mean, 0))
    sources = np.broadcast_to(np.asarray(z), posterior.mean.shape)

    def each(found: Tensor) -> Array:
        return np.array([mcc(a, b) for a, b in zip(sources, found.numpy(), strict=True)])

    return each(posterior.mean), each(draws)
