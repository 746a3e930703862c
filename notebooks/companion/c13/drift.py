"""From a start that knows the sources, on without supervision: does an objective keep them?

A search that begins at random may fail to find the truth. One that begins at the truth cannot fail
so: where the objective rises from there and the sources are lost, the objective itself prefers
something else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ivae.engine.adam import MemberwiseAdam
from ivae.engine.batches import Minibatches
from ivae.engine.memory import keep_freed_memory
from ivae.engine.steps import Step
from ivae.metrics import mcc
from ivae.models import LatentVariableModel
from ivae.nets import MLP
from ivae.objectives import Objective
from ivae.schedules import LearningRates, Schedule, Weight, Weights
from ivae.support.checks import whole_number
from ivae.support.progress import ProgressLine
from ivae.training import train

Array = NDArray[np.floating[Any]]
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
        for batch in batches.steps(0, 0, batches.steps_per_epoch):
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
    label: str = "encoder alone",
) -> None:
    """Maximise an objective by the encoder alone, in place; decoder and prior stay as they are.

    Parameters
    ----------
    model, x, u, objective
        As for :func:`ivae.training.train`.
    epochs
        Passes over the data, with a rate that falls from .01 along a half cosine.
    label
        Name on the progress line.
    """
    _maximise(model, x, u, objective, epochs, label, lambda name: not name.startswith("encoder"))


def start_at_sources(
    model: LatentVariableModel,
    net: MLP,
    members: Sequence[int],
    x: ArrayLike,
    u: ArrayLike,
    objective: Objective,
    *,
    epochs: int = 5,
    label: str = "all but the means",
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
        From :func:`companion.ceilings.supervised_network`, and which of its networks each of the model's
        members begins with.
    epochs, label
        As in :func:`fit_encoder`.

    Raises
    ------
    ValueError
        When ``members`` does not name one of the networks for each of the model's, or their shapes
        are not the encoder's.
    """
    given = list(net.parameters())
    own = list(model.encoder.parameters())
    known = len(given[0])
    if len(members) != model.n_members or not all(0 <= m < known for m in members):
        raise ValueError(
            f"members must name one of {known} networks for each of {model.n_members} members; "
            f"got {list(members)}."
        )
    if [p.shape[1:] for p in given] != [p.shape[2:] for p in own]:
        raise ValueError("net must have the shape of the model's encoder; it has another.")
    with torch.no_grad():
        for parameter, taught in zip(own, given, strict=True):
            parameter[:, 0] = taught[list(members)]
    _maximise(model, x, u, objective, epochs, label, lambda name: name.startswith("encoder"), 0)


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
    is_fixed: Callable[[str], bool],
    head: int | None = None,
) -> None:
    """Maximise by Adam, but for what is fixed: whole parameters, or one head of them."""
    whole_number("epochs", epochs)
    keep_freed_memory()
    x_data, u_data = model.check_data(x, u, every_segment=True)
    batches = _batches(model, x_data, u_data, objective)
    constant = _weights(model, objective.weights, batches)
    adam = MemberwiseAdam(model.parameters())
    names = [name for name, _ in model.named_parameters()]
    fixed = [
        gradient if head is None else gradient[:, head]
        for name, gradient in zip(names, adam.gradients, strict=True)
        if is_fixed(name)
    ]
    step = Step(model, objective, adam, batches.n_rows, min(BATCH_SIZE, batches.n_rows))
    n_steps = epochs * batches.steps_per_epoch
    progress, no_falls = np.arange(n_steps) / n_steps, np.zeros(1, np.int64)
    rates = iter(torch.from_numpy(LearningRates(Schedule(), 1).at(progress, no_falls)))
    line = ProgressLine(label)
    for epoch in range(epochs):
        for batch in batches.steps(epoch, 0, batches.steps_per_epoch):
            step.gradients(*batch, constant)
            for gradient in fixed:  # Adam does not move what never had a gradient.
                gradient.zero_()
            adam.step(next(rates))
        line.report(f"{epoch + 1} of {epochs} epochs")
    line.close()


def _weights(model: LatentVariableModel, weights: Sequence[Weight], batches: Minibatches) -> Tensor:
    return torch.from_numpy(Weights(weights, model.n_members).at(np.ones(1))[0]).to(batches.x)


def _batches(model: LatentVariableModel, x: Tensor, u: Tensor, objective: Objective) -> Minibatches:
    draws = () if objective.n_draws == 1 else (objective.n_draws,)
    return Minibatches(x, u, model.seeds, BATCH_SIZE, 0.0, (*draws, model.n_latents))


def _scores(
    model: LatentVariableModel, x: ArrayLike, u: ArrayLike, z: ArrayLike
) -> tuple[Array, Array]:
    posterior = model.infer(x, u)
    draws = posterior.sample(model.evaluation_noise(posterior.mean, 0))
    sources = np.broadcast_to(np.asarray(z), posterior.mean.shape)
    return tuple(  # type: ignore[return-value]
        np.array([mcc(a, b) for a, b in zip(sources, found.numpy(), strict=True)])
        for found in (posterior.mean, draws)
    )
