"""Training: a whole ensemble in one call, on all cores or on one GPU.

The members share a program and nothing else. Each has its own initial weights, minibatches and
posterior noise, drawn from its own seed; the loss is the sum over members; Adam works element by
element. So E members trained together are E runs, and a test holds them equal. That leaves the
arrangement free: members are cut into shards, and a long training puts each into a process.

>>> from ivae.data import generate
>>> from ivae.models import ivae
>>> one = generate("linear", 1, n_latents=2, n_observed=2, n_segments=4, samples_per_segment=50)
>>> ensemble = ivae(2, 2, 4, seeds=[0, 1, 2])
>>> history = train(ensemble, one.x, one.u, one.z, schedule=Schedule(epochs=2), progress=False)
>>> history.mcc.shape  # Two evaluations, three members.
(2, 3)
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ivae.engine.batches import Minibatches
from ivae.engine.checkpoints import Checkpoint
from ivae.engine.gradients import encoder_of
from ivae.engine.history import EveryMemberDiverged, History, collect
from ivae.engine.processes import choose_processes, cut
from ivae.engine.shards import Shard, train_shards
from ivae.models import LatentVariableModel
from ivae.objectives import Bound, Objective, noise_shape
from ivae.schedules import LearningRates, Schedule, Weights
from ivae.support.checks import finite_array, whole_number
from ivae.support.progress import ProgressLine


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

    Ctrl-C ends it and its processes, and leaves the model as it was; what ``checkpoint`` holds then
    can be gone on with.

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
    encoder_of(model)  # A model with other networks is refused here.
    x_data, u_data = model.check_data(x, u, every_segment=True)
    sources = None if z is None else _sources(model, z, x_data.shape[1])
    draws = noise_shape(objective, model.n_latents)
    data = Minibatches(x_data, u_data, model.seeds, schedule.batch_size, schedule.held_out, draws)
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
    with ProgressLine(label, shown=progress) as line:
        train_shards(shards, folder, processes, _Report(line, [len(p) for p in parts], n_steps))
    for members, shard in zip(parts, shards, strict=True):
        model.assign(members, shard.model)
    history = collect(parts, shards, data.steps_per_epoch, line.elapsed)
    if len(history.diverged) == model.n_members:
        raise EveryMemberDiverged(model.seeds, history)
    _announce(line, model, history)
    return history


class _Report:
    """Adds the shards up to one progress line."""

    def __init__(self, line: ProgressLine, members: list[int], n_steps: int) -> None:
        self.line, self.members, self.total = line, members, n_steps * sum(members)
        self.began: dict[int, float] = {}
        self.now: dict[int, tuple[float, float, float]] = {}

    def __call__(self, number: int, step: float, objective: float, score: float) -> None:
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
        "decoder": model.decoder.shape,
        "encoder": encoder_of(model).shape,
        "likelihood": model.likelihood.settings,
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
