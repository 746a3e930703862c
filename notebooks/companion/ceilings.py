"""How high an MCC can be: networks trained with the truth that a user does not have.

An iVAE has to find decoder, prior and encoder. Given the sources themselves, or the true decoder
and prior, only the encoder is left to find; what it then scores is what is left to reach.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from companion.recorded.experiment import Experiment, Outcome
from companion.recorded.trained import nudge_weights, run_of
from companion.scores import fresh_rows, mcc_within, scores_of_members
from ivae import data, models
from ivae.engine.batches import Minibatches, in_pieces
from ivae.engine.descent import minimise
from ivae.engine.evaluation import score_sources
from ivae.metrics import mcc
from ivae.mixing import in_torch
from ivae.models import ForwardPass, LatentVariableModel
from ivae.nets import MLP, Network
from ivae.objectives import Objective, noise_shape
from ivae.recipe.model import Separator
from ivae.recipe.stages import WARM_UP, Settings
from ivae.schedules import Schedule, Weights
from ivae.support.checks import Array
from ivae.support.seeds import seeded_generator
from ivae.sweeps.runs import shape_of

BATCH_SIZE = Schedule().batch_size


class EncoderCeiling(NamedTuple):
    """MCC of posterior means and of one posterior draw, and the objective's mean, (E,) each.

    ``model`` has the trained encoder; its decoder and prior mean nothing.
    """

    mcc: Array
    mcc_sampled: Array
    objective: Array
    model: LatentVariableModel


def supervised_network(
    datasets: Sequence[data.NonstationaryData],
    seeds: Sequence[int],
    *,
    network: Network | None = None,
    epochs: int = 20,
    nudge: float = 0.0,
) -> MLP:
    """Return networks from (x, one-hot u) to z, trained with the true sources as targets.

    No estimate by a network of this shape, trained this long, can be expected to score more. There
    is a dataset, of equal size, and a seed for every member. The networks' shape is that of
    the mean of an iVAE's posterior. They minimise the squared error in units of each source's
    deviation over its dataset, and their estimates are in these units; minibatches are of 64, and
    the rate falls from .01 along a half cosine. Initial weights are moved by the ``nudge`` times
    their size.
    """
    x, u, z = _tensors(datasets)
    scaled = z / z.std(1, keepdim=True)
    n, d, shape = z.shape[-1], x.shape[-1], (network or Network()).shape
    generators = [seeded_generator(seed, "initialisation") for seed in seeds]
    net = MLP(generators, (), d, n, n_segments=datasets[0].n_segments, **shape)
    nudge_weights(net, nudge)
    _teach(net, net.parameters(), torch.cat((x, scaled), -1), n, u, seeds, epochs=epochs)
    return net


def taught_separator(
    datasets: Sequence[data.NonstationaryData],
    seed: int,
    settings: Settings,
    nudge: float = 0.0,
) -> Array:
    """Return estimates, (E, N, n), of the recipe's encoder when it is trained on the true sources.

    It has the recipe's shape, minibatches and number of steps, sees every row, and minimises the
    squared error of sources of variance 1: a yardstick for what this encoder can follow. Initial
    weights are moved by the ``nudge`` times their size.
    """
    x, u, z = data.stack(datasets)
    x, z = x.astype(np.float32), z.astype(np.float32)
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    targets = (z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True)
    d, n, seeds = x.shape[2], z.shape[2], [seed] * len(datasets)
    generators = [seeded_generator(one, "initialisation") for one in seeds]
    net = Separator(generators, d, n, settings.hidden, settings.n_blocks, settings.activation)
    nudge_weights(net, nudge)
    both = torch.as_tensor(np.concatenate((x, targets), 2))
    _teach(
        lambda x, u: net(x).mean,
        [p for name, p in net.named_parameters() if not name.startswith("log_variance")],
        both,
        n,
        torch.as_tensor(u),
        seeds,
        n_steps=settings.n_steps,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warm_up=WARM_UP,
    )
    return np.asarray(in_pieces(lambda part: net(part).mean, both[..., :d]).numpy())


def _teach(
    predict: Callable[[Tensor, Tensor], Tensor],
    parameters: Iterable[Tensor],
    both: Tensor,
    n: int,
    u: Tensor,
    seeds: Sequence[int],
    *,
    epochs: int = 0,
    n_steps: int = 0,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = 0.01,
    warm_up: int = 0,
) -> None:
    """Minimise the squared error of n targets, which travel with x in ``both``, (E, N, d + n)."""

    def error(both: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        errors = (predict(both[..., :-n], u) - both[..., -n:]).square()
        return errors.sum(-1).mean(1).sum()

    batches = Minibatches(both, u, seeds, batch_size, 0.0, (0,))
    n_steps = n_steps or epochs * batches.steps_per_epoch
    minimise(error, parameters, batches, n_steps, learning_rate, warm_up=warm_up)


def true_decoder(
    datasets: Sequence[data.NonstationaryData],
    seeds: Sequence[int],
    objective: Objective,
    decoder_variance: float | None = None,
    *,
    network: Network | None = None,
    epochs: int = 20,
    nudge: float = 0.0,
) -> EncoderCeiling:
    """Train the encoder alone, under the true decoder and prior.

    What then keeps the MCC from 1 is not identification: it is the noise that
    ``decoder_variance`` stands for (or that of the bits), the diagonal posterior, and the
    encoder's network. And what the objective then is, a training from nothing must at least reach
    at its maximum; where it reaches more, the objective prefers another solution to the truth.
    ``decoder_variance`` is sigma^2 of Eq. (6), .01 where left out; binary data have none. The other
    arguments are those of :func:`supervised_network`.
    """
    x, u, _ = _tensors(datasets)
    first = datasets[0]
    model = models.ivae(
        first.n_latents,
        first.n_observed,
        first.n_segments,
        seeds=seeds,
        n_components=first.family.k,
        family=first.family.name,
        network=network,
        likelihood=first.likelihood,
        decoder_variance=decoder_variance,
    )
    nudge_weights(model, nudge)
    tables = np.stack([dataset.natural_parameters for dataset in datasets])
    table = torch.as_tensor(tables).to(x)
    decode = in_torch([dataset.mixing for dataset in datasets], x)
    batches, weights = minibatches_of(model, x, u, objective)

    def value(x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        posterior = model.encode(x, u)
        draws = posterior.sample(noise)
        decoded = decode(draws.reshape(len(draws), -1, first.n_latents))
        prior = model.prior_of(table, u)
        done = ForwardPass(
            x, noise, posterior, draws, decoded, prior, model.family, model.likelihood
        )
        return objective.terms(done, weights, batches.n_rows).value.mean(1)

    def loss(x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        return -value(x, u, noise).sum()

    n_steps = epochs * batches.steps_per_epoch
    minimise(loss, model.encoder.parameters(), batches, n_steps)
    found = score_sources(model, x, u, [dataset.z for dataset in datasets], 0)
    with torch.no_grad():  # By minibatches, because an objective may be estimated from them.
        reached = torch.stack([value(*batch) for batch in batches.of_epoch(epochs)]).mean(0)
    return EncoderCeiling(**found, objective=reached.numpy().astype(np.float64), model=model)


def make_supervised(runs: Sequence[Mapping[str, Any]], nudge: float) -> list[Outcome]:
    """Train a network on the true sources for each run, and score it on fresh rows.

    Of a run's flat names (:class:`ivae.sweeps.runs.Run`) those of data, network, seed and epochs
    count. ``mcc`` is on the rows that it was trained on.
    """
    asked = [run_of(run) for run in runs]
    first, datasets = asked[0], [run.data.generate() for run in asked]
    net = supervised_network(
        datasets,
        [run.seed for run in asked],
        network=first.network,
        epochs=first.schedule.epochs,
        nudge=nudge,
    )
    fresh = [fresh_rows(one) for one in datasets]
    seen, new = (in_pieces(net, *_tensors(some)[:2]).numpy() for some in (datasets, fresh))
    return [
        Outcome(
            {
                "fresh": mcc(other.z, guess),
                "within": mcc_within(other.z, guess, other.u),
                "mcc": mcc(one.z, known),
            }
        )
        for one, known, other, guess in zip(datasets, seen, fresh, new, strict=True)
    ]


def make_true_decoder(runs: Sequence[Mapping[str, Any]], nudge: float) -> list[Outcome]:
    """Train the encoder alone under the truth for each run, and score it on fresh rows.

    Objective and decoder variance count as well, and must be the same for all runs.
    """
    asked = [run_of(run) for run in runs]
    first, datasets = asked[0], [run.data.generate() for run in asked]
    found = true_decoder(
        datasets,
        [run.seed for run in asked],
        first.objective,
        first.decoder_variance,
        network=first.network,
        epochs=first.schedule.epochs,
        nudge=nudge,
    )
    fresh = scores_of_members(found.model, [fresh_rows(one) for one in datasets])
    return [
        Outcome(
            fresh[i]
            | {
                "mcc": float(found.mcc[i]),
                "mcc_sampled": float(found.mcc_sampled[i]),
                "objective": float(found.objective[i]),
            }
        )
        for i in range(len(asked))
    ]


def _alike(run: Mapping[str, Any]) -> Hashable:
    asked = run_of(run)
    return shape_of(asked), asked.objective, asked.decoder_variance


def supervised_experiment(plan: Callable[..., list[dict[str, Any]]], revision: int) -> Experiment:
    """Return an experiment of :func:`make_supervised`."""
    return Experiment(plan, make_supervised, revision, _alike)


def true_decoder_experiment(plan: Callable[..., list[dict[str, Any]]], revision: int) -> Experiment:
    """Return an experiment of :func:`make_true_decoder`."""
    return Experiment(plan, make_true_decoder, revision, _alike)


def minibatches_of(
    model: LatentVariableModel, x: Tensor, u: Tensor, objective: Objective
) -> tuple[Minibatches, Tensor]:
    """Return what all members see of checked data, and an objective's weights at the end."""
    draws = noise_shape(objective, model.n_latents)
    batches = Minibatches(x, u, model.seeds, BATCH_SIZE, 0.0, draws)
    weights = Weights(objective.weights, model.n_members).at(np.ones(1))[0]
    return batches, torch.from_numpy(weights).to(x)


def _tensors(
    datasets: Sequence[data.NonstationaryData],
) -> tuple[Tensor, Tensor, Tensor]:
    x, u, z = data.stack(datasets)
    return torch.as_tensor(x).float(), torch.as_tensor(u), torch.as_tensor(z).float()
