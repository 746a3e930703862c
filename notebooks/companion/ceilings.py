"""How high an MCC can be: networks trained with the truth that a user does not have.

An iVAE has to find decoder, prior and encoder. Given the sources themselves, or the true decoder
and prior, only the encoder is left to find; what it then scores is what is left to reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ivae import data, models
from ivae.engine.batches import Minibatches
from ivae.engine.descent import minimise
from ivae.metrics import mcc
from ivae.mixing import in_torch
from ivae.nets import MLP, Network
from ivae.objectives import Objective
from ivae.passes import ForwardPass, Posterior
from ivae.schedules import Schedule, Weights
from ivae.support.seeds import seeded_generator

Array = NDArray[np.floating[Any]]
ROWS_AT_ONCE = 4096  # Of an evaluation, so that activations stay small.


class EncoderCeiling(NamedTuple):
    """MCC of posterior means and of one posterior draw, and the objective's mean, (E,) each."""

    mcc: Array
    mcc_sampled: Array
    objective: Array


def supervised(
    datasets: Sequence[data.NonstationaryData],
    seeds: Sequence[int],
    *,
    network: Network | None = None,
    epochs: int = 20,
) -> Array:
    """Return the MCC, (E,), of networks trained with the true sources as targets.

    No estimate by a network of this shape, trained this long, can be expected to score more.
    Arguments and errors are those of :func:`supervised_network`.
    """
    net = supervised_network(datasets, seeds, network=network, epochs=epochs)
    x, u, _ = _tensors(datasets, seeds)
    with torch.no_grad():
        pieces = zip(*(t.split(ROWS_AT_ONCE, 1) for t in (x, u)), strict=True)
        estimates = torch.cat([net(a, b) for a, b in pieces], 1)
    return _scores(datasets, estimates)


def supervised_network(
    datasets: Sequence[data.NonstationaryData],
    seeds: Sequence[int],
    *,
    network: Network | None = None,
    epochs: int = 20,
) -> MLP:
    """Return networks from (x, one-hot u) to z, trained with the true sources as targets.

    Their shape is that of the mean of an iVAE's posterior. They minimise the squared error in units
    of each source's deviation over its dataset, and their estimates are in these units.

    Parameters
    ----------
    datasets, seeds
        One of each for every member; datasets of equal size.
    network, epochs
        As for an iVAE; minibatches of 64, and a rate that falls from .01 along a half cosine.

    Raises
    ------
    ValueError
        When datasets and seeds differ in number, or datasets in size.
    """
    x, u, z = _tensors(datasets, seeds)
    scaled = z / z.std(1, keepdim=True)
    n, d = z.shape[-1], x.shape[-1]
    generators = [seeded_generator(seed, "initialisation") for seed in seeds]
    net = MLP(
        generators, (), d, n, n_segments=datasets[0].n_segments, **(network or Network()).shape
    )

    def error(both: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        errors: Tensor = (net(both[..., :d], u) - both[..., d:]).square()
        return errors.sum(-1).mean(1).sum()

    # The targets travel with x, so that minibatches pick the same rows of both.
    batches = _batches(torch.cat((x, scaled), -1), u, seeds, n)
    minimise(error, net.parameters(), batches, epochs * batches.steps_per_epoch, "supervised")
    return net


def true_decoder(
    datasets: Sequence[data.NonstationaryData],
    seeds: Sequence[int],
    objective: Objective,
    decoder_variance: float | None = None,
    *,
    network: Network | None = None,
    epochs: int = 20,
) -> EncoderCeiling:
    """Train the encoder alone, under the true decoder and prior.

    What then keeps the MCC from 1 is not identification: it is the noise that
    ``decoder_variance`` stands for (or that of the bits), the diagonal posterior, and the
    encoder's network. And what the objective then is, a training from nothing must at least reach
    at its maximum; where it reaches more, the objective prefers another solution to the truth.

    Parameters
    ----------
    datasets, seeds, network, epochs
        As in :func:`supervised`.
    objective, decoder_variance
        What the encoder maximises, and sigma^2 of Eq. (6), .01 where left out; binary data have
        none.

    Raises
    ------
    ValueError
        As :func:`supervised`, and for sources of several families.
    """
    x, u, _ = _tensors(datasets, seeds)
    first = datasets[0]
    families = sorted({dataset.family.name for dataset in datasets})
    if len(families) > 1:
        raise ValueError(f"datasets must have sources of one family; got {', '.join(families)}.")
    model = models.ivae(
        *(first.n_latents, first.n_observed, first.n_segments),
        seeds=seeds,
        n_components=first.family.k,
        family=first.family.name,
        network=network,
        likelihood=first.likelihood,
        decoder_variance=decoder_variance,
    )
    tables = np.stack([dataset.natural_parameters for dataset in datasets])
    table = torch.as_tensor(tables).to(x).flatten(2)
    decode = in_torch([dataset.mixing for dataset in datasets], x)
    weights = Weights(objective.weights, len(seeds))
    constant = torch.from_numpy(weights.at(np.zeros(1))[0]).to(x)

    def value(x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        posterior = model.encode(x, u)
        draws = posterior.sample(noise)
        decoded = decode(draws.reshape(len(draws), -1, first.n_latents))
        prior = model.prior_of(table, u)
        done = ForwardPass(
            x, noise, posterior, draws, decoded, prior, model.family, model.likelihood
        )
        return objective.terms(done, constant, batches.n_rows).value.mean(1)

    def loss(x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        return -value(x, u, noise).sum()

    noise_shape = () if objective.n_draws == 1 else (objective.n_draws,)
    batches = _batches(x, u, seeds, *noise_shape, first.n_latents)
    n_steps = epochs * batches.steps_per_epoch
    minimise(loss, model.encoder.parameters(), batches, n_steps, "encoder alone")
    posterior = Posterior(*model.infer(x, u))
    draws = posterior.sample(model.evaluation_noise(posterior.mean, 0))
    with torch.no_grad():  # By minibatches, because an objective may be estimated from them.
        passed = batches.steps(epochs, 0, batches.steps_per_epoch)
        reached = torch.stack([value(*batch) for batch in passed]).mean(0)
    scores, sampled = (_scores(datasets, estimates) for estimates in (posterior.mean, draws))
    return EncoderCeiling(scores, sampled, reached.numpy().astype(np.float64))


def _tensors(
    datasets: Sequence[data.NonstationaryData], seeds: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    if len(datasets) != len(seeds):
        raise ValueError(
            "datasets and seeds must have one entry for each member; "
            f"got {len(datasets)} and {len(seeds)}."
        )
    x, u, z = data.stack(datasets)
    return torch.as_tensor(x).float(), torch.as_tensor(u), torch.as_tensor(z).float()


def _batches(x: Tensor, u: Tensor, seeds: Sequence[int], *noise_shape: int) -> Minibatches:
    return Minibatches(x, u, seeds, Schedule().batch_size, 0.0, noise_shape)


def _scores(datasets: Sequence[data.NonstationaryData], estimates: Tensor) -> Array:
    pairs = zip(datasets, estimates.numpy(), strict=True)
    return np.array([mcc(dataset.z, estimate) for dataset, estimate in pairs])
