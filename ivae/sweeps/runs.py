"""A training described by plain values, grids of them, and their packing into ensembles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise, product
from typing import Any, Literal

import numpy as np

from ivae import data, models, recipes
from ivae.nets import Network
from ivae.objectives import Bound, Decomposition, ImportanceWeighted, Objective
from ivae.schedules import Decay, Schedule
from ivae.support.checks import one_of, positive_number, whole_number


@dataclass(frozen=True)
class Run:
    """One training: its data, model, objective and schedule, by plain values.

    The defaults are the released code's dataset with the paper's objective. Attributes are those of
    :func:`ivae.data.generate`, :class:`ivae.nets.Network`, :func:`ivae.models.ivae` and
    :class:`ivae.schedules.Schedule`; data of zeros and ones get a Bernoulli decoder. Besides,

    Attributes
    ----------
    mixing_activation
        What :func:`ivae.data.generate` calls ``activation``; here that name is the networks'.
    model
        ``"ivae"`` or ``"vae"``.
    objective
        ``"elbo"``, with ``beta``; ``"decomposition"``, with ``weights`` a, b, c, d; or
        ``"importance-weighted"``, with ``n_draws``.

    Raises
    ------
    ValueError
        For values that those functions do not take.
    """

    preset: str = "released"
    data_seed: int = 1
    n_latents: int = 5
    n_observed: int = 5
    n_segments: int = 40
    samples_per_segment: int = 1000
    centred: bool = True
    spread: recipes.Spread | None = None
    noise_variance: float | None = None
    one_matrix: bool | None = None
    condition: float | None = None
    common_factor: bool | None = None
    nested: bool | None = None
    mixing_activation: Literal["xtanh", "leaky-relu"] | None = None
    source_family: Literal["gaussian", "laplace"] | None = None
    model: Literal["ivae", "vae"] = "ivae"
    seed: int = 0
    n_components: int = 1
    prior: str = "gaussian"
    hidden: int = 100
    n_layers: int = 3
    activation: Literal["xtanh", "leaky-relu"] = "xtanh"
    initialisation: Literal["uniform", "xavier", "lecun"] = "uniform"
    decoder_layers: int | None = None
    decoder_variance: float = 0.01
    objective: Literal["elbo", "decomposition", "importance-weighted"] = "elbo"
    beta: float = 1.0
    weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    estimator: Literal["weighted", "stratified"] = "weighted"
    n_draws: int = 8
    epochs: int = 20
    steps: int | None = None
    batch_size: int = 64
    learning_rate: float = 0.01
    decay: Decay = "cosine"
    patience: int = 0
    held_out: float = 0.0
    stop_after: int | None = None

    def __post_init__(self) -> None:
        one_of("preset", self.preset, recipes.PRESETS)
        one_of("model", self.model, ("ivae", "vae"))
        one_of("objective", self.objective, ("elbo", "decomposition", "importance-weighted"))
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.generic):  # A record holds plain numbers.
                object.__setattr__(self, field.name, value.item())
        if not isinstance(self.weights, (tuple, list)):
            raise ValueError(
                f"weights must be four numbers a, b, c, d; got {self.weights!r}. In a grid a list "
                "is an axis: give the four as a tuple."
            )
        object.__setattr__(self, "weights", tuple(float(weight) for weight in self.weights))
        if len(self.weights) != 4:
            raise ValueError(f"weights must be four numbers a, b, c, d; got {self.weights}.")
        whole_number("seed", self.seed, at_least=0)
        whole_number("data_seed", self.data_seed, at_least=0)
        one_of("prior", self.prior, ("gaussian", "laplace"))
        if self.n_components not in (1, 2):
            raise ValueError(f"n_components must be 1 or 2; got {self.n_components!r}.")
        for name in ("n_latents", "n_observed", "n_segments", "samples_per_segment"):
            whole_number(name, getattr(self, name))
        if self.n_latents > self.n_observed:
            raise ValueError(
                f"n_latents must be at most n_observed = {self.n_observed}; got {self.n_latents}."
            )
        positive_number("decoder_variance", self.decoder_variance)
        self._refuse_what_has_no_effect()
        _network(self)
        objective_of([self])
        schedule_of([self])

    def _refuse_what_has_no_effect(self) -> None:
        """Two runs that differ in such a value would be one training under two names."""
        owner = {"beta": "elbo", "weights": "decomposition", "estimator": "decomposition"}
        owner |= {"n_draws": "importance-weighted", "prior": "vae", "n_components": "ivae"}
        for field in fields(self):
            wanted = owner.get(field.name)
            value = getattr(self, field.name)
            if wanted and wanted not in (self.objective, self.model) and value != field.default:
                raise ValueError(
                    f"{field.name} = {value!r} has no effect on a run with model {self.model!r} "
                    f"and objective {self.objective!r}: it belongs to {wanted!r}. Leave it out."
                )
        if self.decoder_layers == self.n_layers:
            raise ValueError(
                f"decoder_layers = {self.decoder_layers} has no effect: n_layers is the same. "
                "Leave it out."
            )
        is_binary = self.preset == "bernoulli"
        if is_binary and self.decoder_variance != Run.decoder_variance:
            raise ValueError(
                f"decoder_variance = {self.decoder_variance!r} has no effect on a Bernoulli "
                "decoder. Leave it out."
            )
        recipe = recipes.RECIPES[self.preset]
        for name, of_recipe in _CHANGES.items():
            value = getattr(self, name)
            # A linear mixing has one matrix, and no more; binary data have no Gaussian noise.
            is_moot = self.preset in recipes.MOOT.get(of_recipe, ())
            if value is not None and (is_moot or value == getattr(recipe, of_recipe)):
                raise ValueError(
                    f"{name} = {value!r} has no effect: the preset {self.preset!r} is so by "
                    "itself. Leave it out."
                )
        recipes.changed(self.preset, self.n_latents, self.centred, **_changes_of(self))


_CHANGES = {
    {"activation": "mixing_activation"}.get(field.name, field.name): field.name
    for field in fields(recipes.Recipe)
}
"""What may be changed about a preset, and what :class:`ivae.recipes.Recipe` calls it."""

PER_MEMBER = (
    "data_seed",
    "seed",
    "decoder_variance",
    "beta",
    "weights",
    "learning_rate",
    "decay",
)
"""What members of one ensemble may differ in."""


def grid(**axes: Any) -> list[Run]:
    """Return a run for every combination; lists and ranges are axes, anything else is fixed.

    ``grid(model=["ivae", "vae"], seed=range(8), epochs=10)`` gives 16 runs.

    Raises
    ------
    ValueError
        For a name that is not a :class:`Run`'s, or a value that a run refuses.
    """
    known = {field.name for field in fields(Run)}
    for name in axes:
        one_of("every axis", name, sorted(known))
    values = [list(v) if isinstance(v, (list, range)) else [v] for v in axes.values()]
    return [Run(**dict(zip(axes, combination, strict=True))) for combination in product(*values)]


def pack(runs: Sequence[Run], memory_gb: float = 4.0) -> list[list[Run]]:
    """Cut runs into ensembles: equal but for :data:`PER_MEMBER`, and within the memory."""
    positive_number("memory_gb", memory_gb)
    alike: dict[Run, list[Run]] = {}
    common = {name: getattr(Run(), name) for name in PER_MEMBER}
    for run in dict.fromkeys(runs):
        alike.setdefault(replace(run, **common), []).append(run)
    ensembles = []
    for shape, members in alike.items():
        most = max(1, int(memory_gb * 1e9 // bytes_of_member(shape)))
        n_parts = -(-len(members) // most)
        bounds = np.linspace(0, len(members), n_parts + 1).astype(int)
        ensembles += [members[a:b] for a, b in pairwise(bounds)]
    return ensembles


def bytes_of_member(run: Run) -> int:
    """Return about how much memory one member of a training takes, in bytes.

    Weights are kept some eight times (values, gradients, moments, copies); data, order, noise and
    the posteriors of an evaluation count for each sample; activations for each of a minibatch.
    """
    n, d, m = run.n_latents, run.n_observed, run.n_segments * (run.model == "ivae")
    decoder_layers = run.decoder_layers or run.n_layers
    square = run.hidden * run.hidden
    ends = 2 * run.hidden * (d + m + n) + run.hidden * (m + n) * bool(m)
    ends += run.hidden * (n + d) if decoder_layers > 1 else n * d
    inner = square * max(0, run.n_layers - 2) * (3 if m else 2)
    n_weights = ends + inner + square * max(0, decoder_layers - 2)
    n_samples = run.n_segments * run.samples_per_segment
    activations = 4 * 6 * run.n_layers * run.hidden * (run.batch_size * 3 + m)
    return 4 * 8 * n_weights + n_samples * (4 * d + 16 + 32 * n) + activations


def dataset_of(run: Run) -> data.NonstationaryData:
    """Return the data of a run."""
    return data.generate(
        run.preset,
        run.data_seed,
        run.n_latents,
        run.n_observed,
        run.n_segments,
        run.samples_per_segment,
        centred=run.centred,
        **_changes_of(run),
    )


def _changes_of(run: Run) -> dict[str, Any]:
    return {of_recipe: getattr(run, name) for name, of_recipe in _CHANGES.items()}


def _network(run: Run) -> Network:
    return Network(
        *(run.hidden, run.n_layers, run.activation, run.initialisation, run.decoder_layers)
    )


def model_of(runs: Sequence[Run]) -> models.LatentVariableModel:
    """Return the untrained ensemble of runs that :func:`pack` has put together."""
    first, seeds = runs[0], [run.seed for run in runs]
    n, d, network = first.n_latents, first.n_observed, _network(first)
    if first.preset == "bernoulli":
        decoder: dict[str, Any] = {"likelihood": "bernoulli"}
    else:
        decoder = {"decoder_variance": [run.decoder_variance for run in runs]}
    if first.model == "vae":
        return models.vae(n, d, seeds=seeds, prior=first.prior, network=network, **decoder)
    return models.ivae(
        n,
        d,
        first.n_segments,
        seeds=seeds,
        n_components=first.n_components,
        network=network,
        **decoder,
    )


def objective_of(runs: Sequence[Run]) -> Objective:
    """Return what an ensemble of runs maximises, its weights member by member."""
    first = runs[0]
    if first.objective == "elbo":
        return Bound([run.beta for run in runs])
    if first.objective == "importance-weighted":
        return ImportanceWeighted(first.n_draws)
    a, b, c, d = ([run.weights[i] for run in runs] for i in range(4))
    return Decomposition(a, b, c, d, first.estimator)


def schedule_of(runs: Sequence[Run]) -> Schedule:
    """Return the schedule of an ensemble of runs, its rates member by member."""
    first = runs[0]
    return Schedule(
        epochs=first.epochs,
        batch_size=first.batch_size,
        learning_rate=[run.learning_rate for run in runs],
        decay=[run.decay for run in runs],
        patience=first.patience,
        steps=first.steps,
        held_out=first.held_out,
        stop_after=first.stop_after,
    )
