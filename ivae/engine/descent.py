"""Minimise a loss by autograd: everything that trains, but for :func:`ivae.training.train`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ivae.engine.processes import keep_freed_memory
from ivae.schedules import half_cosine
from ivae.support.checks import positive_number, whole_number

N_CHECKS = 20  # Times that a training looks at what was held out.


def minimise(
    loss: Callable[..., Tensor],
    parameters: Iterable[Tensor],
    batches: Iterable[tuple[Tensor, ...]],
    n_steps: int,
    learning_rate: float = 0.01,
    *,
    warm_up: int = 0,
    held_out: Callable[[], Tensor] | None = None,
    note: Callable[[float], None] | None = None,
) -> None:
    """Train parameters in place with Adam, at a rate that falls along half a cosine to 0.

    Parameters
    ----------
    loss
        Called with a minibatch, such as x (E, B, d), u (E, B) and noise (E, B, ...): the sum over
        the members, so that each is trained as it would be alone.
    parameters
        What is trained, the member axis first.
    batches, n_steps
        Minibatches, as many at least as there are steps; and their number.
    learning_rate
        Adam's, at the start.
    warm_up
        Steps over which the rate first rises to its start.
    held_out
        Returns each member's loss on held-out rows, (E,). Where given, it is asked at the start
        and 20 times after (in every step of fewer), and every member ends with the parameters that
        were best by it. One that has diverged before the first of the 20 stays so, for the caller
        to see.
    note
        Gets the share of the steps made, 20 times.

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
    for step, batch in zip(range(n_steps), batches, strict=False):
        rate = learning_rate * float(half_cosine(step / n_steps))
        adam.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / max(warm_up, 1))
        adam.zero_grad()
        loss(*batch).backward()
        adam.step()
        made = step + 1
        if made * N_CHECKS // n_steps > step * N_CHECKS // n_steps:
            if note is not None:
                note(made / n_steps)
            if best is not None:
                best.look()
    if best is not None:
        best.restore()


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
