"""Trainings as runs of an experiment: members of ensembles, scored on rows they have not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from companion.recorded.experiment import Experiment, Outcome
from companion.scores import fresh_rows, scores
from ivae import data
from ivae.data import NonstationaryData
from ivae.engine.history import EveryMemberDiverged, History
from ivae.models import LatentVariableModel
from ivae.support.checks import Array
from ivae.sweeps.runs import Run, model_of, objective_of, schedule_of, shape_of
from ivae.training import train

Prepare = Callable[[NonstationaryData], Callable[[Array], Array]]
"""Of a dataset, what is done to its observations, and to fresh ones, before a model sees them."""


class Trained(NamedTuple):
    """An ensemble after training.

    Attributes
    ----------
    runs
        Its members' runs.
    model, history
        What was trained, and what was measured; of a model whose members all diverged too.
    datasets, fresh
        Each member's data, and new rows of the same sources and mixing.
    x, u, z
        All members' data, (E, N, ...), x as the model sees it.
    fresh_x
        The fresh rows' observations, (E, N', d), as the model sees them.
    """

    runs: list[Run]
    model: LatentVariableModel
    history: History
    datasets: list[NonstationaryData]
    fresh: list[NonstationaryData]
    x: Array
    u: NDArray[np.int64]
    z: Array
    fresh_x: Array

    @property
    def fresh_u(self) -> NDArray[np.int64]:
        """The fresh rows' segments, (E, N')."""
        return np.stack([one.u for one in self.fresh])


Measure = Callable[[Trained], list[Outcome]]


def experiment(
    plan: Callable[..., list[dict[str, Any]]],
    measure: Measure | None = None,
    *,
    revision: int,
    prepare: Prepare | None = None,
    together: int = 32,
) -> Experiment:
    """Return an experiment whose runs are flat names of :class:`ivae.sweeps.runs.Run`.

    Names that a Run does not have are labels of the chapter. ``measure`` gives each member numbers
    and arrays besides those of :func:`outcomes`.
    """
    work = partial(_work, measure=measure, prepare=prepare)
    return Experiment(plan, work, revision, alike, together)


def run_of(values: Mapping[str, Any]) -> Run:
    """Return the training that a run describes."""
    known = {name: value for name, value in values.items() if name in _NAMES}
    return Run.of(**{k: tuple(v) if isinstance(v, list) else v for k, v in known.items()})


_NAMES = frozenset(Run.of().values)


def flat(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return trainings as :func:`run_of` takes them: seeds, epochs, and what is not as by default.

    All have the same names: those that are needed for one of them.
    """
    default, every = Run.of().values, [run.values for run in runs]
    same = {"preset": default["preset"]}
    usual = {run["preset"]: Run.of(preset=run["preset"]).values | same for run in every}
    names = [
        name
        for name in default
        if name in ("data_seed", "seed", "epochs")
        or any(run[name] != usual[run["preset"]][name] for run in every)
    ]
    return [{name: run[name] for name in names} for run in every]


def nudge_weights(model: torch.nn.Module, nudge: float) -> None:
    """Move every weight of an ensemble by the nudge times its size, in place."""
    if nudge:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weights in model.parameters():
                weights.mul_(1 + nudge * torch.randn(weights.shape, generator=generator))


def fit(runs: Sequence[Run], nudge: float = 0.0, prepare: Prepare | None = None) -> Trained:
    """Train runs that are :func:`alike` as members of one ensemble."""
    made = {settings: settings.generate() for settings in dict.fromkeys(r.data for r in runs)}
    others = {settings: fresh_rows(one) for settings, one in made.items()}
    datasets = [made[run.data] for run in runs]
    fresh = [others[run.data] for run in runs]
    x, u, z = data.stack(datasets)
    new = np.stack([one.x for one in fresh])
    if prepare is not None:
        ways = {settings: prepare(one) for settings, one in made.items()}
        x = np.stack([ways[run.data](one) for run, one in zip(runs, x, strict=True)])
        new = np.stack([ways[run.data](one) for run, one in zip(runs, new, strict=True)])
    model = model_of(runs)
    nudge_weights(model, nudge)
    options: dict[str, Any] = {"objective": objective_of(runs), "schedule": schedule_of(runs)}
    # One copy of the data serves all members where it is the same.
    inputs = (x[0], u[0], z[0]) if len(made) == 1 else (x, u, z)
    try:
        history = train(model, *inputs, **options, progress=False)
    except EveryMemberDiverged as error:
        history = error.history
    return Trained(list(runs), model, history, datasets, fresh, x, u, z, new)


def outcomes(trained: Trained) -> list[Outcome]:
    """Return what every training is compared by, and its course.

    ``mcc_sampled``, the paper's measure, and ``mcc`` are over the rows it has seen; ``fresh``,
    ``fresh_sampled``, ``within`` and ``within_sampled`` over new ones; ``objective_first`` is the
    mean over the minibatches before the first evaluation, which chaos has not reached,
    ``objective_half`` half-way, ``objective`` the last. A member that diverged has no number.
    """
    history, model = trained.history, trained.model
    course, of_means, of_draws = (
        _course(found, trained) for found in (history.objective, history.mcc, history.mcc_sampled)
    )
    new = trained.fresh_x, trained.fresh_u
    means = model.infer(*new).mean.numpy(force=True)
    draws = model.draw_latents(*new).numpy(force=True)
    found = []
    for member in range(len(trained.runs)):
        values = {
            "mcc_sampled": of_draws[-1, member],
            "mcc": of_means[-1, member],
            "elbo": history.elbo[-1, member],
            "objective": course[-1, member],
            "objective_first": course[0, member],
            "objective_half": course[len(course) // 2, member],
        }
        nothing = dict.fromkeys(("fresh", "fresh_sampled", "within", "within_sampled"), np.nan)
        if member in history.diverged or not np.isfinite(means[member]).all():
            values |= nothing
        else:
            values |= scores(trained.fresh[member], means[member], draws[member])
        arrays = {
            "mcc_curve": of_draws[:, member],
            "objective_curve": course[:, member],
        }
        found.append(Outcome({k: float(v) for k, v in values.items()}, arrays))
    return found


def _course(measured: Array | None, trained: Trained) -> Array:
    """Return a measure at all evaluations, (T, E), those that were not made as the last one.

    A training ends where every member has diverged: alone earlier than in company.
    """
    schedule, n_rows = trained.runs[0].schedule, trained.x.shape[1]
    per_epoch = math.ceil((n_rows - round(schedule.held_out * n_rows)) / schedule.batch_size)
    n = math.ceil(schedule.n_steps(per_epoch) / (schedule.evaluate_every or per_epoch))
    if measured is None:
        return np.full((n, len(trained.runs)), np.nan)
    return np.asarray(measured[np.minimum(np.arange(n), len(measured) - 1)])


def alike(run: Mapping[str, Any]) -> Hashable:
    """Return what members of one ensemble share."""
    return shape_of(run_of(run))


def _work(
    runs: Sequence[Mapping[str, Any]],
    nudge: float,
    *,
    measure: Measure | None,
    prepare: Prepare | None,
) -> list[Outcome]:
    trained = fit([run_of(run) for run in runs], nudge, prepare)
    found = outcomes(trained)
    if measure is None:
        return found
    pairs = zip(found, measure(trained), strict=True)
    return [Outcome(one.values | more.values, one.arrays | more.arrays) for one, more in pairs]
