"""Chapter 8's trainings: models of Figure 4, and a network that is shown the sources."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from companion import ceilings, protocols
from companion.recorded import trained
from companion.recorded.experiment import Outcome
from companion.recorded.trained import Trained
from companion.scores import within
from ivae import metrics
from ivae.support.checks import Array

PROTOCOL = "released"
SETTINGS = ("as released", "Gaussian prior", "Laplace prior", "β = 4")
"""Of :func:`companion.protocols.contenders`; in Figure 2 larger beta score less."""
SHOWN = 60
"""Rows of the stretch that is drawn."""


def plan(*, seed: int, network_seeds: int, **sizes: Any) -> list[dict[str, Any]]:
    """Return a training of every model and setting for each network seed, all on one dataset.

    ``sizes`` are flat names of :class:`ivae.sweeps.runs.Run`. Seeds count up from the dataset's.
    """
    return [
        {"contender": one.model, "setting": one.setting, "prior": "gaussian"}
        | dict(protocols.PROTOCOLS[PROTOCOL])
        | dict(one.values)
        | {"data_seed": seed, "seed": seed + i}
        | sizes
        for one in protocols.contenders(PROTOCOL)
        if one.setting in SETTINGS
        for i in range(network_seeds)
    ]


def plan_supervised(*, seed: int, network_seeds: int, **sizes: Any) -> list[dict[str, Any]]:
    """Return a network to be trained on the dataset's true sources for each network seed."""
    return [
        {"preset": "released", "data_seed": seed, "seed": seed + i} | sizes
        for i in range(network_seeds)
    ]


def stretch(data_seed: int, n_rows: int) -> slice:
    """Return the :data:`SHOWN` rows in a row that are drawn; the dataset's seed decides."""
    start = int(np.random.default_rng(data_seed).integers(n_rows - SHOWN))
    return slice(start, start + SHOWN)


def measure(trained: Trained) -> list[Outcome]:
    """Hold a draw of each member's posterior against the true sources, on fresh rows.

    ``fresh_worst_sampled`` is the absolute correlation of the source that is recovered least, and
    ``within_worst_sampled`` that within segments; ``noise`` is the share of the draws' variance
    that the posterior's deviation makes, mean over latents; ``log_deviation`` is the decadic
    logarithm of the largest latent's deviation (root mean square over rows). The arrays are all
    absolute correlations, sources by matched latents (n, n), and the latents of :func:`stretch`
    with order, sign, scale and mean undone, (60, n). A member that diverged has none of these.
    """
    labels = trained.fresh_u
    posterior = trained.model.infer(trained.fresh_x, labels)
    draws = trained.model.draw_latents(trained.fresh_x, labels).numpy(force=True)
    means = posterior.mean.numpy(force=True).astype(np.float64)
    log_variances = posterior.log_variance.numpy(force=True).astype(np.float64)
    found = []
    for i, fresh in enumerate(trained.fresh):
        lost = i in trained.history.diverged or not np.isfinite(draws[i]).all()
        rows = stretch(trained.runs[i].data.seed, len(fresh.z))
        found.append(
            _nothing(fresh.z)
            if lost
            else _held_against(fresh.z, fresh.u, draws[i], means[i], log_variances[i], rows)
        )
    return found


def _held_against(
    z: Array, u: NDArray[np.int64], drawn: Array, mean: Array, log_variance: Array, rows: slice
) -> Outcome:
    line, inside = metrics.alignment(z, drawn), metrics.match(within(z, u), within(drawn, u))
    correlations = np.abs(metrics.correlation_matrix(z, drawn))[:, line.columns]
    # In logarithms, because variances of a training that is thrown off may have no other number.
    log_mean = np.logaddexp.reduce(log_variance, 0) - np.log(len(z))
    share = expit(log_mean - np.log(np.maximum(mean.var(0), np.finfo(float).tiny)))
    values = {
        "fresh_worst_sampled": float(np.diagonal(correlations).min()),
        "within_worst_sampled": float(np.abs(inside.correlations).min()),
        "noise": float(share.mean()),
        "log_deviation": float(log_mean.max() / 2 / np.log(10)),
    }
    return Outcome(values, _arrays(correlations, line.apply(drawn)[rows]))


def _nothing(z: Array) -> Outcome:
    n = z.shape[1]
    names = ("fresh_worst_sampled", "within_worst_sampled", "noise", "log_deviation")
    values = dict.fromkeys(names, np.nan)
    return Outcome(values, _arrays(np.full((n, n), np.nan), np.full((SHOWN, n), np.nan)))


def _arrays(correlations: Array, shown: Array) -> dict[str, Array]:
    return {"correlations": correlations, "shown": shown.astype(np.float16)}


contenders = trained.experiment(plan, measure, revision=1, together=20)
supervised = ceilings.supervised_experiment(plan_supervised, revision=1)
