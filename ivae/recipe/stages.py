"""The two stages of the recipe, for an ensemble of starts on one dataset.

See :mod:`ivae.recipe.recovery` for what they are for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ivae.engine.batches import Minibatches
from ivae.engine.descent import minimise
from ivae.models import LatentVariableModel
from ivae.nets import Posterior
from ivae.objectives import kl_to_prior
from ivae.recipe.model import ACTIVATIONS, SegmentClassifier, separator_of
from ivae.support.checks import Array, one_of, positive_number, whole_number

Note = Callable[[float], None]
SMALLEST_VARIANCE = 1e-8  # Of the decoder, where x has columns of variance 1.


@dataclass(frozen=True)
class Settings:
    """How :func:`ivae.recipe.recovery.recover` trains; the defaults are the recipe.

    They were chosen on data seeds 1 to 8 of the ``released`` preset and others, never above.

    Attributes
    ----------
    hidden, n_blocks, activation
        Shape of the encoder, see :class:`ivae.recipe.model.Separator`.
    n_starts
        Networks with their own initial weights, of which one is kept.
    n_steps, batch_size, learning_rate
        Of the first stage. The rate rises for 200 steps, and falls along half a cosine.
    elbo_weight
        Of the ELBO beside log p(u|z); 0 leaves the discriminative term alone.
    classify_draws
        Whether u is classified from draws of q(z|x), or from its means.
    held_out
        Share of every segment's rows that is kept from training, for the choices.
    n_steps_generative
        Of the second stage.
    """

    hidden: int = 100
    n_blocks: int = 2
    activation: str = "silu"
    n_starts: int = 4
    n_steps: int = 4000
    batch_size: int = 256
    learning_rate: float = 0.01
    elbo_weight: float = 0.01
    classify_draws: bool = True
    held_out: float = 0.1
    n_steps_generative: int = 2000

    def __post_init__(self) -> None:
        for name in ("hidden", "n_starts", "n_steps", "batch_size", "n_steps_generative"):
            whole_number(name, getattr(self, name))
        whole_number("n_blocks", self.n_blocks, at_least=0)
        one_of("activation", self.activation, ACTIVATIONS)
        positive_number("learning_rate", self.learning_rate)
        if self.elbo_weight:
            positive_number("elbo_weight", self.elbo_weight)
        if positive_number("held_out", self.held_out) >= 1:
            raise ValueError(f"held_out must be a share below 1; got {self.held_out}.")


RECIPE = Settings()
WARM_UP = 200  # Steps: Adam's first ones, at full rate, spoil some of the starts.
GENERATIVE_RATE = 0.003


class HeldOut(NamedTuple):
    """Means over the held-out rows, (E,) each.

    Attributes
    ----------
    cross_entropy
        -E log p(u|z), in nats; log M where nothing is known about u.
    elbo
        Eq. (8) at the decoder variance that is best for these rows, in nats, x having columns of
        variance 1.
    objective
        What chooses between starts.
    """

    cross_entropy: Array
    elbo: Array
    objective: Array


class Split(NamedTuple):
    """Standardised x (N, d), labels (N,), and which rows are held out (N,)."""

    x: Tensor
    u: Tensor
    held: Tensor

    def for_members(self, n_members: int, held: bool) -> tuple[Tensor, Tensor]:
        """Return x (E, R, d) and u (E, R) of the rows that are held out, or of the others."""
        chosen = self.held if held else ~self.held
        x, u = self.x[chosen], self.u[chosen]
        return x.expand(n_members, *x.shape), u.expand(n_members, *u.shape)

    def batches(self, model: LatentVariableModel, settings: Settings) -> Minibatches:
        x, u = self.for_members(model.n_members, held=False)
        return Minibatches(x, u, model.seeds, settings.batch_size, 0.0, (model.n_latents,))


def first_stage(
    model: LatentVariableModel,
    classifier: SegmentClassifier,
    split: Split,
    settings: Settings,
    note: Note,
) -> HeldOut:
    """Train all of every start; return what it reaches on the held-out rows.

    ``note`` gets the share of the steps made.
    """
    x, u = split.for_members(model.n_members, held=True)
    noise = model.evaluation_noise(x.new_empty(*x.shape[:2], model.n_latents), 0)

    def value(x: Tensor, u: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        said = model.encode(x, u)
        z = said.sample(noise)
        classified = z if settings.classify_draws else said.mean
        cross_entropy = classifier.cross_entropy(classified, u).mean(1)
        elbo = _elbo(model, x, u, said, z)
        return cross_entropy, elbo, settings.elbo_weight * elbo - cross_entropy

    minimise(
        lambda *batch: -value(*batch)[-1].sum(),
        [*model.parameters(), *classifier.parameters()],
        split.batches(model, settings),
        settings.n_steps,
        settings.learning_rate,
        warm_up=WARM_UP,
        held_out=lambda: -value(x, u, noise)[-1],
        note=note,
    )
    with torch.no_grad():
        return HeldOut(*(to_array(part) for part in value(x, u, noise)))


def generative_stage(
    model: LatentVariableModel, split: Split, settings: Settings, note: Note
) -> float:
    """Train all but h by the ELBO; return the held-out ELBO that it began with."""
    before = elbo_on(split, model)
    x, u = split.for_members(1, held=True)
    noise = model.evaluation_noise(x.new_empty(*x.shape[:2], model.n_latents), 0)

    def value(x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        posterior = model.encode(x, u)
        return _elbo(model, x, u, posterior, posterior.sample(noise))

    parts = (model.decoder, model.prior_net, separator_of(model).log_variance)
    trained = [parameter for part in parts for parameter in part.parameters()]
    minimise(
        lambda *batch: -value(*batch).sum(),
        trained,
        split.batches(model, settings),
        settings.n_steps_generative,
        GENERATIVE_RATE,
        held_out=lambda: -value(x, u, noise),
        note=note,
    )
    with torch.no_grad():
        x, u = split.for_members(1, held=False)
        posterior = model.infer_checked(x, u)
        noise = model.evaluation_noise(posterior.mean, 0)
        square = (x - model.decode(posterior.sample(noise))).square().mean((1, 2))
        model.decoder_variance.copy_(square + SMALLEST_VARIANCE)
    return before


def _elbo(
    model: LatentVariableModel, x: Tensor, u: Tensor, posterior: Posterior, z: Tensor
) -> Tensor:
    """Return the minibatch's mean ELBO, (E,), at the decoder variance that maximises it."""
    square = (x - model.decode(z)).square().mean((1, 2)) + SMALLEST_VARIANCE
    reconstruction = -0.5 * x.shape[-1] * (torch.log(2 * math.pi * square) + 1)
    return reconstruction - kl_to_prior(posterior, model.family, model.prior(u)).mean(1)


@torch.no_grad()
def elbo_on(split: Split, model: LatentVariableModel) -> float:
    x, u = split.for_members(1, held=True)
    posterior = model.encode(x, u)
    z = posterior.sample(model.evaluation_noise(posterior.mean, 0))
    return float(_elbo(model, x, u, posterior, z))


def to_array(tensor: Tensor) -> Array:
    return tensor.numpy(force=True).astype(np.float64)
