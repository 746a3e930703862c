"""Training: a whole ensemble in one call, on all cores or on one GPU.

The members share a program and nothing else. Each has its own initial weights, minibatches and
posterior noise, drawn from its own seed; the loss is the sum over members; Adam works element by
element. So E members trained together are E runs, and a test holds them equal. That leaves the
arrangement free: members are cut into shards, and a long training puts each into a process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ivae.batches import Minibatches
from ivae.checkpoints import Checkpoint
from ivae.checks import finite_array, whole_number
from ivae.models import LatentVariableModel
from ivae.objectives import Bound, Objective
from ivae.progress import ProgressLine
from ivae.schedules import LearningRates, Schedule, Weights
from ivae.shards import MEASURES, Shard
from ivae.workers import choose_processes, cut, run

Array = NDArray[np.floating[Any]]


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
        :mod:`ivae.aggregate`; (T, E), NaN for members whose weights do not need them, None where
        the objective is no decomposition.
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


def train(
    model: LatentVariableModel,
    x: ArrayLike,
    u: ArrayLike,
    z: ArrayLike | None = None,
    *,
    schedule: Schedule | None = None,
    objective: Objective | None = None,
    checkpoint: str | Path | None = None,
    processes: int | None = None,
    label: str = "training",
    progress: bool = True,
) -> History:
    """Maximise an objective for every member, in place.

    Parameters
    ----------
    model
        Ensemble of E members, from :func:`ivae.models.ivae` or :func:`ivae.models.vae`, on the
        device that is to do the work.
    x
        Observations, (N, d) for all members or (E, N, d) with one dataset for each.
    u
        Segment labels 0 .. M - 1, (N,) or (E, N) as x. Each segment needs at least one sample.
    z
        True sources (N, n) or (E, N, n), only ever used to measure the MCC.
    schedule
        Length, minibatch size, learning rates, evaluations, early stop.
    objective
        What to maximise, from :mod:`ivae.objectives`; Eq. (8) by default.
    checkpoint
        Folder that is written at every evaluation. Where a killed training left one, the same call
        with a model that was built anew goes on from there, and ends with the numbers that the
        first would have had.
    processes
        Processes to cut the ensemble over, one thread each; 1 trains it in this one, with its
        threads. By default as many as there are threads where the work is worth it. The results do
        not depend on it, except for rounding.
    label, progress
        Name on the progress line, and whether to show one.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        When shapes do not fit the model, for NaN in x or z, for labels that are not the integers
        0 .. M - 1 or leave a segment empty, for lists that do not have one entry for each member,
        and for a checkpoint that is damaged or of another training.
    EveryMemberDiverged
        A FloatingPointError. A single member is frozen and named in ``History.diverged``.
    """
    schedule, objective = schedule or Schedule(), objective or Bound()
    x_data, u_data = model.check_data(x, u, every_segment=True)
    sources = None if z is None else _sources(model, z, x_data.shape[1])
    line = ProgressLine(label, shown=progress)
    draws = () if objective.n_draws == 1 else (objective.n_draws,)
    data = Minibatches(
        x_data, u_data, model.seeds, schedule.batch_size, schedule.held_out,
        (*draws, model.n_latents),
    )  # fmt: skip
    weights = Weights(objective.weights, model.n_members)
    rates = LearningRates(schedule, model.n_members)
    n_steps = schedule.n_steps(data.steps_per_epoch)
    if processes is None:
        n_weights = sum(p.numel() for p in model.parameters()) // model.n_members
        processes = choose_processes(model.n_members, n_weights, n_steps, schedule.batch_size)
    whole_number("processes", processes)
    if x_data.is_cuda:
        processes = 1
    parts = cut(model.n_members, processes)
    folder = None
    if checkpoint is not None:
        settings = _settings(model, schedule, objective, x_data, u_data, sources)
        folder = Checkpoint(checkpoint, settings, parts)
        parts = folder.shards
    shards = [
        Shard(
            model.of(members),
            data.of(members),
            None if sources is None else _of_members(sources, members),
            objective,
            weights.of(members),
            rates.of(members),
            schedule,
        )
        for members in parts
    ]
    run(shards, folder, processes, _Report(line, [len(p) for p in parts], n_steps))
    for members, shard in zip(parts, shards, strict=True):
        model.assign(members, shard.model)
    history = _history(model, parts, shards, data.steps_per_epoch, line.elapsed)
    line.close()
    if len(history.diverged) == model.n_members:
        raise EveryMemberDiverged(model.seeds, history)
    _announce(line, model, history)
    return history


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
        self.history = history


class _Report:
    """Adds the shards up to one progress line."""

    def __init__(self, line: ProgressLine, members: list[int], n_steps: int) -> None:
        self.line, self.members, self.total = line, members, n_steps * sum(members)
        self.began: dict[int, int] = {}
        self.now: dict[int, tuple[int, float, float]] = {}

    def __call__(self, number: int, step: int, objective: float, score: float) -> None:
        """Note how far a shard has come, and rewrite the line."""
        self.began.setdefault(number, step)  # Not 0 where it was resumed.
        self.now[number] = step, objective, score
        sizes = self.members
        done = sum(now[0] * sizes[i] for i, now in self.now.items())
        made = done - sum(step * sizes[i] for i, step in self.began.items())
        speed = made / max(self.line.elapsed, 1e-9)
        text = f"{100 * done / self.total:.0f} %"
        if speed:
            text += f", {speed:,.0f} member-steps/s, {(self.total - done) / speed:.0f} s left"
        for place, title in ((1, "objective"), (2, "MCC")):
            known = [(n[place], sizes[i]) for i, n in self.now.items() if n[place] == n[place]]
            if known:
                mean = sum(v * n for v, n in known) / sum(n for _, n in known)
                text += f", {title} {mean:.3f}"
        self.line.report(text)


def _announce(line: ProgressLine, model: LatentVariableModel, history: History) -> None:
    """Say aloud who diverged or stopped."""
    for member, cause in history.diverged.items():
        line.announce(
            f"{line.label}: member {member} (seed {model.seeds[member]}) diverged, {cause}; it is "
            "frozen as it was before. Lower its learning rate or raise its decoder variance."
        )
    for member, step in history.stopped.items():
        line.announce(
            f"{line.label}: member {member} (seed {model.seeds[member]}) stopped after {step} "
            f"steps: {line.label} no longer improved it."
        )


def _history(
    model: LatentVariableModel,
    parts: list[list[int]],
    shards: list[Shard],
    steps_per_epoch: int,
    seconds: float,
) -> History:
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
    return History(
        steps=steps,
        epochs=steps / steps_per_epoch,
        **{name: columns.get(name) for name in (*MEASURES, "held_out", "mcc", "mcc_sampled")},  # type: ignore[arg-type]
        diverged=dict(sorted(diverged.items())),
        stopped=dict(sorted(stopped.items())),
        seconds=seconds,
    )


def _sources(model: LatentVariableModel, z: ArrayLike, n_rows: int) -> Tensor:
    array = np.asarray(z)
    lead: tuple[str | int, ...] = (model.n_members,) if array.ndim == 3 else ()
    array = finite_array("z", array, (*lead, n_rows, model.n_latents))
    return torch.as_tensor(np.ascontiguousarray(array)).expand(model.n_members, -1, -1)


def _of_members(sources: Tensor, members: list[int]) -> Tensor:
    return sources[: len(members)] if sources.stride(0) == 0 else sources[members]


def _settings(
    model: LatentVariableModel,
    schedule: Schedule,
    objective: Objective,
    x: Tensor,
    u: Tensor,
    sources: Tensor | None,
) -> dict[str, Any]:
    """Return everything that decides a training's numbers, for its checkpoint."""
    return {
        "seeds": model.seeds,
        "prior": model.family.name,
        "sizes": (model.n_latents, model.n_observed, model.n_segments),
        "network": asdict(model.network),
        "decoder_variance": model.decoder_variance.tolist(),
        "dtype": str(x.dtype),
        "device": x.device.type,
        "objective": {"name": type(objective).__name__, **asdict(objective)},
        "schedule": asdict(schedule),
        "data": _digest(x, u),
        "sources": None if sources is None else _digest(sources),
        "initial weights": _digest(*model.parameters()),
    }


def _digest(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        once = tensor[:1] if tensor.stride(0) == 0 else tensor
        digest.update(once.detach().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
