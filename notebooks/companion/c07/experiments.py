"""Chapter 7's trainings: iVAE and VAE on one dataset of either protocol, from several networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from companion.protocols import Contender, contenders, run_of
from companion.recorded import trained
from companion.recorded.experiment import Outcome
from companion.recorded.trained import Trained
from companion.scores import within
from ivae import metrics
from ivae.data import NonstationaryData
from ivae.support.checks import Array
from ivae.sweeps.runs import Run

VAES = {"released": "as released", "text": "Gaussian prior"}
"""Protocols, and which of their VAEs Figure 3 is about."""
SHOWN = 100
"""Rows of the stretch that is drawn."""


def compared(protocol: str) -> list[Contender]:
    """Return the two models of Figure 3 under a protocol, iVAE first."""
    everyone = contenders(protocol)
    ivae = next(one for one in everyone if one.model == "iVAE")
    vae = next(one for one in everyone if (one.model, one.setting) == ("VAE", VAES[protocol]))
    return [ivae, vae]


def plan(
    *, seed: int, n_networks: int, n_segments: int, samples_per_segment: int, epochs: int
) -> list[dict[str, Any]]:
    """Return trainings on the dataset of a seed, from networks of this seed and the next ones.

    What is a :class:`ivae.sweeps.runs.Run`'s default in all of them is left out.
    """
    given = {"data_seed": seed, "n_segments": n_segments}
    given |= {"samples_per_segment": samples_per_segment, "epochs": epochs}
    runs = [
        {"protocol": protocol} | run_of(protocol, one, seed=seed + i, **given).values
        for protocol in VAES
        for one in compared(protocol)
        for i in range(n_networks)
    ]
    usual = Run.of().values
    kept = [
        name
        for name in runs[0]
        if name in given or any(run[name] != usual.get(name) for run in runs)
    ]
    return [{name: run[name] for name in kept} for run in runs]


def stretch(dataset: NonstationaryData) -> slice:
    """Return which rows are drawn: contiguous ones, at a place that the dataset's seed decides."""
    rng = np.random.default_rng(dataset.seed)
    start = int(rng.integers(len(dataset.z) - SHOWN))
    return slice(start, start + SHOWN)


def worst_source(z: ArrayLike, estimate: ArrayLike) -> float:
    """Return the smallest absolute correlation of a source with its matched estimate."""
    return float(np.abs(metrics.match(z, estimate).correlations).min())


def pairs(z: ArrayLike, estimate: ArrayLike) -> Array:
    """Return absolute correlations of sources (rows) with matched estimates (columns), (n, n)."""
    columns = metrics.match(z, estimate).columns
    return np.abs(metrics.correlation_matrix(z, estimate)[:, columns])


def measure(trained: Trained) -> list[Outcome]:
    """Score each member's worst source, and keep what Figure 3 draws.

    ``worst`` and ``worst_sampled`` are over the rows trained on, those with ``fresh`` and
    ``within`` over new ones, the latter within segments. The arrays are a stretch of posterior
    samples, order, sign, scale and mean undone, and every absolute correlation of a source (rows)
    with a matched sample (columns), on the rows trained on and on new ones.
    """
    model, labels = trained.model, trained.fresh_u
    seen, new = ((trained.x, trained.u), (trained.fresh_x, labels))
    means, new_means = (model.infer(*rows).mean.numpy(force=True) for rows in (seen, new))
    draws, new_draws = (model.draw_latents(*rows).numpy(force=True) for rows in (seen, new))
    found = []
    for member, (truth, fresh) in enumerate(zip(trained.datasets, trained.fresh, strict=True)):
        mean, draw = new_means[member], new_draws[member]
        inside = within(fresh.z, fresh.u)
        values = {
            "worst_sampled": worst_source(truth.z, draws[member]),
            "worst": worst_source(truth.z, means[member]),
            "fresh_worst_sampled": worst_source(fresh.z, draw),
            "fresh_worst": worst_source(fresh.z, mean),
            "within_worst_sampled": worst_source(inside, within(draw, fresh.u)),
            "within_worst": worst_source(inside, within(mean, fresh.u)),
        }
        aligned = metrics.alignment(truth.z, draws[member]).apply(draws[member])
        arrays = {
            "stretch": aligned[stretch(truth)].astype(np.float16),
            "pairs": pairs(truth.z, draws[member]),
            "fresh_pairs": pairs(fresh.z, draw),
        }
        found.append(Outcome(values, arrays))
    return found


figure_3 = trained.experiment(plan, measure, revision=1)
