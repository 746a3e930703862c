"""Linear ICA against how natural parameters are distributed over the segments.

The model of Eq. (7) fixes the sources' law in each segment. How natural parameters are distributed
*over* the segments it leaves open, and linear ICA, which pools them, rests on just that. Here are
sources with several such laws; linear ICA on their exact statistics, without training; and the same
measures for trained models.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from companion.neighbours.fastica import Resolution, pair_up, resolve
from companion.scores import mcc_within, within
from companion.simulation import simulate
from companion.whitening import whiten
from ivae.data import MEAN_BOUND, SPREAD, NonstationaryData
from ivae.metrics import mcc, random_rotations
from ivae.mixing import Mixing
from ivae.support.checks import Array
from ivae.theory.equivalence import amari_distance, fit_equivalence, statistics_of


class Law(NamedTuple):
    """How natural parameters are distributed over the segments, for sources of a family.

    Attributes
    ----------
    means
        ``"zero"``; ``"uniform"`` on [-5, 5], independent for every source and segment, as in the
        paper's Figure 1; ``"gaussian"`` of the same variance; or ``"turned"``, uniform ones after a
        random rotation, so that means of different sources depend on each other.
    variances
        ``"one"``; ``"independent"``, uniform on [.5, 3] as in Section 5; or ``"common"``,
        a_i g(u): all sources grow and shrink together, and condition (iii) fails.
    """

    family: str
    means: Literal["zero", "uniform", "gaussian", "turned"] = "zero"
    variances: Literal["one", "independent", "common"] = "one"


LAWS = {
    "uniform means": Law("gaussian-location", means="uniform"),
    "Gaussian means": Law("gaussian-location", means="gaussian"),
    "turned means": Law("gaussian-location", means="turned"),
    "independent variances": Law("gaussian-scale", variances="independent"),
    "common variance": Law("gaussian-scale", variances="common"),
    "means and variances": Law("gaussian", means="uniform", variances="independent"),
}


class Unmixing(NamedTuple):
    """What linear ICA made of exact statistics that a random matrix had mixed.

    Attributes
    ----------
    mcc, before
        MCC of the true statistics with FastICA's signals, and with the mixed ones, whitened.
    amari
        Amari distance of the remaining A from a scaled permutation of single statistics.
    blocks_before, blocks_unpaired, blocks
        The same for latents (blocks of k statistics): whitened, FastICA's signals in the order in
        which they come, and after :func:`companion.neighbours.fastica.pair_up`. For k = 1 the last
        two are equal.
    contrast, apart, converged
        Of the chosen start's signals; the median Amari distance of the other starts from it; the
        share of the starts that converged.
    """

    mcc: float
    before: float
    amari: float
    blocks_before: float
    blocks_unpaired: float
    blocks: float
    contrast: float
    apart: float
    converged: float


def simulate_law(
    law: str,
    n_latents: int,
    n_segments: int,
    samples_per_segment: int,
    seed: int,
    mixing: Mixing | None = None,
    noise_variance: float = 0.0,
) -> NonstationaryData:
    """Draw a dataset of one of the :data:`LAWS`, with x = z where no mixing is given.

    The seed is that of the tables of means and variances; sources and noise have a stream of their
    own, see :func:`companion.simulation.simulate`.
    """
    drawn, n, shape = LAWS[law], n_latents, (n_segments, n_latents)
    rng = np.random.default_rng((seed, 1))
    if drawn.means == "gaussian":
        mean = MEAN_BOUND / np.sqrt(3) * rng.standard_normal(shape)
    else:
        mean = rng.uniform(-MEAN_BOUND, MEAN_BOUND, shape) * (drawn.means != "zero")
    if drawn.means == "turned":
        mean = mean @ random_rotations(n, 1, seed)[0]
    if drawn.variances == "common":
        variance = np.outer(rng.uniform(*SPREAD, n_segments), rng.uniform(0.5, 2.0, n))
    else:
        independent = drawn.variances == "independent"
        variance = rng.uniform(*SPREAD, shape) if independent else np.ones(shape)
    return simulate(
        mean,
        variance,
        mixing or Mixing((np.eye(n),)),
        samples_per_segment=samples_per_segment,
        noise_variance=noise_variance,
        seed=seed,
        family=drawn.family,
    )


def unmix(dataset: NonstationaryData) -> Unmixing:
    """Mix a dataset's exact statistics by a random matrix A and let FastICA undo it.

    A and FastICA's three starts are drawn from the dataset's seed.
    """
    true, k = statistics_of(dataset.family, dataset.z), dataset.family.k
    size = true.shape[1]
    rng = np.random.default_rng((dataset.seed, 2))
    mixed = true @ rng.standard_normal((size, size)).T
    found = _resolve(mixed, dataset.seed, n_starts=3)
    white, signals = whiten(mixed), found.apply(mixed)

    def blocks(estimate: Array) -> float:
        return fit_equivalence(true, estimate, n_components=k).amari

    others = np.delete(found.distances, found.chosen)
    return Unmixing(
        mcc=mcc(true, signals),
        before=mcc(true, white),
        amari=amari_distance(fit_equivalence(true, signals).standard),
        blocks_before=blocks(white),
        blocks_unpaired=blocks(signals),
        blocks=blocks(_paired(signals, k)),
        contrast=float(found.contrasts[found.chosen]),
        apart=float(np.median(others)),
        converged=float(found.converged.mean()),
    )


class Judgement(NamedTuple):
    """What a trained model recovered of a dataset's sources, and what linear ICA made of it.

    Attributes
    ----------
    after, before
        MCC of the sources with FastICA's signals (of 2 n signals for k = 2 the n that match best),
        and with posterior means.
    within_after, within_before
        The same within segments, see :func:`companion.scores.mcc_within`.
    r2, r2_within
        Held-out R^2, averaged over statistics, of the affine map of Eq. (12) from the learned
        statistics to the true ones, pooled and within segments.
    blocks_after, blocks_before
        Amari distance of A from a permutation of latents, after FastICA and pairing, and before.
    signals
        FastICA's, in pairs for k = 2, (N, n k).
    """

    after: float
    before: float
    within_after: float
    within_before: float
    r2: float
    r2_within: float
    blocks_after: float
    blocks_before: float
    signals: Array


def judge(dataset: NonstationaryData, estimate: Array) -> Judgement:
    """Judge estimated latents (N, n) of a dataset before and after FastICA on their statistics.

    The true sources themselves as the estimate give what better training could reach.
    """
    family, z, u = dataset.family, dataset.z, dataset.u
    true, learned = statistics_of(family, z), statistics_of(family, estimate)
    signals = _paired(_resolve(learned, dataset.seed, n_starts=10).apply(learned), family.k)
    before, after = (
        fit_equivalence(true, found, n_components=family.k) for found in (learned, signals)
    )
    inside = fit_equivalence(within(true, u), within(learned, u), n_components=family.k)
    return Judgement(
        after=mcc(z, signals),
        before=mcc(z, estimate),
        within_after=mcc_within(z, signals, u),
        within_before=mcc_within(z, estimate, u),
        r2=float(before.r2.mean()),
        r2_within=float(inside.r2.mean()),
        blocks_after=after.amari,
        blocks_before=before.amari,
        signals=signals,
    )


def _resolve(statistics: Array, seed: int, n_starts: int) -> Resolution:
    # scikit-learn's own limits: where signals have axes, more iterations change nothing.
    return resolve(statistics, seed=seed, n_starts=n_starts, max_iterations=200, tolerance=1e-4)


def _paired(signals: Array, k: int) -> Array:
    return signals if k == 1 else signals[:, pair_up(signals).ravel()]
