"""Chapter 9's trainings: what is changed between text and code, and the paper's grid of settings.

The grid is searched in stages: which settings :data:`at_length` trains is read off :data:`grid`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from companion import ceilings
from companion.c09 import settings
from companion.recorded import trained
from companion.recorded.experiment import Outcome
from companion.recorded.trained import Trained
from ivae import metrics
from ivae.sweeps.runs import Run

RELEASED = settings.turned_back()["as released"]
BEYOND: Mapping[str, Mapping[str, Any]] = {
    "VAE": {"model": "vae"},
    "prior mean fixed": {"centred": False},
    "prior mean learned": {"centred": False, "n_components": 2},
}
"""Other changes of the released protocol: a model without u, and sources with means."""


def plan_ladder(
    *, seed: int, n_datasets: int, condition_datasets: int, condition_networks: int, **sizes: Any
) -> list[dict[str, Any]]:
    """Return a training of each ``variant`` on several datasets, from one network each.

    The released protocol is trained on more datasets, and from more networks. The ladder's last
    rung is that protocol, and has no runs of its own.
    """
    variants = settings.ladder() | settings.turned_back()
    variants |= {name: RELEASED | dict(change) for name, change in BEYOND.items()}
    del variants[list(settings.ladder())[-1]]
    several = {name: product(range(n_datasets), [0]) for name in variants}
    several["as released"] = product(range(condition_datasets), range(condition_networks))
    named = [(name, i, j) for name, places in several.items() for i, j in places]
    runs = [
        Run.of(**variants[name], data_seed=seed + i, seed=seed + j, **sizes) for name, i, j in named
    ]
    flat = zip(named, trained.flat(runs), strict=True)
    return [{"variant": name} | values for (name, *_), values in flat]


def measure(trained: Trained) -> list[Outcome]:
    """Return the MCC that the released code shows while it trains, by minibatches of 64 rows."""
    drawn = trained.model.draw_latents(trained.x, trained.u).numpy(force=True)
    found = []
    for z, draws in zip(trained.z, drawn, strict=True):
        score = metrics.minibatch_mcc(z, draws) if np.isfinite(draws).all() else np.nan
        found.append(Outcome({"minibatch": score}))
    return found


def settings_of_grid() -> list[dict[str, Any]]:
    """Return the 48 settings of :data:`companion.c09.settings.GRID`, the last name's fastest."""
    names = list(settings.GRID)
    return [dict(zip(names, one, strict=True)) for one in product(*settings.GRID.values())]


def plan_grid(*, seed: int, n_networks: int, epochs: int, **sizes: Any) -> list[dict[str, Any]]:
    """Return the trainings of :func:`plan_at_length` for all of :func:`settings_of_grid`."""
    return plan_at_length(
        seed=seed,
        chosen=settings_of_grid(),
        first_network=seed,
        n_networks=n_networks,
        epochs=epochs,
        **sizes,
    )


def plan_at_length(
    *,
    seed: int,
    chosen: Sequence[Mapping[str, Any]],
    first_network: int,
    n_networks: int,
    epochs: int,
    **sizes: Any,
) -> list[dict[str, Any]]:
    """Return trainings of chosen settings, by several networks each.

    Objective and dataset are the released ones, the rate falls along half a cosine, and the
    networks' seeds count up from ``first_network``.
    """
    common = RELEASED | {"data_seed": seed, "epochs": epochs, "decay": "cosine"} | sizes
    cases = [(dict(one), first_network + i) for one in chosen for i in range(n_networks)]
    runs = [Run.of(**common | own, seed=network_seed) for own, network_seed in cases]
    pairs = zip(cases, trained.flat(runs), strict=True)
    return [own | values for (own, _), values in pairs]


def plan_supervised(
    *, seed: int, hidden: Sequence[int], epochs: Sequence[int], n_networks: int, **sizes: Any
) -> list[dict[str, Any]]:
    """Return networks to be trained on the true sources of the seed's released dataset."""
    common = {"preset": "released", "data_seed": seed} | sizes
    return [
        common | {"hidden": width, "epochs": length, "seed": seed + i}
        for width in hidden
        for length in epochs
        for i in range(n_networks)
    ]


ladder = trained.experiment(plan_ladder, measure, revision=1)
"""The way from text to code, each thing turned back, the controls, and more datasets."""
grid = trained.experiment(plan_grid, revision=1)
"""A short search of the paper's grid."""
at_length = trained.experiment(plan_at_length, revision=1)
"""Some settings of it, trained longer: first the best ones, then the best of these."""
supervised = ceilings.supervised_experiment(plan_supervised, revision=1)
