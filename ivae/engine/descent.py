"""Minimise a loss by autograd, where gradients by hand are not worth their lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ivae.engine.batches import Minibatches
from ivae.engine.memory import keep_freed_memory
from ivae.support.checks import positive_number, whole_number
from ivae.support.progress import ProgressLine

N_CHECKS = 20  # Times that a training looks at what was held out.


def minimise(
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    parameters: Iterable[Tensor],
    batches: Minibatches,
    n_steps: int,
    label: str,
    learning_rate: float = 0.01,
    *,
    warm_up: int = 0,
    held_out: Callable[[], Tensor] | None = None,
    progress: bool = True,
) -> None:
    """Train parameters in place with Adam, at a rate that falls along half a cosine to 0.

    Parameters
    ----------
    loss
        Of a minibatch's x (E, B, d), u (E, B) and noise (E, B, ...): the sum over the members, so
        that each is trained as it would be alone.
    parameters
        What is trained, the member axis first.
    batches, n_steps
        The data, and the number of minibatches.
    label, progress
        Name on the progress line, and whether to show one.
    learning_rate
        Adam's, at the start.
    warm_up
        Steps over which the rate first rises to its start.
    held_out
        Returns each member's loss on held-out rows, (E,). Where given, it is asked at the start
        and 20 times after, and every member ends with the parameters that were best by it. One
        that has diverged before the first of the 20 stays so, for the caller to see.

    Raises
    ------
    ValueError
        When n_steps or the rate are not positive.
    """
    whole_number("n_steps", n_steps)
    positive_number("learning_rate", learning_rate)
    whole_number("warm_up", warm_up, at_least=0)
    keep_freed_memory()
    trained = list(parameters)
    adam = torch.optim.Adam(trained, fused=True)
    best = None if held_out is None else _Best(trained, held_out)
    line = ProgressLine(label, shown=progress)
    per_epoch, every = batches.steps_per_epoch, max(1, n_steps // N_CHECKS)
    for step in range(n_steps):
        epoch, place = divmod(step, per_epoch)
        if place == 0:
            steps = batches.steps(epoch, 0, per_epoch)
        rate = learning_rate * 0.5 * (1 + math.cos(math.pi * step / n_steps))
        adam.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / max(warm_up, 1))
        adam.zero_grad()
        loss(*next(steps)).backward()
        adam.step()
        if (step + 1) % every == 0 or step + 1 == n_steps:
            line.report(f"{100 * (step + 1) / n_steps:.0f} %")
            if best is not None:
                best.look()
    if best is not None:
        best.restore()
    line.close()


class _Best:
    """Each member's parameters at its lowest held-out loss so far, those of the start included."""

    def __init__(self, parameters: list[Tensor], held_out: Callable[[], Tensor]) -> None:
        self.parameters, self.held_out = parameters, held_out
        self.kept = [parameter.detach().clone() for parameter in parameters]
        with torch.no_grad():
            self.lowest = held_out()
        self.trained = torch.zeros_like(self.lowest, dtype=torch.bool)

    @torch.no_grad()
    def look(self) -> None:
        now = self.held_out()
        self.trained |= now.isfinite()
        better = now < self.lowest  # Never where it is NaN.
        self.lowest = torch.where(better, now, self.lowest)
        for kept, parameter in zip(self.kept, self.parameters, strict=True):
            kept[better] = parameter[better]

    @torch.no_grad()
    def restore(self) -> None:
        for kept, parameter in zip(self.kept, self.parameters, strict=True):
            # The start of a member that has only diverged would pass for a result.
            parameter[self.trained] = kept[self.trained]
