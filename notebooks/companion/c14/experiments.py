"""Chapter 14's experiments: the recipe, single starts of it, two ELBOs, and its neighbours.

:func:`ivae.recipe.recovery.recover` sees x and u. The sources are used here alone, after it ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np

from companion.c14.known_sources import RELEASED, Case, bayes_cross_entropy, cases, variants
from companion.ceilings import taught_separator
from companion.neighbours import contrastive, covariances
from companion.protocols import contenders, run_of
from companion.recorded import trained
from companion.recorded.experiment import Experiment, Outcome, Run, nudged, one_by_one
from companion.recorded.trained import Trained
from companion.scores import fresh_rows, mcc_within, scores
from ivae import data
from ivae.data import DataSettings, NonstationaryData
from ivae.metrics import mcc
from ivae.recipe.recovery import Recovery, recover
from ivae.recipe.stages import RECIPE, Settings
from ivae.support.activations import Activation
from ivae.support.checks import Array

BOUNDS = {"text": "Eq. (8)", "released": RELEASED}
"""Methods by the protocol whose iVAE they are."""
TCL: dict[str, Activation] = {"TCL": "leaky-relu", "TCL, xtanh": "xtanh"}
"""Methods by the activation of their network."""
LINEAR, TAUGHT = "joint diagonalisation", "taught the sources"


def plan_recoveries(
    *,
    seed: int,
    develop: Sequence[int],
    confirm: Sequence[int],
    settings: Sequence[str],
    n_starts: int,
    samples_per_segment: int | None = None,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Return the recipe's recovery of every dataset.

    ``develop`` and ``confirm`` are data seeds of the released generator, and ``settings`` names of
    :func:`companion.c14.known_sources.other_settings`, which have the first of the former. Segments
    are as large as these say, unless ``samples_per_segment`` is given. ``changes`` of the recipe go
    by the names of :class:`ivae.recipe.stages.Settings`.
    """
    return [
        {"part": part, "setting": name}
        | _described(case, seed, changes | {"n_starts": n_starts}, samples_per_segment)
        for part, name, case in cases(develop, confirm, settings)
    ]


def _resized(one: DataSettings, samples_per_segment: int | None) -> DataSettings:
    if samples_per_segment is None:
        return one
    return replace(one, samples_per_segment=samples_per_segment)


def _described(
    case: Case, seed: int, changes: Mapping[str, Any], samples_per_segment: int | None
) -> dict[str, Any]:
    """Return all that decides a recovery, by the names of data and recipe."""
    of_data = asdict(_resized(case.data, samples_per_segment))
    of_data["data_seed"] = of_data.pop("seed")
    settings = replace(case.settings, **changes)
    return {"seed": seed, "family": case.family} | of_data | asdict(settings)


def _data_of(run: Run) -> DataSettings:
    given = dict(run) | {"seed": run["data_seed"]}
    return DataSettings(**{one.name: given[one.name] for one in fields(DataSettings)})


def _settings_of(run: Run) -> Settings:
    return Settings(**{one.name: run[one.name] for one in fields(Settings)})


def _recovered(run: Run, nudge: float) -> tuple[NonstationaryData, Recovery]:
    """Return a run's dataset, its x moved by the nudge, and what the recipe found in it."""
    made = _data_of(run).generate()
    dataset = replace(made, x=nudged(made.x, nudge))
    found = recover(
        dataset.x,
        dataset.u,
        dataset.n_latents,
        family=run["family"],
        settings=_settings_of(run),
        seed=run["seed"],
        progress=False,
    )
    return dataset, found


def recovery(run: Run, nudge: float) -> Outcome:
    """Recover the sources of one dataset, and score what was found.

    ``fresh`` and others of :func:`companion.scores.scores` are over new rows; ``mcc``, of posterior
    means, ``sampled`` and ``within_given`` are over the rows given. MCCs of h(x) of every
    start, (S,), and their extremes are over new rows, NaN where one has diverged. ``agreement`` is
    the least of the starts with the chosen one; ``cross_entropy``, -E log p(u|z) over held-out
    rows, is of the chosen one, and ``bayes`` that under the true model, over all rows. ELBOs are
    of before and after the second stage, the columns of x having variance 1, as for the decoder
    variance.
    """
    dataset, found = _recovered(run, nudge)
    fresh = fresh_rows(dataset)

    def drawn(rows: NonstationaryData) -> Array:
        return found.model.draw_latents(found.standardise(rows.x), rows.u)[0].numpy()

    starts = np.array([_score(fresh.z, one) for one in found.latents_of_starts(fresh.x)])
    means = found.latents(dataset.x, dataset.u)
    values = scores(fresh, found.latents(fresh.x, fresh.u), drawn(fresh)) | {
        "mcc": mcc(dataset.z, means),
        "sampled": mcc(dataset.z, drawn(dataset)),
        "within_given": mcc_within(dataset.z, means, dataset.u),
        "best_start": float(np.nanmax(starts)),
        "worst_start": float(np.nanmin(starts)),
        "agreement": float(np.nanmin(found.agreement)),
        "cross_entropy": float(found.held_out.cross_entropy[found.chosen]),
        "bayes": bayes_cross_entropy(dataset),
        "elbo_before": found.elbo[0],
        "elbo_after": found.elbo[1],
        "decoder_variance": float(found.model.decoder_variance[0]),
    }
    arrays = {
        "starts": starts,
        "cross_entropies": found.held_out.cross_entropy,
        "agreements": found.agreement,
    }
    return Outcome(values, arrays)


def _score(z: Array, latents: Array) -> float:
    """Return the MCC of one start's latents, NaN where the start has diverged."""
    return mcc(z, latents) if np.isfinite(latents).all() else float("nan")


def plan_starts(
    *,
    seed: int,
    data_seeds: Sequence[int],
    n_networks: int,
    samples_per_segment: int | None = None,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Return single starts: every variant on some datasets, the recipe on the first from networks.

    Seeds of ``n_networks`` networks count up from that of the variants. ``changes`` are made to all
    of them, before what makes them variants.
    """
    kinds = variants(replace(RECIPE, n_starts=1, **changes))
    asked = [(name, data_seed, seed) for name in kinds for data_seed in data_seeds]
    asked += [(next(iter(kinds)), data_seeds[0], seed + i) for i in range(1, n_networks)]
    found = []
    for name, data_seed, network_seed in asked:
        case = Case(DataSettings(RELEASED, data_seed), settings=kinds[name])
        one = _described(case, network_seed, {}, samples_per_segment)
        found.append({"variant": name} | one)
    return found


def start(run: Run, nudge: float) -> Outcome:
    """Score one start: of h(x) over new rows, over those given, and on held-out ones."""
    dataset, found = _recovered(run, nudge)
    fresh = fresh_rows(dataset)
    latents = found.latents(fresh.x, fresh.u)
    return Outcome(
        {
            "fresh": mcc(fresh.z, latents),
            "mcc": mcc(dataset.z, found.latents(dataset.x, dataset.u)),
            "within": mcc_within(fresh.z, latents, fresh.u),
            "cross_entropy": float(found.held_out.cross_entropy[found.chosen]),
            "elbo_after": found.elbo[1],
        }
    )


def plan_elbo(
    *,
    seed: int,
    develop: Sequence[int],
    confirm: Sequence[int],
    settings: Sequence[str],
    dimensions: Sequence[int],
    steps: int,
    epochs: int,
    samples_per_segment: int | None = None,
) -> list[dict[str, Any]]:
    """Return the two :data:`BOUNDS` on all datasets of the recoveries, and Figure 2b's models.

    The former are trained for so many ``steps``; the latter, the released iVAE and VAE with several
    numbers of latents on the first dataset, for ``epochs``.
    """
    labels, runs = [], []
    for protocol, method in BOUNDS.items():
        for part, name, case in cases(develop, confirm, settings):
            k = 2 if case.family == "gaussian" else 1
            bound = contenders(protocol)[0]
            run = run_of(protocol, bound, n_components=k, steps=steps, seed=seed)
            labels.append((part, name, method))
            runs.append(replace(run, data=case.data))
    for one in contenders(RELEASED)[:2]:  # The iVAE and the VAE, as released.
        for n in dimensions:
            sizes = {"n_latents": n, "data_seed": develop[0], "seed": seed, "epochs": epochs}
            labels.append(("dimension", RELEASED, one.model))
            runs.append(run_of(RELEASED, one, **sizes))
    runs = [replace(one, data=_resized(one.data, samples_per_segment)) for one in runs]
    return [
        dict(zip(("part", "setting", "method"), label, strict=True)) | run
        for label, run in zip(labels, trained.flat(runs), strict=True)
    ]


def within_given(trained: Trained) -> list[Outcome]:
    """Return each member's MCC within segments, of posterior means over the rows trained on."""
    means = trained.model.infer(trained.x, trained.u).mean.numpy(force=True)
    return [
        Outcome({"within_given": mcc_within(z, mean, u) if np.isfinite(mean).all() else np.nan})
        for z, mean, u in zip(trained.z, means, trained.u, strict=True)
    ]


_with_curves = trained.experiment(plan_elbo, within_given, revision=1)


def train_elbo(runs: Sequence[Run], nudge: float) -> list[Outcome]:
    """Train and score, without the curves, whose lengths differ with those of an epoch."""
    return [Outcome(one.values) for one in _with_curves.work(runs, nudge)]


def plan_neighbours(
    *,
    seed: int,
    develop: Sequence[int],
    epochs: int,
    samples_per_segment: int | None = None,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Return every neighbour on every dataset, and the recipe's encoder taught the true sources.

    TCL is trained for ``epochs``, and the encoder as the recipe's, but for the ``changes``.
    """
    return [
        {"method": method, "epochs": epochs}
        | _described(case, seed, changes | {"n_starts": 1}, samples_per_segment)
        for method in (*TCL, LINEAR, TAUGHT)
        for _, _, case in cases(develop, [], [])
    ]


def compare_neighbours(runs: Sequence[Run], nudge: float) -> list[Outcome]:
    """Score estimates of z over the rows given: ``mcc``, and ``within_given`` within segments.

    TCL's are its features before the absolute value. ``absolute`` is of TCL alone: its statistics,
    after FastICA, with the size of z.
    """
    method = runs[0]["method"]
    sets, seeds = [_data_of(run).generate() for run in runs], [run["seed"] for run in runs]
    n, absolute = sets[0].n_latents, np.full(len(sets), np.nan)
    if method == TAUGHT:
        estimates = taught_separator(sets, seeds[0], _settings_of(runs[0]), nudge)
    elif method == LINEAR:
        moved = [nudged(one.x, nudge) for one in sets]
        each = zip(moved, sets, strict=True)
        estimates = np.stack([covariances.separate_by_covariances(x, one.u, n) for x, one in each])
    else:
        x, u, z = data.stack(sets)
        network = replace(contrastive.TclSettings().network, activation=TCL[method])
        settings = contrastive.TclSettings(network, runs[0]["epochs"])
        features = contrastive.learn(nudged(x, nudge), u, n, seeds, settings)
        estimates, absolute = features.signed, features.scores(z).absolute
    return [
        Outcome(
            {
                "mcc": mcc(one.z, estimate),
                "within_given": mcc_within(one.z, estimate, one.u),
                "absolute": float(statistic),
            }
        )
        for one, estimate, statistic in zip(sets, estimates, absolute, strict=True)
    ]


recoveries = Experiment(plan_recoveries, one_by_one(recovery), revision=1, together=1)
"""The recipe on the datasets it was developed on, on others, and in other settings."""
starts = Experiment(plan_starts, one_by_one(start), revision=1, together=4)
"""Single starts of the recipe and of its variants."""
elbo = replace(_with_curves, work=train_elbo)
"""Eq. (8) and the released objective on the same datasets, and Figure 2b's models."""
neighbours = Experiment(plan_neighbours, compare_neighbours, 1, alike=lambda run: run["method"])
"""Methods that are not variational, and a yardstick."""
