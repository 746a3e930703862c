"""The recipe: find the sources from x and u alone.

First stage. What is maximised, for latents z drawn from q(z|x), is

    E log p(u|z) + elbo_weight * ELBO

with log p(u|z) by Bayes' rule on the prior, :mod:`ivae.recipe.model`, and the ELBO of Eq. (8) at
the decoder variance that is best for it. At its maximum the first term leaves the affine map of
Eq. (12); with T(z) = z^2 it does not see signs, so that a latent can be folded, nor that statistics
are mixed. From such latents x cannot be decoded, and that is what the ELBO is for. At full weight
it would lead away from the sources, so its weight is small. Several starts are trained at once, and
the one with the highest objective on held-out rows is kept.

Second stage. h(x), the mean of q(z|x), stays; all the rest is trained by the ELBO alone: decoder,
decoder variance, prior, and the variances of q. The result is an iVAE with a bound, a decoder and
samples. The true sources are used nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ivae.engine.batches import in_pieces
from ivae.engine.processes import choose_processes, cut, run_jobs
from ivae.families import FAMILIES, ExponentialFamily, family_named
from ivae.metrics import mcc
from ivae.models import LatentVariableModel
from ivae.nets import members_of
from ivae.recipe.model import SegmentClassifier, compose
from ivae.recipe.stages import (
    RECIPE,
    HeldOut,
    Note,
    Settings,
    Split,
    elbo_on,
    first_stage,
    generative_stage,
    to_array,
)
from ivae.support.checks import Array, finite_array, one_of, segment_labels, whole_number
from ivae.support.progress import ProgressLine


@dataclass(frozen=True)
class Recovery:
    """What :func:`recover` found.

    Attributes
    ----------
    model
        The chosen start after both stages: an ensemble of one member. Its x has columns of mean 0
        and variance 1, see :meth:`standardise`.
    starts
        All starts, S members, after the first stage.
    held_out
        Of the starts after the first stage.
    chosen
        Index of the start with the highest objective.
    agreement
        MCC of each start's latents with the chosen ones, on the held-out rows, (S,); NaN for a
        start that diverged. Where several end near 1, the latents do not depend on the start.
    elbo
        Held-out ELBO of the chosen start before and after the second stage, in nats.
    centre, scale
        Mean and standard deviation of the columns of x, (d,).
    seconds
        What it took.
    """

    model: LatentVariableModel
    starts: LatentVariableModel
    held_out: HeldOut
    chosen: int
    agreement: Array
    elbo: tuple[float, float]
    centre: Array
    scale: Array
    seconds: float

    def standardise(self, x: ArrayLike) -> Array:
        """Return (x - centre) / scale for x (N, d)."""
        return np.asarray(
            (finite_array("x", x, ("N", len(self.centre))) - self.centre) / self.scale
        )

    def latents(self, x: ArrayLike, u: ArrayLike) -> Array:
        """Return the means of q(z|x) under the chosen model, (N, n); u is checked, no more."""
        return to_array(self.model.infer(self.standardise(x), u).mean[0])

    def latents_of_starts(self, x: ArrayLike) -> Array:
        """Return h(x) of every start, (S, N, n)."""
        rows = torch.as_tensor(self.standardise(x), dtype=torch.float32)
        each = rows.expand(self.starts.n_members, -1, -1)
        return to_array(in_pieces(lambda part: self.starts.encoder(part).mean, each))


def recover(
    x: ArrayLike,
    u: ArrayLike,
    n_latents: int,
    *,
    family: str = "gaussian-scale",
    settings: Settings = RECIPE,
    seed: int = 0,
    label: str = "recovery",
    progress: bool = True,
) -> Recovery:
    """Find latents of x whose law given u is a product of the family's members.

    Parameters
    ----------
    x
        Observations, (N, d).
    u
        Segment labels 0 .. M - 1, (N,), of at least two segments.
    n_latents
        n <= d.
    family
        Of the sources, see :mod:`ivae.families`: ``"gaussian-scale"`` (k = 1, variances move),
        ``"gaussian"`` (k = 2, means move too), ``"laplace"``; with ``"gaussian-location"`` (means
        alone) latents are found up to an invertible linear map at best.
    settings
        The recipe, or what is changed about it.
    seed
        Of initial weights, minibatches, posterior noise, and the rows that are held out.
    label, progress
        Name on the progress line, and whether to show one.

    Returns
    -------
    Recovery

    Raises
    ------
    ValueError
        For shapes that do not fit, NaN, constant columns, labels that are not the integers 0 ..
        M - 1, an unknown family, or segments too small to hold rows out of any.
    FloatingPointError
        When every start has diverged.
    """
    began = time.monotonic()
    observed = finite_array("x", x, ("N", "d"), np.float64)
    labels = segment_labels("u", u, len(observed))
    _check_sizes(observed, labels, n_latents)
    kind = family_named(one_of("family", family, FAMILIES))
    centre, scale = observed.mean(0), observed.std(0)
    sequence = np.random.SeedSequence(whole_number("seed", seed, at_least=0))
    seeds = sequence.generate_state(settings.n_starts).tolist()
    held = _hold_out(labels, settings.held_out, np.random.default_rng(sequence.spawn(1)[0]))
    rows = torch.as_tensor((observed - centre) / scale, dtype=torch.float32)
    split = Split(rows, torch.as_tensor(labels), torch.as_tensor(held))
    with _progress(label, progress) as report:
        starts, found = _train_starts(split, n_latents, kind, settings, seeds, report)
    if not np.isfinite(found.objective).any():
        raise FloatingPointError(
            f"{label}: all {len(seeds)} starts have diverged. Lower the learning rate."
        )
    chosen = int(np.nanargmax(found.objective))
    model = starts.of([chosen])
    with _progress(f"{label}, second stage", progress) as report, _one_thread():
        before = generative_stage(model, split, settings, report)
        after = elbo_on(split, model)
    return Recovery(
        model=model,
        starts=starts,
        held_out=found,
        chosen=chosen,
        agreement=_agreement(starts, split, chosen),
        elbo=(before, after),
        centre=centre,
        scale=scale,
        seconds=time.monotonic() - began,
    )


def _check_sizes(x: Array, u: NDArray[np.int64], n_latents: int) -> None:
    whole_number("n_latents", n_latents)
    if n_latents > x.shape[1]:
        raise ValueError(f"n_latents must be at most d = {x.shape[1]}; got {n_latents}.")
    if u.max() == 0:
        raise ValueError("u must have at least two segments: the recipe learns to tell them apart.")
    constant = np.flatnonzero(x.std(0) <= 1e-12 * np.abs(x).max(0))
    if constant.size:
        raise ValueError(
            f"x must vary in every column; column {constant[0]} is constant. Drop such columns."
        )


def _hold_out(u: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose the same share of every segment, so that none is left without rows to train on."""
    held = np.zeros(len(u), bool)
    for segment in range(int(u.max()) + 1):
        rows = rng.permutation(np.flatnonzero(u == segment))
        held[rows[: int(share * len(rows))]] = True
    if not held.any():
        raise ValueError(
            f"held_out = {share} of {len(u)} rows in {int(u.max()) + 1} segments holds none out; "
            "use a larger share, or merge small segments."
        )
    return held


def _train_starts(
    split: Split,
    n_latents: int,
    family: ExponentialFamily,
    settings: Settings,
    seeds: list[int],
    report: Note,
) -> tuple[LatentVariableModel, HeldOut]:
    """Train the first stage, cut over processes where that is worth their start."""
    log_share = (torch.bincount(split.u) / len(split.u)).log()
    shape = settings.hidden, settings.n_blocks, settings.activation
    whole, classifier = compose(seeds, split.x.shape[1], n_latents, log_share, family, *shape)
    n_weights = sum(p.numel() for net in (whole, classifier) for p in net.parameters())
    n_weights //= len(seeds)
    processes = choose_processes(len(seeds), n_weights, settings.n_steps, settings.batch_size)
    if processes == 1:
        with _one_thread():
            return whole, first_stage(whole, classifier, split, settings, report)
    parts = cut(len(seeds), processes)
    shares = np.zeros(len(parts))

    def collect(number: int, share: float, *_: float) -> None:
        shares[number] = share
        report(float(shares.mean()))

    jobs = [(whole.of(one), members_of(classifier, one), split, settings) for one in parts]
    results = run_jobs(_in_worker, jobs, processes, collect)
    for members, (part, _) in zip(parts, results, strict=True):
        whole.assign(members, part)
    columns = zip(*(found for _, found in results), strict=True)
    return whole, HeldOut(*(np.concatenate(column) for column in columns))


def _in_worker(
    model: LatentVariableModel,
    classifier: SegmentClassifier,
    split: Split,
    settings: Settings,
    note: Note,
) -> tuple[LatentVariableModel, HeldOut]:
    return model, first_stage(model, classifier, split, settings, note)


@contextmanager
def _progress(label: str, shown: bool) -> Iterator[Callable[[float], None]]:
    with ProgressLine(label, shown) as line:
        yield line.report_share


@contextmanager
def _one_thread() -> Iterator[None]:
    """Matrices of this size are multiplied faster by one thread than by several that wait."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


@torch.no_grad()
def _agreement(starts: LatentVariableModel, split: Split, chosen: int) -> Array:
    x, _ = split.for_members(starts.n_members, held=True)
    latents = to_array(starts.encoder(x).mean)
    sound = [bool(np.isfinite(one).all()) for one in latents]
    pairs = zip(latents, sound, strict=True)
    return np.array([mcc(latents[chosen], one) if ok else np.nan for one, ok in pairs])
