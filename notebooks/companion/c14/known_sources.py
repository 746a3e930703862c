"""The recipe on data whose sources are known: scores, variants, and other settings.

:func:`ivae.recipe.recovery.recover` sees x and u. The sources are used here alone, after it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from ivae.data import DataSettings, NonstationaryData
from ivae.engine.processes import run_jobs
from ivae.metrics import mcc
from ivae.recipe.model import log_probabilities
from ivae.recipe.recovery import recover
from ivae.recipe.stages import RECIPE, Settings
from ivae.support.checks import Array
from ivae.support.progress import ProgressLine


class Attempt(NamedTuple):
    """What the recipe made of one dataset.

    Attributes
    ----------
    mcc, sampled
        MCC of posterior means, and of one posterior sample, of the chosen start after both stages.
    starts, agreement
        MCC of h(x) of every start, (S,), NaN where one has diverged; with the chosen one's, (S,).
    cross_entropy, bayes
        Held-out -E log p(u|z) of every start, (S,); the same under the true model, over all rows.
    elbo, decoder_variance
        Held-out ELBO before and after the second stage, and the variance after it, the columns of x
        having variance 1.
    seconds
        Of all starts and both stages.
    """

    mcc: float
    sampled: float
    starts: Array
    cross_entropy: Array
    bayes: float
    agreement: Array
    elbo: tuple[float, float]
    decoder_variance: float
    seconds: float


class Case(NamedTuple):
    """A dataset, a family for the prior, and settings of the recipe."""

    data: DataSettings
    family: str = "gaussian-scale"
    settings: Settings = RECIPE


def attempt(case: Case, seed: int) -> Attempt:
    """Recover the sources of one dataset, and score what was found."""
    dataset = case.data.generate()
    found = recover(
        dataset.x,
        dataset.u,
        dataset.n_latents,
        family=case.family,
        settings=case.settings,
        seed=seed,
        progress=False,
    )
    drawn = found.model.draw_latents(found.standardise(dataset.x), dataset.u)[0].numpy()
    return Attempt(
        mcc(dataset.z, found.latents(dataset.x, dataset.u)),
        mcc(dataset.z, drawn),
        np.array([_score(dataset, one) for one in found.latents_of_starts(dataset.x)]),
        found.held_out.cross_entropy,
        bayes_cross_entropy(dataset),
        found.agreement,
        found.elbo,
        float(found.model.decoder_variance[0]),
        found.seconds,
    )


def _score(dataset: NonstationaryData, latents: Array) -> float:
    """Return the MCC of one start's latents, NaN where the start has diverged."""
    return mcc(dataset.z, latents) if np.isfinite(latents).all() else float("nan")


def attempts(cases: Sequence[Case], seed: int, label: str) -> list[Attempt]:
    """Return :func:`attempt` of every case, one on each of this process's threads at a time."""
    n_threads = torch.get_num_threads()
    line = ProgressLine(label)
    done = set()

    def report(number: int, *_: float) -> None:
        done.add(number)
        line.report(f"{len(done)} of {len(cases)}")

    with line:
        if n_threads == 1:
            return [_attempt(case, seed, partial(report, i)) for i, case in enumerate(cases)]
        return run_jobs(_attempt, [(case, seed) for case in cases], n_threads, report)


def _attempt(case: Case, seed: int, note: Callable[..., None]) -> Attempt:
    found = attempt(case, seed)
    note(1.0)
    return found


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


def other_settings() -> dict[str, Case]:
    """Return the settings beyond the released dataset's, by name, at data seed 1."""
    one = DataSettings("released", 1)
    figure_4 = replace(one, n_latents=10, n_observed=40, samples_per_segment=4000)
    means = replace(one, centred=False)
    return {
        "as the text says": Case(DataSettings("paper", 1)),
        "orthogonal mixing": Case(DataSettings("orthogonal", 1)),
        "leaky ReLU mixing": Case(replace(one, mixing_activation="leaky-relu")),
        **{f"n = {n}, d = 5": Case(replace(one, n_latents=n)) for n in (2, 3, 4)},
        "n = 10, d = 40, L = 4000": Case(figure_4),
        "means move (k = 2)": Case(means, "gaussian", LONGER),
        "Laplace sources": Case(replace(one, source_family="laplace"), "laplace"),
        **{f"M = {m}": Case(replace(one, n_segments=m)) for m in (5, 10)},
        **{f"L = {n}": Case(replace(one, samples_per_segment=n)) for n in (100, 4000)},
    }
