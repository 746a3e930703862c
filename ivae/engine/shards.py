"""A shard: the members of an ensemble that step together, from their first step to their last.

Members do not depend on who shares their shard, so an ensemble can be cut into shards that fit the
cache and run side by side, and a member that has diverged or stopped is simply taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ivae.engine.batches import Minibatches
from ivae.engine.checkpoints import Checkpoint
from ivae.engine.evaluation import MEASURES, Standing, held_out_objective, score_sources
from ivae.engine.processes import keep_freed_memory, run_jobs
from ivae.engine.steps import GraphedStep, MemberwiseAdam, Step
from ivae.models import LatentVariableModel
from ivae.objectives import Objective
from ivae.schedules import LearningRates, Schedule, Weights
from ivae.support.checks import Array

State = tuple[dict[str, Tensor], dict[str, Any]]
"""All that another process needs to go on with a shard: tensors, and plain values."""


class Shard:
    """Trains some members of an ensemble together.

    Parameters
    ----------
    model
        The shard's members, weights of their own.
    data
        Their minibatches.
    sources
        True sources (E, N, n), or None where they are not known.
    objective, weights, rates
        What to maximise, the weights of its terms, and the learning rates.
    schedule
        How long to train and when to evaluate.
    """

    def __init__(
        self,
        model: LatentVariableModel,
        data: Minibatches,
        sources: Tensor | None,
        objective: Objective,
        weights: Weights,
        rates: LearningRates,
        schedule: Schedule,
    ) -> None:
        self.model, self.data, self.sources = model, data, sources
        self.objective, self.weights, self.rates = objective, weights, rates
        self.schedule = schedule
        self.n_steps = schedule.n_steps(data.steps_per_epoch)
        self.step = 0
        self.standing = Standing.of(model.n_members)
        self.rows: list[dict[str, Array]] = []
        self.evaluated_at: list[int] = []
        self._take(list(range(model.n_members)), [])

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as before the first step; :meth:`state` brings the rest."""
        settings = (self.objective, self.weights, self.rates, self.schedule)
        return Shard, (self.model, self.data, self.sources, *settings)

    def advance(self, report: Callable[[int], None]) -> None:
        """Train to the next evaluation, and evaluate; ``report`` gets the step now and then.

        A member whose objective or gradients are no longer finite is found at the evaluation. The
        steps since the last one are then repeated under guard: up to its first bad step the member
        trains as before, there it is frozen, and the others go on.
        """
        began = self.step
        values = self.adam.values.clone()
        moments = [moment.clone() for moment in self.adam.moments()]
        sums, n_rows = self._train(self._next_evaluation(), report)
        finite = sums[:3].isfinite().all() & self.adam.values.isfinite().all()
        if not bool(finite):
            self.adam.values.copy_(values)
            self.step = began
            self._take(self.live, moments, self.live_model)
            sums, n_rows = self._train(self._next_evaluation(), report, guarded=True)
        self.model.assign(self.live, self.live_model)
        self._evaluate((sums / n_rows).cpu().numpy())

    def last_means(self) -> tuple[float, float]:
        """Return the members' mean objective and MCC at the last evaluation, NaN where unknown."""
        row = self.rows[-1] if self.rows else {}
        values = [row.get(name, np.array(np.nan)) for name in ("objective", "mcc")]
        known = [value[np.isfinite(value)] for value in values]
        objective, score = (float(k.mean()) if k.size else np.nan for k in known)
        return objective, score

    @property
    def is_done(self) -> bool:
        """Whether all steps are made, or no member is left to train."""
        return self.step >= self.n_steps or not self.live

    def _take(
        self, live: list[int], moments: list[Tensor], model: LatentVariableModel | None = None
    ) -> None:
        """Train these members from now on, with Adam's moments as given."""
        self.live = live
        self.live_model = self.model.of(live) if model is None else model
        self.live_data = self.data.of(live)
        self.live_rates, self.live_weights = self.rates.of(live), self.weights.of(live)
        self.adam = MemberwiseAdam(self.live_model.parameters())
        self.adam.set_moments(moments)
        kind = GraphedStep if self.live_data.x.is_cuda else Step
        sizes = self.data.n_rows, min(self.data.batch_size, self.data.n_rows)
        self.make_step = kind(self.live_model, self.objective, self.adam, *sizes)

    def _keep(self, positions: list[int]) -> None:
        """Go on with some of the live members alone."""
        self.model.assign(self.live, self.live_model)
        live = [self.live[position] for position in positions]
        self._take(live, self.adam.moments_of(positions))

    def _next_evaluation(self) -> int:
        every = self.schedule.evaluate_every or self.data.steps_per_epoch
        return min((self.step // every + 1) * every, self.n_steps)

    def _train(
        self, until: int, report: Callable[[int], None], guarded: bool = False
    ) -> tuple[Tensor, int]:
        """Make the steps up to ``until``; return the terms' sums (T, live) and how many rows."""
        device = self.data.x.device
        sums = torch.zeros(1, len(self.live), dtype=torch.float64, device=device)
        n_rows = 0
        while self.step < until and self.live:
            epoch, first = divmod(self.step, self.data.steps_per_epoch)
            last = min(self.data.steps_per_epoch, first + until - self.step)
            settings = self._settings(last - first)
            for x, u, noise in self.live_data.of_epoch(epoch, first, last):
                weights, rates = next(settings)
                if not guarded:
                    sums = sums + self.make_step(x, u, noise, weights, rates)
                else:
                    terms = self.make_step.gradients(x, u, noise, weights)
                    sound = self._freeze_diverged(terms)
                    if len(sound) < len(x):
                        sums = sums[:, sound]  # The others make this step anew, without them.
                        break
                    sums = sums + terms
                    self.adam.step(rates)
                self.step += 1
                n_rows += x.shape[1]
                if self.step % 32 == 0:
                    report(self.step)
        report(self.step)
        return sums, n_rows

    def _settings(self, n_steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the weights (E, k) and the learning rates, (E,) or one, of the coming steps."""
        like = self.data.x
        progress = np.arange(self.step, self.step + n_steps) / self.n_steps
        rates = self.live_rates.at(progress, self.standing.falls[self.live])
        if not like.is_cuda and (rates == rates[:, :1]).all():  # A CUDA graph wants one shape.
            rates = rates[:, :1]
        constant = self.live_weights.are_constant
        weights = self.live_weights.at(progress[:1] if constant else progress)
        each = torch.from_numpy(weights).to(like.device, like.dtype)
        of_step = torch.from_numpy(rates).to(like.device, like.dtype).unbind()
        return zip(repeat(each[0]) if constant else each.unbind(), of_step, strict=False)

    def _freeze_diverged(self, terms: Tensor) -> list[int]:
        """Take out members whose terms or gradients are not finite; return the others' places."""
        rows = {"reconstruction term": terms[1], "KL term": terms[2], "objective": terms[0]}
        finite = {name: row.isfinite() for name, row in rows.items()}
        of_each = [gradient.flatten(1).isfinite().all(1) for gradient in self.adam.gradients]
        finite["gradient"] = torch.stack(of_each).all(0)
        sound = []
        for position, member in enumerate(self.live):
            bad = [name for name, good in finite.items() if not good[position]]
            if bad:
                cause = f"its {bad[0]} is no longer finite"
                self.standing.diverged[member] = f"{cause} in step {self.step + 1}"
            else:
                sound.append(position)
        if len(sound) < len(self.live):
            self._keep(sound)
        return sound

    def _evaluate(self, means: Array) -> None:
        """Record the T terms' means (T, live) and the scores, then judge who goes on."""
        measured = dict(zip(MEASURES, means, strict=False))
        if self.live:
            weights, _ = next(self._settings(1))
            kept = held_out_objective(self.live_model, self.live_data, self.objective, weights)
            measured |= {} if kept is None else {"held_out": kept}
            if self.sources is not None:
                known = [self.sources[member].numpy() for member in self.live]
                data = self.live_data
                measured |= score_sources(self.live_model, data.x, data.u, known, len(self.rows))
        blank = np.full(self.model.n_members, np.nan)
        before = self.rows[-1] if self.rows else {}
        row = {name: before.get(name, blank).copy() for name in before or measured}
        for name, values in measured.items():
            row[name][self.live] = values
        for array in row.values():
            array[list(self.standing.diverged)] = np.nan
        self.rows.append(row)
        self.evaluated_at.append(self.step)
        if self.live:
            judged = measured["held_out"] if "held_out" in measured else measured["objective"]
            self.standing.judge(self.live, judged, self.schedule)
            self._stop_who_waited()

    def _stop_who_waited(self) -> None:
        limit = self.schedule.stop_after
        if limit is None or self.is_done:
            return
        going = [i for i, m in enumerate(self.live) if self.standing.waited[m] < limit]
        if len(going) < len(self.live):
            stopped = {m for m in self.live if self.standing.waited[m] >= limit}
            self.standing.stopped |= dict.fromkeys(sorted(stopped), self.step)
            self._keep(going) if going else self.live.clear()

    def state(self) -> State:
        """Return where the training stands."""
        tensors = {f"model.{name}": p.detach() for name, p in self.model.named_parameters()}
        moments = self.adam.moments() if self.live else []
        tensors |= {f"adam.{i:03d}": moment for i, moment in enumerate(moments)}
        for name in self.rows[0] if self.rows else ():
            tensors[f"row.{name}"] = torch.as_tensor(np.stack([row[name] for row in self.rows]))
        for name in ("best", "bad", "waited", "falls"):
            tensors[f"standing.{name}"] = torch.as_tensor(getattr(self.standing, name))
        plain = {
            "step": self.step,
            "evaluated_at": self.evaluated_at,
            "live": self.live,
            "diverged": {str(e): cause for e, cause in self.standing.diverged.items()},
            "stopped": {str(e): step for e, step in self.standing.stopped.items()},
        }
        return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, plain

    def restore(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(tensors[f"model.{name}"])
        names = [name.removeprefix("row.") for name in tensors if name.startswith("row.")]
        columns = {name: tensors[f"row.{name}"].numpy() for name in names}
        self.evaluated_at = list(plain["evaluated_at"])
        self.rows = [{n: columns[n][t] for n in names} for t in range(len(self.evaluated_at))]
        for name in ("best", "bad", "waited", "falls"):
            setattr(self.standing, name, tensors[f"standing.{name}"].numpy())
        self.standing.diverged = {int(e): cause for e, cause in plain["diverged"].items()}
        self.standing.stopped = {int(e): step for e, step in plain["stopped"].items()}
        self.step = plain["step"]
        live = list(plain["live"])
        if not live:
            self.live = live
            return
        moments = [tensors[name] for name in sorted(tensors) if name.startswith("adam.")]
        device = self.data.x.device
        self._take(live, [m.to(device) if m.dim() else m for m in moments])


def train_shards(
    shards: list[Shard],
    folder: Checkpoint | None,
    processes: int,
    report: Callable[[int, float, float, float], None],
) -> None:
    """Train all shards, in place.

    Parameters
    ----------
    shards, folder
        What to train, and where to write checkpoints.
    processes
        How many to use; with 1 the shards are trained here, one after the other.
    report
        Gets a shard's number, step, last mean objective and mean MCC (NaN where unknown).
    """
    jobs = [(shard, number, folder) for number, shard in enumerate(shards)]
    if processes == 1:
        for shard, number, _ in jobs:
            _train_shard(shard, number, folder, partial(report, number))
    else:
        for shard, state in zip(
            shards, run_jobs(_train_shard, jobs, processes, report), strict=True
        ):
            shard.restore(*state)


def _train_shard(
    shard: Shard, number: int, folder: Checkpoint | None, note: Callable[..., None]
) -> State:
    keep_freed_memory()
    saved = None if folder is None else folder.read(number)
    if saved is not None:
        shard.restore(*saved)
    note(shard.step, *shard.last_means())
    while not shard.is_done:
        shard.advance(lambda step: note(step, *shard.last_means()))
        if folder is not None:
            folder.write(number, *shard.state())
    note(shard.n_steps, *shard.last_means())
    return shard.state()
