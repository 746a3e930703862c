"""How long, how fast and towards what to train: schedules of learning rates and of weights.

>>> rates = LearningRates(Schedule(learning_rate=[0.01, 0.001]), n_members=2)
>>> rates.at(0.5, n_falls=np.zeros(2, int))  # Half of the steps made, along half a cosine.
array([0.005 , 0.0005])
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ivae.support.checks import Array, for_each_member, one_of, positive_number, whole_number

Decay = Literal["cosine", "constant", "plateau"]
DECAYS = get_args(Decay)
PLATEAU_FACTOR = 0.1  # The released code's.
IMPROVEMENT = 1e-4  # Relative gain below which an evaluation counts as no better.


@dataclass(frozen=True)
class Ramp:
    """A weight that moves on a straight line from ``start`` to ``stop``, then stays there.

    Attributes
    ----------
    start, stop
        One number, or one for each member.
    until
        Share of the training after which ``stop`` is reached, in (0, 1].
    """

    start: float | Sequence[float]
    stop: float | Sequence[float]
    until: float = 1.0

    def __post_init__(self) -> None:
        if positive_number("until", self.until) > 1:
            raise ValueError(f"until must be a share of the training, at most 1; got {self.until}.")


Weight = float | Sequence[float] | Ramp


def check_weight(name: str, weight: Weight) -> None:
    """Raise a ValueError unless a weight, or both ends of its ramp, are finite and >= 0."""
    ends = (weight.start, weight.stop) if isinstance(weight, Ramp) else (weight,)
    for end in ends:
        array = np.asarray(end)
        numbers = array.dtype.kind in "fiu" and array.ndim <= 1 and array.size > 0
        if not (numbers and np.isfinite(array).all() and (array >= 0).all()):
            raise ValueError(
                f"{name} must be a number >= 0, a sequence of one for each member, or a Ramp "
                f"between such; got {weight!r}."
            )


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes
    ----------
    epochs
        Passes over the data. 20 passes over 40,000 samples are the released code's 12,500 steps.
    batch_size
        Samples in a minibatch; the paper's 64.
    learning_rate
        Adam's, at the start, for all members or one for each; the paper's grid is {.01, .001}.
    decay
        How the learning rate falls, for all members or one for each: ``"cosine"``, along half a
        cosine to 0, so that the last epochs average the minibatch noise away; ``"constant"``; or
        ``"plateau"``, by a factor of 10 after more than ``patience`` evaluations in a row without
        improvement. An improvement is a gain of more than 1e-4 of the best value's size. (torch's
        rule, which the released code uses, takes slightly worse values for better ones where the
        loss is negative.)
    patience
        Evaluations without improvement that ``"plateau"`` puts up with.
    steps
        Length in steps instead of in epochs.
    evaluate_every
        Steps between evaluations; by default one follows each epoch.
    held_out
        Share of the samples, in [0, 1), that is not trained on but evaluated; each member sets its
        own aside. Improvement is then judged by them, else by the training objective.
    stop_after
        A member's training ends after so many evaluations without improvement; by default never.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float | Sequence[float] = 0.01
    decay: Decay | Sequence[Decay] = "cosine"
    patience: int = 0
    steps: int | None = None
    evaluate_every: int | None = None
    held_out: float = 0.0
    stop_after: int | None = None

    def __post_init__(self) -> None:
        whole_number("epochs", self.epochs)
        whole_number("batch_size", self.batch_size)
        rates = np.asarray(self.learning_rate)
        for rate in rates.tolist() if rates.ndim == 1 else [self.learning_rate]:
            positive_number("learning_rate", rate)
        for decay in [self.decay] if isinstance(self.decay, str) else self.decay:
            one_of("decay", decay, DECAYS)
        whole_number("patience", self.patience, at_least=0)
        for name in ("steps", "evaluate_every", "stop_after"):
            if getattr(self, name) is not None:
                whole_number(name, getattr(self, name))
        share = self.held_out
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1:
            raise ValueError(f"held_out must be a share of the samples in [0, 1); got {share!r}.")

    def n_steps(self, steps_per_epoch: int) -> int:
        """Return the length of the training in steps."""
        return self.epochs * steps_per_epoch if self.steps is None else self.steps


def half_cosine(progress: ArrayLike) -> Array:
    """Return the share of the rate that is left after shares of the steps: 1 at 0, 0 at 1."""
    return np.asarray(0.5 * (1 + np.cos(np.pi * np.asarray(progress))))


class LearningRates:
    """The learning rate of each of E members as training goes on."""

    def __init__(self, schedule: Schedule, n_members: int) -> None:
        rates = for_each_member("learning_rate", schedule.learning_rate, n_members)
        decays = for_each_member("decay", schedule.decay, n_members)
        self.base: Array = rates.astype(np.float64)
        self.falls_by_cosine = decays == "cosine"
        self.falls_on_plateau = decays == "plateau"

    def of(self, members: Sequence[int]) -> LearningRates:
        """Return the rates of these members alone."""
        part, kept = copy.copy(self), list(members)
        part.base = self.base[kept]
        part.falls_by_cosine = self.falls_by_cosine[kept]
        part.falls_on_plateau = self.falls_on_plateau[kept]
        return part

    def at(self, progress: ArrayLike, n_falls: NDArray[np.int64]) -> Array:
        """Return the rates (..., E) after shares (...) of the steps and (E,) plateaus."""
        along_cosine = half_cosine(np.asarray(progress)[..., None])
        # Each factor is 1 where it does not apply.
        on_plateau = PLATEAU_FACTOR ** (n_falls * self.falls_on_plateau)
        return np.asarray(self.base * along_cosine**self.falls_by_cosine * on_plateau)


class Weights:
    """The weights (E, k) of an objective's k terms as training goes on."""

    def __init__(self, weights: Sequence[Weight], n_members: int) -> None:
        ramps = [w if isinstance(w, Ramp) else Ramp(w, w) for w in weights]
        ends = [
            [for_each_member("a weight", end, n_members) for end in (ramp.start, ramp.stop)]
            for ramp in ramps
        ]
        self.start, self.stop = (
            np.array(ends, np.float64).reshape(-1, 2, n_members).transpose(1, 2, 0)
        )
        self.until = np.array([ramp.until for ramp in ramps])
        self.are_constant = bool((self.start == self.stop).all())

    def of(self, members: Sequence[int]) -> Weights:
        """Return the weights of these members alone."""
        part, kept = copy.copy(self), list(members)
        part.start, part.stop = self.start[kept], self.stop[kept]
        return part

    def at(self, progress: ArrayLike) -> Array:
        """Return the weights (..., E, k) after shares (...) of the steps."""
        way = np.minimum(np.asarray(progress)[..., None, None] / self.until, 1.0)
        return np.asarray(self.start + (self.stop - self.start) * way)
