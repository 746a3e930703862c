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
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from companion.neighbours.fastica import resolve
from companion.whitening import principal_components
from ivae.engine.batches import Minibatches, in_pieces
from ivae.engine.descent import minimise
from ivae.metrics import mcc
from ivae.nets import MLP, Network
from ivae.support.checks import Array
from ivae.support.seeds import seeded_generator

BATCH_SIZE = 64
LEARNING_RATE = 0.01  # Adam's, which falls along half a cosine.
HELD_OUT = 0.1  # Share of the rows that is not trained on; each member sets its own aside.


class TclSettings(NamedTuple):
    """How features are trained.

    The network's hidden activation is by default the leaky ReLU, max(a, a / 10): the 2016 paper's
    is maxout, the larger of two affine maps, of which this is the case that needs no second set of
    weights, so that the network has the size of the models it is compared with.
    """

    network: Network = Network(activation="leaky-relu")
    epochs: int = 20


class TclScores(NamedTuple):
    """Four MCCs of the same features, (E,) each; see :meth:`Features.scores`."""

    sources: Array
    folded: Array
    absolute: Array
    squares: Array


class Features(NamedTuple):
    """What E members learned from x and u alone.

    Attributes
    ----------
    signed
        The features before the absolute value, a(x), (E, N, n); all rows, those held out too.
    resolved
        Estimates of the sources' statistics, (E, N, n): h(x) = \\|a(x)\\| after FastICA, see
        :func:`companion.neighbours.fastica.resolve`.
    cross_entropy
        Mean of -log p(u|x) over the rows held out, (E,), in nats. Features that tell nothing have
        log M for segments of equal size.
    """

    signed: Array
    resolved: Array
    cross_entropy: Array

    def scores(self, z: Array) -> TclScores:
        """Compare with the sources z, (E, N, n), in four ways that mean different things.

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
        """

        z = np.asarray(z, np.float64)

        def each(truth: Array, estimates: Array) -> Array:
            return np.array([mcc(*pair) for pair in zip(truth, estimates, strict=True)])

        return TclScores(
            each(z, self.signed),
            each(np.abs(z), np.abs(self.signed)),
            each(np.abs(z), self.resolved),
            each(np.square(z), self.resolved),
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
    x: Array, u: NDArray[np.int64], n_latents: int, seeds: Sequence[int], settings: TclSettings
) -> Features:
    """Train features that tell the segments apart, for every member, and resolve their statistics.

    x is whitened by its principal components; h(x) = \\|a(x)\\| has n features, a being an MLP, and
    the cross-entropy of u given h(x) is minimised. The absolute value is the 2016 paper's last
    activation: a feature then has the shape of the statistic of a source whose scale changes. The
    logistic regression starts from 0, at the cross-entropy log M.

    There is a dataset, x (E, N, d) and u (E, N), and a seed for each member: of its initial
    weights, minibatches, rows held out, FastICA. A FloatingPointError says which members diverged.
    """
    white = torch.from_numpy(np.stack([principal_components(one) for one in x]))
    net = _Classifier(seeds, x.shape[-1], n_latents, int(u.max()) + 1, settings.network)
    rows = white.to(net.weight)
    # No noise is drawn: draws of size 0.
    batches = Minibatches(rows, torch.from_numpy(u), seeds, BATCH_SIZE, HELD_OUT, noise_shape=(0,))

    def loss(x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        return net.cross_entropy(x, u).mean(1).sum()

    n_steps = settings.epochs * batches.steps_per_epoch
    minimise(loss, net.parameters(), batches, n_steps, LEARNING_RATE)
    with torch.no_grad():
        held = batches.held_out()
        assert held is not None  # Some rows are held out.
        cross_entropy = net.cross_entropy(*held).mean(1).numpy().astype(np.float64)
        signed = in_pieces(net.signed, rows).numpy().astype(np.float64)
    diverged = [seed for seed, one in zip(seeds, signed, strict=True) if not np.isfinite(one).all()]
    if diverged:
        raise FloatingPointError(f"members of seeds {diverged} diverged: lower the learning rate.")
    statistics = np.abs(signed)
    resolved = [resolve(h, seed=seed).apply(h) for h, seed in zip(statistics, seeds, strict=True)]
    return Features(signed, np.stack(resolved), cross_entropy)
