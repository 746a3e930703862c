"""Trials of the recipe on data whose sources are known: scores, variants, and other settings.

:func:`ivae.recipe.recovery.recover` sees x and u. The sources are used here alone, after it has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from loky import get_reusable_executor
from numpy.typing import NDArray

from ivae.data import NonstationaryData, generate
from ivae.engine.batches import Minibatches
from ivae.engine.descent import minimise
from ivae.metrics import mcc
from ivae.recipe.discrimination import log_probabilities
from ivae.recipe.recovery import recover
from ivae.recipe.separator import Separator
from ivae.recipe.stages import RECIPE, WARM_UP, Settings
from ivae.support.progress import ProgressLine
from ivae.support.seeds import seeded_generator

Array = NDArray[np.float64]


class Trial(NamedTuple):
    """What the recipe made of one dataset.

    Attributes
    ----------
    mcc, sampled
        MCC of posterior means, and of one posterior sample, of the chosen start after both stages.
    starts
        MCC of h(x) of every start, (S,); NaN where one has diverged.
    cross_entropy
        Held-out -E log p(u|z) of every start, (S,).
    bayes
        The same under the true model, over all rows.
    agreement
        MCC of the starts' latents with the chosen ones, (S,).
    elbo
        Held-out ELBO before and after the second stage.
    decoder_variance
        Where the second stage left it, the columns of x having variance 1.
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
    """Arguments of :func:`ivae.data.generate`, a family for the prior, and settings."""

    values: Mapping[str, Any]
    family: str = "gaussian-scale"
    settings: Settings = RECIPE


def attempt(case: Case, seed: int) -> Trial:
    """Recover the sources of one dataset, and score what was found."""
    dataset = generate(**case.values)
    found = recover(
        *(dataset.x, dataset.u, dataset.n_latents),
        family=case.family,
        settings=case.settings,
        seed=seed,
        progress=False,
    )
    drawn = found.model.draw_latents(found.standardise(dataset.x), dataset.u)[0].numpy()
    return Trial(
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


def attempts(cases: Sequence[Case], seed: int, label: str) -> list[Trial]:
    """Return :func:`attempt` of every case, one on each of this process's threads at a time."""
    n_threads = torch.get_num_threads()
    line = ProgressLine(label)
    done = []
    if n_threads == 1:
        results = (attempt(case, seed) for case in cases)
    else:
        executor = get_reusable_executor(n_threads, timeout=60, env={"OMP_NUM_THREADS": "1"})
        results = executor.map(attempt, cases, [seed] * len(cases))
    for result in results:
        done.append(result)
        line.report(f"{len(done)} of {len(cases)}")
    line.close()
    return done


def bayes_cross_entropy(dataset: NonstationaryData) -> float:
    """Return -E log p(u|z) at the true sources under the true prior, in nats."""
    lam = torch.as_tensor(dataset.natural_parameters)[None]
    share = np.bincount(dataset.u) / len(dataset.u)
    z = torch.as_tensor(dataset.z, dtype=torch.float64)[None]
    of_all = log_probabilities(dataset.family, lam, torch.as_tensor(np.log(share))[None], z)[0]
    return -float(of_all.gather(1, torch.as_tensor(dataset.u)[:, None]).mean())


def supervised(datasets: Sequence[NonstationaryData], seed: int, settings: Settings) -> Array:
    """Return the MCC, (E,), of the recipe's encoder when it is trained on the true sources.

    It has the recipe's shape, minibatches and number of steps, sees every row, and minimises the
    squared error of sources of variance 1: a yardstick for what this encoder can follow.
    """
    x, u, z = (
        np.stack([getattr(one, name) for one in datasets]).astype(kind)
        for name, kind in (("x", np.float32), ("u", np.int64), ("z", np.float32))
    )
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    targets = (z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True)
    d, n, seeds = x.shape[2], z.shape[2], [seed] * len(datasets)
    generators = [seeded_generator(one, "initialisation") for one in seeds]
    net = Separator(generators, d, n, settings.hidden, settings.n_blocks, settings.activation)
    both = torch.as_tensor(np.concatenate((x, targets), 2))
    batches = Minibatches(both, torch.as_tensor(u), seeds, settings.batch_size, 0.0, (0,))
    trained = [p for name, p in net.named_parameters() if not name.startswith("log_variance")]

    def error(both: torch.Tensor, u: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        errors: torch.Tensor = (net(both[..., :d]).mean - both[..., d:]).square()
        return errors.sum(-1).mean(1).sum()

    minimise(
        *(error, trained, batches, settings.n_steps, "supervised", settings.learning_rate),
        warm_up=WARM_UP,
    )
    with torch.no_grad():
        parts = [net(part).mean for part in both[..., :d].split(4096, 1)]
    estimates = torch.cat(parts, 1).numpy()
    return np.array([mcc(one.z, guess) for one, guess in zip(datasets, estimates, strict=True)])


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
    """Return the settings beyond the released dataset's, by name; data seeds are left open."""
    released = {"preset": "released"}
    figure_4 = released | {"n_latents": 10, "n_observed": 40, "samples_per_segment": 4000}
    return {
        "as the text says": Case({"preset": "paper"}),
        "orthogonal mixing": Case({"preset": "orthogonal"}),
        "leaky ReLU mixing": Case(released | {"activation": "leaky-relu"}),
        **{f"n = {n}, d = 5": Case(released | {"n_latents": n}) for n in (2, 3, 4)},
        "n = 10, d = 40, L = 4000": Case(figure_4),
        "means move (k = 2)": Case(released | {"centred": False}, "gaussian", LONGER),
        "Laplace sources": Case(released | {"source_family": "laplace"}, "laplace"),
        **{f"M = {m}": Case(released | {"n_segments": m}) for m in (5, 10)},
        **{f"L = {n}": Case(released | {"samples_per_segment": n}) for n in (100, 4000)},
    }
