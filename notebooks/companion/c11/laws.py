"""Linear ICA against how natural parameters are distributed over the segments.

The model of Eq. (7) fixes the sources' law in each segment. How natural parameters are distributed
*over* the segments it leaves open, and linear ICA, which pools them, rests on just that. Here are
sources with several such laws; trials on their exact statistics, without training; and the same
measures for trained models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from companion.neighbours.fastica import pair_up, resolve
from ivae.data import NonstationaryData, stack, whiten
from ivae.metrics import mcc, random_rotations
from ivae.mixing import Mixing
from ivae.models import LatentVariableModel
from ivae.recipes import MEAN_BOUND, SPREAD
from ivae.simulation import simulate
from ivae.support.checks import one_of, whole_number
from ivae.theory.equivalence import amari_distance, fit_equivalence, statistics_of

Array = NDArray[np.floating[Any]]
# scikit-learn's own: where signals have axes, more iterations change nothing.
LIMITS: dict[str, Any] = {"max_iterations": 200, "tolerance": 1e-4}
Means = Literal["zero", "uniform", "gaussian", "turned"]
Variances = Literal["one", "independent", "common"]


@dataclass(frozen=True)
class Case:
    """How natural parameters are distributed over the segments.

    Attributes
    ----------
    family
        Of the sources given u.
    means
        ``"zero"``; ``"uniform"`` on [-5, 5], independent for every source and segment, as in the
        paper's Figure 1; ``"gaussian"`` of the same variance; or ``"turned"``, uniform ones after a
        random rotation, so that means of different sources depend on each other.
    variances
        ``"one"``; ``"independent"``, uniform on [.5, 3] as in Section 5; or ``"common"``,
        a_i g(u): all sources grow and shrink together, and condition (iii) fails.
    """

    family: str
    means: Means = "zero"
    variances: Variances = "one"


CASES = {
    "uniform means": Case("gaussian-location", means="uniform"),
    "Gaussian means": Case("gaussian-location", means="gaussian"),
    "turned means": Case("gaussian-location", means="turned"),
    "independent variances": Case("gaussian-scale", variances="independent"),
    "common variance": Case("gaussian-scale", variances="common"),
    "means and variances": Case("gaussian", means="uniform", variances="independent"),
}


class Trial(NamedTuple):
    """What linear ICA made of exact statistics that a random matrix had mixed.

    Attributes
    ----------
    before, mcc
        MCC of the true statistics with the mixed ones, whitened, and with FastICA's signals.
    amari
        Amari distance of the remaining A from a scaled permutation of single statistics.
    blocks_before, blocks_unpaired, blocks
        The same for latents (blocks of k statistics): whitened, FastICA's signals in the order in
        which they come, and after :func:`companion.neighbours.fastica.pair_up`. For k = 1 the last two are equal.
    contrast
        Of the signals, see :func:`companion.neighbours.fastica.contrast`.
    apart
        Median Amari distance of the other starts from the chosen one.
    converged
        Share of the starts that converged.
    """

    before: float
    mcc: float
    amari: float
    blocks_before: float
    blocks_unpaired: float
    blocks: float
    contrast: float
    apart: float
    converged: float


def draw(
    case: str,
    n_latents: int,
    n_segments: int,
    samples_per_segment: int,
    seed: int,
    mixing: Mixing | None = None,
    noise_variance: float = 0.0,
) -> NonstationaryData:
    """Draw a dataset of one of the :data:`CASES`; without a mixing x is z.

    Parameters
    ----------
    case
        Name of a case.
    n_latents, n_segments, samples_per_segment
        n, M and L.
    seed
        Of the tables of means and variances; sources and noise have a stream of their own.
    mixing, noise_variance
        As for :func:`ivae.simulation.simulate`.

    Raises
    ------
    ValueError
        For an unknown case, fewer than two latents, and as :func:`ivae.simulation.simulate`.
    """
    drawn = CASES[one_of("case", case, CASES)]
    n = whole_number("n_latents", n_latents, at_least=2)
    shape = (whole_number("n_segments", n_segments), n)
    whole_number("seed", seed, at_least=0)
    rng = np.random.default_rng((seed, 1))
    if drawn.means == "gaussian":
        mean = MEAN_BOUND / np.sqrt(3) * rng.standard_normal(shape)
    else:
        mean = rng.uniform(-MEAN_BOUND, MEAN_BOUND, shape) * (drawn.means != "zero")
    if drawn.means == "turned":
        mean = mean @ random_rotations(n, 1, seed)[0]
    if drawn.variances == "common":
        variance = np.outer(rng.uniform(*SPREAD, shape[0]), rng.uniform(0.5, 2.0, n))
    else:
        independent = drawn.variances == "independent"
        variance = rng.uniform(*SPREAD, shape) if independent else np.ones(shape)
    return simulate(
        *(mean, variance, mixing or Mixing((np.eye(n),))),
        samples_per_segment=samples_per_segment,
        noise_variance=noise_variance,
        seed=seed,
        family=drawn.family,
    )


def trial(dataset: NonstationaryData, *, n_starts: int = 3) -> Trial:
    """Mix a dataset's exact statistics by a random matrix A and let FastICA undo it.

    Parameters
    ----------
    dataset
        Whose sources and family to take; its seed gives A and FastICA's starts.
    n_starts
        Of FastICA.

    Raises
    ------
    ValueError
        As :func:`companion.neighbours.fastica.resolve` and, for k = 2, :func:`companion.neighbours.fastica.pair_up`.
    """
    true, k = statistics_of(dataset.family, dataset.z), dataset.family.k
    size = true.shape[1]
    rng = np.random.default_rng((dataset.seed, 2))
    mixed = true @ rng.standard_normal((size, size)).T
    found = resolve(mixed, seed=dataset.seed, n_starts=n_starts, **LIMITS)
    white, signals = whiten(mixed), found.apply(mixed)

    def blocks(estimate: Array) -> float:
        return fit_equivalence(true, estimate, n_components=k).amari

    paired = signals if k == 1 else signals[:, pair_up(signals).ravel()]
    others = np.delete(found.distances, found.chosen)
    return Trial(
        before=mcc(true, white),
        mcc=mcc(true, signals),
        amari=amari_distance(fit_equivalence(true, signals).standard),
        blocks_before=blocks(white),
        blocks_unpaired=blocks(signals),
        blocks=blocks(paired),
        contrast=float(found.contrasts[found.chosen]),
        apart=float(np.median(others)) if len(others) else 0.0,
        converged=float(found.converged.mean()),
    )


class Recovery(NamedTuple):
    """What E trained members recovered, and what linear ICA made of it; one value for each.

    Attributes
    ----------
    r2
        Held-out R^2, averaged over statistics, of the affine map of Eq. (12) from the learned
        statistics to the true ones.
    before, after
        MCC of the sources with posterior means, and with FastICA's signals (of 2 n signals for
        k = 2 the n that match best).
    blocks_before, blocks
        Amari distance of A from a permutation of latents, before and after FastICA and pairing.
    oracle
        ``after`` had FastICA been given the true statistics.
    between_before, between
        MCC between every two members of the same dataset, posterior means and signals.
    """

    r2: Array
    before: Array
    after: Array
    blocks_before: Array
    blocks: Array
    oracle: Array
    between_before: Array
    between: Array


def recovery(
    model: LatentVariableModel, datasets: Sequence[NonstationaryData], *, n_starts: int = 10
) -> Recovery:
    """Judge a trained ensemble before and after FastICA on its statistics.

    Parameters
    ----------
    model
        E members.
    datasets
        What each was trained on, E of them; the family is the model's.
    n_starts
        Of FastICA.

    Raises
    ------
    ValueError
        For another number of datasets, or of another family.
    """
    if len(datasets) != model.n_members:
        raise ValueError(
            f"datasets must have one entry for each of the {model.n_members} members; "
            f"got {len(datasets)}."
        )
    family = model.family
    if any(dataset.family.name != family.name for dataset in datasets):
        raise ValueError(f"datasets must be of the model's family, {family.name}.")
    x, u, _ = stack(datasets)
    means = model.infer(x, u).mean.numpy(force=True)
    rows, signals = [], []
    for dataset, mean in zip(datasets, means, strict=True):
        true, learned = (statistics_of(family, z) for z in (dataset.z, mean))
        fit = fit_equivalence(true, learned, n_components=family.k)
        signals.append(_signals(learned, family.k, dataset.seed, n_starts))
        rows.append(
            (
                fit.r2.mean(),
                mcc(dataset.z, mean),
                mcc(dataset.z, signals[-1]),
                fit.amari,
                fit_equivalence(true, signals[-1], n_components=family.k).amari,
                mcc(dataset.z, _signals(true, family.k, dataset.seed, n_starts)),
            )
        )
    pairs = [
        (mcc(means[i], means[j]), mcc(signals[i], signals[j]))
        for i, j in combinations(range(len(datasets)), 2)
        if datasets[i] is datasets[j]
    ]
    between = np.array(pairs).reshape(-1, 2).T
    return Recovery(*np.array(rows).T, *between)


def _signals(statistics: Array, k: int, seed: int, n_starts: int) -> Array:
    """Return FastICA's signals, in pairs for k = 2."""
    signals = resolve(statistics, seed=seed, n_starts=n_starts, **LIMITS).apply(statistics)
    return signals if k == 1 else signals[:, pair_up(signals).ravel()]
