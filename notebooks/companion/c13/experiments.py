"""Chapter 13's trainings: from scratch, at the truth, and from the sources on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from companion.c13 import diagnosis, drift
from companion.c13.truth import write_truth
from companion.ceilings import supervised_network
from companion.recorded import trained
from companion.recorded.experiment import Experiment, Outcome, Run
from companion.scores import fresh_rows, scores_of_members
from ivae import data
from ivae.metrics import mcc
from ivae.objectives import RELEASED_WEIGHTS
from ivae.sweeps import runs as sweeps

BOUND: dict[str, Any] = {"objective": "elbo", "weights": (1.0, 1.0, 1.0, 1.0)}
RELEASED: dict[str, Any] = {
    "objective": "decomposition",
    "weights": RELEASED_WEIGHTS,
    "decoder_variance": 0.1,
}


def _tasks(variances: Sequence[float], seed: int, n_datasets: int) -> list[dict[str, Any]]:
    """Return Eq. (8) at each decoder variance, then the released objective, on every dataset."""
    tasks = [*(BOUND | {"decoder_variance": one} for one in variances), RELEASED]
    return [
        task | {"data_seed": seed + i, "seed": seed} for task in tasks for i in range(n_datasets)
    ]


def plan_solutions(
    *,
    seed: int,
    n_datasets: int,
    variances: Sequence[float],
    epochs: int,
    epochs_of_encoder: int,
    rows: int,
    draws: int,
    samples_per_segment: int = 1000,
) -> list[dict[str, Any]]:
    """Return a training from scratch, and one of the encoder under the truth, in each run.

    Both are taken apart at some ``rows``, with so many ``draws`` each.
    """
    shared = {"epochs": epochs, "epochs_of_encoder": epochs_of_encoder, "rows": rows}
    shared |= {"draws": draws, "samples_per_segment": samples_per_segment}
    return [task | shared for task in _tasks(variances, seed, n_datasets)]


def looked_at(seed: int, n: int, rows: int) -> NDArray[np.int64]:
    """Return the numbers of the rows, of n, at which two solutions are taken apart."""
    return np.random.default_rng(seed).choice(n, rows, replace=False)


def learn_solutions(runs: Sequence[Run], nudge: float) -> list[Outcome]:
    """Train from scratch, and the encoder alone under the true decoder and prior.

    Names that end in ``_truth`` are of the latter. Values by :data:`diagnosis.LEVELS` are means
    over the rows looked at, and the arrays ``account`` and ``account_truth`` the fields of a
    :class:`diagnosis.Account` there, (5, B). Those of :class:`drift.MeanTerms` are over all rows
    trained on; ``value_new`` is the trained solution's objective on as many new rows.
    """
    ensemble, shared = [trained.run_of(run) for run in runs], runs[0]
    done = trained.fit(ensemble, nudge)
    objective, datasets = sweeps.objective_of(ensemble), done.datasets
    truth = sweeps.model_of(ensemble)
    trained.nudge_weights(truth, nudge)
    write_truth(truth, datasets)
    drift.fit_encoder(truth, done.x, done.u, objective, epochs=shared["epochs_of_encoder"])
    seed = ensemble[0].seed
    rows = looked_at(seed, done.x.shape[1], shared["rows"])
    takes = partial(diagnosis.account, datasets=datasets, rows=rows, n_draws=shared["draws"])
    accounts = {"": takes(done.model, seed=seed)}
    accounts["_truth"] = takes(truth, seed=seed, at_truth=True)
    terms = {"": drift.mean_terms(done.model, done.x, done.u, objective)}
    terms["_truth"] = drift.mean_terms(truth, done.x, done.u, objective)
    size = ensemble[0].data.samples_per_segment
    new_x, new_u, _ = data.stack([fresh_rows(one, per_segment=size) for one in datasets])
    value_new = drift.mean_terms(done.model, new_x, new_u, objective).value
    of_truth = scores_of_members(truth, done.fresh)
    means = truth.infer(done.x, done.u).mean.numpy(force=True)
    found = []
    for i, one in enumerate(trained.outcomes(done)):
        values = {f"{name}_truth": score for name, score in of_truth[i].items()}
        values |= {"mcc_truth": mcc(done.z[i], means[i]), "value_new": float(value_new[i])}
        arrays = {}
        for end, account in accounts.items():
            values |= {name + end: float(each[i]) for name, each in account.means.items()}
            values |= {k + end: float(v[i]) for k, v in terms[end]._asdict().items()}
            arrays[f"account{end}"] = np.stack(account)[:, i]
        found.append(Outcome(one.values | values, one.arrays | arrays))
    return found


solutions = Experiment(plan_solutions, learn_solutions, revision=1, alike=trained.alike)


def plan_drift(
    *,
    seed: int,
    n_datasets: int,
    variances: Sequence[float],
    epochs_taught: int,
    epochs_of_start: int,
    epochs: int,
    evaluate_every: int,
    samples_per_segment: int = 1000,
) -> list[dict[str, Any]]:
    """Return trainings without supervision that start at the sources, at a rate of .001."""
    shared = {"epochs_taught": epochs_taught, "epochs_of_start": epochs_of_start, "epochs": epochs}
    shared |= {"evaluate_every": evaluate_every, "samples_per_segment": samples_per_segment}
    tasks = _tasks(variances, seed, n_datasets)
    return [task | shared | {"learning_rate": 0.001} for task in tasks]


def leave_sources(runs: Sequence[Run], nudge: float) -> list[Outcome]:
    """Teach networks the sources, one for each dataset, and train from there without them.

    Values whose names end in ``_start`` are from before the training: ``mcc`` of posterior means
    over the rows trained on, the scores of :func:`companion.scores.scores` over new ones, and the
    objective. ``objective`` and ``mcc``, also as arrays over time, and ``end`` are as in a
    :class:`drift.Drift`.
    """
    ensemble, shared = [trained.run_of(run) for run in runs], runs[0]
    made = {run.data: run.data.generate() for run in ensemble}
    others = {settings: fresh_rows(one) for settings, one in made.items()}
    members = [list(made).index(run.data) for run in ensemble]
    taught = supervised_network(
        list(made.values()),
        [ensemble[0].seed] * len(made),
        epochs=shared["epochs_taught"],
        nudge=nudge,
    )
    x, u, z = data.stack([made[run.data] for run in ensemble])
    fresh = [others[run.data] for run in ensemble]
    objective, schedule = sweeps.objective_of(ensemble), sweeps.schedule_of(ensemble)
    model = sweeps.model_of(ensemble)
    trained.nudge_weights(model, nudge)
    drift.start_at_sources(
        model, taught, members, x, u, objective, epochs=shared["epochs_of_start"]
    )
    start = scores_of_members(model, fresh)
    course = drift.follow(model, x, u, z, objective, schedule, progress=False)
    ended, half = scores_of_members(model, fresh), len(course.steps) // 2
    found = []
    for i in range(len(ensemble)):
        value, score = course.objective[:, i], course.mcc[:, i]
        values = {
            "mcc": score[-1],
            "mcc_start": score[0],
            "mcc_half": score[half],
            "end": course.end[i],
            "objective_start": value[0],
            "objective_first": value[1],
            "objective_half": value[half],
        }
        values |= ended[i] | {f"{name}_start": each for name, each in start[i].items()}
        arrays = {"objective": value, "mcc": score}
        found.append(Outcome({name: float(v) for name, v in values.items()}, arrays))
    return found


drifts = Experiment(plan_drift, leave_sources, revision=1, alike=trained.alike)
