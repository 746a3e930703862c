"""Chapter 1's runs: single two-sample tests, and VAEs and iVAEs that differ in their seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from companion.c01.comparisons import COMPARISONS, draw_pair
from companion.recorded import trained
from companion.recorded.experiment import Experiment, Outcome, Run, nudged, one_by_one
from companion.recorded.trained import Trained
from companion.two_sample import energy_test
from companion.whitening import whitening
from ivae import metrics
from ivae.data import NonstationaryData
from ivae.support.checks import Array
from ivae.theory.exact import mean_field_gap

TEST = 0x7E57
"""Keeps the tests' generators apart from all others."""
SHOWN_EACH = 10
"""One in so many fresh rows is where runs are compared with each other."""
N_ROTATIONS = 50


def plan_tests(*, seed: int, n_tests: int, size: int, n_permutations: int) -> list[dict[str, Any]]:
    """Return tests on samples of ``size`` points, ``n_tests`` for each of the comparisons."""
    common = {"seed": seed, "size": size, "n_permutations": n_permutations}
    return [
        {"comparison": comparison, "number": number} | common
        for comparison in COMPARISONS
        for number in range(n_tests)
    ]


def one_test(run: Run, nudge: float) -> Outcome:
    """Draw one pair of samples and test whether they are of one law."""
    comparison, seed, size = run["comparison"], run["seed"], run["size"]
    own = np.random.default_rng((seed, COMPARISONS.index(comparison), run["number"], TEST))
    one, other = draw_pair(comparison, seed, size, own)
    one, other = nudged(one, nudge, 0), nudged(other, nudge, 1)
    found = energy_test(one, other, run["n_permutations"], own)
    return Outcome({"p_value": found.p_value, "distance": found.distance})


tests = Experiment(plan_tests, one_by_one(one_test), revision=1, together=500)


def plan_agreement(
    *, seed: int, n_runs: int, epochs: int, samples_per_segment: int
) -> list[dict[str, Any]]:
    """Return VAEs and iVAEs on linear and on released data that differ in their seeds alone."""
    return [
        {"preset": preset, "model": model, "seed": seed + i, "data_seed": seed}
        | {"epochs": epochs, "samples_per_segment": samples_per_segment}
        for preset in ("linear", "released")
        for model in ("vae", "ivae")
        for i in range(n_runs)
    ]


def prepare(dataset: NonstationaryData) -> Callable[[Array], Array]:
    """Whiten linear data, as their own rows ask for, so that no direction stands out."""
    return whitening(dataset.x) if dataset.preset == "linear" else lambda x: x


def measure(trained: Trained) -> list[Outcome]:
    """Say what a diagonal posterior costs each member, and keep its latents at some fresh rows.

    ``gap`` is that cost in the axes it has learned, nats a sample, see
    :func:`ivae.theory.exact.mean_field_gap`. ``gap_turned`` and ``gap_least`` are mean and least
    over rotations of them, which leave p(x) alone where the prior is a VAE's; an iVAE has none.
    ``means`` are posterior means, (N' / 10, n).
    """
    model = trained.model
    labels = trained.fresh_u[:, ::SHOWN_EACH]
    means = model.infer(trained.fresh_x[:, ::SHOWN_EACH], labels).mean
    slopes = model.decoder_jacobian(means).numpy(force=True)
    _, variances = (moment.numpy(force=True) for moment in model.prior_moments())
    rotations = metrics.random_rotations(model.n_latents, N_ROTATIONS)
    found = []
    for member, jacobian in enumerate(slopes):
        noise = model.decoder_variance[member].item()
        of_prior = variances[member][labels[member] if model.is_conditional else [0]]
        values = {
            "gap": mean_field_gap(jacobian, noise, prior_variance=of_prior),
            "gap_turned": np.nan,
            "gap_least": np.nan,
        }
        if not model.is_conditional:
            turned = [mean_field_gap(jacobian, noise, rotation) for rotation in rotations]
            values |= {"gap_turned": float(np.mean(turned)), "gap_least": min(turned)}
        found.append(Outcome(values, {"means": means[member].numpy(force=True).astype(np.float16)}))
    return found


agreement = trained.experiment(plan_agreement, measure, revision=1, prepare=prepare)
