"""Chapter 3's runs: single two-sample tests, learned statistics, and what the ELBO leaves out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from companion.c03 import erasing_noise, level_sets
from companion.recorded import trained
from companion.recorded.experiment import Experiment, Outcome, Run, nudged, one_by_one
from companion.scores import fresh_rows, scores
from companion.simulation import simulate
from companion.two_sample import energy_test
from companion.whitening import whitening
from ivae import data, models, train
from ivae.data import NonstationaryData
from ivae.schedules import Schedule
from ivae.support.checks import Array
from ivae.theory import equivalence, posteriors

TEST, MEANS = 0x7E57, 0x3EA5
"""Keep the generators of tests and of moving means apart from all others."""
ERASED = ("clean", "noisy", "shifted")
"""Comparisons of the two models that noise makes equal: without it, with it, and the first one with
noise against itself moved by :data:`SHIFT`."""
MOVED = ("unmoved", "segment_1", "segment_2", "segment_3")
"""Comparisons of sources with fresh ones: as they are, and moved along ellipses, by segment."""
SHIFT = 2.0
VARIANCE = np.array([[1.0, 0.6], [2.5, 2.9], [3.0, 0.5]])
"""Of two sources in three segments. The first two alone leave the rank at 1."""
KEPT_RUNS, KEPT_EACH = 2, 4
"""Of so many runs of a case the latents are kept, at one in so many fresh rows."""


def plan_tests(
    *, seed: int, n_tests: int, size_erased: int, size_moved: int, n_permutations: int
) -> list[dict[str, Any]]:
    """Return ``n_tests`` tests for each comparison, on samples of a size for either kind."""
    return [
        {"comparison": comparison, "number": number, "seed": seed, "size": size}
        | {"n_permutations": n_permutations}
        for kind, size in ((ERASED, size_erased), (MOVED, size_moved))
        for comparison in kind
        for number in range(n_tests)
    ]


def draw_pair(comparison: str, size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the two samples of a comparison, ``size`` rows each."""
    if comparison in ERASED:
        noisy = comparison != "clean"
        rippled = (False, comparison != "shifted")
        one, other = (
            erasing_noise.draw(rng, 0, size, rippled=which, noisy=noisy) for which in rippled
        )
        return one, other + (SHIFT if comparison == "shifted" else 0.0)
    segment = max(0, MOVED.index(comparison) - 1)
    one, other = rng.standard_normal((2, size, 2)) * np.sqrt(VARIANCE[segment])
    if comparison != "unmoved":
        other = level_sets.move_along_ellipses(other, VARIANCE[:2])
    return one, other


def one_test(run: Run, nudge: float) -> Outcome:
    """Draw one pair of samples, and test whether they are of one law."""
    comparison = run["comparison"]
    place = (*ERASED, *MOVED).index(comparison)
    rng = np.random.default_rng((run["seed"], place, run["number"], TEST))
    one, other = draw_pair(comparison, run["size"], rng)
    one, other = nudged(one, nudge, 0), nudged(other, nudge, 1)
    found = energy_test(one, other, run["n_permutations"], rng)
    return Outcome({"p_value": found.p_value, "distance": found.distance})


tests = Experiment(plan_tests, one_by_one(one_test), revision=1, together=200)


def plan_learned(
    *, seed: int, n_runs: int, epochs: int, samples_per_segment: int
) -> list[dict[str, Any]]:
    """Return iVAEs that differ in their seeds, on one dataset for each of :data:`DATASETS`."""
    return [
        {"case": case, "seed": seed + i, "is_kept": i < KEPT_RUNS, "data_seed": seed}
        | {"epochs": epochs, "samples_per_segment": samples_per_segment}
        for case in DATASETS
        for i in range(n_runs)
    ]


def squares(seed: int, samples_per_segment: int) -> NonstationaryData:
    """Return sources of which the variances move, T = z^2, mixed by one orthogonal matrix."""
    return data.generate(
        "linear", seed, samples_per_segment=samples_per_segment, spread="deviation"
    )


def location(seed: int, samples_per_segment: int) -> NonstationaryData:
    """Return sources of which the means move, T = z, mixed by the same matrix as the squares."""
    of_squares = squares(seed, samples_per_segment)
    shape = of_squares.variance.shape
    return simulate(
        2 * np.random.default_rng((seed, MEANS)).standard_normal(shape),
        np.ones(shape),
        of_squares.mixing,
        samples_per_segment=samples_per_segment,
        noise_variance=of_squares.noise_variance,
        seed=seed,
        family="gaussian-location",
    )


def curved(seed: int, samples_per_segment: int) -> NonstationaryData:
    """Return sources of which the variances move, mixed by three layers of orthogonal matrices."""
    return data.generate("orthogonal", seed, samples_per_segment=samples_per_segment)


DATASETS = {"squares": squares, "location": location, "curved": curved}
"""Of a seed and a number of samples per segment."""


def _alike(run: Run) -> Hashable:
    return tuple(run[name] for name in ("case", "data_seed", "epochs", "samples_per_segment"))


def learn(runs: Sequence[Run], nudge: float) -> list[Outcome]:
    """Train members on one dataset.

    Their statistics are those of posterior means at fresh rows: ``r2`` is the smallest over the
    true statistics on rows that A and c were not fitted to, ``amari`` the distance of A from a
    scaled permutation, and ``standard`` A in units of standard deviations. ``lam`` is the learned
    table of natural parameters.
    """
    first = runs[0]
    dataset = DATASETS[first["case"]](first["data_seed"], first["samples_per_segment"])
    fresh, family = fresh_rows(dataset), dataset.family
    see = whitening(dataset.x) if first["case"] != "curved" else np.asarray
    seeds = [run["seed"] for run in runs]
    model = models.ivae(
        dataset.n_latents,
        dataset.n_observed,
        dataset.n_segments,
        seeds=seeds,
        family=family.name,
    )
    trained.nudge_weights(model, nudge)
    history = train(
        model,
        see(dataset.x),
        dataset.u,
        dataset.z,
        schedule=Schedule(epochs=first["epochs"]),
        progress=False,
    )
    means = model.infer(see(fresh.x), fresh.u).mean.double().numpy(force=True)
    draws = model.draw_latents(see(fresh.x), fresh.u).numpy(force=True)
    tables = model.prior_table().numpy(force=True)
    true, objective = equivalence.statistics_of(family, fresh.z), np.asarray(history.objective)
    assert history.mcc is not None
    outcomes = []
    for i, run in enumerate(runs):
        fit = equivalence.fit_equivalence(true, equivalence.statistics_of(family, means[i]))
        values = {
            "r2": fit.r2.min(),
            "amari": fit.amari,
            "mcc": history.mcc[-1, i],
            "elbo": history.elbo[-1, i],
            "objective_first": objective[0, i],
            "objective": objective[-1, i],
        } | scores(fresh, means[i], draws[i])
        kept = means[i, ::KEPT_EACH].astype(np.float16)
        arrays = {
            "matrix": fit.matrix,
            "standard": fit.standard,
            "r2_each": fit.r2,
            "lam": tables[i],
            "latents": kept if run["is_kept"] else np.zeros_like(kept),
        }
        outcomes.append(Outcome({name: float(v) for name, v in values.items()}, arrays))
    return outcomes


learned = Experiment(plan_learned, learn, revision=1, alike=_alike)


def plan_gaps(
    *,
    seed: int,
    n_datasets: int,
    epochs: int,
    samples_per_segment: int,
    rows: int,
    fit_steps: int,
    draws: int,
) -> list[dict[str, Any]]:
    """Return the truth and one training, for several datasets of each of three presets.

    Posteriors are fitted at some ``rows`` in ``fit_steps``, and looked at with ``draws`` each.
    """
    return [
        {"preset": preset, "where": where, "data_seed": seed + i, "seed": seed + i}
        | {"epochs": epochs, "samples_per_segment": samples_per_segment}
        | {"rows": rows, "fit_steps": fit_steps, "draws": draws}
        for preset in ("linear", "orthogonal", "paper")
        for where in ("truth", "trained")
        for i in range(n_datasets)
    ]


def gap_rows(run: Run) -> tuple[NonstationaryData, Array]:
    """Return fresh rows of a run's dataset, and the numbers of those at which it is looked at."""
    fresh = fresh_rows(trained.run_of(run).data.generate())
    return fresh, np.linspace(0, len(fresh.x) - 1, run["rows"]).astype(int)


def one_gap(run: Run, nudge: float) -> Outcome:
    """Fit Gaussian posteriors row by row, at the truth or at a trained iVAE.

    Values are means over the rows, in nats a sample but for ``effective``, see
    :class:`ivae.theory.posteriors.Gap`, and ``fresh``, the training's MCC; arrays are by row.
    """
    if run["where"] == "truth":
        fresh, rows = gap_rows(run)
        moved = replace(fresh, x=nudged(fresh.x, nudge))
        problem, score = posteriors.problem_of_dataset(moved, rows), np.nan
    else:
        done = trained.fit([trained.run_of(run)], nudge)
        (fresh,), (x,), rows = done.fresh, done.fresh_x, gap_rows(run)[1]
        problem = posteriors.problem_of_model(done.model, 0, x[rows], fresh.u[rows])
        score = trained.outcomes(done)[0].values["fresh"]
    gap = posteriors.measure_gap(
        problem, n_steps=run["fit_steps"], n_draws=run["draws"], seed=run["seed"]
    )
    values = {name: float(getattr(gap, name).mean()) for name in GAPS}
    arrays = {name: getattr(gap, name).astype(np.float16) for name in GAPS[:3]}
    return Outcome(values | {"fresh": score}, arrays)


GAPS = ("mean_field", "full", "log_likelihood", "effective")
gaps = Experiment(plan_gaps, one_by_one(one_gap), revision=1, together=4)
