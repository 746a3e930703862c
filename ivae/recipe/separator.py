"""The encoder of the recipe: x to latents, by a residual network beside a linear map.

The mixing of Section 5 squeezes: its inverse is steep where a tanh is flat, and an MLP of the
paper's shape, even one trained on the true sources, does not follow it closely. Hidden layers that
add to what came before, with a smooth activation that does not saturate, do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from ivae.nets import Linear
from ivae.passes import Posterior
from ivae.support.checks import one_of


def _xtanh(a: Tensor) -> Tensor:
    return torch.tanh(a) + a / 10


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"silu": silu, "xtanh": _xtanh}
START_LOG_VARIANCE = -4.0  # Draws stay near the means at first, so that latents can be told apart.


class Separator(nn.Module):
    """q(z|x) = N(h(x), diag(v(x))) for E members.

    h(x) is a linear map of x plus a network with one hidden layer and ``n_blocks`` residual ones.
    Neither h nor v sees u: what h(x) says about u it has from x.

    Parameters
    ----------
    generators
        One per member; a member's initial weights come from its own generator alone.
    n_observed, n_latents
        d and n. Columns of x are meant to have mean 0 and variance 1.
    hidden, n_blocks
        Width of the hidden layers and number of residual ones.
    activation
        ``"silu"``, a / (1 + exp(-a)), or the paper's ``"xtanh"``.
    """

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        n_observed: int,
        n_latents: int,
        hidden: int,
        n_blocks: int,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        self.activate = ACTIVATIONS[one_of("activation", activation, ACTIVATIONS)]
        self.skip = Linear(generators, (), n_observed, n_latents, "lecun")
        self.first = Linear(generators, (), n_observed, hidden, "lecun")
        self.blocks: Sequence[Linear] = nn.ModuleList(  # type: ignore[assignment]
            Linear(generators, (), hidden, hidden, "lecun") for _ in range(n_blocks)
        )
        self.mean = Linear(generators, (), hidden, n_latents, "lecun")
        self.log_variance = Linear(generators, (), hidden, n_latents, "lecun")
        with torch.no_grad():
            self.log_variance.bias.add_(START_LOG_VARIANCE)

    def forward(self, x: Tensor) -> Posterior:
        """Return h(x) and log v(x), each (E, B, n), for x (E, B, d)."""
        a = self.activate(self.first(x))
        for block in self.blocks:
            a = a + self.activate(block(a))
        return Posterior(self.mean(a) + self.skip(x), self.log_variance(a))
