"""From a start that knows the sources, on without supervision: does an objective keep them?

A search that begins at random may fail to find the truth. One that begins at the truth cannot fail
so: where the objective rises from there and the sources are lost, the objective itself prefers
something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from companion.ceilings import minibatches_of
from ivae.engine.descent import minimise
from ivae.engine.evaluation import score_sources
from ivae.models import LatentVariableModel
from ivae.nets import MLP, Posterior
from ivae.objectives import Objective
from ivae.schedules import Schedule
from ivae.support.checks import Array
from ivae.training import train


class MeanTerms(NamedTuple):
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


class Drift(NamedTuple):
    """What training does to a given start, looked at after ``steps``, from 0 on, (T,).

    ``objective``, (T, E), is what is maximised: over the whole data at the start, then means over
    the minibatches since the evaluation before; ``end``, (E,), is over the whole data again, to
    hold against ``objective[0]``. ``mcc``, (T, E), is that of the posterior means.
    """

    steps: NDArray[np.int64]
    objective: Array
    mcc: Array
    end: Array


def mean_terms(
    model: LatentVariableModel, x: ArrayLike, u: ArrayLike, objective: Objective
) -> MeanTerms:
    """Return the means of an objective's terms over a dataset, without training.

    By minibatches of 64, as in training, because the parts of a decomposition are estimated from
    the minibatch and depend on its size.
    """
    batches, weights = minibatches_of(model, *model.check_data(x, u), objective)
    sums: list[list[Array]] = []
    sizes = []
    with torch.no_grad():
        for batch in batches.of_epoch(0):
            terms = objective.terms(model(*batch), weights, batches.n_rows)
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

    The rate falls from .01 along a half cosine.
    """
    own = model.encoder.parameters()
    _maximise(model, x, u, objective, epochs, own, lambda posterior: posterior)


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

    Each member begins with one of the networks ``members`` of ``net``, which is from
    :func:`companion.ceilings.supervised_network`. Decoder, prior and posterior variances maximise
    the objective while the means stay fixed. What comes out is the best model, for this objective,
    whose latents are the supervised estimates of the sources; in place.
    """
    with torch.no_grad():
        for parameter, taught in zip(model.encoder.parameters(), net.parameters(), strict=True):
            parameter[:, 0] = taught[list(members)]

    def with_fixed_means(posterior: Posterior) -> Posterior:
        # Adam does not move what never had a gradient.
        return Posterior(posterior.mean.detach(), posterior.log_variance)

    every = model.parameters()
    _maximise(model, x, u, objective, epochs, every, with_fixed_means)


def follow(
    model: LatentVariableModel,
    x: ArrayLike,
    u: ArrayLike,
    z: Array,
    objective: Objective,
    schedule: Schedule,
    **options: Any,
) -> Drift:
    """Train a model from where it is, in place, and say what that does to objective and MCC.

    Arguments are those of :func:`ivae.training.train`; sources z, (E, N, n), are only looked at.
    """
    before = mean_terms(model, x, u, objective).value
    score = score_sources(model, *model.check_data(x, u), list(z), 0)["mcc"]
    history = train(model, x, u, z, objective=objective, schedule=schedule, **options)
    assert history.mcc is not None
    objectives, means = np.vstack((before, history.objective)), np.vstack((score, history.mcc))
    end = mean_terms(model, x, u, objective).value
    return Drift(np.append(0, history.steps), objectives, means, end)


def _maximise(
    model: LatentVariableModel,
    x: ArrayLike,
    u: ArrayLike,
    objective: Objective,
    epochs: int,
    parameters: Iterable[Tensor],
    seen: Callable[[Posterior], Posterior],
) -> None:
    """Maximise an objective by some parameters; gradients pass what ``seen`` returns."""
    batches, weights = minibatches_of(model, *model.check_data(x, u), objective)

    def loss(x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        done = model.complete(seen(model.encode(x, u)), x, u, noise)
        return -objective.terms(done, weights, batches.n_rows).value.mean(1).sum()

    minimise(loss, parameters, batches, epochs * batches.steps_per_epoch)
