"""What an objective is worth at the truth and where training ends, taken apart.

For one solution (decoder, prior, encoder) with its decoder variance, the ELBO of Eq. (8) is reached
from the log-likelihood in three steps down, all of them KL divergences from the true posterior or
differences of such:

    log p(x|u)                              importance sampling
      - what a Gaussian costs            -> bound of the best Gaussian with any covariance
      - what a diagonal covariance costs -> bound of the best Gaussian with a diagonal one
      - what the encoder network costs   -> the ELBO, which is what training maximises

Two solutions can be compared on each of the four levels. The highest one on which one of them leads
says which assumption lets the objective prefer it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from ivae.data import NonstationaryData
from ivae.models import LatentVariableModel
from ivae.support.checks import Array
from ivae.theory.posteriors import (
    at_mode,
    bound,
    encoded,
    measure_gap,
    problem_of_dataset,
    problem_of_model,
)

LEVELS = ("log_likelihood", "full", "diagonal", "network")
FEWEST = 20.0  # Effective draws below which a log-likelihood by importance sampling is not used.
N_STEPS = 200  # Of Adam, for each Gaussian that is fitted.
RESOLUTION = 0.05  # Nats; smaller leads are within what fits and draws leave uncertain.
Verdict = Literal["likelihood", "gaussian", "diagonal", "network", "search"]


class Account(NamedTuple):
    """The four levels for E solutions at B observations each, in nats, (E, B).

    log p(x|u); the bounds of the best Gaussians, fitted to each observation by itself; the ELBO of
    Eq. (8), with the posterior that the encoder gives. ``effective`` is the effective number of
    importance samples behind each log-likelihood.
    """

    log_likelihood: Array
    full: Array
    diagonal: Array
    network: Array
    effective: Array

    @property
    def means(self) -> dict[str, Array]:
        """Mean of each level over observations, (E,)."""
        return {name: np.asarray(getattr(self, name).mean(1)) for name in LEVELS}

    @property
    def costs(self) -> dict[str, Array]:
        """What each step down costs, (E,): ``gaussian``, ``diagonal`` and ``network``.

        Together they are log p(x|u) - ELBO, the gap of Eq. (25).
        """
        means = list(self.means.values())
        names = ("gaussian", "diagonal", "network")
        return {name: means[i] - means[i + 1] for i, name in enumerate(names)}

    def fewest_effective(self) -> Array:
        """Return how many effective draws a tenth of the observations falls below, (E,)."""
        return np.asarray(np.quantile(self.effective, 0.1, axis=1))


def account(
    model: LatentVariableModel,
    datasets: Sequence[NonstationaryData],
    rows: ArrayLike,
    *,
    at_truth: bool = False,
    n_draws: int = 1000,
    seed: int = 0,
) -> Account:
    """Take apart what every member's bound is made of, at B rows of its dataset.

    With ``at_truth`` decoder and prior are those of the dataset, and the model's are its decoder
    variance and its encoder alone. (After :func:`companion.c13.truth.write_truth` the two are the
    same; this is faster, and the search for each posterior begins at the true z.) For ``n_draws``
    and ``seed`` see :func:`ivae.theory.posteriors.measure_gap`.
    """
    chosen = np.asarray(rows)
    found = []
    for member, dataset in enumerate(datasets):
        x, u = dataset.x[chosen], dataset.u[chosen]
        if at_truth:
            noise = float(model.decoder_variance[member])
            problem = problem_of_dataset(dataset, chosen, noise)
        else:
            problem = problem_of_model(model, member, x, u)
        q = encoded(model, member, x, u)
        network = bound(problem, q, n_draws, torch.Generator().manual_seed(seed)).numpy()
        gap = measure_gap(at_mode(problem), n_steps=N_STEPS, n_draws=n_draws, seed=seed)
        effective = gap.effective * n_draws
        found.append((gap.log_likelihood, gap.full, gap.mean_field, network, effective))
    return Account(*(np.stack(column) for column in zip(*found, strict=True)))


def advantage(trained: Account, truth: Account) -> dict[str, Array]:
    """Return by how much the trained solutions lead on each level, (E,) each, in nats.

    Both accounts are of the same observations, so that what varies between these cancels.
    """
    after, before = trained.means, truth.means
    return {name: after[name] - before[name] for name in LEVELS}


def by_setting(values: ArrayLike, n_datasets: int) -> Array:
    """Return values (S D, ...), the D datasets of the first of S settings first, as (S, D, ...)."""
    array = np.asarray(values)
    return array.reshape(-1, n_datasets, *array.shape[1:])


def table(
    account: Account, settings: Sequence[str], scores: Mapping[str, ArrayLike]
) -> pd.DataFrame:
    """Return the mean levels, costs and scores of several settings, one row for each.

    The account is of E = S D solutions, the D datasets of the first of the S settings first, and
    the scores are columns by name, (E,) each.
    """
    columns = {
        "log p(x|u)": account.means["log_likelihood"],
        "Gaussian": -account.costs["gaussian"],
        "diagonal": -account.costs["diagonal"],
        "network": -account.costs["network"],
        "ELBO": account.means["network"],
    } | {name: np.asarray(values, np.float64) for name, values in scores.items()}
    means = {name: v.reshape(len(settings), -1).mean(1) for name, v in columns.items()}
    found = pd.DataFrame(means, index=pd.Index(settings, name="setting"))
    return found.astype(np.float64)  # Of single precision, rounded numbers show stray digits.


def verdict(lead: ArrayLike) -> Verdict:
    """Name what lets an objective prefer the trained solution to the truth.

    ``lead`` is by how much it leads on the four :data:`LEVELS`, (4,), from :func:`advantage`, a
    mean over datasets, say. A lead of at most :data:`RESOLUTION` counts as none.

    ``"likelihood"``: the trained solution has the higher likelihood already, so that the data are
    not from the model that is fitted. ``"gaussian"``: it leads from the bound of any Gaussian down;
    ``"diagonal"``: from the diagonal ones down; condition (i) of Theorem 3. ``"network"``: only the
    encoder's networks make it lead; the same condition, since q(z|x, u) is what they can give.
    ``"search"``: it leads nowhere that counts, so that a better solution was known and training has
    not found it; condition (ii).
    """
    values = np.asarray(lead, np.float64)
    if np.isnan(values).any():  # It would pass for no lead.
        raise ValueError(f"lead must be known on every level; got {values}.")
    leads = values > RESOLUTION
    if not leads[-1]:
        return "search"
    # The highest level from which on it leads all the way down.
    ahead = np.cumprod(leads[::-1])[::-1].astype(bool)
    names: tuple[Verdict, ...] = ("likelihood", "gaussian", "diagonal", "network")
    return names[int(ahead.argmax())]


def verdicts(lead: Mapping[str, ArrayLike]) -> NDArray[np.str_]:
    """Return the :func:`verdict` on each of many leads; of each level (...), to (...)."""
    levels = np.stack([np.asarray(lead[name], np.float64) for name in LEVELS], -1)
    found = [verdict(one) for one in levels.reshape(-1, len(LEVELS))]
    return np.array(found).reshape(levels.shape[:-1])
