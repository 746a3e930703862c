"""Time-contrastive learning (TCL): nonlinear ICA by a network that tells segments apart.

Hyvärinen and Morioka (2016): features h(x) are learned so that multinomial logistic regression on
them predicts the segment, log p(u|x) = w_u' h(x) + b_u + const. If log p(z_i|u) is linear in one
statistic q(z_i) with a coefficient that depends on u, as for sources whose scale u modulates, the
best h(x) is a linear map of (q(z_1), ..., q(z_n)), and linear ICA on h resolves the map. It is the
special case of Hyvärinen, Sasaki and Turner (2019) whose auxiliary variable is the segment. Written
from the papers' description.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from companion.neighbours.fastica import resolve
from companion.whitening import principal_components
from ivae.engine.batches import Minibatches
from ivae.engine.descent import minimise
from ivae.metrics import mcc
from ivae.nets import MLP, Network
from ivae.support.checks import finite_array, positive_number, segment_labels, whole_number
from ivae.support.seeds import seeded_generator

Array = NDArray[np.floating[Any]]
ROWS_AT_ONCE = 4096  # Of an evaluation, so that activations stay small.


@dataclass(frozen=True)
class Settings:
    """How features are trained.

    Attributes
    ----------
    network
        Of the features. Its hidden activation is by default the leaky ReLU, max(a, a / 10): the
        2016 paper's is maxout, the larger of two affine maps, of which this is the case that needs
        no second set of weights, so that the network has the size of the models it is compared
        with.
    epochs, batch_size, learning_rate
        Passes over the rows, rows in a minibatch, and Adam's rate, which falls along half a cosine.
    held_out
        Share of the rows, in (0, 1), that is not trained on; each member sets its own aside.
    """

    network: Network = field(default_factory=lambda: Network(activation="leaky-relu"))
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 0.01
    held_out: float = 0.1

    def __post_init__(self) -> None:
        whole_number("epochs", self.epochs)
        whole_number("batch_size", self.batch_size)
        positive_number("learning_rate", self.learning_rate)
        if positive_number("held_out", self.held_out) >= 1:
            raise ValueError(f"held_out must be a share of the rows, below 1; got {self.held_out}.")
        if self.network.decoder_layers is not None:
            raise ValueError("network must leave decoder_layers out: there is no decoder.")


class Scores(NamedTuple):
    """Four MCCs of the same features, (E,) each; see :meth:`Features.scores`."""

    sources: Array
    folded: Array
    absolute: Array
    squares: Array


@dataclass(frozen=True)
class Features:
    """What E members learned from x and u alone.

    Attributes
    ----------
    signed
        The features before the absolute value, a(x), (E, N, n); all rows, those held out too.
    resolved
        Estimates of the sources' statistics, (E, N, n): h(x) = \\|a(x)\\| after FastICA, see
        :func:`companion.neighbours.fastica.resolve`.
    outcomes
        Whether FastICA's starts converged, for each member, see
        :attr:`companion.neighbours.fastica.Resolution.outcome`.
    cross_entropy
        Mean of -log p(u|x) over the rows held out, (E,), in nats. Features that tell nothing have
        log M for segments of equal size.
    """

    signed: Array
    resolved: Array
    outcomes: tuple[str, ...]
    cross_entropy: Array

    def scores(self, z: ArrayLike) -> Scores:
        """Compare with the sources, in four ways that mean different things.

        ``sources``
            z with the signed features a(x).
        ``folded``
            \\|z\\| with \\|a(x)\\|, without linear ICA.
        ``absolute``, ``squares``
            \\|z\\|, and z^2, with the resolved statistics. It is of statistics that TCL's theory
            speaks, and so its authors compare with \\|z\\|, q of their Laplacian sources. Gaussian
            sources of mean 0 have q = z^2; it and \\|z\\| correlate by .94 in a segment.

        They differ because nothing in the objective sees the sign of a. Where \\|a\\| = \\|z\\|, a
        may be z, or \\|z\\| itself: such a feature is folded, and scores 1 in ``folded`` and 0 in
        ``sources`` if z is symmetric. (It is not invertible either: x cannot be had back from it.)
        So a high ``sources`` comes from what networks learn first, and by no theorem. Nor can
        linear ICA precede it: where a feature mixes several statistics, ICA separates the
        statistics, and there is no signed mixture to apply its matrix to. ``absolute`` falls below
        ``folded`` where linear ICA does harm, as it can where the statistics found are no linear
        map of independent ones.

        Parameters
        ----------
        z
            True sources, (N, n) for all members or (E, N, n).

        Raises
        ------
        ValueError
            For NaN, or a shape that does not fit.
        """
        n_members, *shape = self.signed.shape
        lead = (n_members,) if np.ndim(z) == 3 else ()
        true = np.broadcast_to(finite_array("z", z, (*lead, *shape), np.float64), self.signed.shape)

        def each(truth: Array, estimates: Array) -> Array:
            return np.array([mcc(*pair) for pair in zip(truth, estimates, strict=True)])

        return Scores(
            each(true, self.signed),
            each(np.abs(true), np.abs(self.signed)),
            each(np.abs(true), self.resolved),
            each(np.square(true), self.resolved),
        )


class _Classifier(nn.Module):
    """Logits of the segment, \\|a(x)\\| W + b, for each member."""

    def __init__(
        self, seeds: Sequence[int], d: int, n: int, n_segments: int, network: Network
    ) -> None:
        super().__init__()
        generators = [seeded_generator(seed, "initialisation") for seed in seeds]
        self.signed = MLP(generators, (), d, n, **network.shape)
        # From 0, so that no segment is another one at the start: their names do not matter.
        self.weight = nn.Parameter(torch.zeros(len(seeds), n, n_segments))
        self.bias = nn.Parameter(torch.zeros(len(seeds), 1, n_segments))

    def cross_entropy(self, x: Tensor, u: Tensor) -> Tensor:
        """Return -log p(u|x), (E, B), of x (E, B, d) and u (E, B)."""
        logits = torch.baddbmm(self.bias, self.signed(x).abs(), self.weight)
        return nn.functional.cross_entropy(logits.mT, u, reduction="none")


def learn(
    x: ArrayLike,
    u: ArrayLike,
    n_latents: int,
    seeds: Sequence[int],
    settings: Settings | None = None,
    *,
    label: str = "contrastive",
) -> Features:
    """Train features that tell the segments apart, for every member, and resolve their statistics.

    x is whitened by its principal components; h(x) = \\|a(x)\\| has n features, a being an MLP, and
    the cross-entropy of u given h(x) is minimised. The absolute value is the 2016 paper's last
    activation: a feature then has the shape of the statistic of a source whose scale changes. The
    logistic regression starts from 0, at the cross-entropy log M.

    Parameters
    ----------
    x
        Observations, (N, d) for all members or (E, N, d) with one dataset for each.
    u
        Segment labels 0 .. M - 1, (N,) or (E, N), of at least two segments.
    n_latents
        n, from 2 to d.
    seeds
        One for each of the E members: of its initial weights, minibatches, rows held out, FastICA.
    settings
        Network and length of the training.
    label
        Name on the progress line.

    Raises
    ------
    ValueError
        For NaN, shapes that do not fit, labels that leave a segment empty, one segment alone, n out
        of its range, no seeds, or so few rows that none is held out; and for features of which one
        is constant or a linear map of the others, which FastICA cannot resolve.
    FloatingPointError
        When a member diverged.
    """
    settings = settings or Settings()
    members = tuple(whole_number("every seed", seed, at_least=0) for seed in seeds)
    white, labels = _checked(x, u, len(members))
    n, d = whole_number("n_latents", n_latents, at_least=2), white.shape[-1]
    if n > d:
        raise ValueError(f"n_latents must be at most d = {d}; got {n}.")
    n_segments = int(labels.max()) + 1
    net = _Classifier(members, d, n, n_segments, settings.network)
    rows = white.to(net.weight).expand(len(members), -1, -1)
    # No noise is drawn: draws of size 0.
    batches = Minibatches(
        rows, labels, members, settings.batch_size, settings.held_out, noise_shape=(0,)
    )

    def loss(x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        return net.cross_entropy(x, u).mean(1).sum()

    n_steps = settings.epochs * batches.steps_per_epoch
    minimise(loss, net.parameters(), batches, n_steps, label, settings.learning_rate)
    with torch.no_grad():
        held = batches.held_out()
        assert held is not None  # The settings hold some out.
        cross_entropy = net.cross_entropy(*held).mean(1).numpy().astype(np.float64)
        parts = [net.signed(part) for part in rows.split(ROWS_AT_ONCE, 1)]
        signed = torch.cat(parts, 1).numpy().astype(np.float64)
    for member in np.flatnonzero(~np.isfinite(signed).all((1, 2))):
        raise FloatingPointError(
            f"member {member} (seed {members[member]}) diverged: its features are not finite. "
            "Lower the learning rate."
        )
    found = [resolve(np.abs(a), seed=seed) for a, seed in zip(signed, members, strict=True)]
    resolved = [one.apply(np.abs(a)) for one, a in zip(found, signed, strict=True)]
    outcomes = tuple(one.outcome for one in found)
    return Features(signed, np.stack(resolved), outcomes, cross_entropy)


def _checked(x: ArrayLike, u: ArrayLike, n_members: int) -> tuple[Tensor, Tensor]:
    """Return whitened x, (E, N, d) or (1, N, d), and labels (E, N)."""
    if not n_members:
        raise ValueError("seeds must name at least one member; got none.")
    lead = (n_members,) if np.ndim(x) == 3 else ()
    array = finite_array("x", x, (*lead, "N", "d"), np.float64)
    stacked = array if lead else array[None]
    given = np.asarray(u)
    each = list(given) if given.ndim == 2 and len(given) == n_members else [given]
    labels = np.stack([segment_labels("u", one, array.shape[-2]) for one in each])
    n_segments = labels.max(1) + 1
    if n_segments.min() < 2 or n_segments.min() != n_segments.max():
        raise ValueError(
            "u must name at least two segments, and as many for every member; "
            f"got {n_segments.tolist()}."
        )
    white = np.stack([principal_components(one) for one in stacked])
    return torch.from_numpy(white), torch.from_numpy(labels).expand(n_members, -1)
