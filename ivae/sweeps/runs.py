"""A training described by plain values, grids of them, and their packing into ensembles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise, product
from typing import Any, Literal, Self

import numpy as np

from ivae import models
from ivae.data import DataSettings
from ivae.likelihoods import DECODER_VARIANCE
from ivae.nets import Network
from ivae.objectives import Bound, Decomposition, ImportanceWeighted, Objective
from ivae.schedules import Schedule, check_weight
from ivae.support.checks import one_of, positive_number, settle, whole_number

OBJECTIVES = ("elbo", "decomposition", "importance-weighted")
_DATA = {"seed": "data_seed"}  # A run's own seed is that of the network.


@dataclass(frozen=True)
class Run:
    """One training: data, model, objective and schedule.

    What belongs to another preset, model, objective or likelihood is set to its default, so that
    runs which differ in nothing else are equal. The flat names, which :meth:`of`, :func:`grid` and
    the table of a sweep have, are those of :class:`ivae.data.DataSettings` (its seed is
    ``data_seed``), :class:`ivae.nets.Network` and :class:`ivae.schedules.Schedule`, the ones below,
    and for the objective ``objective``: ``"elbo"``, with ``beta``; ``"decomposition"``, with
    ``weights`` a, b, c, d and ``estimator``; or ``"importance-weighted"``, with ``n_draws``.

    Attributes
    ----------
    data
        Data of zeros and ones get a Bernoulli decoder.
    model
        ``"ivae"``, with ``n_components``, or ``"vae"``, with ``prior``.
    seed
        Of the network, its minibatches and its noise.
    n_components, prior, decoder_variance
        See :func:`ivae.models.ivae` and :func:`ivae.models.vae`.
    network, objective, schedule
        With one number, not one for each member, wherever either could stand.
    """

    data: DataSettings
    model: Literal["ivae", "vae"] = "ivae"
    seed: int = 0
    n_components: int = 1
    prior: str = "gaussian"
    decoder_variance: float = DECODER_VARIANCE
    network: Network = field(default_factory=Network)
    objective: Objective = field(default_factory=Bound)
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        if not isinstance(self.data, DataSettings):
            raise ValueError(
                f"data must be a DataSettings; got {self.data!r}. Run.of takes flat names."
            )
        one_of("model", self.model, ("ivae", "vae"))
        one_of("prior", self.prior, ("gaussian", "laplace"))
        if self.n_components not in (1, 2):
            raise ValueError(f"n_components must be 1 or 2; got {self.n_components!r}.")
        settle(self, seed=whole_number("seed", self.seed, at_least=0))
        variance = positive_number("decoder_variance", self.decoder_variance)
        is_binary = self.data.preset == "bernoulli"
        settle(self, decoder_variance=DECODER_VARIANCE if is_binary else variance)
        moot = {"prior": "gaussian"} if self.model == "ivae" else {"n_components": 1}
        settle(self, **moot)
        for value in (*self.objective.weights, self.schedule.learning_rate):
            if not isinstance(value, (int, float)):
                raise ValueError(
                    "objective and schedule of a run must have one number for each weight and "
                    f"rate, since members are runs; got {value!r}."
                )
        if not isinstance(self.schedule.decay, str):
            raise ValueError(
                f"schedule of a run must have one decay, since members are runs; "
                f"got {self.schedule.decay!r}."
            )

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Return a run by flat names; by default the released data and the paper's objective.

        Raises
        ------
        ValueError
            For a name that is not a run's, or a value that it cannot have.
        """
        for name in values:
            one_of("every name", name, sorted(FLAT_NAMES))
        given = {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}

        def taken(kind: type, renamed: dict[str, str] | None = None) -> dict[str, Any]:
            names = {f.name: (renamed or {}).get(f.name, f.name) for f in fields(kind)}
            return {name: given.pop(flat) for name, flat in names.items() if flat in given}

        by_default: dict[str, Any] = {"preset": "released", "seed": 1}
        data = DataSettings(**(by_default | taken(DataSettings, _DATA)))
        network, schedule = Network(**taken(Network)), Schedule(**taken(Schedule))
        terms = {name: given.pop(name) for name in _TERMS if name in given}
        objective = _objective(**terms)
        return cls(data, network=network, objective=objective, schedule=schedule, **given)

    @property
    def values(self) -> dict[str, Any]:
        """The run by flat names, all of them."""
        data, network, schedule = (_fields(p) for p in (self.data, self.network, self.schedule))
        data = {_DATA.get(name, name): value for name, value in data.items()}
        own = {name: getattr(self, name) for name in _OWN}
        return data | own | network | _terms(self.objective) | schedule


_OWN = ("model", "seed", "n_components", "prior", "decoder_variance")


def _fields(one: Any) -> dict[str, Any]:
    return {each.name: getattr(one, each.name) for each in fields(one)}


def _objective(
    objective: str = "elbo",
    beta: float = 1.0,
    weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
    estimator: Literal["weighted", "stratified"] = "weighted",
    n_draws: int = 8,
) -> Objective:
    one_of("objective", objective, OBJECTIVES)
    if not isinstance(weights, (tuple, list)) or len(weights) != 4:
        raise ValueError(
            f"weights must be four numbers a, b, c, d; got {weights!r}. In a grid a list is an "
            "axis: give the four as a tuple."
        )
    if objective == "elbo":
        return Bound(_weight("beta", beta))
    if objective == "decomposition":
        a, b, c, d = (_weight(f"weight {name}", v) for name, v in zip("abcd", weights, strict=True))
        return Decomposition(a, b, c, d, estimator)
    return ImportanceWeighted(n_draws)


def _weight(name: str, value: Any) -> float:
    check_weight(name, value)
    if not isinstance(value, (int, float)):
        raise ValueError(f"{name} of a run must be one number; got {value!r}.")
    return float(value)


def _terms(objective: Objective) -> dict[str, Any]:
    """Return flat names and values of an objective; what it does not have is as by default."""
    found: dict[str, Any] = {"beta": 1.0, "weights": (1.0, 1.0, 1.0, 1.0)}
    found |= {"estimator": "weighted", "n_draws": 8}
    if isinstance(objective, Bound):
        return {"objective": "elbo", **found, "beta": objective.beta}
    if isinstance(objective, ImportanceWeighted):
        return {"objective": "importance-weighted", **found, "n_draws": objective.n_draws}
    own = {"weights": objective.weights, "estimator": objective.estimator}
    return {"objective": "decomposition", **found, **own}


_TERMS = tuple(_terms(Bound()))
FLAT_NAMES = tuple(Run(DataSettings("released", 1)).values)
"""All flat names, in the order of a sweep's table."""


def grid(**axes: Any) -> list[Run]:
    """Return a run for every combination; lists and ranges are axes, anything else is fixed.

    ``grid(model=["ivae", "vae"], seed=range(8), epochs=10)`` gives 16 runs. Names are flat, and
    errors those of :meth:`Run.of`.
    """
    values = [list(v) if isinstance(v, (list, range)) else [v] for v in axes.values()]
    return [Run.of(**dict(zip(axes, combination, strict=True))) for combination in product(*values)]


def pack(runs: Sequence[Run], memory_gb: float = 4.0) -> list[list[Run]]:
    """Cut runs into ensembles: equal but for what members may differ in, and within the memory.

    They may differ in seeds, decoder variance, weights of the objective, learning rate and decay.
    """
    positive_number("memory_gb", memory_gb)
    alike: dict[Run, list[Run]] = {}
    for run in dict.fromkeys(runs):
        alike.setdefault(shape_of(run), []).append(run)
    ensembles = []
    for shape, members in alike.items():
        most = max(1, int(memory_gb * 1e9 // bytes_of_member(shape)))
        n_parts = -(-len(members) // most)
        bounds = np.linspace(0, len(members), n_parts + 1).astype(int)
        ensembles += [members[a:b] for a, b in pairwise(bounds)]
    return ensembles


def shape_of(run: Run) -> Run:
    """Return the run without what members of one ensemble may differ in: equal runs go together."""
    objective = run.objective
    if isinstance(objective, Bound):
        objective = Bound()
    elif isinstance(objective, Decomposition):
        objective = Decomposition(estimator=objective.estimator)
    return replace(
        run,
        data=replace(run.data, seed=0),
        seed=0,
        decoder_variance=DECODER_VARIANCE,
        objective=objective,
        schedule=replace(run.schedule, learning_rate=0.01, decay="cosine"),
    )


def bytes_of_member(run: Run) -> int:
    """Return about how much memory one member of a training takes, in bytes.

    Weights are kept some eight times (values, gradients, moments, copies); data, order, noise and
    the posteriors of an evaluation count for each sample; activations for each of a minibatch.
    """
    data, hidden, n_layers = run.data, run.network.hidden, run.network.n_layers
    n, d, m = data.n_latents, data.n_observed, data.n_segments * (run.model == "ivae")
    decoder_layers = run.network.decoder_layers or n_layers
    ends = 2 * hidden * (d + m + n) + hidden * (m + n) * bool(m)
    ends += hidden * (n + d) if decoder_layers > 1 else n * d
    inner = max(0, n_layers - 2) * (3 if m else 2) + max(0, decoder_layers - 2)
    n_weights = ends + hidden * hidden * inner
    n_samples = data.n_segments * data.samples_per_segment
    activations = 4 * 6 * n_layers * hidden * (run.schedule.batch_size * 3 + m)
    return 4 * 8 * n_weights + n_samples * (4 * d + 16 + 32 * n) + activations


def model_of(runs: Sequence[Run]) -> models.LatentVariableModel:
    """Return the untrained ensemble of runs that :func:`pack` has put together."""
    first, seeds = runs[0], [run.seed for run in runs]
    data = first.data
    decoder: dict[str, Any] = {"decoder_variance": [run.decoder_variance for run in runs]}
    if data.preset == "bernoulli":
        decoder = {"likelihood": "bernoulli"}
    common = {"seeds": seeds, "network": first.network, **decoder}
    if first.model == "vae":
        return models.vae(data.n_latents, data.n_observed, prior=first.prior, **common)
    sizes = (data.n_latents, data.n_observed, data.n_segments)
    return models.ivae(*sizes, n_components=first.n_components, **common)


def objective_of(runs: Sequence[Run]) -> Objective:
    """Return what an ensemble of runs maximises, its weights member by member."""
    first = runs[0].objective
    weights: list[Any] = [list(w) for w in zip(*(r.objective.weights for r in runs), strict=True)]
    if isinstance(first, Bound):
        return Bound(*weights)
    if isinstance(first, Decomposition):
        a, b, c, d = weights
        return Decomposition(a, b, c, d, first.estimator)
    return first


def schedule_of(runs: Sequence[Run]) -> Schedule:
    """Return the schedule of an ensemble of runs, its rates member by member."""
    schedules = [run.schedule for run in runs]
    rates: Any = [schedule.learning_rate for schedule in schedules]
    decays: Any = [schedule.decay for schedule in schedules]
    return replace(schedules[0], learning_rate=rates, decay=decays)
