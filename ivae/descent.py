"""Minimise a loss by autograd, where gradients by hand are not worth their lines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ivae.batches import Minibatches
from ivae.checks import whole_number
from ivae.memory import keep_freed_memory
from ivae.progress import ProgressLine
from ivae.schedules import LearningRates, Schedule


def minimise(
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    net: torch.nn.Module,
    batches: Minibatches,
    epochs: int,
    label: str,
    learning_rate: float = 0.01,
) -> None:
    """Train ``net`` in place with Adam, at a rate that falls along half a cosine to 0.

    Parameters
    ----------
    loss
        Of a minibatch's x (E, B, d), u (E, B) and noise (E, B, ...): the sum over the members, so
        that each is trained as it would be alone.
    net
        What holds the parameters.
    batches, epochs
        The data, and passes over them.
    label
        Name on the progress line.
    learning_rate
        Adam's, at the start.

    Raises
    ------
    ValueError
        When epochs or the rate are not positive.
    """
    whole_number("epochs", epochs)
    keep_freed_memory()
    n_steps = epochs * batches.steps_per_epoch
    progress, no_falls = np.arange(n_steps) / n_steps, np.zeros(1, np.int64)
    schedule = Schedule(learning_rate=learning_rate)
    rates = LearningRates(schedule, 1).at(progress, no_falls)[:, 0]
    adam = torch.optim.Adam(net.parameters(), fused=True)
    line = ProgressLine(label)
    rate = iter(rates.tolist())
    for epoch in range(epochs):
        for batch in batches.steps(epoch, 0, batches.steps_per_epoch):
            adam.param_groups[0]["lr"] = next(rate)
            adam.zero_grad()
            loss(*batch).backward()
            adam.step()
        line.report(f"{epoch + 1} of {epochs} epochs")
    line.close()
