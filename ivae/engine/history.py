"""What a training measured, put together from its shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ivae.engine.evaluation import MEASURES
from ivae.engine.shards import Shard
from ivae.support.checks import Array


@dataclass(frozen=True)
class History:
    """What was measured while E members trained, at T evaluations.

    An evaluation's means are over the minibatches since the one before. Values of a member that
    stopped early stay as they were; those of one that diverged are NaN from then on.

    Attributes
    ----------
    steps, epochs
        When the evaluations were, (T,).
    objective
        Mean of what is maximised, in nats for one sample, (T, E).
    elbo, reconstruction, kl
        The ELBO (weights 1) and its two terms, whatever the objective, (T, E).
    mutual_information, total_correlation, dimension_wise_kl
        The three parts of the KL term as estimated from minibatches, which shifts them, see
        :func:`ivae.objectives.log_aggregate`; (T, E), NaN for members whose weights do not need
        them, None where the objective is no decomposition.
    held_out
        The objective on the samples kept from training, (T, E); None without any.
    mcc, mcc_sampled
        Over all samples, (T, E): of the posterior mean, and of one draw from the posterior (the
        paper's). None where the sources are not known.
    diverged
        Members that were frozen because they diverged, each with the cause.
    stopped
        Members that were stopped early, each with the number of steps it made.
    seconds
        Wall time of this call; less than the training's where it was resumed.
    """

    steps: NDArray[np.int64]
    epochs: Array
    objective: Array
    reconstruction: Array
    kl: Array
    mutual_information: Array | None
    total_correlation: Array | None
    dimension_wise_kl: Array | None
    held_out: Array | None
    mcc: Array | None
    mcc_sampled: Array | None
    diverged: dict[int, str]
    stopped: dict[int, int]
    seconds: float

    @property
    def elbo(self) -> Array:
        """Reconstruction - KL, (T, E)."""
        return np.asarray(self.reconstruction - self.kl)


class EveryMemberDiverged(FloatingPointError):
    """No member is left; ``history`` says when and why each was lost."""

    def __init__(self, seeds: Sequence[int], history: History) -> None:
        causes = "; ".join(
            f"member {e} (seed {seeds[e]}): {cause}" for e, cause in history.diverged.items()
        )
        super().__init__(
            f"every member diverged ({causes}). Lower the learning rate or raise the decoder "
            "variance."
        )
        self.seeds, self.history = seeds, history

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel out of another process whole."""
        return EveryMemberDiverged, (self.seeds, self.history)


def collect(
    parts: list[list[int]],
    shards: list[Shard],
    steps_per_epoch: int,
    seconds: float,
) -> History:
    """Put the histories of shards together, in the members' order.

    Parameters
    ----------
    parts, shards
        Members of each shard, and the shards after training.
    steps_per_epoch, seconds
        To count epochs with, and the training's wall time.
    """
    diverged = {
        m[e]: c for m, s in zip(parts, shards, strict=True) for e, c in s.standing.diverged.items()
    }
    stopped = {
        m[e]: n for m, s in zip(parts, shards, strict=True) for e, n in s.standing.stopped.items()
    }
    # Where all members of a shard stopped early, its last row holds for the rest of the training;
    # where all diverged before the first evaluation, its rows lack what was not measured.
    longest = max(shards, key=lambda shard: (shard.step, len(shard.rows)))
    blank = [np.full(shard.model.n_members, np.nan) for shard in shards]
    columns: dict[str, Array] = {}
    for name in max((shard.rows[0] for shard in shards), key=len):
        columns[name] = np.stack(
            [
                np.concatenate(
                    [
                        shard.rows[min(t, len(shard.rows) - 1)].get(name, nothing)
                        for shard, nothing in zip(shards, blank, strict=True)
                    ]
                )
                for t in range(len(longest.rows))
            ]
        )
    steps = np.array(longest.evaluated_at)
    unknown = np.full((len(steps), sum(map(len, blank))), np.nan)
    objective, reconstruction, kl = (columns.get(name, unknown) for name in MEASURES[:3])
    optional = {
        name: columns.get(name) for name in (*MEASURES[3:], "held_out", "mcc", "mcc_sampled")
    }
    return History(
        steps=steps,
        epochs=steps / steps_per_epoch,
        objective=objective,
        reconstruction=reconstruction,
        kl=kl,
        **optional,
        diverged=dict(sorted(diverged.items())),
        stopped=dict(sorted(stopped.items())),
        seconds=seconds,
    )
