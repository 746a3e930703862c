"""Chapter 4's trainings: Eq. (8) on the released data, several seeds of network and data."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from companion.recorded import trained
from companion.recorded.experiment import Outcome
from companion.recorded.trained import Trained
from ivae import metrics
from ivae.engine.batches import in_pieces
from ivae.objectives import elbo
from ivae.support.checks import Array

SETTINGS: dict[str, Any] = {
    "preset": "released",
    "objective": "elbo",
    "decoder_variance": 0.01,
    "hidden": 100,
    "learning_rate": 0.01,
    "batch_size": 64,
}
"""What all runs share: the objective and the decoder variance of the text."""


def plan(
    *,
    seed: int,
    n_runs: int,
    n_datasets: int,
    runs_each: int,
    epochs: int,
    samples_per_segment: int = 1000,
) -> list[dict[str, Any]]:
    """Return an iVAE and a VAE for every dataset and network seed.

    On one dataset there are ``n_runs`` of either; on each of the others, those of the next seeds of
    the data generator, ``runs_each``, and no two of them have the same network seed.
    """
    one = [(seed, seed + i) for i in range(n_runs)]
    others = [(seed + 1 + i // runs_each, seed + i) for i in range(n_datasets * runs_each)]
    sizes = {"epochs": epochs, "samples_per_segment": samples_per_segment}
    return [
        SETTINGS | sizes | {"model": model, "data_seed": data_seed, "seed": network_seed}
        for model in ("ivae", "vae")
        for data_seed, network_seed in one + others
    ]


def measure(trained: Trained) -> list[Outcome]:
    """Return each member's ELBO on fresh rows, and what the pictures and Theorem 1 need.

    The arrays are ``correlation``, (n, n), of the sources with the matched posterior means on fresh
    rows, and ``natural_parameters``, (M, n, k), of the learned prior; a VAE's are alike in all
    segments.
    """
    table = trained.model.prior_table().numpy(force=True)
    tables = table.repeat(trained.datasets[0].n_segments // table.shape[1], 1)
    labels = trained.fresh_u
    means = trained.model.infer(trained.fresh_x, labels).mean.numpy(force=True)
    bounds = fresh_elbo(trained)
    found = []
    for truth, mean, bound, learned in zip(trained.fresh, means, bounds, tables, strict=True):
        matched = metrics.alignment(truth.z, mean).apply(mean)
        arrays = {
            "correlation": metrics.correlation_matrix(truth.z, matched),
            "natural_parameters": learned,
        }
        found.append(Outcome({"fresh_elbo": float(bound)}, arrays))
    return found


@torch.no_grad()
def fresh_elbo(trained: Trained) -> Array:
    """Return the mean ELBO over the fresh rows, by one draw of the posterior at each, (E,)."""
    model = trained.model
    x, u = model.check_data(trained.fresh_x, trained.fresh_u)
    noise = model.evaluation_noise(x.new_empty(*x.shape[:2], model.n_latents), 0)
    values = in_pieces(lambda *piece: elbo(model, *piece).value, x, u, noise)
    return np.asarray(values.mean(1).numpy(force=True))


training = trained.experiment(plan, measure, revision=1)
"""The ELBO of Eq. (8) maximised on the released data."""
