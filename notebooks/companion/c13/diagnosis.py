"""What an objective is worth at the truth and where training ends, taken apart.

For one solution (decoder, prior, encoder) with its decoder variance, the ELBO of Eq. (8) is reached
from the log-likelihood in three steps down, all of them KL divergences from the true posterior or
differences of such:

    log p(x|u)                              importance sampling
      - what a Gaussian costs            -> bound of the best Gaussian with any covariance
      - what a diagonal covariance costs -> bound of the best Gaussian with a diagonal one
      - what the encoder network costs   -> the ELBO, which is what training maximises

Two solutions can be compared on each of the four steps. The highest step on which one of them leads
says which assumption lets the objective prefer it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from ivae.data import NonstationaryData
from ivae.models import LatentVariableModel
from ivae.support.checks import finite_array, whole_number
from ivae.support.progress import ProgressLine
from ivae.theory.posteriors import (
    Posteriors,
    Problem,
    at_mode,
    bound,
    measure_gap,
    problem_of_dataset,
    problem_of_model,
)

Array = NDArray[np.floating[Any]]
STEPS = ("log_likelihood", "full", "diagonal", "network")
FEWEST = 20.0  # Effective draws below which a log-likelihood by importance sampling is not used.
RESOLUTION = 0.05  # Nats; smaller leads are within what fits and draws leave uncertain.
Verdict = Literal["likelihood", "gaussian", "diagonal", "network", "search"]


@dataclass(frozen=True)
class Account:
    """The four steps for E solutions at B observations each, in nats, (E, B).

    Attributes
    ----------
    log_likelihood
        log p(x|u).
    full, diagonal
        Bounds of the best Gaussians, fitted to each observation by itself.
    network
        The ELBO of Eq. (8), with the posterior that the encoder gives.
    effective
        Effective number of importance samples behind each log-likelihood.
    """

    log_likelihood: Array
    full: Array
    diagonal: Array
    network: Array
    effective: Array

    @property
    def means(self) -> dict[str, Array]:
        """Mean of each step over observations, (E,)."""
        return {name: np.asarray(getattr(self, name).mean(1)) for name in STEPS}

    @property
    def costs(self) -> dict[str, Array]:
        """What each step down costs, (E,): ``gaussian``, ``diagonal`` and ``network``.

        Together they are log p(x|u) - ELBO, the gap of Eq. (25).
        """
        means = list(self.means.values())
        names = ("gaussian", "diagonal", "network")
        return {name: means[i] - means[i + 1] for i, name in enumerate(names)}

    def fewest_effective(self, share: float = 0.1) -> Array:
        """Return how many effective draws a ``share`` of observations falls below, (E,)."""
        return np.asarray(np.quantile(self.effective, share, axis=1))

    def is_reliable(self) -> NDArray[np.bool_]:
        """Return for whom nine in ten log-likelihoods rest on at least :data:`FEWEST` draws."""
        return np.asarray(self.fewest_effective() >= FEWEST)

    def of(self, members: Sequence[int] | NDArray[np.int64]) -> Account:
        """Return the account of these solutions alone."""
        kept = np.asarray(members)
        return Account(*(getattr(self, name)[kept] for name in (*STEPS, "effective")))


def account(
    model: LatentVariableModel,
    datasets: Sequence[NonstationaryData],
    rows: ArrayLike,
    *,
    at_truth: bool = False,
    n_steps: int = 200,
    n_draws: int = 1000,
    seed: int = 0,
    label: str = "account",
) -> Account:
    """Take apart what every member's bound is made of, at some observations of its dataset.

    Parameters
    ----------
    model
        Ensemble of E members.
    datasets
        Each member's data.
    rows
        Which observations, (B,), the same for all members.
    at_truth
        Whether to take decoder and prior not from the model but from the dataset, and from the
        model its decoder variance and its encoder alone. (After :func:`companion.c13.truth.write_truth` they
        are the same; this is faster, and the search for each posterior begins at the true z.)
    n_steps, n_draws, seed
        See :func:`ivae.theory.posteriors.measure_gap`.
    label
        Name on the progress line.

    Raises
    ------
    ValueError
        When there is not one dataset for each member, or rows are not whole numbers within them.
    """
    chosen = np.asarray(rows)
    if len(datasets) != model.n_members:
        raise ValueError(
            f"datasets must have one entry for each of {model.n_members} members; "
            f"got {len(datasets)}."
        )
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not chosen.size:
        raise ValueError(f"rows must be whole numbers, at least one; got {rows!r}.")
    whole_number("seed", seed, at_least=0)
    line = ProgressLine(label)
    found = []
    for member, dataset in enumerate(datasets):
        x, u = dataset.x[chosen], dataset.u[chosen]
        if at_truth:
            noise = float(model.decoder_variance[member])
            problem = problem_of_dataset(dataset, chosen, noise)
        else:
            problem = problem_of_model(model, member, x, u)
        network = _network_bound(model, member, problem, x, u, n_draws, seed)
        gap = measure_gap(at_mode(problem), n_steps=n_steps, n_draws=n_draws, seed=seed)
        steps = (gap.log_likelihood, gap.full, gap.mean_field, network, gap.effective * n_draws)
        found.append(steps)
        line.report(f"{member + 1} of {model.n_members} solutions")
    line.close()
    return Account(*(np.stack(column) for column in zip(*found, strict=True)))


def advantage(trained: Account, truth: Account) -> dict[str, Array]:
    """Return by how much the trained solutions lead on each step, (E,) each, in nats.

    Both accounts are of the same observations, so that what varies between these cancels.
    """
    if trained.network.shape != truth.network.shape:
        raise ValueError(
            "trained and truth must be accounts of the same observations; got shapes "
            f"{trained.network.shape} and {truth.network.shape}."
        )
    after, before = trained.means, truth.means
    return {name: after[name] - before[name] for name in STEPS}


def left_out(settings: Sequence[str], *accounts: Account) -> dict[str, str]:
    """Return the settings whose log-likelihoods are not to be used, each with the reason.

    Parameters
    ----------
    settings
        Names of S settings.
    accounts
        Of S D solutions each, the D datasets of the first setting first.

    Raises
    ------
    ValueError
        When an account's solutions do not divide evenly.
    """
    reasons: dict[str, str] = {}
    for account in accounts:
        _divides(settings, account)
        fewest = account.fewest_effective().reshape(len(settings), -1).min(1)
        for name, draws in zip(settings, fewest, strict=True):
            if draws < FEWEST:
                told = f"a tenth of its log-likelihoods rest on fewer than {draws:.1f} draws"
                reasons.setdefault(name, told)
    return reasons


def table(account: Account, settings: Sequence[str], scores: ArrayLike) -> pd.DataFrame:
    """Return the mean steps, costs and scores of several settings, one row for each.

    Parameters
    ----------
    account
        Of E = S D solutions, the D datasets of the first setting first.
    settings
        Names of the S settings.
    scores
        MCC of each solution, (E,).

    Raises
    ------
    ValueError
        When E is no multiple of S, or there is not one score for each solution.
    """
    _divides(settings, account)
    values = finite_array("scores", scores, (len(account.network),), np.float64)
    columns = {
        "log p(x|u)": account.means["log_likelihood"],
        "Gaussian": -account.costs["gaussian"],
        "diagonal": -account.costs["diagonal"],
        "network": -account.costs["network"],
        "ELBO": account.means["network"],
        "MCC": values,
    }
    means = {name: v.reshape(len(settings), -1).mean(1) for name, v in columns.items()}
    return pd.DataFrame(means, index=pd.Index(settings, name="setting"))


def verdict(lead: ArrayLike) -> Verdict:
    """Name what lets an objective prefer the trained solution to the truth.

    Parameters
    ----------
    lead
        By how much it leads on the four steps of :data:`STEPS`, (4,): from :func:`advantage`, a
        mean over datasets, say. A lead of at most :data:`RESOLUTION` counts as none.

    Returns
    -------
    str
        ``"likelihood"`` where the trained solution has the higher likelihood already: the data are
        not from the model that is fitted. ``"gaussian"`` where it leads from the bound of any
        Gaussian down, ``"diagonal"`` from the diagonal ones down: condition (i) of Theorem 3.
        ``"network"`` where only the encoder's networks make it lead: the same condition, since
        q(z|x, u) is what they can give. ``"search"`` where it leads nowhere that counts, so that a
        better solution was known and training has not found it: condition (ii).
    """
    steps = finite_array("lead", lead, (len(STEPS),), np.float64)
    if steps[-1] <= RESOLUTION:
        return "search"
    # The highest step from which on it leads all the way down.
    ahead = np.cumprod((steps > RESOLUTION)[::-1])[::-1].astype(bool)
    names: tuple[Verdict, ...] = ("likelihood", "gaussian", "diagonal", "network")
    return names[int(ahead.argmax())]


def _divides(settings: Sequence[str], account: Account) -> None:
    n_solutions = len(account.network)
    if not settings or n_solutions % len(settings):
        raise ValueError(
            f"settings must divide the {n_solutions} solutions evenly; got {len(settings)}."
        )


def _network_bound(
    model: LatentVariableModel,
    member: int,
    problem: Problem,
    x: Array,
    u: NDArray[np.int64],
    n_draws: int,
    seed: int,
) -> Array:
    part = model.of([member]).double()
    posterior = part.infer(x, u)
    factor = torch.diag_embed((0.5 * posterior.log_variance[0]).exp())
    generator = torch.Generator().manual_seed(seed)
    q = Posteriors(posterior.mean[0], factor)
    return np.asarray(bound(problem, q, n_draws, generator).numpy())
