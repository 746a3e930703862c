"""The recipe on data whose sources are known: what is left to learn, variants, other settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from ivae.data import DataSettings, NonstationaryData
from ivae.recipe.model import log_probabilities
from ivae.recipe.stages import RECIPE, Settings

RELEASED = "released"
"""Name of the setting in which nothing is changed: the released generator, n = d = 5."""


class Case(NamedTuple):
    """A dataset, a family for the prior, and settings of the recipe."""

    data: DataSettings
    family: str = "gaussian-scale"
    settings: Settings = RECIPE


def bayes_cross_entropy(dataset: NonstationaryData) -> float:
    """Return -E log p(u|z) at the true sources under the true prior, in nats."""
    lam = torch.as_tensor(dataset.natural_parameters)[None]
    share = np.bincount(dataset.u) / len(dataset.u)
    z = torch.as_tensor(dataset.z, dtype=torch.float64)[None]
    of_all = log_probabilities(dataset.family, lam, torch.as_tensor(np.log(share))[None], z)[0]
    return -float(of_all.gather(1, torch.as_tensor(dataset.u)[:, None]).mean())


def variants(settings: Settings = RECIPE) -> dict[str, Settings]:
    """Return the recipe, and the recipe with one thing of it changed."""
    return {
        "the recipe": settings,
        "no ELBO beside it": replace(settings, elbo_weight=0.0),
        "ELBO at .001": replace(settings, elbo_weight=0.001),
        "ELBO at .1": replace(settings, elbo_weight=0.1),
        "ELBO at 1": replace(settings, elbo_weight=1.0),
        "u from means, not draws": replace(settings, classify_draws=False),
        "encoder with xtanh": replace(settings, activation="xtanh"),
        "no residual layers": replace(settings, n_blocks=0),
        "half as wide": replace(settings, hidden=settings.hidden // 2),
        "twice as wide": replace(settings, hidden=2 * settings.hidden),
        "half as long": replace(settings, n_steps=settings.n_steps // 2),
        "twice as long": replace(settings, n_steps=2 * settings.n_steps),
    }


LONGER = replace(RECIPE, n_steps=12_000)


def other_settings(data_seed: int = 1) -> dict[str, Case]:
    """Return the settings beyond the released dataset's, by name, at one data seed."""
    one = DataSettings("released", data_seed)
    figure_4 = replace(one, n_latents=10, n_observed=40, samples_per_segment=4000)
    means = replace(one, centred=False)
    return {
        "as the text says": Case(DataSettings("paper", data_seed)),
        "orthogonal mixing": Case(DataSettings("orthogonal", data_seed)),
        "leaky ReLU mixing": Case(replace(one, mixing_activation="leaky-relu")),
        **{f"n = {n}, d = 5": Case(replace(one, n_latents=n)) for n in (2, 3, 4)},
        "n = 10, d = 40, L = 4000": Case(figure_4),
        "means move (k = 2)": Case(means, "gaussian", LONGER),
        "Laplace sources": Case(replace(one, source_family="laplace"), "laplace"),
        **{f"M = {m}": Case(replace(one, n_segments=m)) for m in (5, 10)},
        **{f"L = {n}": Case(replace(one, samples_per_segment=n)) for n in (100, 4000)},
    }


def cases(
    develop: Sequence[int], confirm: Sequence[int], settings: Sequence[str]
) -> Iterator[tuple[str, str, Case]]:
    """Yield a part of the chapter, the name of a setting, and a dataset in it."""
    for part, seeds in (("develop", develop), ("confirm", confirm)):
        for data_seed in seeds:
            yield part, RELEASED, Case(DataSettings(RELEASED, data_seed))
    every = other_settings(develop[0])
    for name in settings:
        yield "setting", name, every[name]
